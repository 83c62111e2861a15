use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::ThreadId;

use crate::{Gone, Net};

/// The one handle of an engine that may travel to other threads.
///
/// ```
/// use torsade_core::{Protocol, Transport};
/// use torsade_testing::StringTransport;
///
/// struct Quiet;
/// impl Protocol for Quiet {
///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// }
///
/// let mut t = StringTransport::serve(Quiet);
/// let connection = t.connection().id();
/// let remote = t.net().remote();
/// std::thread::spawn(move || remote.post(|net| net.stop())).join().unwrap()?;
/// assert!(t.lost().is_some());
/// # let _ = connection;
/// # Ok::<(), torsade_core::Gone>(())
/// ```
#[doc(alias = "callFromThread")]
#[doc(alias = "call_soon_threadsafe")]
#[derive(Clone)]
pub struct Remote(pub(crate) Arc<Mailbox>);

impl Remote {
    /// Run `f` on the reactor's thread, in its next turn. First in, first out. A call that still
    /// waits when a stop is complete is dropped unrun.
    ///
    /// # Errors
    /// [`Gone`] if the reactor was dropped; `f` is dropped unrun.
    #[doc(alias = "callFromThread")]
    #[doc(alias = "call_soon_threadsafe")]
    pub fn post(&self, f: impl FnOnce(&Net) + Send + 'static) -> Result<(), Gone> {
        self.0.put(Box::new(f))
    }

    /// Whether the caller is in the thread where the reactor was made, and therefore runs.
    ///
    /// ```
    /// # let reactor = torsade_testing::MemoryReactor::new();
    /// let remote = reactor.net().remote();
    /// assert!(remote.is_in_reactor_thread());
    /// assert!(!std::thread::spawn(move || remote.is_in_reactor_thread()).join().unwrap());
    /// ```
    #[doc(alias = "isInIOThread")]
    #[must_use]
    pub fn is_in_reactor_thread(&self) -> bool {
        std::thread::current().id() == self.0.thread
    }

    /// End the reactor's wait, if it waits; it takes a turn.
    pub fn wake(&self) {
        self.0.waker.wake_by_ref();
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = self.0.letters();
        f.debug_struct("Remote")
            .field("open", &letters.open)
            .field("waiting", &letters.queue.len())
            .finish()
    }
}

pub(crate) type Letter = Box<dyn FnOnce(&Net) + Send>;

/// Where other threads leave calls for an engine.
pub(crate) struct Mailbox {
    letters: Mutex<Letters>,
    /// Whether there may be letters: a turn without any need not take the lock.
    any: AtomicBool,
    waker: Waker,
    /// Where the engine is.
    thread: ThreadId,
}

struct Letters {
    open: bool,
    queue: VecDeque<Letter>,
}

impl Mailbox {
    pub(crate) fn new(waker: Waker) -> Self {
        Self {
            letters: Mutex::new(Letters {
                open: true,
                queue: VecDeque::new(),
            }),
            any: AtomicBool::new(false),
            waker,
            thread: std::thread::current().id(),
        }
    }

    fn put(&self, letter: Letter) -> Result<(), Gone> {
        let mut letters = self.letters();
        if !letters.open {
            // Unlock before the letter is dropped: that runs user code.
            drop(letters);
            drop(letter);
            return Err(Gone);
        }
        let first = letters.queue.is_empty();
        letters.queue.push_back(letter);
        self.any.store(true, Ordering::Release);
        drop(letters);
        if first && !planted!("lost_wake_up") {
            self.waker.wake_by_ref();
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    pub(crate) fn len(&self) -> usize {
        self.letters().queue.len()
    }

    pub(crate) fn take(&self) -> Option<Letter> {
        let mut letters = self.letters();
        if planted!("posts_out_of_order") {
            letters.queue.make_contiguous().reverse();
        }
        let letter = letters.queue.pop_front();
        if letters.queue.is_empty() {
            self.any.store(false, Ordering::Release);
        }
        letter
    }

    /// Take out all letters there are.
    pub(crate) fn take_all(&self) -> VecDeque<Letter> {
        let mut letters = self.letters();
        self.any.store(false, Ordering::Release);
        std::mem::take(&mut letters.queue)
    }

    /// No more letters; those left are returned to be dropped.
    pub(crate) fn close(&self) -> VecDeque<Letter> {
        let mut letters = self.letters();
        letters.open = false;
        std::mem::take(&mut letters.queue)
    }

    /// No user code runs under the lock, so a poisoned one guards whole data.
    fn letters(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
