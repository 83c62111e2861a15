//! Linux's epoll, asked directly.
#![expect(
    unsafe_code,
    reason = "no crate has a safe call for the wait with nanoseconds that can be told from one \
              that the kernel does not have"
)]

use std::cell::Cell;
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use socket2::Socket;
use torsade_core::driver::Interest;

use crate::Driver;
use crate::event_loop::Doorbell;
use crate::poller::{Often, Poller, Ready};
use crate::socket::Kept;
use crate::token::Token;

/// An epoll instance, and the eventfd in it that ends its wait.
#[derive(Clone, Debug)]
pub(crate) struct Epoll(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    descriptors: Arc<Descriptors>,
    waits: Cell<Waits>,
}

/// What other threads may have, too.
#[derive(Debug)]
struct Descriptors {
    epoll: OwnedFd,
    /// Written only by who rings.
    bell: OwnedFd,
}

/// How exactly the kernel measures a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// `epoll_pwait2`, from Linux 5.11 on.
    InNanoseconds,
    /// `epoll_pwait`: old kernels, and tools that do not know the other one.
    InMilliseconds,
}

/// The eventfd's data: no token's, which have four bits of kind and not all of them.
const BELL: u64 = u64::MAX;

/// The room for events grows with their number.
const FEWEST: usize = 64;
const MOST: usize = 1024;

/// The events of one wait, and the room for those of the next.
pub(crate) struct Batch {
    /// Those of ours come first.
    events: Vec<Event>,
    /// Whether all of the room was used.
    full: bool,
}

impl Poller for Epoll {
    const DRIVER: Driver = Driver::Epoll;

    type Events = Batch;

    fn new() -> io::Result<Self> {
        let descriptors = Descriptors {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        };
        epoll::add(
            &descriptors.epoll,
            &descriptors.bell,
            EventData::new_u64(BELL),
            EventFlags::IN,
        )?;
        Ok(Self(Rc::new(Inner {
            descriptors: Arc::new(descriptors),
            waits: Cell::new(Waits::InNanoseconds),
        })))
    }

    fn doorbell(&self) -> Arc<dyn Doorbell> {
        Arc::<Descriptors>::clone(&self.0.descriptors)
    }

    fn events() -> Batch {
        Batch {
            events: Vec::with_capacity(FEWEST),
            full: false,
        }
    }

    fn add(
        &self,
        socket: Kept<'_>,
        token: Token,
        interest: Interest,
        often: Often,
    ) -> io::Result<()> {
        let data = EventData::new_u64(token.key());
        let flags = flags(interest, often);
        Ok(epoll::add(self.epoll(), socket.socket(), data, flags)?)
    }

    fn modify(
        &self,
        socket: &Socket,
        token: Token,
        interest: Interest,
        often: Often,
    ) -> io::Result<()> {
        let data = EventData::new_u64(token.key());
        let flags = flags(interest, often);
        Ok(epoll::modify(self.epoll(), socket, data, flags)?)
    }

    fn delete(&self, socket: &Socket) -> io::Result<()> {
        Ok(epoll::delete(self.epoll(), socket)?)
    }

    #[inline(always)]
    fn wait(&self, batch: &mut Batch, timeout: Option<Duration>) -> io::Result<usize> {
        batch.make_room();
        let waited = self.fill(&mut batch.events, timeout);
        // A signal was handled. The turn goes on without events, as after any other wait in vain.
        if !matches!(&waited, Err(error) if error.kind() == ErrorKind::Interrupted) {
            waited?;
        }
        batch.full = batch.events.len() == batch.events.capacity();
        Ok(batch.events.len())
    }

    fn heard(&self, key: u64) {
        if key == BELL {
            self.0.descriptors.silence();
        }
    }

    #[inline]
    fn ready(batch: &Batch, from: usize) -> impl Iterator<Item = Ready> {
        let events = batch.events[from..].iter();
        events.map(|event| Ready::of_epoll(event.data.u64(), { event.flags }.bits()))
    }

    #[inline]
    fn was_full(batch: &Batch, _: usize) -> bool {
        batch.full
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("len", &self.events.len())
            .field("full", &self.full)
            .finish()
    }
}

fn flags(interest: Interest, often: Often) -> EventFlags {
    let mut flags = EventFlags::empty();
    flags.set(EventFlags::IN, interest.readable);
    flags.set(EventFlags::OUT, interest.writable);
    flags.set(EventFlags::ONESHOT, often == Often::Once);
    flags
}

impl Batch {
    /// Forget the last events. Where they filled the room, there is twice as much for the next.
    #[inline]
    fn make_room(&mut self) {
        self.events.clear();
        if self.full && self.events.capacity() < MOST {
            self.events.reserve_exact(2 * self.events.capacity());
        }
    }
}

/// Waiting.
impl Epoll {
    #[inline]
    fn epoll(&self) -> &OwnedFd {
        &self.0.descriptors.epoll
    }

    /// Wait, and put what there is behind `events`, which are none.
    #[inline(always)]
    fn fill(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        let Some(timeout) = timeout else {
            return self.fill_plainly(events, None);
        };
        if !timeout.is_zero() && self.0.waits.get() == Waits::InNanoseconds {
            match self.fill_exactly(events, timeout) {
                Err(error) if is_unknown(&error) => self.0.waits.set(Waits::InMilliseconds),
                done => return done,
            }
        }
        self.fill_plainly(events, Some(timeout))
    }

