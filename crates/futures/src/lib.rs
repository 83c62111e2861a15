//! placeholder
#![forbid(unsafe_code)]

pub mod asyncio;
mod executor;
mod group;
mod guard;
mod shield;
mod streams;
pub mod sync;
mod task;
mod time;
mod wait;

pub use self::group::{Child, GroupError, Nursery, TaskGroup, task_group};
pub use self::shield::{Shield, shield};
pub use self::streams::{
    Handled, ReadError, StreamReader, StreamWriter, open_connection, start_server,
};
pub use self::task::{Task, defer, spawn, task_count, yield_now};
pub use self::time::{Elapsed, Sleep, sleep, sleep_until, timeout};
pub use self::wait::{
    AllCompleted, AsCompleted, FirstCompleted, FirstException, Gather, When, as_completed, gather,
    wait,
};
