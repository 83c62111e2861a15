use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use torsade_deferred::queue::Job;
use torsade_deferred::{Canceller, Deferred, Failure, Resolver};

use crate::guard::{self, Caught};
use crate::place::check_name;
use crate::shared::Shared;
use crate::slots::{Key, Slots};
use crate::timers::Action;
use crate::wire::Op;
use crate::{Gone, LookupId, Net, Place, ResolveError};

/// The names that are being looked up.
///
/// ```text
///                           answered, timed out
///   asked ----------------------------------------> settled: everybody who waits has the answer
///    ^  |  \ the last who waits cancels,
///    |  |   \ or the reactor goes
///    +--+    v
///  the same  forgotten: the driver is told, or the resolver's Deferred cancelled
///  name again
/// ```
pub(crate) struct Lookups {
    table: RefCell<Slots<Lookup>>,
    by_name: RefCell<BTreeMap<Arc<str>, Key>>,
    /// Who is asked instead of the driver.
    custom: RefCell<Option<Rc<ResolveName>>>,
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            table: RefCell::new(Slots::new()),
            by_name: RefCell::default(),
            custom: RefCell::default(),
        }
    }
}

type ResolveName = dyn Fn(&Net, &str) -> Deferred<Vec<IpAddr>, ResolveError>;
type Waiter = Resolver<Vec<IpAddr>, ResolveError>;

struct Lookup {
    name: Arc<str>,
    asked: Asked,
    waiters: Vec<(u64, Waiter)>,
    next: u64,
    deadline: Key,
}

/// Who was asked.
enum Asked {
    Driver,
    /// A resolver of the user's; with its Deferred's canceller once it was called.
    Custom(Option<Canceller>),
}

impl Net {
    /// The addresses of a name, in the order in which to try them.
    ///
    /// A real reactor asks the system (`getaddrinfo`, so the hosts file and DNS) in threads of its
    /// own, so that a name that nobody answers for keeps nothing waiting but who wants to know it.
    /// A test's answers come from its table, a simulated host's from the simulation. Numeric
    /// addresses and `localhost` are known at once. Who asks for a name that is being looked up
    /// gets that answer; cancelling the last of them forgets the look-up.
    ///
    /// To connect there is no need for it: [`connect`](Self::connect) looks names up itself.
    ///
    /// ```
    /// let reactor = torsade_testing::MemoryReactor::new();
    /// reactor.name("example.org", ["192.0.2.1".parse().unwrap()]);
    /// let found = reactor.net().resolve("example.org");
    /// reactor.settle();
    /// assert_eq!(found.try_take().unwrap().unwrap()[0].to_string(), "192.0.2.1");
    /// ```
    ///
    /// # Errors
    /// [`ResolveError`], at most `Limits::lookup_timeout` after the name was asked for first.
    #[doc(alias = "getaddrinfo")]
    #[doc(alias = "nameResolver")]
    #[doc(alias = "resolveHostName")]
    #[doc(alias = "gethostbyname")]
    #[track_caller]
    pub fn resolve(&self, name: &str) -> Deferred<Vec<IpAddr>, ResolveError> {
        let known = Place::of_host(name, 0);
        let known: Option<Vec<_>> = known.iter().map(|it| it.address()?.ip()).collect();
        if let Some(known) = known {
            return Deferred::succeed(known);
        }
        match look_up(&self.0, name) {
            Ok(deferred) => deferred,
            Err(error) => Deferred::fail(error),
        }
    }

    /// Ask `resolver` for names from now on: a table, a DNS client of one's own, a cache.
    ///
    /// It is called in a turn, with names that a host could have; what it returns is awaited for
    /// `Limits::lookup_timeout` and cancelled when nobody waits any more. A panic in it is an error
    /// of that look-up.
    ///
    /// ```
    /// use torsade_core::ResolveError;
    /// use torsade_deferred::Deferred;
    ///
    /// let reactor = torsade_testing::MemoryReactor::new();
    /// let net = reactor.net();
    /// net.set_resolver(|_, name| match name {
    ///     "printer.lan" => Deferred::succeed(vec!["192.0.2.9".parse().unwrap()]),
    ///     other => Deferred::fail(ResolveError::NotFound { name: other.into() }),
    /// });
    /// let (found, lost) = (net.resolve("printer.lan"), net.resolve("scanner.lan"));
    /// reactor.settle();
    /// assert!(found.try_take().unwrap().is_ok());
    /// assert!(lost.try_take().unwrap().is_err());
    /// ```
    #[doc(alias = "installNameResolver")]
    #[doc(alias = "installResolver")]
    pub fn set_resolver(
        &self,
        resolver: impl Fn(&Self, &str) -> Deferred<Vec<IpAddr>, ResolveError> + 'static,
    ) {
        let old = self.0.lookups.custom.replace(Some(Rc::new(resolver)));
        drop(old);
    }
}

