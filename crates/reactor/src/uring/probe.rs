//! Whether this kernel, and whoever guards it, lets us have what the driver needs.

use std::io;

use io_uring::{IoUring, Probe, opcode};

/// See that the ring can do what will be asked of it.
pub(crate) fn check(uring: &IoUring) -> io::Result<()> {
    let params = uring.params();
    for (has, what) in [
        (params.is_feature_nodrop(), "completions that are not lost"),
        (params.is_feature_submit_stable(), "stable submissions"),
        (params.is_feature_fast_poll(), "polling within operations"),
        (params.is_feature_ext_arg(), "a timeout of the wait"),
        (params.is_feature_skip_cqe_on_success(), "quiet operations"),
    ] {
        if !has {
            return Err(lacks(what));
        }
    }
    let mut probe = Probe::new();
    uring.submitter().register_probe(&mut probe)?;
    for (code, what) in [
        (opcode::Recv::CODE, "receive"),
        (opcode::Send::CODE, "send"),
        (opcode::SendMsg::CODE, "sendmsg"),
        (opcode::Accept::CODE, "accept"),
        (opcode::Connect::CODE, "connect"),
        (opcode::Shutdown::CODE, "shutdown"),
        (opcode::PollAdd::CODE, "poll"),
        (opcode::Read::CODE, "read"),
        (opcode::Close::CODE, "close"),
        (opcode::AsyncCancel::CODE, "cancel"),
    ] {
        if !probe.is_supported(code) {
            return Err(lacks(what));
        }
    }
    Ok(())
}

fn lacks(what: &str) -> io::Error {
    let text = format!("the kernel's io_uring has no {what}");
    io::Error::new(io::ErrorKind::Unsupported, text)
}

/// Say what a refusal to make a ring means, which its number does not.
pub(crate) fn explain(error: io::Error) -> io::Error {
    let why = match error.raw_os_error() {
        Some(libc::ENOSYS) => "the kernel has no io_uring",
        Some(libc::EPERM | libc::EACCES) => {
            "io_uring is forbidden, by the container's rules or by kernel.io_uring_disabled"
        }
        Some(libc::EINVAL) => "the kernel's io_uring is older than that of Linux 6.1",
        Some(libc::ENOMEM) => "there is not enough memory, or RLIMIT_MEMLOCK is too low",
        _ => return error,
    };
    io::Error::new(error.kind(), why)
}

/// Say why the ring gets no table of that length.
pub(crate) fn explain_table(error: io::Error, slots: u32) -> io::Error {
    let why = match error.raw_os_error() {
        Some(libc::EMFILE) => "RLIMIT_NOFILE is lower, and a table is no longer than that",
        Some(libc::ENOMEM) => "there is not enough memory",
        _ => return error,
    };
    let text = format!("no table for {slots} direct descriptors: {why}");
    io::Error::new(error.kind(), text)
}
