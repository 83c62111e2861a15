//! Children that ran on when nobody here wanted to know any more: they are reaped all the same.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::event::epoll;
use rustix::process::{WaitId, WaitIdOptions, waitid};

/// Those of all reactors that were in this process. A thread sleeps until one of them exits, and
/// ends with the last.
static LEFT: Mutex<Option<Left>> = Mutex::new(None);

struct Left {
    poller: Arc<OwnedFd>,
    waiting: HashMap<u64, OwnedFd>,
    next: u64,
}

/// Reap the process of this descriptor when it exits.
pub(super) fn wait_for(descriptor: OwnedFd) {
    if reap(&descriptor) {
        return;
    }
    if let Err(error) = add(descriptor) {
        log::error!("a child that was let go will stay a zombie when it exits: {error}");
    }
}

/// Whether there is nothing left to wait for.
fn reap(descriptor: &OwnedFd) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    !matches!(waitid(WaitId::PidFd(descriptor.as_fd()), options), Ok(None))
}

fn add(descriptor: OwnedFd) -> io::Result<()> {
    let mut left = lock();
    if left.is_none() {
        *left = Some(begin()?);
    }
    if let Some(left) = &mut *left {
        let number = left.next;
        left.next += 1;
        let data = epoll::EventData::new_u64(number);
        epoll::add(&left.poller, &descriptor, data, epoll::EventFlags::IN)?;
        left.waiting.insert(number, descriptor);
    }
    Ok(())
}

fn begin() -> io::Result<Left> {
    let poller = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
    let waited = Arc::clone(&poller);
    thread::Builder::new()
        .name("torsade-children".to_owned())
        .spawn(move || run(&waited))?;
    Ok(Left {
        poller,
        waiting: HashMap::new(),
        next: 0,
    })
}

fn run(poller: &OwnedFd) {
    loop {
        let mut events = [MaybeUninit::uninit(); 16];
        let ready = match epoll::wait(poller, &mut events[..], None) {
            Ok((ready, _)) => ready,
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => {
                log::error!("children that were let go cannot be waited for: {error}");
                *lock() = None;
                return;
            }
        };
        let mut left = lock();
        let Some(known) = &mut *left else { return };
        for event in ready {
            let number = event.data.u64();
            if known.waiting.get(&number).is_some_and(reap) {
                known.waiting.remove(&number);
            }
        }
        if known.waiting.is_empty() {
            *left = None;
            return;
        }
    }
}

fn lock() -> MutexGuard<'static, Option<Left>> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}
