//! Threads beside the reactor: those that work for it, and those that call into it.

mod block_on;
mod executor;
mod pool;
mod submitted;

pub use self::block_on::{BlockOn, BlockOnError};
pub use self::executor::{Executor, Mapped, Shutdown};
pub(crate) use self::pool::{Bounds, Pool};
pub use self::submitted::{AsCompleted, JobError, Submitted, Until, Waited, as_completed, wait};
