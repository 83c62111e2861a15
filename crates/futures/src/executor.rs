use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{RawWakerVTable, Wake, Waker};

use torsade_core::driver::Extension;
use torsade_core::{Net, Remote};
use torsade_deferred::queue::{self, Job};

/// The tasks of one reactor.
///
/// It holds no queue of its own: a task that is to be polled is a job of the thread's queue, so
/// that tasks and callbacks run in one order.
pub(crate) struct Executor {
    net: Net,
    home: Home,
    slots: RefCell<Vec<Slot>>,
    free: RefCell<Vec<u32>>,
    alive: Cell<usize>,
    /// Which task was polled last: the one that runs, while one does.
    current: Cell<Option<Key>>,
    /// What the wakers of tasks have in common.
    kind: Cell<Option<&'static RawWakerVTable>>,
    /// Counts tasks as they end, for those who want them in that order.
    ended: Cell<u64>,
}

/// Where an executor is found: on its own thread, and on no other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home {
    /// Tells executors apart, in the whole process.
    id: u64,
    /// Its place among those of its thread.
    place: usize,
}

impl Home {
    /// The executor, if this is its thread and it lives.
    pub(crate) fn executor(self) -> Option<Rc<Executor>> {
        // At the very end of a thread there are no executors any more.
        let executor = HERE.try_with(|here| here.borrow().get(self.place)?.upgrade());
        executor.ok()?.filter(|found| found.home.id == self.id)
    }
}

/// Room for a task, one after the other.
struct Slot {
    /// Used again when nobody but us has kept it.
    waker: Arc<TaskWaker>,
    task: Option<Rc<dyn Runnable>>,
}

/// What the executor knows of a task.
pub(crate) trait Runnable: Job {
    /// It is to be polled again. Calls no user code.
    fn wake(self: Rc<Self>);

    /// The same as the last thing that a callback does: it runs at once if it would be next.
    fn wake_last(self: Rc<Self>);

    /// It is to end at its await point. Calls no user code.
    fn cancel(self: Rc<Self>);

    /// The reactor is no more: drop the future, now.
    fn abandon(&self);

    /// When it ended, counted in tasks of this executor; `None` before.
    fn ended_at(&self) -> Option<u64>;
}

/// The address of a task: a slot, and how often that was used before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    slot: u32,
    generation: u32,
}

impl Executor {
    /// The executor of a reactor.
    pub(crate) fn of(net: &Net) -> Rc<Self> {
        net.extension(Self::new)
    }

