//! A terminal and the network, as `stdio_client` and `chat` have them: what is typed is sent, what
//! comes is shown, and neither faster than the other side takes it.
//!
//! The terminal's side is standard input and output, whatever they are: in a pipeline the same
//! program sends what another one printed. Lines end with a bare line feed there and with CR LF on
//! the network.

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;

use torsade::{Connection, Disconnect, Net, Protocol, Reactor, Stdio, ToEndpoint, Transport};

/// Talk with who is there, until that is over or a signal ends it. What the program is to exit with
/// is returned: 1 if there was nobody, or if the connection was lost otherwise than by a close.
pub(crate) fn run(reactor: &mut Reactor, to: impl ToEndpoint + 'static) -> io::Result<ExitCode> {
    let exit = talk(reactor.net(), to);
    reactor.stop_on_signals()?;
    reactor.run()?;
    Ok(exit.get())
}

/// The reactor stops when it is over; what to exit with is known then.
fn talk(net: &Net, to: impl ToEndpoint + 'static) -> Rc<Cell<ExitCode>> {
    let exit = Rc::new(Cell::new(ExitCode::SUCCESS));
    let to = Box::new(to);
    let terminal = Terminal {
        to: Some(to),
        network: None,
        last: 0,
        exit: Rc::clone(&exit),
    };
    net.connect(Stdio, terminal).detach();
    exit
}

/// The side of the person.
struct Terminal {
    to: Option<Box<dyn ToEndpoint>>,
    network: Option<Connection>,
    /// What was read last.
    last: u8,
    exit: Rc<Cell<ExitCode>>,
}

impl Protocol for Terminal {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let Some(to) = self.to.take() else {
            return;
        };
        let terminal = transport.connection();
        let network = transport.net().connect(&*to, Network { terminal });
        // Nothing is read before there is somebody to send it to.
        transport.hold(network, |this, transport, network| match network {
            Ok(network) => this.network = Some(network.connection()),
            Err(error) => transport.fail(Disconnect::application(error.to_string())),
        });
    }

    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        let Some(network) = &self.network else {
            return;
        };
        for line in data.split_inclusive(|byte| *byte == b'\n') {
            match line.split_last() {
                Some((b'\n', text)) if *text.last().unwrap_or(&self.last) != b'\r' => {
                    network.write_parts(&[text, b"\r\n"]);
                }
                _ => network.write(line),
            }
            self.last = b'\n';
        }
        self.last = data.last().copied().unwrap_or(self.last);
    }

    /// Nothing more is typed, and the answers are still to come.
    fn eof_received(&mut self, _: &Transport<Self>) {
        if let Some(network) = &self.network {
            network.close_write();
        }
    }

    fn pause_writing(&mut self, _: &Transport<Self>) {
        if let Some(network) = &self.network {
            network.pause_reading();
        }
    }

    fn resume_writing(&mut self, _: &Transport<Self>) {
        if let Some(network) = &self.network {
            network.resume_reading();
        }
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        if !reason.is_clean() {
            // Standard output may be what is broken.
            eprintln!("{reason}");
            self.exit.set(ExitCode::FAILURE);
        }
        transport.net().stop();
    }
}

/// The side of the others.
struct Network {
    terminal: Connection,
}

impl Protocol for Network {
    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.terminal.write(data);
    }

    fn pause_writing(&mut self, _: &Transport<Self>) {
        self.terminal.pause_reading();
    }

    fn resume_writing(&mut self, _: &Transport<Self>) {
        self.terminal.resume_reading();
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        match reason.is_clean() {
            true => self.terminal.close(),
            false => self.terminal.fail(reason.clone()),
        }
    }
}
