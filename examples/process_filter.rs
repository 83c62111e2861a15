//! A program as a server: what a client sends goes through a command, one for each connection.
//!
//! Run `cargo run --bin process_filter 127.0.0.1:8007 sort -r`, then
//! `printf 'a\nb\n' | nc -N 127.0.0.1 8007`: the client's end is the end of the program's input, and
//! what it prints then comes back. `tr a-z A-Z` answers as it goes. Neither side is read faster than
//! the other one takes it. Ctrl-C ends it.
#![forbid(unsafe_code)]

use torsade::{
    Command, Connection, Disconnect, ProcessEnd, ProcessProtocol, ProcessTransport, Protocol,
    Reactor, Transport, factory,
};

/// A connection, and the program that it talks to.
struct Client {
    command: Command,
    program: Option<ProcessTransport<Program>>,
}

impl Client {
    fn new(command: &Command) -> Self {
        Self {
            command: command.clone(),
            program: None,
        }
    }
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        // Reading for the program does not wait until the client has read what it said.
        transport.throttle_input(false);
        let program = Program {
            client: transport.connection(),
        };
        match transport.net().spawn_process(&self.command, program) {
            Ok(program) => self.program = Some(program),
            Err(error) => transport.fail(Disconnect::application(error.to_string())),
        }
    }

    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        if let Some(program) = &self.program {
            program.write(data);
        }
    }

    /// The program may have much to say yet.
    fn eof_received(&mut self, _: &Transport<Self>) {
        if let Some(program) = &self.program {
            program.close_stdin();
        }
    }

    fn pause_writing(&mut self, _: &Transport<Self>) {
        if let Some(program) = &self.program {
            program.pause_reading(1);
        }
    }

    fn resume_writing(&mut self, _: &Transport<Self>) {
        if let Some(program) = &self.program {
            program.resume_reading(1);
        }
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        if let Some(program) = self.program.take() {
            // Most programs end when nobody reads them; the others shall, too.
            program.close();
            if !reason.is_clean() {
                let _ = program.terminate();
            }
        }
    }
}

/// The other side of it.
struct Program {
    client: Connection,
}

impl ProcessProtocol for Program {
    fn out_received(&mut self, _: &ProcessTransport<Self>, data: &[u8]) {
        self.client.write(data);
    }

    fn err_received(&mut self, transport: &ProcessTransport<Self>, data: &[u8]) {
        let said = String::from_utf8_lossy(data);
        eprintln!("process {}: {}", transport.pid(), said.trim_end());
    }

    fn pause_writing(&mut self, _: &ProcessTransport<Self>, _: u32) {
        self.client.pause_reading();
    }

    fn resume_writing(&mut self, _: &ProcessTransport<Self>, _: u32) {
        self.client.resume_reading();
    }

    /// It closed its input, as `head` does: what comes yet is for nobody.
    fn in_connection_lost(&mut self, _: &ProcessTransport<Self>, _: &Disconnect) {
        self.client.resume_reading();
    }

    fn process_ended(&mut self, _: &ProcessTransport<Self>, end: ProcessEnd) {
        if end.is_success() {
            self.client.close();
        } else {
            self.client.fail(Disconnect::application(end.to_string()));
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next();
    let address = address.as_deref().unwrap_or("127.0.0.1:8007");
    let program = arguments.next();
    let command = Command::new(program.as_deref().unwrap_or("sort")).args(arguments);
    let mut reactor = Reactor::new()?;
    let clients = factory(move |_| Client::new(&command));
    let listener = reactor.net().listen(address, clients)?;
    reactor.stop_on_signals()?;
    println!("listening on {}", listener.address());
    Ok(reactor.run()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use torsade::{ExitStatus, Signal};
    use torsade_testing::{FakeProcess, FarEnd, Leaks, MemoryReactor};

    fn start() -> (MemoryReactor, FarEnd, FakeProcess) {
        let reactor = MemoryReactor::new();
        let command = Command::new("sort");
        let clients = factory(move |_| Client::new(&command));
        let listener = reactor.net().listen("127.0.0.1:8007", clients).unwrap();
        let client = reactor.dial(listener.address());
        let process = reactor.next_process();
        (reactor, client, process)
    }

    #[test]
    fn both_directions_pass_and_end_in_order() {
        let _leaks = Leaks::check();
        let (_reactor, mut client, mut sort) = start();
        client.feed("b\na\n");
        client.end();
        assert_eq!(sort.take_input(), b"b\na\n");
        assert!(sort.pipe(0).has_ended());
        sort.feed("a\nb\n");
        assert!(!client.has_ended());
        sort.exit(ExitStatus::Code(0));
        assert_eq!(client.take_sent(), b"a\nb\n");
        assert!(client.has_ended());
    }

    #[test]
    fn nobody_is_read_faster_than_the_other_side_takes_it() {
        let (_reactor, mut client, mut sort) = start();
        sort.pipe(0).set_window(0);
        client.feed(vec![b'x'; 70_000]);
        assert!(!client.is_reading());
        sort.pipe(0).set_window(usize::MAX);
        assert!(client.is_reading());

        client.set_window(0);
        sort.feed(vec![b'y'; 70_000]);
        assert!(!sort.pipe(1).is_reading());
        client.set_window(usize::MAX);
        assert!(sort.pipe(1).is_reading());
    }

    #[test]
    fn a_client_that_is_lost_ends_its_program() {
        let (_reactor, mut client, mut sort) = start();
        client.reset();
        assert_eq!(sort.take_signals(), [Signal::Term]);
        assert!(sort.pipe(0).has_ended());
    }

    #[test]
    fn a_program_that_will_not_read_loses_nothing_but_that() {
        let (_reactor, mut client, mut sort) = start();
        client.feed(vec![b'x'; 70_000]);
        sort.pipe(0).end();
        client.feed("more, for nobody");
        assert!(client.is_reading());
        sort.feed("the head");
        sort.exit(ExitStatus::Code(0));
        assert_eq!(client.take_sent(), b"the head");
        assert!(client.has_ended());
    }
}
