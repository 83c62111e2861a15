use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::rc::{Rc, Weak};

use torsade_core::driver::Interest;
use torsade_core::{Gone, Net};

use crate::watches::{Callback, Watches};

/// Puts descriptors of others into a reactor: a pipe, a terminal, the socket of a library that
/// does its own reading and writing. On Unix.
///
/// Whenever such a descriptor is readable, or writable, a callback runs, in a turn of the reactor
/// and with nobody nested in it (contract C1). Reading and writing is the callback's. From
/// [`Reactor::watcher`](crate::Reactor::watcher); clones are the same one, for programs to pass
/// around beside their [`Net`].
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use torsade_reactor::Reactor;
///
/// let mut reactor = Reactor::new()?;
/// let (mut ours, mut theirs) = UnixStream::pair()?;
/// ours.set_nonblocking(true)?;
/// let watch = reactor.watcher().add_reader(&ours.try_clone()?, move |net| {
///     let mut buffer = [0; 100];
///     let n = ours.read(&mut buffer).unwrap();
///     println!("{}", String::from_utf8_lossy(&buffer[..n]));
///     net.stop();
/// })?;
/// theirs.write_all(b"hello")?;
/// reactor.run()?;
/// watch.remove();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # The rules
/// - It is told as long as it is so, level-triggered: a callback that does not read what makes
///   its descriptor readable is called again in every turn, and the reactor never sleeps.
/// - That it was ready may be over when the callback runs: let the descriptor be non-blocking, and
///   take `WouldBlock` for nothing.
/// - An end and an error make it ready, too. The callback finds them by reading, or writing, and
///   removes the [`Watch`] then.
/// - A panic of the callback is caught and logged, and its descriptor is watched no more (contract
///   C8).
/// - A stop of the reactor leaves it alone; when the reactor is dropped, it is removed.
///
/// # Descriptors that are closed
/// What is watched is a duplicate that the watch owns. So the caller may close the descriptor at
/// any time, nothing of the reactor touches its number afterwards, and whatever gets that number
/// next is not confused with it. In return the open file lives until the watch is removed, too: a
/// peer sees no end before. One descriptor can be watched for reading and for writing, by two
/// watches.
#[doc(alias = "IReactorFDSet")]
#[derive(Clone)]
pub struct Watcher {
    watches: Weak<Watches>,
    net: Net,
}

/// A descriptor that is being watched, until this is dropped.
///
/// From [`Watcher::add_reader`] and [`Watcher::add_writer`]. It may be dropped in the callback
/// itself, which is then called no more.
#[must_use = "a descriptor is watched as long as its Watch is kept"]
pub struct Watch {
    watches: Weak<Watches>,
    number: u64,
}

impl Watcher {
    pub(crate) fn new(watches: &Rc<Watches>, net: &Net) -> Self {
        Self {
            watches: Rc::downgrade(watches),
            net: net.clone(),
        }
    }

    /// Call `callback` in every turn in which the descriptor is readable.
    ///
    /// # Errors
    /// The system's: one that cannot be waited for, as a regular file, or for which there is no
    /// room. [`Gone`], as its cause, if the reactor is gone.
    #[doc(alias = "addReader")]
    #[doc(alias = "doRead")]
    pub fn add_reader(
        &self,
        descriptor: &impl AsFd,
        callback: impl FnMut(&Net) + 'static,
    ) -> io::Result<Watch> {
        let readable = Interest {
            readable: true,
            writable: false,
        };
        self.add(descriptor, readable, Box::new(callback))
    }

    /// Call `callback` in every turn in which the descriptor is writable: for as long as there is
    /// something to write.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::os::unix::net::UnixStream;
    /// use torsade_reactor::Reactor;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let (mut ours, mut theirs) = UnixStream::pair()?;
    /// let mut rest = &b"hello"[..];
    /// let watch = reactor.watcher().add_writer(&ours.try_clone()?, move |net| {
    ///     let sent = ours.write(&rest[..rest.len().min(1)]).unwrap(); // a slow one
    ///     rest = &rest[sent..];
    ///     if rest.is_empty() {
    ///         net.stop();
    ///     }
    /// })?;
    /// reactor.run()?;
    /// watch.remove();
    /// let mut heard = [0; 5];
    /// theirs.read_exact(&mut heard)?;
    /// assert_eq!(&heard, b"hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// As those of [`add_reader`](Self::add_reader).
    #[doc(alias = "addWriter")]
    #[doc(alias = "doWrite")]
    pub fn add_writer(
        &self,
        descriptor: &impl AsFd,
        callback: impl FnMut(&Net) + 'static,
    ) -> io::Result<Watch> {
        let writable = Interest {
            readable: false,
            writable: true,
        };
        self.add(descriptor, writable, Box::new(callback))
    }

    fn add(
        &self,
        descriptor: &impl AsFd,
        interest: Interest,
        callback: Callback,
    ) -> io::Result<Watch> {
        let gone = || io::Error::new(io::ErrorKind::NotConnected, Gone);
        let watches = self.watches.upgrade().ok_or_else(gone)?;
        if !self.net.is_alive() {
            return Err(gone());
        }
        let own = descriptor.as_fd().try_clone_to_owned()?;
        let number = watches.add(own, interest, &self.net, callback)?;
        Ok(Watch {
            watches: Weak::clone(&self.watches),
            number,
        })
    }
}

impl Watch {
    /// Watch the descriptor no more. The callback is not called again, also if it was about to be,
    /// and what it holds is dropped when the current callback, if there is one, has returned.
    ///
    /// The same as dropping this.
    #[doc(alias = "removeReader")]
    #[doc(alias = "removeWriter")]
    #[doc(alias = "remove_reader")]
    #[doc(alias = "remove_writer")]
    pub fn remove(self) {
        drop(self);
    }

    /// Whether its callback may still be called: it did not panic, and the reactor is there.
    ///
    /// ```
    /// # let mut reactor = torsade_reactor::Reactor::new()?;
    /// # let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    /// let watch = reactor.watcher().add_reader(&ours, |_| panic!("that hurt"))?;
    /// assert!(watch.is_watching());
    /// drop(theirs); // its end is something to read
    /// reactor.turn(None)?;
    /// assert!(!watch.is_watching());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_watching(&self) -> bool {
        let watches = self.watches.upgrade();
        watches.is_some_and(|watches| watches.is_watched(self.number))
    }

    /// Watch the descriptor until the callback panics or the reactor is gone.
    pub fn detach(mut self) {
        self.watches = Weak::new();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(watches) = self.watches.upgrade() {
            watches.remove(self.number);
        }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher")
            .field("watches", &self.watches.upgrade())
            .finish()
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("number", &self.number)
            .field("is_watching", &self.is_watching())
            .finish()
    }
}
