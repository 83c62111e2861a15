//! Replies in the order of their requests, each once.

use std::cell::RefCell;
use std::rc::Rc;

use torsade_core::{Disconnect, Transport};
use torsade_deferred::{Deferred, Failure};
use torsade_testing::StringTransport;
use torsade_wire::{Framed, Int8, MessageProtocol, MessageTransport, Replies};

type Reply = Deferred<Vec<u8>, Disconnect>;

#[derive(Default)]
struct Client {
    replies: Replies<Vec<u8>>,
}

impl MessageProtocol for Client {
    type Framing = Int8;

    fn message_received(&mut self, transport: &Transport<Self>, message: &[u8]) {
        let came = match message.strip_prefix(b"!") {
            Some(error) => {
                let error = String::from_utf8_lossy(error).into_owned();
                self.replies.reject(Disconnect::protocol(error)).is_ok()
            }
            None => self.replies.resolve(message.to_vec()).is_ok(),
        };
        if !came {
            transport.fail(Disconnect::protocol("nobody asked"));
        }
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.replies.lost(reason);
    }
}

type Connected = StringTransport<Framed<Client>>;

fn connected() -> Connected {
    StringTransport::connect(Framed::new(Client::default()))
}

fn ask(t: &mut Connected, what: &str) -> Reply {
    t.with_protocol(|framed, transport| {
        assert_eq!(transport.inner().send_message(what), Ok(()));
        framed.get_mut().replies.expect()
    })
}

fn taken(reply: Reply) -> Result<Vec<u8>, Failure<Disconnect>> {
    match reply.try_take() {
        Ok(result) => result,
        Err(reply) => panic!("{reply:?} has not ended"),
    }
}

#[test]
fn replies_go_to_requests_in_order_whatever_they_are() {
    let mut t = connected();
    let replies = ["a", "b", "c"].map(|what| ask(&mut t, what));
    assert_eq!(t.take_sent(), b"\x01a\x01b\x01c");
    t.feed_bytewise(b"\x03one\x04!two\x05three");
    let [a, b, c] = replies.map(taken);
    assert_eq!((a, c), (Ok(b"one".to_vec()), Ok(b"three".to_vec())));
    assert_eq!(b, Err(Failure::Error(Disconnect::protocol("two"))));
}

#[test]
fn a_cancelled_one_keeps_its_place_and_its_reply_is_swallowed() {
    let mut t = connected();
    let [a, b, c] = ["a", "b", "c"].map(|what| ask(&mut t, what));
    b.cancel();
    assert_eq!(t.protocol(|framed| framed.get_ref().replies.len()), 3);
    t.feed(b"\x03one\x04!two\x05three");
    assert_eq!(
        (taken(a), taken(c)),
        (Ok(b"one".to_vec()), Ok(b"three".to_vec()))
    );
    assert!(t.protocol(|framed| framed.get_ref().replies.is_empty()));
}

#[test]
fn the_loss_ends_each_once_in_order_with_the_reason() {
    let mut t = connected();
    let ended = Rc::new(RefCell::new(Vec::new()));
    for number in 0..5 {
        let ended = Rc::clone(&ended);
        let reply = ask(&mut t, "?");
        if number == 3 {
            reply.cancel();
        } else {
            reply.finish(move |result| ended.borrow_mut().push((number, result)));
        }
    }
    t.feed(b"\x01x");
    t.reset();
    assert_eq!(t.lost(), Some(Disconnect::Reset));
    let lost = || Err(Failure::Error(Disconnect::Reset));
    let all = [
        (0, Ok(b"x".to_vec())),
        (1, lost()),
        (2, lost()),
        (4, lost()),
    ];
    assert_eq!(*ended.borrow(), all);
}

#[test]
fn what_is_asked_after_the_loss_ends_at_once() {
    let mut replies = Replies::<u8>::new();
    replies.lost(&Disconnect::Reset);
    replies.lost(&Disconnect::Closed);
    let late = replies.expect();
    assert_eq!(
        late.try_take().unwrap(),
        Err(Failure::Error(Disconnect::Reset))
    );
    assert_eq!(replies.resolve(1), Err(1));
    assert_eq!(format!("{replies:?}"), "Replies(lost: reset by the peer)");
}

#[test]
fn an_answer_that_nobody_asked_for_comes_back() {
    let mut t = connected();
    t.feed(b"\x01x");
    assert_eq!(t.lost(), Some(Disconnect::protocol("nobody asked")));
}

#[test]
fn replies_that_are_dropped_are_abandoned() {
    let mut replies = Replies::<u8>::new();
    let reply = replies.expect();
    assert_eq!(format!("{replies:?}"), "Replies(1 awaited)");
    drop(replies);
    assert_eq!(reply.try_take().unwrap(), Err(Failure::Abandoned));
}
