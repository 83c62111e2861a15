//! Peers that have ended their side.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Disconnect, Transport};
use torsade_deferred::{Deferred, Resolver};
use torsade_reactor::{Counters, Driver};
use torsade_wire::{LineProtocol, LineTransport, Lines};

use crate::support::{Lab, Peer, SMALL, Script, Shared};

/// A way to hold input back, and what ends that.
type Hold = fn(&Transport<Script>) -> Release;
type Release = Box<dyn FnOnce()>;

fn by_a_pause(transport: &Transport<Script>) -> Release {
    transport.pause_reading();
    let transport = transport.clone();
    Box::new(move || transport.resume_reading())
}

fn by_a_pause_after_our_own_end(transport: &Transport<Script>) -> Release {
    transport.close_write();
    by_a_pause(transport)
}

fn by_a_deferred(transport: &Transport<Script>) -> Release {
    let (resolver, waiting) = Deferred::<(), ()>::new();
    transport.hold(waiting, |_, _, _| ());
    Box::new(|| resolver.resolve(()))
}

/// Ends when the peer reads.
fn by_the_throttle(transport: &Transport<Script>) -> Release {
    transport.write(vec![0; 64 * SMALL]);
    Box::new(|| ())
}

/// Events that a connection may cost while nothing can be done for it.
const FEW: u64 = 3;

const ROUND_TRIPS: u64 = 1000;

/// A half-closed connection whose input is held back wakes nobody, while another one makes a
/// thousand round trips, and gets its input and its end when it is held no longer.
pub(crate) fn held_input_wakes_nobody() {
    let holds = [
        by_a_pause,
        by_a_pause_after_our_own_end,
        by_a_deferred,
        by_the_throttle,
    ];
    for hold in holds {
        let mut held = Held::new(hold);
        let mut peer = held.peer();
        peer.finish();
        held.make_round_trips();
        held.release();
        held.wait_for(&["held", "the end", "lost: closed by the peer"], || {
            peer.read();
        });
    }
}

/// Nor does a connection that was reset, and its last input is not lost.
pub(crate) fn a_reset_behind_held_input() {
    for hold in [by_a_pause, by_a_deferred] {
        let mut held = Held::new(hold);
        held.peer().reset();
        held.make_round_trips();
        held.release();
        held.wait_for(&["held", "lost: reset by the peer"], || ());
    }
    // Output that is under way finds out about it.
    let mut held = Held::new(by_the_throttle);
    held.peer().reset();
    held.make_round_trips();
    held.wait_for(&["lost: reset by the peer"], || ());
}

/// A connection whose input is held back, and one that goes on.
struct Held {
    lab: Lab,
    address: SocketAddr,
    busy: Peer,
    heard: Shared<String>,
    release: Rc<RefCell<Option<Release>>>,
    /// When the held one had nothing to say yet.
    before: Counters,
}

impl Held {
    fn new(hold: Hold) -> Self {
        let mut lab = Lab::new();
        let (heard, release) = (Shared::default(), Rc::new(RefCell::new(None)));
        let (noted, place) = (heard.clone(), Rc::clone(&release));
        let address = lab.serve(move || {
            let (data, eof, lost) = (noted.clone(), noted.clone(), noted.clone());
            let place = Rc::clone(&place);
            Script::new()
                .data(move |transport, bytes| match bytes {
                    b"hold" => *place.borrow_mut() = Some(hold(transport)),
                    _ => data.push(String::from_utf8_lossy(bytes).into_owned()),
                })
                .eof(move |transport| {
                    eof.push("the end".into());
                    transport.close();
                })
                .lost(move |_, reason| lost.push(format!("lost: {reason}")))
        });
        let busy = Peer::connect(lab.serve(Script::echo));
        lab.settle();
        Self {
            lab,
            address,
            busy,
            heard,
            release,
            before: Counters::default(),
        }
    }

