//! Names, looked up in threads.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use torsade_core::driver::resolved;
use torsade_core::{Limits, LookupId, Net, Remote, ResolveError};

/// Looks a name up, and may block for it.
pub(crate) type LookUp = dyn Fn(&str) -> Result<Vec<IpAddr>, ResolveError> + Send + Sync;

/// Threads that look names up. They are not the pool's: one that waits for an answer cannot be
/// interrupted, and nobody waits for it, neither a call that wants a thread nor a stop.
pub(crate) struct Names {
    look_up: Arc<LookUp>,
    most: usize,
    queue: RefCell<Arc<Mutex<Queue>>>,
}

/// What the threads share. It is bounded by `Limits::lookups`, because what nobody waits for any
/// more is taken out.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Question>,
    threads: usize,
}

struct Question {
    lookup: LookupId,
    name: Arc<str>,
    remote: Remote,
}

impl Names {
    pub(crate) fn new(look_up: Option<Arc<LookUp>>, limits: &Limits) -> Self {
        Self {
            look_up: look_up.unwrap_or_else(|| Arc::new(ask_system)),
            most: limits.lookup_threads.max(1),
            queue: RefCell::default(),
        }
    }

    /// Answer with a fact when the answer is there.
    pub(crate) fn ask(&self, net: &Net, lookup: LookupId, name: Arc<str>) {
        let queue = Arc::clone(&self.queue.borrow());
        {
            let mut state = lock(&queue);
            state.waiting.push_back(Question {
                lookup,
                name,
                remote: net.remote(),
            });
            if state.threads >= self.most {
                return;
            }
            state.threads += 1;
        }
        let (shared, look_up) = (Arc::clone(&queue), Arc::clone(&self.look_up));
        let begun = thread::Builder::new()
            .name("torsade-names".into())
            .spawn(move || work(&shared, &*look_up));
        if let Err(error) = begun {
            let alone = {
                let mut state = lock(&queue);
                state.threads -= 1;
                // The others will do it, if there are any.
                match state.threads {
                    0 => std::mem::take(&mut state.waiting),
                    _ => VecDeque::new(),
                }
            };
            for question in alone {
                let why = format!("no thread can be started: {error}");
                question.fail(why);
            }
        }
    }

    /// Nobody waits for it. If a thread has begun with it, its answer will come too late.
    pub(crate) fn cancel(&self, lookup: LookupId) {
        let queue = self.queue.borrow();
        let mut state = lock(&queue);
        state.waiting.retain(|it| it.lookup != lookup);
    }

    /// A stop is complete: what no thread has begun is dropped, and threads end when they have
    /// their answer, however long that takes.
    pub(crate) fn end(&self) {
        let queue = self.queue.take();
        let dropped = std::mem::take(&mut lock(&queue).waiting);
        drop(dropped);
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.queue.borrow();
        let state = lock(&queue);
        f.debug_struct("Names")
            .field("threads", &state.threads)
            .field("waiting", &state.waiting.len())
            .finish()
    }
}

impl Question {
    fn fail(self, why: String) {
        let name = self.name.as_ref().to_owned();
        self.answer(Err(ResolveError::Failed { name, why }));
    }

    fn answer(self, result: Result<Vec<IpAddr>, ResolveError>) {
        let lookup = self.lookup;
        // If the reactor is gone, nobody waits.
        let _ = self.remote.post(move |net| resolved(net, lookup, result));
    }
}

/// The life of a thread: as long as there are names.
fn work(queue: &Mutex<Queue>, look_up: &LookUp) {
    loop {
        let question = {
            let mut state = lock(queue);
            let next = state.waiting.pop_front();
            if next.is_none() {
                state.threads -= 1;
            }
            next
        };
        let Some(question) = question else { return };
        let found =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| look_up(&question.name)));
        match found {
            Ok(result) => question.answer(result),
            Err(_) => question.fail("the look-up panicked".into()),
        }
    }
}

/// No user code runs under the lock, so a poisoned one guards whole data.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `getaddrinfo`, which knows the hosts file, DNS, and what else the system is set up for, and
/// sorts the answer by RFC 6724.
fn ask_system(name: &str) -> Result<Vec<IpAddr>, ResolveError> {
    match (name, 0).to_socket_addrs() {
        Ok(found) => Ok(found.map(|address| address.ip()).collect()),
        Err(error) => Err(ResolveError::Failed {
            name: name.to_owned(),
            why: error.to_string(),
        }),
    }
}

/// The number of an interface. Nobody outside is asked: it is the system's way of reading an
/// address.
pub(crate) fn interface(name: &str) -> Option<u32> {
    let address = (format!("fe80::1%{name}"), 0);
    let found = (address.0.as_str(), address.1).to_socket_addrs().ok()?;
    let mut numbers = found.filter_map(|address| match address {
        SocketAddr::V6(address) => Some(address.scope_id()),
        SocketAddr::V4(_) => None,
    });
    numbers.next().filter(|number| *number > 0)
}
