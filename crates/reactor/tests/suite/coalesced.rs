//! Datagrams of UDP that come as one packet, on every driver that there is.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use torsade_core::{DatagramError, DatagramOptions, DatagramProtocol, DatagramTransport, Limits};
use torsade_reactor::Reactor;

use crate::support::{drive, settle};
use crate::unix::on_each_driver_with;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Whole(Vec<u8>, SocketAddr),
    /// What came of it, and how long it was.
    Cut(Vec<u8>, SocketAddr, usize),
    Error(String),
}

#[derive(Clone, Default)]
struct Notes {
    told: Rc<RefCell<Vec<Told>>>,
    closes_at: Option<usize>,
}

type Port = DatagramTransport<Notes>;

impl DatagramProtocol for Notes {
    fn datagram_received(&mut self, port: &Port, data: &[u8], from: &SocketAddr) {
        let mut told = self.told.borrow_mut();
        told.push(Told::Whole(data.to_vec(), *from));
        if Some(told.len()) == self.closes_at {
            port.close();
        }
    }

    fn error_received(&mut self, _: &Port, error: &DatagramError) {
        let told = match error {
            DatagramError::Truncated {
                from,
                length,
                received,
            } => Told::Cut(received.to_vec(), from.inet().unwrap(), *length),
            other => Told::Error(format!("{other:?}")),
        };
        self.told.borrow_mut().push(told);
    }
}

fn hearer(reactor: &Reactor, at: &str, notes: &Notes, coalesces: bool) -> Port {
    let options = DatagramOptions::new().coalesce(coalesces);
    let net = reactor.net();
    net.bind_with(at, &options, notes.clone()).unwrap()
}

fn numbered(number: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| (number * 31 + at) as u8).collect()
}

/// One datagram a turn, so that what comes in one turn is one packet.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.turn_datagrams = 1;
    limits
}

/// The most that were told in one turn, until there were so many.
fn most_in_a_turn(reactor: &mut Reactor, notes: &Notes, count: usize) -> usize {
    let (mut seen, mut most) = (0, 0);
    drive(reactor, || {
        let now = notes.told.borrow().len();
        most = most.max(now - seen);
        seen = now;
        now == count
    });
    most
}

#[test]
fn a_packet_is_told_one_by_one_and_in_order() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        on_each_driver_with(limits(), |reactor| {
            let (notes, other) = (Notes::default(), Notes::default());
            let hears = hearer(reactor, at, &notes, true);
            let splits = hearer(reactor, at, &other, false);
            let sender = hearer(reactor, at, &Notes::default(), false);
            // The last of a packet may be shorter, an empty one is alone, and so is a longer one.
            let lengths = [vec![1200; 20], vec![700, 0, 3, 1201]].concat();
            let sent = lengths.iter().enumerate();
            let sent: Vec<_> = sent.map(|(at, length)| numbered(at, *length)).collect();
            let whole = |data: &Vec<u8>| Told::Whole(data.clone(), sender.local());
            let wanted: Vec<Told> = sent.iter().map(whole).collect();

            for (port, notes, most) in [(&hears, &notes, 21), (&splits, &other, 1)] {
                for data in &sent {
                    sender.send_to(data, &port.local());
                }
                assert_eq!(most_in_a_turn(reactor, notes, sent.len()), most);
                settle(reactor);
                assert_eq!(*notes.told.borrow(), wanted);
                assert_eq!(port.received(), sent.len() as u64);
            }
        });
    }
}

#[test]
fn what_is_too_long_is_cut_and_told_as_such_in_a_packet_too() {
    let mut limits = limits();
    limits.datagram = 100;
    on_each_driver_with(limits, |reactor| {
        let notes = Notes::default();
        let hears = hearer(reactor, "127.0.0.1:0", &notes, true);
        let sender = hearer(reactor, "127.0.0.1:0", &Notes::default(), false);
        let from = sender.local();
        let sent: Vec<_> = [150, 150, 150, 90, 1000, 100]
            .iter()
            .enumerate()
            .map(|(at, length)| numbered(at, *length))
            .collect();
        let cut = |data: &Vec<u8>| match data.len() {
            101.. => Told::Cut(data[..100].to_vec(), from, data.len()),
            _ => Told::Whole(data.clone(), from),
        };
        let wanted: Vec<Told> = sent.iter().map(cut).collect();
        for data in &sent {
            sender.send_to(data, &hears.local());
        }
        drive(reactor, || notes.told.borrow().len() == sent.len());
        settle(reactor);
        assert_eq!(*notes.told.borrow(), wanted);
    });
}

#[test]
fn a_port_that_is_closed_in_a_packet_is_told_no_more() {
    on_each_driver_with(limits(), |reactor| {
        let notes = Notes {
            closes_at: Some(3),
            ..Notes::default()
        };
        let hears = hearer(reactor, "127.0.0.1:0", &notes, true);
        let sender = hearer(reactor, "127.0.0.1:0", &Notes::default(), false);
        for number in 0..8 {
            sender.send_to(numbered(number, 500), &hears.local());
        }
        drive(reactor, || !hears.is_open());
        settle(reactor);
        assert_eq!(notes.told.borrow().len(), 3);
    });
}

#[test]
fn a_flood_from_several_keeps_the_order_of_each() {
    const EACH: usize = 300;
    on_each_driver_with(Limits::default(), |reactor| {
        let notes = Notes::default();
        let hears = hearer(reactor, "127.0.0.1:0", &notes, true);
        let sender = || hearer(reactor, "127.0.0.1:0", &Notes::default(), false);
        let senders = [sender(), sender()];
        for round in 0..EACH / 20 {
            // As much as its queue holds.
            for (which, sender) in senders.iter().enumerate() {
                for number in round * 20..(round + 1) * 20 {
                    sender.send_to(numbered(number, 400 + which), &hears.local());
                }
            }
            let so_far = senders.len() * (round + 1) * 20;
            drive(reactor, || notes.told.borrow().len() == so_far);
        }
        for (which, sender) in senders.iter().enumerate() {
            let told = notes.told.borrow();
            let from =
                |told: &&Told| matches!(told, Told::Whole(_, from) if *from == sender.local());
            let whole = |at| Told::Whole(numbered(at, 400 + which), sender.local());
            let of_it: Vec<Told> = told.iter().filter(from).cloned().collect();
            assert_eq!(of_it, (0..EACH).map(whole).collect::<Vec<_>>());
        }
    });
}
