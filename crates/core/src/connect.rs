use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::time::Duration;

use torsade_deferred::{Canceller, Deferred, Failure, Resolver};

use crate::error::{AttemptError, FailedAttempt};
use crate::guard::{self, Caught};
use crate::link::{Ending, Link};
use crate::process::{self, Process};
use crate::race::Race;
use crate::shared::Shared;
use crate::slots::Key;
use crate::stack::{Stack, stack};
use crate::timers::Action;
use crate::wire::Op;
use crate::{
    Address, AttemptId, ConnectError, Disconnect, Endpoint, EndpointError, Gone, Place, Protocol,
    ResolveError, Transport, lookup,
};

/// A connect: from asking for it to `connection_made`, by way of all its places.
///
/// Each address has a socket of its own, and an [`Attempt`] by which the driver knows it.
///
/// ```text
///                a step failed, answered,
///                or takes long: the next one
///                    +------+
///                    v      |   a socket connected:          filters ready
///   connect ------> Racing -+-------------------> Reached --------------> Over: made, the
///                     |         the others go        |                    Deferred resolves
///                     | all failed, deadline,        | lost, cancelled
///                     | cancelled                    |
///                     +------------------------------+--> Over: the Deferred is rejected, the
///                                                         protocol dropped unmade
/// ```
pub(crate) struct Connecting<C: ?Sized = dyn Client> {
    id: ConnectId,
    endpoint: Endpoint,
    site: &'static Location<'static>,
    phase: RefCell<Phase>,
    deadline: Cell<Option<Key>>,
    /// When the next place is tried though none has failed.
    pace: Cell<Option<Key>>,
    /// What the connection leads to, if that is a program.
    process: Cell<Option<Process>>,
    client: C,
}

/// Names a connect, with all its attempts and look-ups.
#[derive(Clone, Copy)]
pub(crate) struct ConnectId(pub(crate) Key);

enum Phase {
    Racing(Race<Begun>),
    /// The connection is there; its filters are not ready.
    Reached(Rc<Link>),
    Over,
}

/// What was begun for a place, and can be given up.
enum Begun {
    Attempt(AttemptId),
    LookUp(Canceller),
    /// There was no room for an attempt; another one begins when this timer strikes.
    Wait(Key),
}

/// One socket on its way.
pub(crate) struct Attempt {
    connect: ConnectId,
    step: u32,
    process: Option<Process>,
}

/// Who wants to be connected.
pub(crate) trait Client {
    fn reject(&self, shared: &Shared, error: ConnectError);

    /// The connection is there, and ready: its stack of protocols.
    fn connected(&self, link: &Rc<Link>) -> Option<Box<dyn Stack>>;

    /// `connection_made` has been called: tell who asked.
    fn made(&self, link: &Rc<Link>);

    /// The engine is going.
    fn gone(&self);
}

struct Waiting<P: Protocol> {
    protocol: Cell<Option<P>>,
    resolver: Cell<Option<Resolver<Transport<P>, ConnectError>>>,
}

/// Begin to connect.
#[track_caller]
pub(crate) fn connect<P: Protocol>(
    shared: &Rc<Shared>,
    endpoint: Endpoint,
    protocol: P,
) -> Deferred<Transport<P>, ConnectError> {
    if endpoint.places().is_empty() {
        return Deferred::fail(EndpointError::Empty.into());
    }
    if !shared.is_alive() {
        return Deferred::fail(Gone.into());
    }
    let (resolver, deferred) = Deferred::new();
    let id = ConnectId(shared.connects.borrow().next_key());
    let canceller = Rc::downgrade(shared);
    resolver.on_cancel(move || cancel(&canceller, id));
    let deadline = shared.set_timer(
        endpoint.connect_timeout(shared.limits()),
        Action::Connect(id),
    );
    let connecting: Rc<Connecting> = Rc::new(Connecting {
        id,
        phase: RefCell::new(Phase::Racing(Race::new(endpoint.places()))),
        deadline: Cell::new(Some(deadline)),
        pace: Cell::new(None),
        process: Cell::new(None),
        endpoint,
        site: Location::caller(),
        client: Waiting {
            protocol: Cell::new(Some(protocol)),
            resolver: Cell::new(Some(resolver)),
        },
    });
    shared.connects.borrow_mut().insert(Rc::clone(&connecting));
    connecting.try_next(shared);
    deferred
}

