use std::error::Error;
use std::fmt;
use std::io;
use std::str::FromStr;

use torsade_core::Limits;

use crate::clock::Clock;
#[cfg(target_os = "linux")]
use crate::epoll::Epoll;
use crate::event_loop::EventLoop;
use crate::names::Names;
use crate::poller::Poller;
use crate::portable::Portable;
use crate::readiness::ReadinessLoop;
#[cfg(all(target_os = "linux", feature = "io-uring"))]
use crate::uring::{RingLoop, Rings};

/// What a reactor asks the system with. Programs, and the order of their callbacks, are the same
/// on each; what differs is how many system calls a message costs.
///
/// | | systems | a message costs | |
/// |---|---|---|---|
/// | [`Epoll`](Self::Epoll) | Linux | a wait, a receive, a send | the default there |
/// | [`Polling`](Self::Polling) | all | on Linux, two to four calls more when a timer is armed | the default elsewhere |
/// | [`IoUring`](Self::IoUring) | Linux 6.1, where it is allowed | one call | with the feature `io-uring`, when it is named |
///
/// # Which one
/// 1. The one that [`ReactorBuilder::driver`](crate::ReactorBuilder::driver) names, or an error:
///    [`DriverUnavailable`].
/// 2. Otherwise the one that the environment variable `TORSADE_DRIVER` names: `polling`, `epoll`
///    or `io_uring`. If it cannot be had, a warning is logged and the choice is automatic.
/// 3. Otherwise, also with `TORSADE_DRIVER=auto`, it is automatic: epoll on Linux, polling
///    elsewhere. If even epoll is refused, polling is tried.
///
/// [`Reactor::driver`](crate::Reactor::driver) tells which it is, and the log, at level info, when
/// the reactor is made.
///
/// ```
/// use torsade_reactor::{Driver, Reactor};
///
/// let reactor = Reactor::builder().driver(Driver::Polling).build()?;
/// assert_eq!(reactor.driver(), Driver::Polling);
/// assert_eq!(Driver::Polling.to_string(), "polling");
/// assert_eq!("io_uring".parse(), Ok(Driver::IoUring));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Driver {
    /// The crate `polling`: epoll, kqueue, IOCP or event ports, whatever the system has.
    #[doc(alias = "SelectReactor")]
    #[doc(alias = "PollReactor")]
    #[doc(alias = "KQueueReactor")]
    Polling,
    /// Linux's epoll, without anything between.
    #[doc(alias = "EPollReactor")]
    Epoll,
    /// Linux's io_uring, in builds with the feature `io-uring`.
    ///
    /// One call hands the kernel all that the last turn asked for, sends and the rest, and waits
    /// for what comes of it. Connections are accepted and bytes are received without being asked
    /// for one by one, into buffers that belong to the whole reactor and are handed to
    /// `data_received` as they are. There is no kernel thread that polls (SQPOLL), ever.
    ///
    /// # What it needs
    /// Linux 6.1; 6.12 or newer lets it wait for answers and ends of sends in one call. Containers
    /// often forbid io_uring, and so does `kernel.io_uring_disabled`: then whoever named it gets
    /// [`DriverUnavailable`], and whoever named it by the environment gets another driver and a
    /// warning in the log. Each reactor has 4 MiB of buffers.
    ///
    /// # What differs
    /// - Input of a connection that holds it back: what the kernel had received is copied out of
    ///   the common buffers, and the kernel receives no more. That wakes the reactor once.
    /// - Output counts as buffered until the call that follows the turn, and an aborted connection
    ///   with output on its way is lost in the turn that follows.
    /// - [`Counters::events`](crate::Counters::events) counts sends, too.
    /// - A listener meets the limit of descriptors (`RLIMIT_NOFILE`) that held when it began to
    ///   accept.
    /// - Whoever waits on the reactor's descriptor (contract C11) pays for it with a read of an
    ///   eventfd in each turn.
    ///
    /// # What it is good at
    /// Few system calls, where those are dear: one for a message on one connection, and one for a
    /// batch on many. And connections beyond the limit of descriptors, see
    /// [`direct_descriptors`](crate::ReactorBuilder::direct_descriptors).
    IoUring,
}

/// The environment variable that chooses.
const VARIABLE: &str = "TORSADE_DRIVER";

/// A loop on the driver that was named, or else on the one that the environment names, or else on
/// the best that the machine allows.
pub(crate) fn make(
    named: Option<Driver>,
    slots: u32,
    limits: Limits,
    clock: Clock,
    names: Names,
) -> io::Result<Box<dyn EventLoop>> {
    let opened = match named {
        Some(driver) => driver.open(slots, &limits).map_err(|cause| {
            let kind = cause.kind();
            io::Error::new(kind, DriverUnavailable { driver, cause })
        })?,
        None => open_automatically(slots, &limits)?,
    };
    let made = opened.make(limits, clock, names);
    log::info!("the reactor's driver is {}", made.driver());
    Ok(made)
}

