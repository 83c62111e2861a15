//! Every line that somebody sends goes to everybody who is connected, the sender too.
//!
//! Run `cargo run --bin pubsub`, then `nc -C 127.0.0.1 8007` in two other terminals. Ctrl-C ends
//! it.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use torsade::wire::{LineProtocol, Lines};
use torsade::{Connection, Disconnect, Reactor, Transport, factory};

/// Everybody who is connected.
type Room = Rc<RefCell<Vec<Connection>>>;

struct Member {
    room: Room,
}

impl LineProtocol for Member {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.room.borrow_mut().push(transport.connection());
    }

    fn line_received(&mut self, _: &Transport<Self>, line: &[u8]) {
        // The line exists once, however many are sent it and however long it waits for the
        // slowest. One that does not read at all is put out when the bound of its output is
        // passed; nobody waits for it.
        let line = Bytes::from([line, Self::DELIMITER].concat());
        for member in self.room.borrow().iter() {
            member.write_bytes(line.clone());
        }
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, _: &Disconnect) {
        let gone = transport.connection();
        self.room.borrow_mut().retain(|member| *member != gone);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8007");
    let mut reactor = Reactor::new()?;
    let room = Room::default();
    let members = factory(move |_| {
        let room = Rc::clone(&room);
        Lines::new(Member { room })
    });
    let listener = reactor.net().listen(address, members)?;
    reactor.stop_on_signals()?;
    println!("listening on {}", listener.address());
    Ok(reactor.run()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use torsade::Limit;
    use torsade_testing::StringTransport;

    type Test = StringTransport<Lines<Member>>;

    fn member(room: &Room) -> Test {
        let room = Rc::clone(room);
        StringTransport::serve(Lines::new(Member { room }))
    }

    fn deaf(room: &Room) -> Test {
        let mut t = member(room);
        t.set_window(0);
        t
    }

    #[test]
    fn a_line_goes_to_all_and_to_its_sender() {
        let room = Room::default();
        let [mut ann, mut bob, mut eve] = [(); 3].map(|()| member(&room));
        ann.feed("one\r\ntw");
        bob.feed(b"three\r\n\r\n\xff\r\n");
        ann.feed_bytewise("o\r\n");
        for t in [&mut ann, &mut bob, &mut eve] {
            assert_eq!(t.take_sent(), b"one\r\nthree\r\n\r\n\xff\r\ntwo\r\n");
        }
    }

    #[test]
    fn who_has_gone_is_sent_nothing_however_it_went() {
        let room = Room::default();
        let mut ann = member(&room);
        let ways: [fn(&mut Test); 4] = [
            |t| t.end(),
            |t| t.reset(),
            |t| t.connection().abort(),
            |t| t.feed([b'x'; 20_000]),
        ];
        for leave in ways {
            let mut bob = member(&room);
            assert_eq!(room.borrow().len(), 2);
            leave(&mut bob);
            assert!(bob.lost().is_some());
            assert_eq!(room.borrow().len(), 1);
            ann.feed("still here\r\n");
            assert_eq!(ann.take_sent(), b"still here\r\n");
            assert_eq!(bob.connection().bytes_dropped(), 0);
        }
    }

    #[test]
    fn one_who_does_not_read_is_put_out_with_a_reason_and_nobody_else_notices() {
        const CAP: usize = 16 << 20;
        let room = Room::default();
        let [mut ann, mut bob] = [(); 2].map(|()| member(&room));
        let deaf = deaf(&room);
        let line = format!("{}\r\n", "x".repeat(10_000));
        let mut most = 0;
        for _ in 0..2_000 {
            ann.feed(&line);
            most = most.max(deaf.connection().buffered());
            assert!(ann.take_sent() == line.as_bytes());
            assert!(bob.take_sent() == line.as_bytes());
        }
        assert_eq!(
            deaf.lost(),
            Some(Disconnect::LimitPassed(Limit::WriteBuffer))
        );
        assert!((CAP..=CAP + line.len()).contains(&most), "{most}");
        assert_eq!(room.borrow().len(), 2);
        assert_eq!((ann.lost(), bob.lost()), (None, None));
    }

    #[test]
    fn one_who_floods_and_does_not_read_is_not_read_either() {
        let room = Room::default();
        let mut ann = member(&room);
        let mut loud = deaf(&room);
        loud.feed("all the same to me\r\n".repeat(100_000));
        assert!(!loud.is_reading());
        assert!(loud.connection().buffered() <= 2 * 64 * 1024);
        ann.feed("hello\r\n");
        assert!(ann.take_sent().ends_with(b"hello\r\n"));
        assert_eq!(loud.lost(), None);
    }

    /// 400 MB wait here, and the process has not a quarter of that.
    #[test]
    #[cfg(target_os = "linux")]
    fn what_waits_for_many_is_there_once() {
        let room = Room::default();
        let mut ann = member(&room);
        let deaf: Vec<Test> = (0..100).map(|_| deaf(&room)).collect();
        let line = format!("{}\r\n", "x".repeat(10_000));
        for _ in 0..400 {
            ann.feed(&line);
            ann.take_sent();
        }
        let waiting: usize = deaf.iter().map(|t| t.connection().buffered()).sum();
        assert_eq!(waiting, 100 * 400 * line.len());
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let most = most.and_then(|most| most.trim().strip_suffix(" kB"));
        let most: usize = most.unwrap().parse().unwrap();
        assert!(most < waiting / 1024 / 4, "{most} kB");
    }
}
