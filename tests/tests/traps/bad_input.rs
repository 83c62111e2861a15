//! Peers that break off, flood, or do not read.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use torsade_core::{Connection, Disconnect, Limit, Limits, Transport};
use torsade_wire::{LineProtocol, LineTransport, Lines};

use crate::support::{Lab, Peer, Seen, Shared};

/// Who is in. Every line that somebody says is heard by all, its speaker among them.
type Room = Rc<RefCell<Vec<Connection>>>;

struct Member {
    room: Room,
    losses: Shared<Disconnect>,
}

impl LineProtocol for Member {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.room.borrow_mut().push(transport.connection());
    }

    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        if line == b"/quit" {
            return transport.close();
        }
        for member in self.room.borrow().iter() {
            member.write_parts(&[line, b"\r\n"]);
        }
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        let mut room = self.room.borrow_mut();
        room.retain(|member| *member != transport.connection());
        self.losses.push(reason.clone());
    }
}

/// A room on a reactor, and somebody in it who behaves.
struct Chat {
    lab: Lab,
    address: SocketAddr,
    room: Room,
    losses: Shared<Disconnect>,
    good: Peer,
}

impl Chat {
    fn new(change: impl FnOnce(&mut Limits)) -> Self {
        let mut lab = Lab::with(change);
        let (room, losses) = (Room::default(), Shared::default());
        let (entered, left) = (Rc::clone(&room), losses.clone());
        let address = lab.serve(move || {
            Lines::new(Member {
                room: Rc::clone(&entered),
                losses: left.clone(),
            })
        });
        let good = Peer::connect(address);
        lab.settle();
        Self {
            lab,
            address,
            room,
            losses,
            good,
        }
    }

    fn wait_for_a_loss(&mut self) -> Disconnect {
        let (before, losses) = (self.losses.len(), self.losses.clone());
        self.lab
            .drive("a connection is lost", || losses.len() > before);
        assert_eq!((before + 1, self.room.borrow().len()), (losses.len(), 1));
        losses.list().pop().unwrap()
    }
}

const DIALOGUE: &[u8] = b"hello\r\nall of\xff\r\nyou\r\n/quit\r\nnot said";
const SAID: &[u8] = b"hello\r\nall of\xff\r\nyou\r\n";

/// What is said in the first so many bytes of the dialogue.
fn said(len: usize) -> &'static [u8] {
    let said = &DIALOGUE[..len.min(SAID.len())];
    let end = said.iter().rposition(|byte| *byte == b'\n');
    &said[..end.map_or(0, |end| end + 1)]
}

/// A peer that ends its side after any byte has its whole lines said, hears them, and leaves.
pub(crate) fn half_closes_at_every_byte() {
    let mut chat = Chat::new(|_| ());
    for len in 0..=DIALOGUE.len() {
        let mut peer = Peer::connect(chat.address);
        peer.write(&DIALOGUE[..len]);
        peer.finish();
        let reason = chat.wait_for_a_loss();
        assert!(reason.is_clean(), "after {len}: {reason}");
        assert_eq!(peer.read_to_end(&mut chat.lab), said(len));
        let heard = chat.good.read_exactly(&mut chat.lab, said(len).len());
        assert_eq!(heard, said(len));
        chat.good.round_trip(&mut chat.lab, b"still here?\r\n");
    }
}

/// A peer that resets after any byte, before or after the server had read that, leaves, and
/// nobody hears what it did not say.
pub(crate) fn resets_at_every_byte() {
    let mut chat = Chat::new(|_| ());
    for len in 0..=DIALOGUE.len() {
        for is_read in [false, true] {
            let mut peer = Peer::connect(chat.address);
            let room = Rc::clone(&chat.room);
            // Reset before it is accepted, a connection may never be seen.
            chat.lab.drive("it is made", || room.borrow().len() == 2);
            peer.write(&DIALOGUE[..len]);
            if is_read {
                chat.lab.settle();
            }
            let ended = chat.losses.len();
            peer.reset();
            if chat.losses.len() == ended && chat.room.borrow().len() == 2 {
                let reason = chat.wait_for_a_loss();
                assert!(
                    matches!(reason, Disconnect::Reset | Disconnect::Closed),
                    "after {len}: {reason}"
                );
            }
            chat.lab.settle();
            chat.good.read();
            let heard = chat.good.take();
            if is_read {
                assert_eq!(heard, said(len));
            } else {
                // What was not read when the reset came may be lost: whole lines, from the end.
                assert!(said(len).starts_with(&heard));
                assert!(heard.is_empty() || heard.ends_with(b"\r\n"));
            }
            chat.good.round_trip(&mut chat.lab, b"still here?\r\n");
        }
    }
}

