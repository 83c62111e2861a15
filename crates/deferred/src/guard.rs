//! Running and dropping what the user gave us, so that a panic in it stays where it happened.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::failure::Panic;
use crate::report::{self, Report};

/// Calls user code; a panic becomes its text.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Panic> {
    // What a closure leaves half-done is its own: we hand nothing of ours into it by reference.
    catch_unwind(AssertUnwindSafe(f)).map_err(Panic::from_payload)
}

/// Drops a value of the user; a panic in its `Drop` is reported and goes no further.
pub(crate) fn discard<V>(value: V) {
    if !std::mem::needs_drop::<V>() {
        return;
    }
    if let Err(panic) = catch(|| drop(value)) {
        report::send(Report::caught(panic, "the drop of a value", None));
    }
}
