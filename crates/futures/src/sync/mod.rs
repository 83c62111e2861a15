//! Tasks that wait for each other: asyncio's primitives, which are `threading`'s.
//!
//! All are for the tasks of one thread. Between two await points nobody else runs, so data needs no
//! lock; what spans several steps does. Who waits is served in the order in which it came; nobody
//! who comes later overtakes; one that leaves (its task was cancelled, its time ran out) passes on
//! what it had been handed. None of them knows a reactor, so they work in any executor.
//!
//! | asyncio | here | |
//! |---|---|---|
//! | `Lock` | [`Lock`] | released by the drop of its guard |
//! | `Event` | [`Event`] | |
//! | `Condition` | [`Condition`] | notifying without the lock does not compile |
//! | `Semaphore`, `BoundedSemaphore` | [`Semaphore`], [`BoundedSemaphore`] | |
//! | `Barrier` | [`Barrier`] | |
//! | `Queue`, `LifoQueue`, `PriorityQueue` | [`Queue`], [`LifoQueue`], [`PriorityQueue`] | |

mod barrier;
mod condition;
mod event;
mod lock;
mod queue;
mod semaphore;
mod store;
mod waiters;

pub use self::barrier::{Barrier, BrokenBarrier};
pub use self::condition::Condition;
pub use self::event::Event;
pub use self::lock::{Lock, LockGuard};
pub use self::queue::{
    BaseQueue, GetError, LifoQueue, PriorityQueue, PutError, Queue, ShutDown, TooManyDone,
};
pub use self::semaphore::{BoundedSemaphore, Permit, ReleasedTooOften, Semaphore};
pub use self::store::{Fifo, Lifo, Smallest, Store};
pub(crate) use self::waiters::{Wait, Waiters};