/// Take the connect out: it is over.
pub(crate) fn take(shared: &Shared, id: ConnectId) -> Option<Rc<Connecting>> {
    let connecting = shared.connects.borrow_mut().remove(id.0)?;
    connecting.disarm(shared);
    Some(connecting)
}

/// Take the connect out and end what it has come to. Returns what was tried.
pub(crate) fn give_up(
    shared: &Shared,
    id: ConnectId,
) -> Option<(Rc<Connecting>, Vec<FailedAttempt>)> {
    let connecting = take(shared, id)?;
    let attempts = connecting.withdraw(shared, Phase::Over);
    Some((connecting, attempts))
}

/// The deadline struck.
pub(crate) fn timed_out(shared: &Shared, id: ConnectId) {
    if let Some((connecting, attempts)) = give_up(shared, id) {
        let error = ConnectError::TimedOut { attempts };
        connecting.client.reject(shared, error);
    }
}

/// What is under way takes long: try the next place as well.
pub(crate) fn next_attempt(shared: &Rc<Shared>, id: ConnectId) {
    let connecting = shared.connects.borrow().get(id.0).cloned();
    if let Some(connecting) = connecting {
        connecting.pace.set(None);
        connecting.try_next(shared);
    }
}

/// A socket is connected, the first of its connect: the others go.
pub(crate) fn won(shared: &Shared, attempt: AttemptId) -> Option<Rc<Connecting>> {
    let attempt = shared.attempts.borrow_mut().remove(attempt.0)?;
    let connecting = shared.connects.borrow().get(attempt.connect.0).cloned()?;
    // Whoever is not the winner is given up, and it is not among them any more.
    connecting.disarm(shared);
    connecting.step_ended(attempt.step);
    connecting.process.set(attempt.process);
    let _ = connecting.withdraw(shared, Phase::Over);
    Some(connecting)
}

/// A socket came to nothing.
pub(crate) fn refused(shared: &Rc<Shared>, attempt: AttemptId, error: io::Error) {
    let Some(attempt) = shared.attempts.borrow_mut().remove(attempt.0) else {
        return;
    };
    let connecting = shared.connects.borrow().get(attempt.connect.0).cloned();
    if let Some(connecting) = connecting {
        if error.kind() == ErrorKind::WouldBlock && connecting.wait(shared, attempt.step) {
            return;
        }
        connecting.failed(attempt.step, AttemptError::System(error));
        connecting.try_next(shared);
    }
}

/// There may be room by now for an attempt that found none.
pub(crate) fn try_again(shared: &Shared, id: ConnectId, step: u32) {
    let connecting = shared.connects.borrow().get(id.0).cloned();
    if let Some(connecting) = connecting {
        connecting.open_again(shared, step);
    }
}

/// Where a socket's connect was asked for.
pub(crate) fn site(shared: &Shared, attempt: AttemptId) -> Option<&'static Location<'static>> {
    let connect = shared.attempts.borrow().get(attempt.0)?.connect;
    let connects = shared.connects.borrow();
    connects.get(connect.0).map(|it| it.site)
}

fn cancel(shared: &Weak<Shared>, id: ConnectId) {
    if let Some(shared) = shared.upgrade() {
        let given_up = give_up(&shared, id);
        drop(given_up);
    }
}