/// A fact, in a turn: what became of a look-up that [`Op::Resolve`] asked for. One that nobody
/// waits for is ignored.
///
/// A driver whose answer comes from a thread posts it; hence it needs no engine.
pub fn resolved(net: &Net, lookup: LookupId, result: Result<Vec<IpAddr>, ResolveError>) {
    let shared = &net.0;
    let Some(lookup) = take(shared, lookup) else {
        return;
    };
    let most = shared.limits().lookup_addresses;
    settle(lookup, |name| match result {
        Ok(found) if found.is_empty() => Err(ResolveError::NotFound { name }),
        Ok(mut found) => {
            found.truncate(most);
            Ok(found)
        }
        Err(error) => Err(error),
    });
}

/// Look up what is no address. The answer does not come before this returns.
#[track_caller]
pub(crate) fn look_up(
    shared: &Rc<Shared>,
    name: &str,
) -> Result<Deferred<Vec<IpAddr>, ResolveError>, ResolveError> {
    if !shared.is_alive() {
        return Err(Gone.into());
    }
    check_name(name)?;
    let found = shared.lookups.by_name.borrow().get(name).copied();
    let key = match found {
        Some(key) => key,
        None => begin(shared, name)?,
    };
    let (waiter, deferred) = Deferred::new();
    if let Some(lookup) = shared.lookups.table.borrow_mut().get_mut(key) {
        let number = lookup.next;
        lookup.next += 1;
        let weak = Rc::downgrade(shared);
        waiter.on_cancel(move || leave(&weak, key, number));
        lookup.waiters.push((number, waiter));
    }
    Ok(deferred)
}

fn begin(shared: &Rc<Shared>, name: &str) -> Result<Key, ResolveError> {
    let lookups = &shared.lookups;
    if lookups.table.borrow().len() >= shared.limits().lookups {
        return Err(ResolveError::Full);
    }
    let name: Arc<str> = name.into();
    let id = LookupId(lookups.table.borrow().next_key());
    let deadline = shared.set_timer(shared.limits().lookup_timeout, Action::Lookup(id));
    let is_custom = lookups.custom.borrow().is_some();
    lookups.table.borrow_mut().insert(Lookup {
        name: Arc::clone(&name),
        asked: match is_custom {
            true => Asked::Custom(None),
            false => Asked::Driver,
        },
        waiters: Vec::new(),
        next: 0,
        deadline,
    });
    lookups.by_name.borrow_mut().insert(Arc::clone(&name), id.0);
    match is_custom {
        true => Net(Rc::clone(shared)).enqueue(Rc::new(Question {
            shared: Rc::downgrade(shared),
            id,
            name,
        })),
        false => shared.ask(Op::Resolve { lookup: id, name }),
    }
    Ok(id.0)
}

/// The deadline struck.
pub(crate) fn timed_out(shared: &Shared, id: LookupId) {
    if let Some(mut lookup) = take(shared, id) {
        withdraw(shared, id, &mut lookup);
        settle(lookup, |name| Err(ResolveError::TimedOut { name }));
    }
}

/// The reactor does nothing any more: who waits is to be dropped, and is told `Abandoned`.
pub(crate) fn give_up_all(shared: &Shared) -> Vec<impl Sized> {
    let keys: Vec<_> = shared.lookups.table.borrow().keys().collect();
    let mut given_up = Vec::new();
    for id in keys.into_iter().map(LookupId) {
        if let Some(mut lookup) = take(shared, id) {
            withdraw(shared, id, &mut lookup);
            given_up.extend(lookup.waiters.into_iter().map(|(_, waiter)| waiter));
        }
    }
    given_up
}