    /// With `epoll_pwait`, which counts in milliseconds.
    #[inline(always)]
    fn fill_plainly(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        /// What fits, and with it no call but this one is made.
        const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
        // It is rounded up inside: a timer is never early.
        let timeout = timeout.map(|it| timespec(it.min(LONGEST)));
        epoll::wait(self.epoll(), spare_capacity(events), timeout.as_ref())?;
        Ok(())
    }

    /// With `epoll_pwait2`, which counts in nanoseconds.
    #[inline(never)]
    fn fill_exactly(&self, events: &mut Vec<Event>, timeout: Duration) -> io::Result<()> {
        let timeout = libc::timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let room = libc::c_int::try_from(events.capacity()).unwrap_or(libc::c_int::MAX);
        // SAFETY: the arguments are those of the call: an open epoll instance; room for so many
        // events, which is the vector's own and which the kernel may write to, each of the layout
        // that rustix gives its `Event` for this very purpose; a time that outlives the call and
        // that pointers of 64 bits make the kernel's; no signal mask.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.epoll().as_raw_fd(),
                events.as_mut_ptr(),
                room,
                &raw const timeout,
                std::ptr::null::<libc::sigset_t>(),
                0_usize,
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        // SAFETY: the kernel has written so many events, never more than there is room for.
        unsafe { events.set_len(count) };
        Ok(())
    }
}

/// Whether that is how a kernel, or a sandbox around it, says that it has no such call.
#[cold]
fn is_unknown(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM))
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

impl Descriptors {
    /// The bell was heard. Reading is what ends it; that somebody rings again meanwhile is heard
    /// with it, because the turn that follows sees whatever he has done before.
    #[cold]
    fn silence(&self) {
        // If it fails, the next wait is in vain and it is tried again.
        let _ = rustix::io::read(&self.bell, &mut [0_u8; 8]);
    }
}

impl Doorbell for Descriptors {
    fn ring(&self) -> io::Result<()> {
        loop {
            match rustix::io::write(&self.bell, &1_u64.to_ne_bytes()) {
                // It cannot count so many, and rings already.
                Ok(_) | Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    use super::*;
    use crate::socket::Registered;

    const NOW: Option<Duration> = Some(Duration::ZERO);

    /// How late it is depends on the machine; that it is not early does not.
    #[test]
    fn a_wait_is_never_short_however_exactly_the_kernel_measures_it() {
        let epoll = Epoll::new().unwrap();
        let mut batch = Epoll::events();
        for waits in [Waits::InNanoseconds, Waits::InMilliseconds] {
            epoll.0.waits.set(waits);
            for micros in [1, 300, 999, 1001, 2700] {
                let timeout = Duration::from_micros(micros);
                let start = Instant::now();
                assert_eq!(epoll.wait(&mut batch, Some(timeout)).unwrap(), 0);
                assert!(start.elapsed() >= timeout, "{micros} us, {waits:?}");
            }
        }
    }

    #[test]
    fn the_longest_waits_are_no_error() {
        let epoll = Epoll::new().unwrap();
        let mut batch = Epoll::events();
        for waits in [Waits::InNanoseconds, Waits::InMilliseconds] {
            epoll.0.waits.set(waits);
            for longest in [
                None,
                Some(Duration::MAX),
                Some(Duration::from_secs(1 << 40)),
            ] {
                epoll.doorbell().ring().unwrap(); // so that it ends
                assert_eq!(epoll.wait(&mut batch, longest).unwrap(), 1);
                epoll.heard(BELL);
            }
        }
    }

    #[test]
    fn a_bell_is_heard_once_however_often_it_was_rung() {
        let epoll = Epoll::new().unwrap();
        let mut batch = Epoll::events();
        for _ in 0..3 {
            epoll.doorbell().ring().unwrap();
        }
        let is_readable = || {
            let descriptors = &epoll.0.descriptors;
            let mut fds = [rustix::event::PollFd::new(
                &descriptors.epoll,
                rustix::event::PollFlags::IN,
            )];
            rustix::event::poll(&mut fds, Some(&Timespec::default())).unwrap() > 0
        };
        assert!(is_readable());
        assert_eq!(epoll.wait(&mut batch, None).unwrap(), 1);
        let heard: Vec<u64> = Epoll::ready(&batch, 0).map(|event| event.key).collect();
        for key in heard {
            epoll.heard(key);
        }
        assert!(!is_readable());
    }

    #[test]
    fn the_room_for_events_grows_with_their_number_and_none_is_lost() {
        let epoll = Epoll::new().unwrap();
        let mut batch = Epoll::events();
        let many = 3 * FEWEST;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for number in 0..many as u64 {
            let (here, there) = UnixStream::pair().unwrap();
            let mut here = Registered::new(OwnedFd::from(here).into(), &epoll);
            let writable = Interest {
                readable: false,
                writable: true,
            };
            here.want(Token::Watched(number), writable).unwrap();
            ours.push(here);
            theirs.push(there);
        }
        let mut seen = std::collections::HashSet::new();
        let mut sizes = Vec::new();
        for _ in 0..4 {
            let len = epoll.wait(&mut batch, NOW).unwrap();
            sizes.push((len, Epoll::was_full(&batch, len)));
            seen.extend(Epoll::ready(&batch, 0).map(|event| event.key));
            assert_eq!(Epoll::ready(&batch, 60).count(), len - 60);
        }
        assert_eq!(sizes[..2], [(FEWEST, true), (2 * FEWEST, true)]);
        assert_eq!(sizes[3], (many, false));
        assert_eq!(seen.len(), many);

        // Closed is out of it.
        ours.truncate(2);
        assert_eq!(epoll.wait(&mut batch, NOW).unwrap(), 2);
    }
}