/// A name was looked up.
fn found(
    shared: &Weak<Shared>,
    (id, step): (ConnectId, u32),
    result: Result<Vec<IpAddr>, Failure<ResolveError>>,
) {
    let Some(shared) = shared.upgrade() else {
        return;
    };
    let connecting = shared.connects.borrow().get(id.0).cloned();
    let Some(connecting) = connecting else { return };
    match result {
        Ok(found) => {
            if let Phase::Racing(race) = &mut *connecting.phase.borrow_mut() {
                race.found(step, &found, &connecting.endpoint);
            }
        }
        Err(Failure::Error(error)) => connecting.failed(step, error.into()),
        // Nobody cancels it but us, who do not look any more, and the end of the reactor.
        Err(_) => connecting.failed(step, ResolveError::from(Gone).into()),
    }
    connecting.try_next(&shared);
}

/// For whom it may concern.
impl Connecting {
    /// Where to, in words; `None` once there is a connection.
    pub(crate) fn on_its_way(&self) -> Option<String> {
        let Phase::Racing(_) = *self.phase.borrow() else {
            return None;
        };
        let places: Vec<_> = self
            .endpoint
            .places()
            .iter()
            .map(Place::to_string)
            .collect();
        Some(format!("{}, asked for at {}", places.join(", "), self.site))
    }
}

/// Racing.
impl Connecting {
    /// Try the next place; if there is none and nothing is under way, it is over.
    fn try_next(self: &Rc<Self>, shared: &Rc<Shared>) {
        disarm(shared, &self.pace);
        loop {
            let place = match &mut *self.phase.borrow_mut() {
                Phase::Racing(race) if race.is_lost() => break,
                Phase::Racing(race) => race.next(),
                Phase::Reached(_) | Phase::Over => return,
            };
            let Some(place) = place else { return };
            if self.begin(shared, place) {
                self.arm_pace(shared);
                return;
            }
        }
        if let Some((_, attempts)) = give_up(shared, self.id) {
            let error = ConnectError::Failed { attempts };
            self.client.reject(shared, error);
        }
    }

    /// Begin with a place, and say whether anything is under way for it now.
    fn begin(self: &Rc<Self>, shared: &Rc<Shared>, place: Place) -> bool {
        match &place {
            Place::Address(address) if !self.endpoint.admits(address) => {
                self.unfit(place, AttemptError::Family);
                false
            }
            Place::Address(address) => {
                let address = address.clone();
                self.open(shared, place, address, None);
                true
            }
            Place::Process(command) => match process::stream(shared, command) {
                Ok((address, process)) => {
                    self.open(shared, place, address, Some(process));
                    true
                }
                Err(error) => {
                    self.unfit(place, AttemptError::System(error));
                    false
                }
            },
            Place::Scoped { ip, zone, port } => {
                match scoped(shared, *ip, zone, *port) {
                    Ok(address) => self.instead(vec![Place::Address(address)]),
                    Err(error) => self.unfit(place, ResolveError::Name(error).into()),
                }
                false
            }
            Place::Name { host, port } => {
                let known = Place::of_host(host, *port);
                if !matches!(known[..], [Place::Name { .. }]) {
                    self.instead(known);
                    return false;
                }
                match lookup::look_up(shared, host) {
                    Ok(answer) => {
                        self.look_up(shared, place, answer);
                        true
                    }
                    Err(error) => {
                        self.unfit(place, error.into());
                        false
                    }
                }
            }
        }
    }

    /// A socket goes to an address.
    fn open(&self, shared: &Shared, place: Place, address: Address, process: Option<Process>) {
        let Some(step) = self.next_step() else { return };
        let attempt = self.attempt(shared, step, process);
        self.begun(place, Begun::Attempt(attempt));
        self.ask(shared, attempt, address);
    }

    /// The same after a wait.
    fn open_again(&self, shared: &Shared, step: u32) {
        let address = match &mut *self.phase.borrow_mut() {
            Phase::Racing(race) => race.address(step),
            Phase::Reached(_) | Phase::Over => None,
        };
        if let Some(address) = address {
            let attempt = self.attempt(shared, step, None);
            self.goes_on(step, Begun::Attempt(attempt));
            self.ask(shared, attempt, address);
        }
    }