/// For the end of the engine: a resolver of the user's goes, too.
pub(crate) fn forget_resolver(shared: &Shared) -> impl Sized + use<> {
    shared.lookups.custom.take()
}

fn take(shared: &Shared, id: LookupId) -> Option<Lookup> {
    let lookup = shared.lookups.table.borrow_mut().remove(id.0)?;
    shared.lookups.by_name.borrow_mut().remove(&lookup.name);
    // One of ours: nothing of the user's is dropped.
    let _ = shared.timers.borrow_mut().remove(lookup.deadline);
    Some(lookup)
}

fn settle(lookup: Lookup, result: impl FnOnce(String) -> Result<Vec<IpAddr>, ResolveError>) {
    let result = result(lookup.name.as_ref().to_owned());
    for (_, waiter) in lookup.waiters {
        waiter.settle(result.clone().map_err(Failure::Error));
    }
}

/// Somebody waits no longer.
fn leave(shared: &Weak<Shared>, key: Key, number: u64) {
    let Some(shared) = shared.upgrade() else {
        return;
    };
    let (waiter, is_last) = {
        let mut table = shared.lookups.table.borrow_mut();
        let Some(lookup) = table.get_mut(key) else {
            return;
        };
        let at = lookup.waiters.iter().position(|(it, _)| *it == number);
        let waiter = at.map(|at| lookup.waiters.remove(at));
        (waiter, lookup.waiters.is_empty())
    };
    drop(waiter);
    if is_last && let Some(mut lookup) = take(&shared, LookupId(key)) {
        withdraw(&shared, LookupId(key), &mut lookup);
    }
}

/// Tell who was asked that the answer is not wanted.
fn withdraw(shared: &Shared, id: LookupId, lookup: &mut Lookup) {
    match &mut lookup.asked {
        Asked::Driver => shared.ask(Op::CancelResolve { lookup: id }),
        Asked::Custom(canceller) => {
            if let Some(canceller) = canceller.take() {
                canceller.cancel();
            }
        }
    }
}

/// To be asked of the user's resolver, which is not called in the middle of user code.
struct Question {
    shared: Weak<Shared>,
    id: LookupId,
    name: Arc<str>,
}

impl Job for Question {
    fn run(self: Rc<Self>) {
        let Some(net) = self.shared.upgrade().map(Net) else {
            return;
        };
        if !net.is_in_turn() {
            net.put_off(self);
            return;
        }
        let is_wanted = net.0.lookups.table.borrow().get(self.id.0).is_some();
        let resolver = net.0.lookups.custom.borrow().clone();
        let Some(resolver) = resolver.filter(|_| is_wanted) else {
            return;
        };
        match guard::run(|| resolver(&net, &self.name)) {
            Ok(answer) => self.wait(&net, answer),
            Err(panic) => {
                let why = panic.message().to_owned();
                let caught = Caught::elsewhere("a resolver of names", panic);
                net.0.host().caught(&caught);
                let name = self.name.as_ref().to_owned();
                resolved(&net, self.id, Err(ResolveError::Failed { name, why }));
            }
        }
    }
}

impl Question {
    fn wait(&self, net: &Net, answer: Deferred<Vec<IpAddr>, ResolveError>) {
        let canceller = answer.canceller();
        let wanted = match net.0.lookups.table.borrow_mut().get_mut(self.id.0) {
            Some(lookup) => {
                lookup.asked = Asked::Custom(Some(canceller));
                true
            }
            None => false,
        };
        if !wanted {
            // Its own call was the last who waited, and cancelled.
            answer.cancel();
            return;
        }
        let (weak, id) = (self.shared.clone(), self.id);
        let name = Arc::clone(&self.name);
        answer.finish(move |result| {
            if let Some(net) = weak.upgrade().map(Net) {
                resolved(&net, id, result.map_err(|failure| told(&name, failure)));
            }
        });
    }
}

/// What a resolver's failure is to who asked.
fn told(name: &str, failure: Failure<ResolveError>) -> ResolveError {
    let name = name.to_owned();
    match failure {
        Failure::Error(error) => error,
        Failure::TimedOut => ResolveError::TimedOut { name },
        other => ResolveError::Failed {
            name,
            why: other.to_string(),
        },
    }
}
