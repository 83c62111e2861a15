//! Callbacks of ours that take long, and peers that must not pay for it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Disconnect, Limits, Protocol, Timeout, Timer, Transport};
use torsade_testing::Clock;

use crate::support::{Lab, Peer, Script, Shared};

const PATIENCE: Duration = Duration::from_secs(1);
const STALL: Duration = Duration::from_secs(2);

/// Ends the connection if no heartbeat comes for a second.
struct Monitor {
    timeout: Option<Timer>,
    beats: Shared<u16>,
    losses: Shared<(u16, Disconnect)>,
}

impl Protocol for Monitor {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let timeout = transport.call_later(PATIENCE, |_, transport| {
            transport.fail(Disconnect::TimedOut(Timeout::Idle));
        });
        self.timeout = Some(timeout);
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        for _ in data {
            self.beats.push(transport.peer().remote().port().unwrap());
        }
        if let Some(timeout) = &self.timeout {
            timeout.reset(PATIENCE);
        }
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        let port = transport.peer().remote().port().unwrap();
        self.losses.push((port, reason.clone()));
    }
}

/// What happens on the peers' side while the server is slow.
type Meanwhile = Rc<RefCell<Option<Box<dyn FnOnce()>>>>;

/// Peers whose hearts beat, one whose heart does not, and one that makes the server slow.
struct Ward {
    lab: Lab,
    beating: Rc<RefCell<Vec<Peer>>>,
    silent: Peer,
    sleeper: Peer,
    beats: Shared<u16>,
    losses: Shared<(u16, Disconnect)>,
    meanwhile: Meanwhile,
}

impl Ward {
    fn new(change: impl FnOnce(&mut Limits)) -> Self {
        let mut lab = Lab::with(change);
        let (beats, losses) = (Shared::default(), Shared::default());
        let (beaten, lost) = (beats.clone(), losses.clone());
        let monitor = lab.serve(move || Monitor {
            timeout: None,
            beats: beaten.clone(),
            losses: lost.clone(),
        });
        let meanwhile = Meanwhile::default();
        let place = Rc::clone(&meanwhile);
        let slow = lab.serve(move || {
            let place = Rc::clone(&place);
            Script::new().data(move |_, _| {
                Clock::stall(STALL);
                if let Some(meanwhile) = place.take() {
                    meanwhile();
                }
            })
        });
        // Some before the slow one and some after it, in whatever order events come.
        let mut beating: Vec<_> = (0..10).map(|_| Peer::connect(monitor)).collect();
        let sleeper = Peer::connect(slow);
        let silent = Peer::connect(monitor);
        beating.extend((0..10).map(|_| Peer::connect(monitor)));
        lab.settle();
        assert_eq!(lab.net.connections(), 22);
        Self {
            lab,
            beating: Rc::new(RefCell::new(beating)),
            silent,
            sleeper,
            beats,
            losses,
            meanwhile,
        }
    }

    fn beat(&self) {
        for peer in self.beating.borrow_mut().iter_mut() {
            peer.write("....");
        }
    }

    /// All that beat are alive, and were heard; the silent one was put out.
    fn check(mut self) {
        self.lab.settle();
        assert_eq!(self.beats.len(), 4 * self.beating.borrow().len());
        let reason = Disconnect::TimedOut(Timeout::Idle);
        assert_eq!(self.losses.list(), [(self.silent.port(), reason)]);
        // Not for ever: who says no more is put out in time.
        self.lab.advance(PATIENCE);
        assert_eq!(self.losses.len(), 21);
    }
}

/// Heartbeats that were waiting when a slow callback began.
pub(crate) fn heartbeats_behind_a_slow_callback() {
    let mut ward = Ward::new(|_| ());
    ward.sleeper.write("zzz");
    ward.beat();
    ward.check();
}

/// Heartbeats that came while a callback was slow.
pub(crate) fn heartbeats_during_a_slow_callback() {
    let mut ward = Ward::new(|_| ());
    ward.sleeper.write("zzz");
    let beating = Rc::clone(&ward.beating);
    *ward.meanwhile.borrow_mut() = Some(Box::new(move || {
        for peer in beating.borrow_mut().iter_mut() {
            peer.write("....");
        }
    }));
    ward.check();
}

/// The same where what is slow is a timer or a posted call, or whoever turns the reactor.
pub(crate) fn heartbeats_during_other_stalls() {
    let ward = Ward::new(|_| ());
    ward.lab
        .net
        .call_later(Duration::ZERO, |_| Clock::stall(STALL));
    ward.beat();
    ward.check();

    let ward = Ward::new(|_| ());
    let remote = ward.lab.net.remote();
    remote.post(|_| Clock::stall(STALL)).unwrap();
    ward.beat();
    ward.check();

    let ward = Ward::new(|_| ());
    Clock::stall(STALL);
    ward.beat();
    ward.check();
}

/// Heartbeats that the budgets of the turns leave over.
pub(crate) fn heartbeats_left_over_by_a_budget() {
    let budgets: [fn(&mut Limits); 3] = [
        |limits| limits.turn_bytes = 1,
        |limits| limits.turn_connection_bytes = 1,
        |limits| limits.turn_continuations = 1,
    ];
    for budget in budgets {
        let mut ward = Ward::new(budget);
        ward.sleeper.write("z");
        ward.beat();
        ward.check();
    }
}