    fn attempt(&self, shared: &Shared, step: u32, process: Option<Process>) -> AttemptId {
        let attempt = Attempt {
            connect: self.id,
            step,
            process,
        };
        AttemptId(shared.attempts.borrow_mut().insert(attempt))
    }

    fn ask(&self, shared: &Shared, attempt: AttemptId, address: Address) {
        let local = self.endpoint.local().cloned();
        shared.ask(Op::Connect {
            attempt,
            address,
            local,
        });
    }

    /// Wait for room, if that is what a step lacks. The deadline of the connect bounds it.
    fn wait(&self, shared: &Shared, step: u32) -> bool {
        let wait = match &mut *self.phase.borrow_mut() {
            Phase::Racing(race) => race.wait(step),
            Phase::Reached(_) | Phase::Over => None,
        };
        let Some(wait) = wait else { return false };
        let timer = shared.set_timer(wait, Action::Again(self.id, step));
        self.goes_on(step, Begun::Wait(timer));
        true
    }

    /// A name is asked for. The answer comes later.
    fn look_up(
        &self,
        shared: &Rc<Shared>,
        place: Place,
        answer: Deferred<Vec<IpAddr>, ResolveError>,
    ) {
        let Some(step) = self.next_step() else { return };
        self.begun(place, Begun::LookUp(answer.canceller()));
        let (weak, id) = (Rc::downgrade(shared), self.id);
        answer.finish(move |result| found(&weak, (id, step), result));
    }

    /// If there are more places, the next one is not kept waiting.
    fn arm_pace(&self, shared: &Shared) {
        let delay = self.endpoint.delay(shared.limits());
        let has_more = matches!(&*self.phase.borrow(), Phase::Racing(race) if race.has_more());
        if has_more && delay != Duration::MAX {
            let key = shared.set_timer(delay, Action::NextAttempt(self.id));
            self.pace.set(Some(key));
        }
    }

    fn next_step(&self) -> Option<u32> {
        match &*self.phase.borrow() {
            Phase::Racing(race) => Some(race.next_step()),
            Phase::Reached(_) | Phase::Over => None,
        }
    }

    fn begun(&self, place: Place, begun: Begun) {
        if let Phase::Racing(race) = &mut *self.phase.borrow_mut() {
            race.begun(place, begun);
        }
    }

    fn goes_on(&self, step: u32, begun: Begun) {
        if let Phase::Racing(race) = &mut *self.phase.borrow_mut() {
            race.goes_on(step, begun);
        }
    }

    fn unfit(&self, place: Place, error: AttemptError) {
        if let Phase::Racing(race) = &mut *self.phase.borrow_mut() {
            race.unfit(place, error);
        }
    }

    fn instead(&self, places: Vec<Place>) {
        if let Phase::Racing(race) = &mut *self.phase.borrow_mut() {
            race.instead(places);
        }
    }

    fn failed(&self, step: u32, error: AttemptError) {
        if let Phase::Racing(race) = &mut *self.phase.borrow_mut() {
            race.failed(step, error);
        }
    }

    fn step_ended(&self, step: u32) {
        if let Phase::Racing(race) = &mut *self.phase.borrow_mut() {
            race.ended(step);
        }
    }

    /// End what is under way. Returns what was tried.
    fn withdraw(&self, shared: &Shared, phase: Phase) -> Vec<FailedAttempt> {
        match self.phase.replace(phase) {
            Phase::Racing(race) => {
                let (begun, attempts) = race.give_up();
                for begun in begun {
                    begun.give_up(shared);
                }
                attempts
            }
            Phase::Reached(link) => {
                link.end(Disconnect::Aborted, Ending::Abrupt);
                Vec::new()
            }
            Phase::Over => Vec::new(),
        }
    }

    fn disarm(&self, shared: &Shared) {
        disarm(shared, &self.deadline);
        disarm(shared, &self.pace);
    }
}

