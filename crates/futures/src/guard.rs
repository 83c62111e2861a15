use std::panic::{AssertUnwindSafe, catch_unwind};

use torsade_deferred::Panic;

/// Run user code; a panic in it is an `Err`.
///
/// Unwind safety is asserted because what panicked is dropped and never entered again.
pub(crate) fn catch<R>(user: impl FnOnce() -> R) -> Result<R, Panic> {
    catch_unwind(AssertUnwindSafe(user)).map_err(Panic::from_payload)
}

/// Go on with a panic that was caught for a while, so that whoever runs us reports it.
pub(crate) fn resume(panic: &Panic) -> ! {
    panic!("{}", panic.message())
}