    /// A peer with something to say that is held back.
    fn peer(&mut self) -> Peer {
        let mut peer = Peer::narrow(self.address);
        peer.write("hold");
        self.lab.settle();
        self.before = self.lab.reactor.counters();
        peer.write("held");
        peer
    }

    fn make_round_trips(&mut self) {
        for _ in 0..ROUND_TRIPS {
            self.busy.write("ping");
            self.lab.settle();
            self.busy.wait_readable();
            self.busy.read();
            assert_eq!(self.busy.take(), b"ping");
        }
        let now = self.lab.reactor.counters();
        let events = now.events - self.before.events;
        let turns = now.turns - self.before.turns;
        // Those of the busy connection are one for each round trip; a ring tells of sends, too.
        let each = match self.lab.reactor.driver() {
            Driver::IoUring => 2,
            _ => 1,
        };
        let least = each * ROUND_TRIPS;
        let few = each * FEW;
        assert!((least..=least + few).contains(&events), "{events}");
        assert!(turns <= least + few, "{turns}");
    }

    fn release(&self) {
        assert_eq!(self.heard.len(), 0);
        let release = self.release.take().unwrap();
        release();
    }

    #[track_caller]
    fn wait_for(&mut self, expected: &[&str], mut meanwhile: impl FnMut()) {
        let heard = self.heard.clone();
        self.lab.drive("the rest is delivered", || {
            meanwhile();
            heard.len() >= expected.len()
        });
        assert_eq!(heard.list(), expected);
    }
}

/// What was asked, and where the answer goes.
type Question = (String, Resolver<String, ()>);

/// Answers each line with what somebody will know later.
struct Later {
    questions: Rc<RefCell<Vec<Question>>>,
    losses: Shared<Disconnect>,
}

impl LineProtocol for Later {
    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        let (resolver, answer) = Deferred::new();
        let question = String::from_utf8_lossy(line).into_owned();
        self.questions.borrow_mut().push((question, resolver));
        transport.hold(answer, |_, transport, answer| {
            if let Ok(answer) = answer {
                transport.send_line(answer);
            }
        });
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.losses.push(reason.clone());
    }
}

/// Ask, and get the answers that are found a while after each question.
fn ask(ask: impl FnOnce(&mut Lab, &mut Peer)) {
    let mut lab = Lab::new();
    let (questions, losses) = (Rc::default(), Shared::default());
    let (asked, noted) = (Rc::clone(&questions), losses.clone());
    let address = lab.serve(move || {
        Lines::new(Later {
            questions: Rc::clone(&asked),
            losses: noted.clone(),
        })
    });
    let mut client = Peer::connect(address);
    ask(&mut lab, &mut client);
    client.finish();
    for question in ["what?", "why?", "who?"] {
        lab.drive("the next question is there", || {
            questions.borrow().len() == 1
        });
        lab.advance(Duration::from_secs(60));
        assert_eq!(losses.len(), 0);
        let (asked, resolver) = questions.borrow_mut().pop().unwrap();
        assert_eq!(asked, question);
        resolver.resolve(format!("{question} because"));
    }
    let answers = client.read_to_end(&mut lab);
    assert_eq!(
        String::from_utf8_lossy(&answers),
        "what? because\r\nwhy? because\r\nwho? because\r\n"
    );
    lab.settle();
    assert_eq!(losses.list(), [Disconnect::PeerClosed]);
}

const QUESTIONS: &[u8] = b"what?\r\nwhy?\r\nwho?\r\nand";

/// Questions that are followed by a half-close get their answers.
pub(crate) fn questions_and_then_the_end() {
    ask(|_, client| client.write(QUESTIONS));
}

/// And so do questions that come one byte at a time.
pub(crate) fn questions_byte_by_byte() {
    ask(|lab, client| {
        for byte in QUESTIONS {
            client.write([*byte]);
            lab.settle();
        }
    });
}
