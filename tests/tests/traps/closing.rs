//! What was written before a close arrives, and who does not take it is not waited for.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Disconnect, Limits, Timeout};

use crate::support::{Door, Lab, Peer, SMALL, Script, Seen, Shared, pattern};

/// A server that answers the first bytes with so many and closes.
fn curt(lab: &Lab, reply: usize, losses: &Shared<Disconnect>) -> std::net::SocketAddr {
    let losses = losses.clone();
    lab.serve(move || {
        Script::new()
            .data(move |transport, _| {
                transport.write(pattern(reply));
                transport.close();
            })
            .loses(&losses)
    })
}

/// More than a kernel takes from a writer whose reader is slow.
const LONG_REPLY: usize = 8_000_000;

/// Who takes a piece whenever half of the flush's deadline has passed gets all, however long that
/// takes: the outbox shrinks with every piece.
pub(crate) fn a_slow_reader_is_never_cut() {
    read_slowly(60 * SMALL);
}

/// And so does who takes so little at a time that the socket is not writable for a long while,
/// because the kernel's own queue has to shrink first.
pub(crate) fn a_very_slow_reader_is_never_cut() {
    read_slowly(SMALL);
}

fn read_slowly(piece: usize) {
    let mut lab = Lab::new();
    let losses = Shared::default();
    let address = curt(&lab, LONG_REPLY, &losses);
    let mut client = Peer::narrow(address);
    client.write("now");
    lab.settle();
    assert!(lab.net.buffered() > LONG_REPLY / 2, "the trap is set");
    let half = Limits::default().flush_timeout / 2;
    while losses.len() == 0 {
        let wanted = client.received.len() + piece;
        while client.received.len() < wanted && losses.len() == 0 {
            client.wait_readable();
            client.read_some(wanted - client.received.len());
            assert_eq!(client.seen, Seen::Open, "after {}", client.received.len());
            lab.settle();
        }
        lab.advance(half);
    }
    assert_eq!(losses.list(), [Disconnect::Closed]);
    assert_eq!(client.read_to_end(&mut lab), pattern(LONG_REPLY));
}

/// Who takes nothing is put out by the flush's deadline, and is told so.
pub(crate) fn a_deaf_reader_is_cut() {
    let mut lab = Lab::new();
    let losses = Shared::default();
    let address = curt(&lab, LONG_REPLY, &losses);
    let mut client = Peer::narrow(address);
    client.write("now");
    lab.settle();
    assert!(lab.net.buffered() > LONG_REPLY / 4, "the trap is set");
    let deadline = Limits::default().flush_timeout;
    let tick = Duration::from_millis(1);
    lab.advance(deadline - tick);
    assert_eq!(losses.list(), []);
    lab.advance(tick);
    // What the kernel itself carried on after the close may have counted as progress, once.
    lab.advance(deadline);
    assert_eq!(losses.list(), [Disconnect::TimedOut(Timeout::Flush)]);
    assert_eq!(lab.net.buffered(), 0);
    while client.seen == Seen::Open {
        client.wait_readable();
        client.read();
    }
    assert_eq!(client.seen, Seen::Cut);
    assert!(client.received.len() < LONG_REPLY);
}

/// As much as was measured to be lost where a kernel destroys it.
const REPLY: usize = 2_000_000;

/// What was handed to the kernel before the close arrives at a reader that begins only when the
/// server has long forgotten about it.
pub(crate) fn two_megabytes_to_a_late_reader() {
    let mut lab = Lab::new();
    let losses = Shared::default();
    let address = curt(&lab, REPLY, &losses);
    let mut client = Peer::narrow(address);
    client.write("now");
    lab.drive("the kernel has it all", || {
        let is_over = losses.len() == 1;
        if !is_over {
            client.read_some(SMALL);
        }
        is_over
    });
    assert_eq!(losses.list(), [Disconnect::Closed]);
    assert!(client.received.len() + 100_000 < REPLY, "the trap is set");
    // The socket no longer lingers, and then there is no reactor.
    lab.advance(Limits::default().linger);
    drop(lab);
    while client.seen == Seen::Open {
        client.wait_readable();
        client.read_some(SMALL);
    }
    assert_eq!((client.seen, client.received.len()), (Seen::Ended, REPLY));
    assert!(client.received == pattern(REPLY));
}

