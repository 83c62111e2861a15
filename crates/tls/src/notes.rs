//! What rustls asks of us, and does not tell whoever runs it afterwards.
//!
//! It asks for a certificate and for a verdict on one from within a call of ours, on our thread; so
//! what was said then lies here until that call returns.

use std::cell::RefCell;

use torsade_core::TlsFailure;

#[derive(Default)]
pub(crate) struct Notes {
    /// The name that a client asked for.
    pub(crate) server_name: Option<Box<str>>,
    /// Why a certificate was refused, or none was to be had.
    pub(crate) failure: Option<TlsFailure>,
}

thread_local! {
    static NOTES: RefCell<Notes> = RefCell::default();
}

pub(crate) fn note(change: impl FnOnce(&mut Notes)) {
    NOTES.with_borrow_mut(change);
}

pub(crate) fn take() -> Notes {
    NOTES.take()
}
