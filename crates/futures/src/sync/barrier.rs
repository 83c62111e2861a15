use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use super::waiters::{Wait, Waiters};

/// So many wait for each other, and then go on together; again and again. A clone is the same
/// barrier.
///
/// ```
/// use torsade_futures::gather;
/// use torsade_futures::sync::Barrier;
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let net = reactor.net().clone();
/// let barrier = Barrier::new(3);
/// let runners = [(); 3].map(|()| {
///     let barrier = barrier.clone();
///     async move { barrier.wait().await }
/// });
/// assert_eq!(reactor.block_on(gather(&net, runners)), Ok(vec![0, 1, 2]));
/// ```
#[derive(Clone)]
pub struct Barrier(Rc<Shared>);

struct Shared {
    parties: usize,
    waiters: Waiters,
    /// The round that is filling: shared with those who wait in it.
    round: RefCell<Rc<Cell<Round>>>,
    broken: Cell<bool>,
}

/// ```text
///   Filling -- the last one comes --> Full
///      +------ reset, abort --------> Broken
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    Filling,
    Full,
    Broken,
}

impl Shared {
    /// The round ends this way for all who wait in it, and the next one begins.
    fn end_round(&self, end: Round) {
        let next = Rc::new(Cell::new(Round::Filling));
        self.round.replace(next).set(end);
        self.waiters.grant_all();
    }
}

impl Barrier {
    /// For so many parties.
    ///
    /// # Panics
    /// If `parties` is 0.
    pub fn new(parties: usize) -> Self {
        assert!(parties > 0, "a barrier is for at least one");
        Self(Rc::new(Shared {
            parties,
            waiters: Waiters::default(),
            round: RefCell::new(Rc::new(Cell::new(Round::Filling))),
            broken: Cell::new(false),
        }))
    }

    /// Wait for the others. The result counts those who came before: the first gets 0.
    ///
    /// Cancel safe: one that leaves while it waits is not counted any more, and the others go on
    /// waiting.
    ///
    /// # Errors
    /// [`BrokenBarrier`] if the barrier is broken, or is broken or reset meanwhile.
    pub async fn wait(&self) -> Result<usize, BrokenBarrier> {
        let shared = &self.0;
        if shared.broken.get() {
            return Err(BrokenBarrier);
        }
        let before = shared.waiters.len();
        if before + 1 == shared.parties {
            shared.end_round(Round::Full);
            return Ok(before);
        }
        let round = Rc::clone(&shared.round.borrow());
        Wait::new(&shared.waiters, || ()).granted().await;
        match round.get() {
            Round::Full => Ok(before),
            Round::Filling | Round::Broken => Err(BrokenBarrier),
        }
    }

    /// Whoever waits is told [`BrokenBarrier`]; the barrier can be used again at once.
    pub fn reset(&self) {
        self.0.end_round(Round::Broken);
        self.0.broken.set(false);
    }

    /// Break it: whoever waits, or comes, is told [`BrokenBarrier`], until a
    /// [`reset`](Self::reset).
    pub fn abort(&self) {
        self.0.broken.set(true);
        self.0.end_round(Round::Broken);
    }

    /// How many are needed.
    pub fn parties(&self) -> usize {
        self.0.parties
    }

    /// How many wait now.
    pub fn n_waiting(&self) -> usize {
        self.0.waiters.len()
    }

    /// Whether it was broken and not reset since.
    pub fn broken(&self) -> bool {
        self.0.broken.get()
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties())
            .field("waiting", &self.n_waiting())
            .field("broken", &self.broken())
            .finish()
    }
}

/// A [`Barrier`] was broken, or reset, while somebody waited for the others.
#[doc(alias = "BrokenBarrierError")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the barrier was broken")]
pub struct BrokenBarrier;