/// A reply arrives though much of what its reader had said was not read before the close, and
/// though the reader goes on talking.
pub(crate) fn a_reply_with_input_left_unread() {
    let mut lab = Lab::new();
    let losses = Shared::default();
    let address = curt(&lab, REPLY, &losses);
    let mut client = Peer::narrow(address);
    let chatter = [7; 200_000];
    client.write_some(&chatter);
    let said = Rc::new(Cell::new(0));
    lab.drive("the reply is there", || {
        said.set(said.get() + client.write_some(&chatter));
        client.read_some(SMALL);
        client.received.len() == REPLY || client.seen != Seen::Open
    });
    assert!(said.get() > chatter.len(), "the trap is set");
    client.finish();
    assert_eq!(client.read_to_end(&mut lab), pattern(REPLY));
    assert_eq!(losses.list(), [Disconnect::Closed]);
}

const REFUSAL: &[u8] = b"413 too large";

/// A client that sends more than the other end wants, and keeps what it hears.
fn uploader(heard: &Shared<u8>, losses: &Shared<Disconnect>) -> Script {
    let heard = heard.clone();
    Script::new()
        .made(|transport| transport.write(vec![b'u'; LONG_REPLY]))
        .data(move |_, data| data.iter().for_each(|byte| heard.push(*byte)))
        .loses(losses)
}

/// A peer that refuses: it reads a little, says why, and closes with the rest unread, so that the
/// kernel resets the connection behind the reply.
fn refuse(mut peer: Peer) {
    peer.wait_readable();
    assert!(peer.read_some(100) > 0);
    peer.write(REFUSAL);
}

/// An early error reply is read by its client, though the reset that follows has arrived too.
pub(crate) fn an_early_refusal_before_the_reset() {
    let mut lab = Lab::new();
    let (heard, losses) = (Shared::default(), Shared::default());
    let door = Door::open();
    let client = uploader(&heard, &losses);
    lab.net.connect(door.address(), client).detach();
    lab.settle();
    let peer = door.accept();
    lab.settle();
    assert!(lab.net.buffered() > 0, "the trap is set");
    refuse(peer);
    lab.drive("the client is told", || losses.len() == 1);
    assert_eq!(heard.list(), REFUSAL);
    assert_eq!(losses.list(), [Disconnect::Reset]);
}

/// The same when the client notices by sending: the send fails before the reply is read.
pub(crate) fn an_early_refusal_found_by_sending() {
    let mut lab = Lab::new();
    let (heard, losses) = (Shared::default(), Shared::default());
    let (door, handles) = (Door::open(), Shared::default());
    let handle = handles.clone();
    let client = uploader(&heard, &losses).made(move |transport| {
        transport.write([b'u'; 1000]);
        transport.connection().pause_reading();
        handle.push(transport.connection());
    });
    lab.net.connect(door.address(), client).detach();
    lab.settle();
    let peer = door.accept();
    lab.settle();
    refuse(peer);
    // Loopback is in order: what comes after it is here, so the reset is too.
    Peer::connect(door.address());
    door.accept();
    lab.settle();
    assert_eq!(losses.len(), 0, "input that is held back wakes nobody");
    // In the next turn output is offered to the kernel before anybody asks it for input.
    let transport = &handles.list()[0];
    transport.write("and more");
    transport.resume_reading();
    lab.drive("the client is told", || losses.len() == 1);
    assert_eq!(heard.list(), REFUSAL);
    assert_eq!(losses.list(), [Disconnect::Reset]);
}