fn open_automatically(slots: u32, limits: &Limits) -> io::Result<Opened> {
    if let Some(driver) = named_by_environment() {
        match driver.open(slots, limits) {
            Ok(opened) => return Ok(opened),
            Err(error) => log::warn!("{VARIABLE} asks for {driver}, which cannot be had: {error}"),
        }
    }
    if cfg!(target_os = "linux") {
        match Driver::Epoll.open(slots, limits) {
            Ok(opened) => return Ok(opened),
            Err(error) => log::warn!("epoll cannot be had: {error}"),
        }
    }
    Driver::Polling.open(slots, limits)
}

/// What the environment asks for; `None` if it leaves the choice to us.
fn named_by_environment() -> Option<Driver> {
    let value = std::env::var_os(VARIABLE)?;
    let name = value.to_string_lossy();
    if name.is_empty() || name == "auto" {
        return None;
    }
    let driver = name.parse();
    if driver.is_err() {
        log::warn!("{VARIABLE} asks for {name:?}, and there is no such driver");
    }
    driver.ok()
}

/// What had to be asked of the system, and was given.
enum Opened {
    Polling(Portable),
    #[cfg(target_os = "linux")]
    Epoll(Epoll),
    #[cfg(all(target_os = "linux", feature = "io-uring"))]
    IoUring(Rings),
}

impl Driver {
    fn open(self, slots: u32, limits: &Limits) -> io::Result<Opened> {
        match self {
            Self::Polling => Portable::new().map(Opened::Polling),
            #[cfg(target_os = "linux")]
            Self::Epoll => Epoll::new().map(Opened::Epoll),
            #[cfg(not(target_os = "linux"))]
            Self::Epoll => Err(missing("the system has no epoll")),
            #[cfg(all(target_os = "linux", feature = "io-uring"))]
            Self::IoUring => Rings::new(slots, limits).map(Opened::IoUring),
            #[cfg(not(all(target_os = "linux", feature = "io-uring")))]
            Self::IoUring => {
                let _ = (slots, limits);
                Err(missing("this build has no io_uring"))
            }
        }
    }
}

#[cfg(not(all(target_os = "linux", feature = "io-uring")))]
fn missing(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, why)
}

impl Opened {
    fn make(self, limits: Limits, clock: Clock, names: Names) -> Box<dyn EventLoop> {
        match self {
            Self::Polling(poller) => Box::new(ReadinessLoop::new(poller, limits, clock, names)),
            #[cfg(target_os = "linux")]
            Self::Epoll(poller) => Box::new(ReadinessLoop::new(poller, limits, clock, names)),
            #[cfg(all(target_os = "linux", feature = "io-uring"))]
            Self::IoUring(rings) => Box::new(RingLoop::new(rings, limits, clock, names)),
        }
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Polling => "polling",
            Self::Epoll => "epoll",
            Self::IoUring => "io_uring",
        })
    }
}

/// The names are those that [`Display`](fmt::Display) writes.
impl FromStr for Driver {
    type Err = UnknownDriver;

    fn from_str(name: &str) -> Result<Self, UnknownDriver> {
        [Self::Polling, Self::Epoll, Self::IoUring]
            .into_iter()
            .find(|driver| driver.to_string() == name)
            .ok_or(UnknownDriver)
    }
}

/// No [`Driver`] has that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownDriver;

impl fmt::Display for UnknownDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such driver; there are polling, epoll and io_uring")
    }
}

impl Error for UnknownDriver {}

/// The driver that a program named cannot be had here.
///
/// What is inside the [`io::Error`] of [`ReactorBuilder::build`](crate::ReactorBuilder::build)
/// then; its kind is the cause's.
///
/// ```
/// use torsade_reactor::{Driver, DriverUnavailable, Reactor};
///
/// match Reactor::builder().driver(Driver::IoUring).build() {
///     Ok(reactor) => assert_eq!(reactor.driver(), Driver::IoUring),
///     Err(error) => {
///         let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
///         let unavailable: &DriverUnavailable = inner.unwrap();
///         assert_eq!(unavailable.driver(), Driver::IoUring);
///         println!("{unavailable}"); // io_uring cannot be had: ...
///     }
/// }
/// ```
#[derive(Debug)]
pub struct DriverUnavailable {
    driver: Driver,
    cause: io::Error,
}

impl DriverUnavailable {
    /// Which one was asked for.
    pub fn driver(&self) -> Driver {
        self.driver
    }
}

impl fmt::Display for DriverUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be had: {}", self.driver, self.cause)
    }
}

impl Error for DriverUnavailable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}
