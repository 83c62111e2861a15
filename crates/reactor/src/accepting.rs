use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::driver::{Engine, Wire};
use torsade_core::{Address, Limits, ListenerId, Peer, Time, WhenFull};

use crate::reserve::Reserve;

/// The listeners of a driver, as far as accepting is concerned with them.
pub(crate) trait Doors {
    /// A connection that was accepted.
    type Socket;

    fn now(&self) -> Time;

    /// Accept one connection, if one waits.
    fn accept(&self, id: ListenerId) -> Accept<Self::Socket>;

    /// Where a listener listens.
    fn address(&self, id: ListenerId) -> Option<Address>;

    /// Hear of a listener's connections no more.
    fn rest(&self, id: ListenerId);

    /// Hear of them again. False if that failed.
    fn resume(&self, id: ListenerId) -> bool;

    /// Kept while there are listeners, if connections are to be shed.
    fn reserve(&self) -> &Reserve;
}

/// What came of one accept.
pub(crate) enum Accept<S> {
    /// A connection.
    Made(S, Peer),
    /// A connection that could not be set up; it is closed. Not on Linux, where nothing is to do.
    #[cfg_attr(
        target_os = "linux",
        expect(dead_code, reason = "an accept sets it up there")
    )]
    Unfit(Peer, io::Error),
    /// That one failed or broke off; the next may not.
    Broken,
    /// None waits.
    Empty,
    /// The system is out of something, or worse.
    Failed(io::Error),
}

impl<S> Accept<S> {
    /// What an error of the system's means.
    pub(crate) fn refused(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock => Self::Empty,
            // What happened to the connection before it was accepted; some systems tell the
            // error of its network here.
            ErrorKind::Interrupted
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::NetworkUnreachable => Self::Broken,
            _ => Self::Failed(error),
        }
    }
}

/// Sockets that only linger, which must not keep others out.
pub(crate) trait Lingers {
    /// Close them all, because their descriptors are needed. False if there were none.
    fn give_way(&mut self) -> bool;
}

/// Accepting connections, also when there are no descriptors (contract C12).
///
/// ```text
///           an accept fails                 so many were in vain
///   plenty -----------------> short of them ---------------------> listeners rest
///     ^                          |       ^                            |      |
///     |      `accept_rest` later |       +----------------------------+      |
///     +--------------------------+            a descriptor came free         |
///     +----------------------------------------------------------------------+
///                                `accept_rest` later
/// ```
///
/// Accepts in vain are those that yield no connection to serve. All listeners share them, because
/// descriptors are the process's. Who rests is out of the poller, so that a queue that nobody can
/// empty wakes nobody.
#[derive(Debug)]
pub(crate) struct Accepting<D: Doors> {
    doors: Rc<D>,
    policy: WhenFull,
    rest: Duration,
    most_in_vain: usize,
    short: Option<Short>,
    /// Whether it was said that descriptors are short; forgotten when they are not.
    complained: bool,
    /// Out of the poller until descriptors are there.
    resting: Vec<ListenerId>,
    /// Out of the poller until the engine has room.
    waiting: Vec<ListenerId>,
    /// How often the system was asked for a connection.
    calls: u64,
}

/// The system has refused an accept.
#[derive(Debug)]
struct Short {
    until: Time,
    /// How many more accepts may be in vain until then.
    left: usize,
}

/// What came of asking for a connection.
pub(crate) enum Accepted<S> {
    Made(S, Peer),
    /// It is closed already, and this is why.
    Shed(Peer, io::Error),
    /// No connection, but the next may be one.
    Broken,
    /// None waits, or none can be had.
    None,
}

impl<S> Accepted<S> {
    /// Tell an engine. Returns whether the next one may be more.
    pub(crate) fn tell<W: Wire<S>>(
        self,
        engine: &mut Engine<S>,
        wire: &mut W,
        listener: ListenerId,
    ) -> bool {
        match self {
            Self::Made(socket, peer) => {
                engine.accepted(wire, listener, socket, peer);
            }
            Self::Shed(peer, error) => engine.accept_failed(wire, listener, peer, error),
            Self::Broken => {}
            Self::None => return false,
        }
        true
    }
}