/// Connected.
impl Connecting {
    pub(crate) fn id(&self) -> ConnectId {
        self.id
    }

    /// What the connection passes through.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What the connection is to know from its beginning.
    pub(crate) fn tell(&self, link: &Rc<Link>) {
        if let Some(process) = self.process.take() {
            process::streams_through(&process, link);
            link.watches.learn(Rc::new(process));
        }
    }

    /// The connection is there; its filters are not ready.
    pub(crate) fn reach(&self, link: &Rc<Link>) {
        self.phase.replace(Phase::Reached(Rc::clone(link)));
    }

    /// That connection was lost.
    pub(crate) fn lost(&self, shared: &Shared, link: &Link, reason: &Disconnect) {
        let error = ConnectError::Handshake {
            address: link.peer().remote().clone(),
            reason: reason.clone(),
        };
        self.client.reject(shared, error);
    }

    pub(crate) fn connected(&self, link: &Rc<Link>) -> Option<Box<dyn Stack>> {
        self.client.connected(link)
    }

    pub(crate) fn made(&self, link: &Rc<Link>) {
        self.client.made(link);
    }

    pub(crate) fn gone(&self) {
        self.client.gone();
    }
}

impl Begun {
    fn give_up(self, shared: &Shared) {
        match self {
            Self::Attempt(attempt) => {
                // Plain data of ours.
                let _ = shared.attempts.borrow_mut().remove(attempt.0);
                shared.ask(Op::CancelConnect { attempt });
            }
            Self::LookUp(canceller) => canceller.cancel(),
            Self::Wait(timer) => disarm(shared, &Cell::new(Some(timer))),
        }
    }
}

/// An address of one link, whose interface is looked up by its name.
pub(crate) fn scoped(
    shared: &Shared,
    ip: std::net::Ipv6Addr,
    zone: &str,
    port: u16,
) -> Result<Address, EndpointError> {
    let number = match zone.parse() {
        Ok(number) => Some(number),
        Err(_) => shared.host().interface(zone),
    };
    match number {
        Some(number) => Ok(SocketAddr::V6(SocketAddrV6::new(ip, port, 0, number)).into()),
        None => Err(EndpointError::Zone { zone: zone.into() }),
    }
}

fn disarm(shared: &Shared, timer: &Cell<Option<Key>>) {
    if let Some(key) = timer.take() {
        // One of ours: nothing of the user's is dropped.
        let _ = shared.timers.borrow_mut().remove(key);
    }
}

impl<P: Protocol> Client for Waiting<P> {
    fn reject(&self, shared: &Shared, error: ConnectError) {
        let protocol = self.protocol.take();
        if let Err(panic) = guard::run(|| drop(protocol)) {
            let caught = Caught::elsewhere("the drop of a protocol", panic);
            shared.host().caught(&caught);
        }
        if let Some(resolver) = self.resolver.take() {
            resolver.reject(error);
        }
    }

    fn connected(&self, link: &Rc<Link>) -> Option<Box<dyn Stack>> {
        // The queue may not have come to the hook that ends the connect.
        let resolver = self.resolver.take();
        let cancelled = resolver.as_ref().is_some_and(Resolver::is_cancelled);
        self.resolver.set(resolver);
        if cancelled {
            return None;
        }
        Some(stack(self.protocol.take()?, link, link.outermost()))
    }

    fn made(&self, link: &Rc<Link>) {
        let Some(resolver) = self.resolver.take() else {
            return;
        };
        if resolver.is_cancelled() {
            // Inside `connection_made`: nobody has it, so nobody would end it.
            link.end(Disconnect::Aborted, Ending::Abrupt);
        }
        resolver.resolve(Transport::new(Rc::clone(link), link.outermost()));
    }

    fn gone(&self) {
        drop(self.protocol.take());
        // Dropped, which is abandoned: no news to who has let go of the result as well.
        drop(self.resolver.take());
    }
}