    fn new(net: &Net) -> Rc<Self> {
        /// Never used again, so that a waker cannot find the wrong one.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let executor = Rc::new(Self {
            net: net.clone(),
            home: Home {
                id: NEXT.fetch_add(1, Ordering::Relaxed),
                place: HERE.with_borrow(|here| {
                    let free = here.iter().position(|it| it.strong_count() == 0);
                    free.unwrap_or(here.len())
                }),
            },
            slots: RefCell::default(),
            free: RefCell::default(),
            alive: Cell::new(0),
            current: Cell::new(None),
            kind: Cell::new(None),
            ended: Cell::new(0),
        });
        HERE.with_borrow_mut(|here| {
            let weak = Rc::downgrade(&executor);
            match here.get_mut(executor.home.place) {
                Some(place) => *place = weak,
                None => here.push(weak),
            }
        });
        executor
    }

    pub(crate) fn net(&self) -> &Net {
        &self.net
    }

    #[cfg(feature = "hyper")]
    pub(crate) fn home(&self) -> Home {
        self.home
    }

    /// Tasks that have not ended.
    pub(crate) fn alive(&self) -> usize {
        self.alive.get()
    }

    /// Give a new task its place and its waker; `make` makes the task.
    pub(crate) fn add<T: Runnable + 'static>(
        &self,
        make: impl FnOnce(Key, Waker) -> Rc<T>,
    ) -> Rc<T> {
        let slot = self.free.borrow_mut().pop();
        let mut slots = self.slots.borrow_mut();
        let slot = slot.unwrap_or_else(|| self.new_slot(&mut slots));
        let place = &mut slots[slot as usize];
        match Arc::get_mut(&mut place.waker) {
            Some(waker) => waker.key.generation = waker.key.generation.wrapping_add(1),
            None => {
                let generation = place.waker.key.generation.wrapping_add(1);
                place.waker = self.new_waker(Key { slot, generation });
            }
        }
        let task = make(place.waker.key, waker_of(&place.waker));
        place.task = Some(Rc::<T>::clone(&task));
        self.alive.set(self.alive.get() + 1);
        task
    }

    fn new_slot(&self, slots: &mut Vec<Slot>) -> u32 {
        let slot = u32::try_from(slots.len()).unwrap_or(u32::MAX);
        let key = Key {
            slot,
            generation: 0,
        };
        let waker = self.new_waker(key);
        let any = waker_of(&waker);
        queue::vouch_for_wakers_like(&any);
        self.kind.set(Some(any.vtable()));
        slots.push(Slot { waker, task: None });
        slot
    }

    fn new_waker(&self, key: Key) -> Arc<TaskWaker> {
        Arc::new(TaskWaker {
            home: self.home,
            key,
            remote: self.net.remote(),
            posted: AtomicBool::new(false),
        })
    }

    /// The task has ended: its place is free. Returns how many ended before it.
    pub(crate) fn remove(&self, key: Key) -> u64 {
        let task = self.slots.borrow_mut()[key.slot as usize].task.take();
        if task.is_some() {
            self.free.borrow_mut().push(key.slot);
            self.alive.set(self.alive.get() - 1);
        }
        // The task itself is in the hands of the caller: nothing of the user's is dropped here.
        drop(task);
        let ended = self.ended.get();
        self.ended.set(ended + 1);
        ended
    }

    /// A task is about to be polled.
    pub(crate) fn polls(&self, key: Key) {
        self.current.set(Some(key));
    }

    /// The task that this waker wakes, if that is the one which runs: its address costs no
    /// reference count, and waking it by that no look at who it is.
    pub(crate) fn running(&self, waker: &Waker) -> Option<Key> {
        let key = self.current.get()?;
        let slots = self.slots.borrow();
        let slot = slots.get(key.slot as usize)?;
        let its = slot.waker.key == key && Arc::as_ptr(&slot.waker).cast() == waker.data();
        (its && self.kind.get() == Some(waker.vtable())).then_some(key)
    }

    /// Somebody woke this task; perhaps it has ended long ago.
    pub(crate) fn wake(&self, key: Key) {
        if let Some(task) = self.task(key) {
            task.wake();
        }
    }

    /// The same as the last thing that a callback of ours does.
    pub(crate) fn wake_last(&self, key: Key) {
        if let Some(task) = self.task(key) {
            task.wake_last();
        }
    }

    fn task(&self, key: Key) -> Option<Rc<dyn Runnable>> {
        let slots = self.slots.borrow();
        let slot = slots.get(key.slot as usize)?;
        slot.task.clone().filter(|_| slot.waker.key == key)
    }
}

impl Extension for Executor {
    fn ended(self: Rc<Self>) {
        // One by one, and each anew: what a future drops may end others.
        for slot in 0.. {
            let task = match self.slots.borrow().get(slot) {
                Some(slot) => slot.task.clone(),
                None => return,
            };
            if let Some(task) = task {
                task.abandon();
            }
        }
    }
}

thread_local! {
    /// The executors of this thread. Wakers find theirs here, or learn that they are elsewhere.
    static HERE: RefCell<Vec<Weak<Executor>>> = const { RefCell::new(Vec::new()) };
}

/// The only place where wakers are made: made in generic code, each crate that spawns would have
/// tables of its own, and they would not be recognised as ours.
#[inline(never)]
fn waker_of(waker: &Arc<TaskWaker>) -> Waker {
    Waker::from(Arc::clone(waker))
}

/// Wakes a task, from any thread.
///
/// It holds no part of the task, which may not leave its thread: only where it is.
struct TaskWaker {
    home: Home,
    key: Key,
    remote: Remote,
    /// Whether a wake from another thread is on its way, so that a hundred are one.
    posted: AtomicBool,
}

impl TaskWaker {
    /// Wake it if this is its thread.
    fn wake_here(&self) -> bool {
        match self.home.executor() {
            Some(executor) => {
                executor.wake(self.key);
                true
            }
            None => false,
        }
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.wake_here() || self.posted.swap(true, Ordering::AcqRel) {
            return;
        }
        let waker = Arc::clone(self);
        // If the reactor is gone, so is the task.
        let _ = self.remote.post(move |_| {
            waker.posted.store(false, Ordering::Release);
            waker.wake_here();
        });
    }
}