impl<D: Doors> Accepting<D> {
    pub(crate) fn new(doors: Rc<D>, limits: &Limits) -> Self {
        Self {
            doors,
            policy: limits.when_full,
            rest: limits.accept_rest,
            most_in_vain: limits.vain_accepts.max(1),
            short: None,
            complained: false,
            resting: Vec::new(),
            waiting: Vec::new(),
            calls: 0,
        }
    }

    /// Ask for one connection. Sockets that only linger must not keep new ones out.
    pub(crate) fn accept(
        &mut self,
        id: ListenerId,
        lingering: &mut impl Lingers,
    ) -> Accepted<D::Socket> {
        match self.short_now() {
            None => self.accept_plainly(id, lingering),
            Some(0) => {
                self.send_to_rest(id);
                Accepted::None
            }
            Some(_) if self.policy == WhenFull::Shed => self.accept_from_reserve(id, lingering),
            Some(_) => self.accept_plainly(id, lingering),
        }
    }

    /// How many accepts may be in vain, if descriptors are known to be short.
    fn short_now(&mut self) -> Option<usize> {
        let short = self.short.as_ref()?;
        if short.until <= self.doors.now() {
            self.short = None;
            return None;
        }
        Some(short.left)
    }

    fn accept_plainly(
        &mut self,
        id: ListenerId,
        lingering: &mut impl Lingers,
    ) -> Accepted<D::Socket> {
        match self.ask(id) {
            Accept::Made(socket, peer) => {
                if self.short.is_none() {
                    self.recover();
                }
                Accepted::Made(socket, peer)
            }
            Accept::Unfit(peer, error) => Accepted::Shed(peer, error),
            Accept::Broken => Accepted::Broken,
            Accept::Empty => Accepted::None,
            Accept::Failed(_) if lingering.give_way() => Accepted::Broken,
            Accept::Failed(error) => self.fall_short(id, &error),
        }
    }

    /// Descriptors are there again: the next shortage is news, and finds the reserve in place.
    fn recover(&mut self) {
        if std::mem::take(&mut self.complained) && self.policy == WhenFull::Shed {
            let _ = self.doors.reserve().take();
        }
    }

    /// Ask for one connection of a listener that is about to be closed. Whatever stands in the
    /// way leaves it to the system, which resets those that are in the queue then.
    pub(crate) fn accept_last(
        &mut self,
        id: ListenerId,
        lingering: &mut impl Lingers,
    ) -> Option<(D::Socket, Peer)> {
        loop {
            match self.ask(id) {
                Accept::Made(socket, peer) => return Some((socket, peer)),
                Accept::Unfit(..) | Accept::Broken => {}
                Accept::Failed(_) if lingering.give_way() => {}
                Accept::Failed(_) | Accept::Empty => return None,
            }
        }
    }

    fn ask(&mut self, id: ListenerId) -> Accept<D::Socket> {
        self.calls += 1;
        self.doors.accept(id)
    }

    /// The system has refused: shed those who come if that is wanted and will help, else rest.
    fn fall_short(&mut self, id: ListenerId, error: &io::Error) -> Accepted<D::Socket> {
        let now = self.doors.now();
        let until = now + self.rest;
        let left = self.most_in_vain;
        let short = self.short.get_or_insert(Short { until, left });
        short.left = short.left.saturating_sub(1);
        let sheds = self.policy == WhenFull::Shed && is_for_descriptors(error);
        if !std::mem::replace(&mut self.complained, true)
            && let Some(address) = self.doors.address(id)
        {
            let what = if sheds { "closing" } else { "not accepting" };
            log::warn!("cannot accept on {address}: {error}; {what} connections for a while");
        }
        if sheds {
            return Accepted::Broken;
        }
        self.exhaust(id);
        Accepted::None
    }

