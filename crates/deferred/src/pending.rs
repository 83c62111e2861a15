//! Which results are still waited for, and where their Deferreds were made: for tests that want to
//! leave nothing behind.
//!
//! While a [`Watch`] exists on a thread, every Deferred that [`Deferred::new`](crate::Deferred::new)
//! and what is built on it makes there is noted. Otherwise it costs a look at a flag.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::{Rc, Weak};

thread_local! {
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
    static NOTED: RefCell<Noted> = const { RefCell::new(Noted::new()) };
}

/// Notes which Deferreds are made on this thread, as long as it exists.
///
/// ```
/// use torsade_deferred::{Deferred, pending};
///
/// let _watch = pending::Watch::new();
/// let (resolver, answer) = Deferred::<u32, ()>::new();
/// let left = pending::left();
/// assert_eq!(left.len(), 1);
/// println!("made at {}", left[0].site());
/// resolver.resolve(7);
/// assert!(pending::left().is_empty());
/// # answer.detach();
/// ```
#[derive(Debug)]
pub struct Watch(());

/// A Deferred that has no result yet.
///
/// ```
/// use torsade_deferred::{Deferred, pending, pending::Watch};
///
/// let _watch = Watch::new();
/// let (_resolver, _answer) = Deferred::<(), ()>::new();
/// assert_eq!(pending::left(), pending::left()); // the same one
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Left {
    number: u64,
    site: &'static Location<'static>,
}

impl Left {
    /// Where it was made.
    #[must_use]
    pub fn site(&self) -> &'static Location<'static> {
        self.site
    }
}

/// Something that may have no result yet.
pub(crate) trait Pending {
    fn is_pending(&self) -> bool;
}

struct Noted {
    all: Vec<(Left, Weak<dyn Pending>)>,
    /// When those that are gone are to be thrown out next.
    full: usize,
    next: u64,
}

impl Noted {
    const fn new() -> Self {
        Self {
            all: Vec::new(),
            full: 0,
            next: 0,
        }
    }
}

impl Watch {
    /// From now on.
    ///
    /// # Panics
    /// If there is one on this thread already.
    #[must_use = "nothing is noted any more when it is dropped"]
    #[expect(clippy::new_without_default, reason = "it begins something")]
    pub fn new() -> Self {
        assert!(!IS_WATCHED.replace(true), "there is a watch already");
        Self(())
    }

    /// What `work` makes is not noted: a tool's own.
    ///
    /// ```
    /// use torsade_deferred::{Deferred, pending, pending::Watch};
    ///
    /// let _watch = Watch::new();
    /// let _mine = Watch::unseen(|| Deferred::<(), ()>::new());
    /// assert!(pending::left().is_empty());
    /// ```
    pub fn unseen<R>(work: impl FnOnce() -> R) -> R {
        let before = IS_WATCHED.replace(false);
        let result = work();
        IS_WATCHED.set(before);
        result
    }
}

/// Those that have no result, of what the [`Watch`] of this thread has seen, the oldest first. One
/// whose resolver or whose consumers are all gone is over, and not among them.
///
/// ```
/// assert!(torsade_deferred::pending::left().is_empty()); // nobody watches
/// ```
#[must_use]
pub fn left() -> Vec<Left> {
    NOTED.with_borrow(|noted| {
        let all = noted.all.iter();
        let is_pending = |it: &Weak<dyn Pending>| it.upgrade().is_some_and(|it| it.is_pending());
        all.filter(|(_, it)| is_pending(it))
            .map(|(left, _)| *left)
            .collect()
    })
}

impl Drop for Watch {
    fn drop(&mut self) {
        IS_WATCHED.set(false);
        let noted = NOTED.replace(Noted::new());
        drop(noted);
    }
}

/// A Deferred was made.
pub(crate) fn note<P: Pending + 'static>(made: &Rc<P>, site: &'static Location<'static>) {
    if IS_WATCHED.get() {
        remember(Rc::<P>::downgrade(made), site);
    }
}

#[cold]
fn remember(made: Weak<dyn Pending>, site: &'static Location<'static>) {
    /// Fewer are not worth a look.
    const FEW: usize = 64;
    NOTED.with_borrow_mut(|noted| {
        if noted.all.len() >= noted.full.max(FEW) {
            noted.all.retain(|(_, it)| it.strong_count() > 0);
            noted.full = 2 * noted.all.len();
        }
        let number = noted.next;
        noted.next += 1;
        noted.all.push((Left { number, site }, made));
    });
}
