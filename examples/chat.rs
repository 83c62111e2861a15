//! A chat room. Whoever connects is asked for a name and hears what the others say.
//!
//! Run `cargo run --bin chat`, then `cargo run --bin chat client` in two other terminals. `/quit`
//! leaves, Ctrl-C in the first terminal ends the server. An address may follow in either case.
#![forbid(unsafe_code)]

mod terminal;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::rc::Rc;

use torsade::wire::{LineProtocol, Lines};
use torsade::{Connection, Disconnect, Reactor, Transport, factory};

/// Who is in, by name. Sending to all of them while it is borrowed is safe: nobody is called back
/// meanwhile.
type Room = Rc<RefCell<BTreeMap<String, Connection>>>;

struct Member {
    room: Room,
    name: Option<String>,
}

impl Member {
    fn new(room: &Room) -> Lines<Self> {
        let room = Rc::clone(room);
        Lines::new(Self { room, name: None })
    }

    fn join(&mut self, transport: &Transport<Self>, name: &str) {
        let fits = (1..=20).contains(&name.len()) && name.chars().all(char::is_alphanumeric);
        if !fits {
            transport.write("names have 1 to 20 letters and digits: another one?\r\n");
        } else if self.room.borrow().contains_key(name) {
            transport.write(format!("{name} is taken: another one?\r\n"));
        } else {
            self.tell_others(&format!("* {name} joined\r\n"));
            let mut room = self.room.borrow_mut();
            let names: Vec<_> = room.keys().map(String::as_str).collect();
            transport.write(format!("* with you: {}\r\n", names.join(" ")));
            room.insert(name.into(), transport.connection());
            self.name = Some(name.into());
        }
    }

    fn tell_others(&self, text: &str) {
        for (name, member) in self.room.borrow().iter() {
            if Some(name) != self.name.as_ref() {
                member.write(text);
            }
        }
    }
}

impl LineProtocol for Member {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write("your name?\r\n");
    }

    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        match (&self.name, line.trim()) {
            (_, "/quit") => transport.close(),
            (None, name) => self.join(transport, name),
            (Some(name), text) => self.tell_others(&format!("<{name}> {text}\r\n")),
        }
    }

    fn connection_lost(&mut self, _: &Transport<Self>, _: &Disconnect) {
        if let Some(name) = self.name.take() {
            self.room.borrow_mut().remove(&name);
            self.tell_others(&format!("* {name} left\r\n"));
        }
    }
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    env_logger::init();
    let mut arguments = std::env::args().skip(1).peekable();
    let is_client = arguments.next_if(|it| it == "client").is_some();
    let address = arguments.next();
    let address = address.unwrap_or_else(|| "127.0.0.1:8007".to_owned());
    let mut reactor = Reactor::new()?;
    if is_client {
        return Ok(terminal::run(&mut reactor, address)?);
    }
    let room = Room::default();
    let listener = reactor
        .net()
        .listen(address, factory(move |_| Member::new(&room)))?;
    reactor.stop_on_signals()?;
    println!("listening on {}", listener.address());
    reactor.run()?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use torsade_testing::StringTransport;

    type Test = StringTransport<Lines<Member>>;

    /// Somebody who has joined under this name.
    fn joined(room: &Room, name: &str) -> Test {
        let mut t = StringTransport::serve(Member::new(room));
        t.feed(format!("{name}\r\n"));
        t.take_sent();
        t
    }

    fn said(t: &mut Test) -> String {
        String::from_utf8_lossy(&t.take_sent()).into_owned()
    }

    #[test]
    fn a_newcomer_is_asked_told_and_announced() {
        let room = Room::default();
        let mut ann = joined(&room, "ann");
        let mut bob = StringTransport::serve(Member::new(&room));
        assert_eq!(said(&mut bob), "your name?\r\n");
        bob.feed_bytewise("bob\r\n");
        assert_eq!(said(&mut bob), "* with you: ann\r\n");
        assert_eq!(said(&mut ann), "* bob joined\r\n");
    }

    #[test]
    fn what_one_says_the_others_hear() {
        let room = Room::default();
        let [mut ann, mut bob, mut eve] = ["ann", "bob", "eve"].map(|name| joined(&room, name));
        for t in [&mut ann, &mut bob, &mut eve] {
            said(t);
        }
        bob.feed("hello\r\nall of you\r\n");
        assert_eq!(said(&mut ann), "<bob> hello\r\n<bob> all of you\r\n");
        assert_eq!(said(&mut eve), "<bob> hello\r\n<bob> all of you\r\n");
        assert_eq!(said(&mut bob), "");
    }

    #[test]
    fn a_taken_or_unfit_name_is_asked_again() {
        let room = Room::default();
        let _ann = joined(&room, "ann");
        let mut t = StringTransport::serve(Member::new(&room));
        said(&mut t);
        t.feed("ann\r\n\r\nan n\r\n~\r\nbob\r\n");
        let answers = said(&mut t);
        let answers: Vec<_> = answers.lines().collect();
        let unfit = "names have 1 to 20 letters and digits: another one?";
        assert_eq!(answers[0], "ann is taken: another one?");
        assert_eq!(answers[1..4], [unfit; 3]);
        assert_eq!(answers[4], "* with you: ann");
    }

    #[test]
    fn a_name_is_free_again_however_its_owner_went() {
        let room = Room::default();
        let mut watcher = joined(&room, "watcher");
        let ways: [fn(&mut Test); 4] = [
            |t| t.feed("/quit\r\nnot said any more\r\n"),
            |t| t.end(),
            |t| t.reset(),
            |t| t.connection().abort(),
        ];
        for leave in ways {
            let mut bob = joined(&room, "bob");
            assert_eq!(said(&mut watcher), "* bob joined\r\n");
            leave(&mut bob);
            assert!(bob.lost().is_some());
            assert_eq!(said(&mut watcher), "* bob left\r\n");
        }
        assert_eq!(room.borrow().len(), 1);
    }

    #[test]
    fn a_member_who_does_not_read_is_put_out_and_nobody_else_notices() {
        let room = Room::default();
        let mut ann = joined(&room, "ann");
        let mut deaf = joined(&room, "deaf");
        deaf.set_window(0);
        let line = format!("{}\r\n", "x".repeat(10_000));
        for _ in 0..2_000 {
            ann.feed(&line);
        }
        assert!(matches!(deaf.lost(), Some(Disconnect::LimitPassed(_))));
        assert!(said(&mut ann).ends_with("* deaf left\r\n"));
        assert!(ann.lost().is_none());
    }

    #[test]
    fn a_line_without_end_puts_its_sender_out() {
        let room = Room::default();
        let mut t = joined(&room, "ann");
        t.feed(vec![b'x'; 100_000]);
        assert!(matches!(t.lost(), Some(Disconnect::LimitPassed(_))));
        assert!(room.borrow().is_empty());
    }
}