    /// Accept with the descriptor that was kept for it. If there is another one after that, the
    /// connection can be served; otherwise it makes room for the next.
    fn accept_from_reserve(
        &mut self,
        id: ListenerId,
        lingering: &mut impl Lingers,
    ) -> Accepted<D::Socket> {
        let doors = Rc::clone(&self.doors);
        let reserve = doors.reserve();
        if reserve.take().is_err() {
            self.exhaust(id);
            return Accepted::None;
        }
        reserve.release();
        let asked = self.ask(id);
        let mut kept = reserve.take();
        if kept.is_err() && lingering.give_way() {
            kept = reserve.take();
        }
        match (asked, kept) {
            (Accept::Made(socket, peer), Ok(())) => Accepted::Made(socket, peer),
            (Accept::Made(socket, peer), Err(error)) => {
                drop(socket);
                self.vain(id, reserve.take());
                Accepted::Shed(peer, error)
            }
            (Accept::Unfit(peer, error), kept) => {
                self.vain(id, kept);
                Accepted::Shed(peer, error)
            }
            (Accept::Broken, kept) => {
                self.vain(id, kept);
                Accepted::Broken
            }
            (Accept::Empty, kept) => {
                self.vain(id, kept);
                Accepted::None
            }
            (Accept::Failed(_), _) => {
                self.exhaust(id);
                Accepted::None
            }
        }
    }

    /// An accept was in vain. Without the reserve, the next would be too.
    fn vain(&mut self, id: ListenerId, kept: io::Result<()>) {
        match (&mut self.short, kept) {
            (Some(short), Ok(())) => short.left = short.left.saturating_sub(1),
            _ => self.exhaust(id),
        }
    }

    /// It makes no sense to try again before the time is over.
    fn exhaust(&mut self, id: ListenerId) {
        if let Some(short) = &mut self.short {
            short.left = 0;
        }
        self.send_to_rest(id);
    }

    fn send_to_rest(&mut self, id: ListenerId) {
        self.doors.rest(id);
        if !planted!("accept_error_kills_listener") {
            self.resting.push(id);
        }
    }

    /// A listener has connections, but the engine wants none.
    pub(crate) fn wait_for_room(&mut self, id: ListenerId) {
        self.doors.rest(id);
        self.waiting.push(id);
    }

    /// The engine may accept: whoever waited for that is back.
    pub(crate) fn there_is_room(&mut self) {
        // One that the poller refuses is tried again after the next turn.
        let doors = &self.doors;
        self.waiting.retain(|id| !doors.resume(*id));
    }

    /// Whether listeners wait for the engine.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A descriptor of ours came free: it is worth another try.
    pub(crate) fn relieve(&mut self) {
        if self.resting.is_empty() {
            return;
        }
        if let Some(short) = &mut self.short {
            short.left = short.left.max(1);
        }
        self.resume();
    }

    /// When those who rest come back by themselves.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let short = self.short.as_ref()?;
        (!self.resting.is_empty()).then_some(short.until)
    }

    /// Bring those back who have rested long enough.
    pub(crate) fn expire(&mut self, now: Time) {
        if self.deadline().is_some_and(|until| until <= now) {
            self.short = None;
            self.resume();
            if !self.resting.is_empty() {
                // The poller refused one: it is memory that is short.
                let until = now + self.rest;
                self.short = Some(Short { until, left: 0 });
            }
        }
    }

    fn resume(&mut self) {
        let doors = &self.doors;
        self.resting.retain(|id| !doors.resume(*id));
    }

    /// Whether a listener rests, or waits for the engine.
    #[cfg(all(target_os = "linux", feature = "io-uring"))]
    pub(crate) fn is_resting(&self, id: ListenerId) -> bool {
        self.resting.contains(&id) || self.waiting.contains(&id)
    }

    /// Whether descriptors are known to be short.
    #[cfg(all(target_os = "linux", feature = "io-uring"))]
    pub(crate) fn is_short(&self) -> bool {
        self.short.is_some()
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }
}

/// Whether the error says that there are no descriptors, for the process or for the system.
pub(crate) fn is_for_descriptors(error: &io::Error) -> bool {
    #[cfg(unix)]
    let known = [libc::EMFILE, libc::ENFILE];
    #[cfg(not(unix))]
    let known: [i32; 0] = [];
    error
        .raw_os_error()
        .is_some_and(|code| known.contains(&code))
}
