use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use torsade_core::{Disconnect, Protocol, Transport};

use crate::end::Side;
use crate::play::{Next, Play};

/// A [`Script`](crate::Script) as a protocol: a real peer, on any `Net`.
///
/// A conversation that is not as the script says, and one that ends before the script, is a panic
/// in a callback, which fails a test on a [simulated network](crate::sim) or in a
/// [`MemoryReactor`](crate::MemoryReactor). When the script is through it waits for the other's end,
/// and ends, too.
///
/// ```
/// use torsade_core::factory;
/// use torsade_testing::{Script, sim::Sim};
///
/// let (asks, answers) = (Script::new().send("2+3").end(), Script::new().expect("2+3"));
/// let mut net = Sim::new(1);
/// net.host("server").net().listen("0.0.0.0:7", factory(move |_| answers.peer()))?;
/// net.host("ann").net().connect("server:7", asks.peer()).detach();
/// net.settle();
/// assert_eq!(net.host("server").net().connections(), 0);
/// # Ok::<(), torsade_core::ListenError>(())
/// ```
pub struct ScriptedPeer {
    play: Play,
    state: State,
    progress: Progress,
}

/// ```text
///   Playing --a silence--> Silent --over--> Playing --not as it says--> Failed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Playing,
    /// Waits for the end of a silence.
    Silent,
    /// It was said that it is not as the script says.
    Failed,
}

/// How far a [`ScriptedPeer`] is.
///
/// ```
/// let peer = torsade_testing::Script::new().expect("something").peer();
/// assert!(!peer.progress().is_done());
/// ```
#[derive(Clone, Debug)]
pub struct Progress(Rc<Cell<bool>>);

impl Progress {
    /// Whether all its steps were played, each as the script says.
    pub fn is_done(&self) -> bool {
        self.0.get()
    }
}

impl ScriptedPeer {
    pub(crate) fn new(play: Play) -> Self {
        Self {
            progress: Progress(Rc::new(Cell::new(play.is_done()))),
            play,
            state: State::Playing,
        }
    }

    /// What tells later how far it is.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    fn go_on(&mut self, transport: &Transport<Self>) {
        loop {
            let next = match self.play.next() {
                Ok(next) => next,
                Err(told) => self.fail(&told),
            };
            self.progress.0.set(self.play.is_done());
            match next {
                Next::Send(bytes) => transport.write(bytes),
                Next::End => transport.close_write(),
                Next::Reset => transport.abort(),
                Next::Silence(_) if self.state == State::Silent => return,
                Next::Silence(time) => {
                    self.state = State::Silent;
                    transport.call_later(time, |me, transport| {
                        me.state = State::Playing;
                        me.play.silence_over();
                        me.go_on(transport);
                    });
                    return;
                }
                Next::Wait | Next::Done => return,
            }
        }
    }

    fn fail(&mut self, told: &str) -> ! {
        self.state = State::Failed;
        panic!("{told}");
    }
}

impl Protocol for ScriptedPeer {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.go_on(transport);
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.play.came(data);
        self.go_on(transport);
    }

    fn eof_received(&mut self, transport: &Transport<Self>) {
        self.play.ended(Side::Ended);
        self.go_on(transport);
        if self.play.is_done() {
            transport.close();
        }
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        if self.state == State::Failed || self.play.is_done() {
            return;
        }
        self.play.ended(match reason {
            Disconnect::Reset => Side::Reset,
            Disconnect::PeerClosed => Side::Ended,
            // Our own end, or that of the test: what was expected does not come any more.
            _ => Side::Open,
        });
        self.go_on(transport);
        if !self.play.is_done() {
            let told = self.play.unmet();
            self.fail(&format!("{told}\nthe connection was lost: {reason}"));
        }
    }
}

impl fmt::Debug for ScriptedPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedPeer")
            .field("state", &self.state)
            .field("is_done", &self.play.is_done())
            .finish()
    }
}