/// Answers each line with the line.
struct LineEcho(Shared<Disconnect>);

impl LineProtocol for LineEcho {
    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        transport.send_line(line);
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.0.push(reason.clone());
    }
}

/// A peer that floods with a line that never ends is put out when the line is too long.
pub(crate) fn a_flood_without_lines() {
    let mut lab = Lab::new();
    let losses = Shared::default();
    let noted = losses.clone();
    let address = lab.serve(move || Lines::new(LineEcho(noted.clone())));
    let (mut good, mut loud) = (Peer::connect(address), Peer::connect(address));
    let mut sent = 0;
    while loud.seen == Seen::Open {
        sent += loud.write_some(&[b'x'; 10_000]);
        assert!(sent < 100_000, "nothing ends it");
        loud.read();
        good.round_trip(&mut lab, b"still here?\r\n");
        assert_eq!(lab.net.buffered(), 0);
    }
    assert_eq!(losses.list(), [Disconnect::LimitPassed(Limit::Message)]);
}

/// A peer that floods with lines and reads no answer is not read either: it costs no more than
/// the marks say, and nobody else waits.
pub(crate) fn a_flood_of_a_peer_that_never_reads() {
    const LINE: &[u8] = b"a line of twenty-eight bytes\r\n";
    let mut lab = Lab::new();
    let losses = Shared::default();
    let noted = losses.clone();
    let address = lab.serve(move || Lines::new(LineEcho(noted.clone())));
    let (mut good, mut loud) = (Peer::connect(address), Peer::narrow(address));
    let limits = lab.net.limits().clone();
    let flood = LINE.repeat(1000);
    let (mut sent, mut refused) = (0, 0);
    while refused < 100 {
        let taken = loud.write_some(&flood[sent % flood.len()..]);
        sent += taken;
        refused = if taken == 0 { refused + 1 } else { 0 };
        good.round_trip(&mut lab, b"still here?\r\n");
        // What one more read brought after the last look at the marks is answered, too.
        assert!(lab.net.buffered() <= limits.write_high + limits.turn_connection_bytes);
    }
    assert!(lab.net.buffered() > limits.write_high, "the trap is set");
    assert_eq!(losses.len(), 0);
    // It was only slow, after all.
    lab.drive("all is answered", || {
        loud.read();
        loud.received.len() == sent / LINE.len() * LINE.len()
    });
    assert!(loud.take().chunks(LINE.len()).all(|line| line == LINE));
}

/// A member that never reads is put out at the cap, and the others hear every line meanwhile.
pub(crate) fn a_listener_who_never_reads() {
    const CAP: usize = 1_000_000;
    let mut chat = Chat::new(|limits| limits.write_cap = CAP);
    let _deaf = Peer::narrow(chat.address);
    chat.lab.settle();
    let line = [&[b'x'; 10_000], &b"\r\n"[..]].concat();
    let mut lines = 0;
    while chat.losses.len() == 0 {
        chat.good.round_trip(&mut chat.lab, &line);
        assert!(chat.lab.net.buffered() <= CAP + line.len());
        lines += 1;
        assert!(lines < 1000, "nothing ends it");
    }
    let reason = Disconnect::LimitPassed(Limit::WriteBuffer);
    assert_eq!(chat.losses.list(), [reason]);
    assert_eq!(chat.lab.net.buffered(), 0);
    chat.good.round_trip(&mut chat.lab, b"alone?\r\n");
}
