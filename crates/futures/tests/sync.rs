//! Locks, events, semaphores, barriers and queues: order, hand-overs, and those who leave.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::Net;
use torsade_futures::sync::{
    Barrier, BoundedSemaphore, BrokenBarrier, Condition, Event, GetError, LifoQueue, Lock,
    PriorityQueue, PutError, Queue, ReleasedTooOften, Semaphore, ShutDown, TooManyDone,
};
use torsade_futures::{Task, sleep, spawn, timeout};
use torsade_testing::MemoryReactor;

type Log = Rc<RefCell<Vec<u32>>>;

/// Holds the lock for a second, and says when it got it.
fn locker(net: &Net, lock: &Lock, log: &Log, name: u32) -> Task<()> {
    let (clock, lock, log) = (net.clone(), lock.clone(), Rc::clone(log));
    spawn(net, async move {
        let _guard = lock.acquire().await;
        log.borrow_mut().push(name);
        sleep(&clock, Duration::from_secs(1)).await;
    })
}

#[test]
fn a_lock_is_handed_on_in_order_and_nobody_overtakes() {
    let mut reactor = MemoryReactor::new();
    let (net, lock, log) = (reactor.net().clone(), Lock::new(), Log::default());
    let tasks = [1, 2, 3].map(|name| locker(&net, &lock, &log, name));
    reactor.settle();
    assert!(lock.locked() && lock.try_acquire().is_none());
    reactor.advance(Duration::from_secs(1));
    // Released and handed over in one: there is no moment for others.
    assert!(lock.try_acquire().is_none());
    reactor.advance(Duration::from_secs(5));
    assert_eq!(*log.borrow(), [1, 2, 3]);
    assert!(tasks.iter().all(Task::is_finished) && !lock.locked());
}

#[test]
fn one_that_leaves_the_queue_of_a_lock_passes_on_what_it_had_been_handed() {
    let reactor = MemoryReactor::new();
    let (net, lock, log) = (reactor.net().clone(), Lock::new(), Log::default());
    let guard = lock.try_acquire().unwrap();
    let tasks = [1, 2, 3].map(|name| locker(&net, &lock, &log, name));
    reactor.settle();
    tasks[0].cancel(); // leaves while it waits
    reactor.settle();
    drop(guard); // handed to the second
    tasks[1].cancel(); // which leaves before it has run
    reactor.settle();
    assert_eq!(*log.borrow(), [3]);
    tasks.iter().for_each(Task::cancel);
    reactor.settle();
    assert!(!lock.locked());
}

#[test]
fn a_hundred_thousand_that_leave_cost_no_room_and_no_time() {
    let reactor = MemoryReactor::new();
    let semaphore = Semaphore::new(0);
    let waits: Vec<_> = (0..100_000)
        .map(|_| {
            let semaphore = semaphore.clone();
            spawn(
                reactor.net(),
                async move { drop(semaphore.acquire().await) },
            )
        })
        .collect();
    reactor.settle();
    let (last, others) = waits.split_last().unwrap();
    // From the middle outwards, so that no end of the list is the easy one.
    for task in others[50_000..].iter().chain(&others[..50_000]) {
        task.cancel();
    }
    reactor.settle();
    semaphore.release();
    reactor.settle();
    assert!(last.is_finished());
}

#[test]
fn a_semaphore_hands_permits_over_in_order() {
    let reactor = MemoryReactor::new();
    let (semaphore, log) = (Semaphore::new(1), Log::default());
    let held = semaphore.try_acquire().unwrap();
    for name in [1, 2, 3] {
        let (semaphore, log) = (semaphore.clone(), Rc::clone(&log));
        let task = spawn(reactor.net(), async move {
            semaphore.acquire().await.forget();
            log.borrow_mut().push(name);
        });
        task.detach();
    }
    reactor.settle();
    drop(held);
    reactor.settle();
    assert_eq!(*log.borrow(), [1]);
    semaphore.release();
    semaphore.release();
    semaphore.release();
    reactor.settle();
    assert_eq!(*log.borrow(), [1, 2, 3]);
    assert_eq!((semaphore.available(), semaphore.locked()), (1, false));
}

#[test]
fn a_bounded_semaphore_notices_what_is_given_back_too_often() {
    let semaphore = BoundedSemaphore::new(2);
    let [one, two] = [(); 2].map(|()| semaphore.try_acquire().unwrap());
    assert!(semaphore.locked() && semaphore.try_acquire().is_none());
    one.forget();
    drop(two);
    assert_eq!(semaphore.release(), Ok(()));
    assert_eq!(semaphore.release(), Err(ReleasedTooOften));
}

#[test]
fn an_event_wakes_all_who_wait_though_it_is_cleared_at_once() {
    let reactor = MemoryReactor::new();
    let event = Event::new();
    let tasks = [(); 3].map(|()| {
        let event = event.clone();
        spawn(reactor.net(), async move { event.wait().await })
    });
    reactor.settle();
    event.set();
    event.clear();
    let late = event.clone();
    let late = spawn(reactor.net(), async move { late.wait().await });
    reactor.settle();
    assert!(tasks.iter().all(Task::is_finished));
    assert!(!late.is_finished() && !event.is_set());
    event.set();
    reactor.settle();
    assert!(late.is_finished());
    // It has happened: nobody waits.
    let after = event.clone();
    let after = spawn(reactor.net(), async move { after.wait().await });
    reactor.settle();
    assert!(after.is_finished());
}

#[test]
fn a_condition_wakes_as_many_as_it_is_told_and_one_at_a_time_holds_the_lock() {
    let mut reactor = MemoryReactor::new();
    let (condition, log) = (Condition::new(), Log::default());
    let tasks = [1, 2, 3].map(|name| {
        let (condition, log) = (condition.clone(), Rc::clone(&log));
        spawn(reactor.net(), async move {
            let guard = condition.acquire().await;
            let _guard = condition.wait(guard).await;
            log.borrow_mut().push(name);
        })
    });
    reactor.settle();
    assert!(!condition.locked());
    // The first is notified and leaves before it has run: the next one is.
    let notifier = condition.clone();
    reactor.block_on(async move {
        let guard = notifier.acquire().await;
        notifier.notify(&guard, 1);
    });
    assert_eq!(*log.borrow(), [1]);
    let (notifier, second) = (condition.clone(), Rc::new(RefCell::new(None)));
    let leaving = Rc::clone(&second);
    let [_, two, three] = tasks;
    *second.borrow_mut() = Some(two);
    reactor.block_on(async move {
        let guard = notifier.acquire().await;
        notifier.notify(&guard, 1);
        leaving.borrow().as_ref().unwrap().cancel();
    });
    reactor.settle();
    assert_eq!(*log.borrow(), [1, 3]);
    assert!(three.is_finished() && !condition.locked());
}

#[test]
fn all_are_notified_and_those_whose_predicate_is_false_wait_on() {
    let mut reactor = MemoryReactor::new();
    let (condition, log) = (Condition::new(), Log::default());
    let count = Rc::new(Cell::new(0));
    for name in [1, 2] {
        let (condition, log, count) = (condition.clone(), Rc::clone(&log), Rc::clone(&count));
        let waiting = async move {
            let guard = condition.acquire().await;
            let _guard = condition.wait_for(guard, || count.get() >= 2).await;
            log.borrow_mut().push(name);
        };
        spawn(reactor.net(), waiting).detach();
    }
    reactor.settle();
    for (number, gone) in [(1, &[][..]), (2, &[1, 2])] {
        count.set(number);
        let notifier = condition.clone();
        reactor.block_on(async move { notifier.notify_all(&notifier.acquire().await) });
        reactor.settle();
        assert_eq!(*log.borrow(), gone);
    }
}

#[test]
fn a_notification_goes_on_when_who_got_it_leaves_while_it_waits_for_the_lock() {
    let mut reactor = MemoryReactor::new();
    let (condition, log) = (Condition::new(), Log::default());
    let [first, second] = [1, 2].map(|name| {
        let (condition, log) = (condition.clone(), Rc::clone(&log));
        spawn(reactor.net(), async move {
            let guard = condition.acquire().await;
            let _guard = condition.wait(guard).await;
            log.borrow_mut().push(name);
        })
    });
    let net = reactor.net().clone();
    reactor.block_on(async move {
        let guard = condition.acquire().await;
        condition.notify(&guard, 1);
        // The first one is awake and finds the lock held.
        sleep(&net, Duration::from_secs(1)).await;
        first.cancel();
        sleep(&net, Duration::from_secs(1)).await;
        drop(guard);
    });
    reactor.settle();
    assert!(second.is_finished());
    assert_eq!(*log.borrow(), [2]);
}

#[test]
#[should_panic(expected = "guard of another lock")]
fn a_condition_refuses_the_guard_of_another_lock() {
    let (condition, other) = (Condition::new(), Lock::new());
    condition.notify_all(&other.try_acquire().unwrap());
}

#[test]
fn a_barrier_lets_all_go_on_together_again_and_again() {
    let reactor = MemoryReactor::new();
    let (barrier, log) = (Barrier::new(2), Log::default());
    for name in [1, 2, 3, 4] {
        let (barrier, log) = (barrier.clone(), Rc::clone(&log));
        let task = spawn(reactor.net(), async move {
            barrier.wait().await.unwrap();
            log.borrow_mut().push(name);
        });
        reactor.settle();
        assert_eq!(task.is_finished(), name % 2 == 0);
        task.detach();
    }
    // Who came last need not wait; who came first is woken by it.
    assert_eq!(*log.borrow(), [2, 1, 4, 3]);
}

#[test]
fn a_broken_barrier_says_so_to_those_who_wait_and_who_come_until_its_reset() {
    let mut reactor = MemoryReactor::new();
    let barrier = Barrier::new(2);
    let wait = |barrier: &Barrier| {
        let barrier = barrier.clone();
        async move { barrier.wait().await }
    };
    let waiting = spawn(reactor.net(), wait(&barrier));
    let leaving = spawn(reactor.net(), wait(&Barrier::new(2)));
    reactor.settle();
    leaving.cancel();
    assert_eq!(barrier.n_waiting(), 1);
    barrier.abort();
    assert_eq!(reactor.block_on(waiting), Ok(Err(BrokenBarrier)));
    assert_eq!(reactor.block_on(wait(&barrier)), Err(BrokenBarrier));
    barrier.reset();
    let waiting = spawn(reactor.net(), wait(&barrier));
    reactor.settle();
    barrier.reset();
    assert!(!barrier.broken());
    assert_eq!(reactor.block_on(waiting), Ok(Err(BrokenBarrier)));
    let again = spawn(reactor.net(), wait(&barrier));
    assert_eq!(reactor.block_on(wait(&barrier)), Ok(1));
    assert_eq!(reactor.block_on(again), Ok(Ok(0)));
    // Who was let go is gone, also if a reset comes before it has run.
    let before = spawn(reactor.net(), wait(&barrier));
    reactor.settle();
    let resetting = barrier.clone();
    let last = async move {
        let number = resetting.wait().await;
        resetting.reset();
        number
    };
    assert_eq!(reactor.block_on(last), Ok(1));
    assert_eq!(reactor.block_on(before), Ok(Ok(0)));
    // One that leaves is not counted.
    let short = timeout(reactor.net(), Duration::from_secs(1), wait(&barrier));
    assert!(reactor.block_on(short).is_err());
    assert_eq!(barrier.n_waiting(), 0);
}

#[test]
fn queues_differ_in_their_order_alone() {
    let (fifo, lifo, sorted) = (Queue::new(), LifoQueue::new(), PriorityQueue::new());
    for item in [2, 3, 1] {
        fifo.put_nowait(item).unwrap();
        lifo.put_nowait(item).unwrap();
        sorted.put_nowait(item).unwrap();
    }
    let drained =
        |get: &dyn Fn() -> Result<i32, GetError>| [get(), get(), get(), get()].map(Result::ok);
    assert_eq!(
        drained(&|| fifo.get_nowait()),
        [Some(2), Some(3), Some(1), None]
    );
    assert_eq!(
        drained(&|| lifo.get_nowait()),
        [Some(1), Some(3), Some(2), None]
    );
    assert_eq!(
        drained(&|| sorted.get_nowait()),
        [Some(1), Some(2), Some(3), None]
    );
}

#[test]
fn equals_leave_a_priority_queue_in_the_order_in_which_they_came() {
    let queue = PriorityQueue::new();
    for (number, letter) in (0..).zip("abcdefgh".chars()) {
        // Only the first part is compared.
        queue.put_nowait(Ranked(number % 2, letter)).unwrap();
    }
    let order: String = std::iter::from_fn(|| queue.get_nowait().ok())
        .map(|Ranked(_, letter)| letter)
        .collect();
    assert_eq!(order, "acegbdfh");
}

struct Ranked(u8, char);

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

#[test]
fn who_waits_for_an_item_gets_it_though_others_ask_in_between() {
    let mut reactor = MemoryReactor::new();
    let queue = Queue::new();
    let [one, two] = [(); 2].map(|()| {
        let queue = queue.clone();
        spawn(reactor.net(), async move { queue.get().await })
    });
    reactor.settle();
    queue.put_nowait("first").unwrap();
    assert_eq!(queue.get_nowait(), Err(GetError::Empty)); // promised
    one.cancel(); // and passed on
    reactor.settle();
    assert_eq!(reactor.block_on(two), Ok(Ok("first")));
}

#[test]
fn who_waits_for_room_gets_it_in_order_and_one_that_leaves_passes_it_on() {
    let reactor = MemoryReactor::new();
    let queue = Queue::bounded(1);
    queue.put_nowait(0).unwrap();
    let putters = [1, 2, 3].map(|item| {
        let queue = queue.clone();
        spawn(reactor.net(), async move { queue.put(item).await })
    });
    reactor.settle();
    assert_eq!(queue.get_nowait(), Ok(0));
    assert_eq!(queue.put_nowait(9), Err(PutError::Full(9))); // promised
    putters[0].cancel();
    reactor.settle();
    assert!(queue.is_full() && putters[1].is_finished() && !putters[2].is_finished());
    assert_eq!(queue.get_nowait(), Ok(2));
    reactor.settle();
    assert_eq!(queue.get_nowait(), Ok(3));
}

#[test]
fn a_queue_with_one_place_hands_everything_over_in_order() {
    let mut reactor = MemoryReactor::new();
    let queue = Queue::bounded(1);
    let putting = queue.clone();
    let getting = spawn(reactor.net(), async move {
        [queue.get().await, queue.get().await, queue.get().await]
    });
    let putting = spawn(reactor.net(), async move {
        for number in [1, 2, 3] {
            putting.put(number).await.unwrap();
        }
    });
    assert_eq!(reactor.block_on(getting), Ok([Ok(1), Ok(2), Ok(3)]));
    assert!(putting.is_finished());
}

#[test]
fn what_is_promised_in_a_queue_that_was_shut_down_is_not_its_end() {
    let mut reactor = MemoryReactor::new();
    let queue = Queue::new();
    let [first, second] = [(); 2].map(|()| {
        let queue = queue.clone();
        spawn(reactor.net(), async move { queue.get().await })
    });
    reactor.settle();
    queue.put_nowait(1).unwrap();
    queue.shutdown();
    assert_eq!(queue.get_nowait(), Err(GetError::Empty)); // promised
    assert_eq!(reactor.block_on(first), Ok(Ok(1)));
    assert_eq!(reactor.block_on(second), Ok(Err(ShutDown)));
    assert_eq!(queue.get_nowait(), Err(GetError::ShutDown));
}

#[test]
fn a_queue_is_joined_when_everything_put_is_done() {
    let reactor = MemoryReactor::new();
    let queue = Queue::new();
    queue.put_nowait(1).unwrap();
    queue.put_nowait(2).unwrap();
    let joined = queue.clone();
    let joined = spawn(reactor.net(), async move { joined.join().await });
    queue.get_nowait().unwrap();
    queue.task_done().unwrap();
    reactor.settle();
    assert!(!joined.is_finished());
    queue.task_done().unwrap();
    reactor.settle();
    assert!(joined.is_finished());
    assert_eq!(queue.task_done(), Err(TooManyDone));
}

#[test]
fn a_shut_down_queue_gives_what_is_in_and_then_says_so() {
    let mut reactor = MemoryReactor::new();
    let queue = Queue::bounded(1);
    queue.put_nowait(1).unwrap();
    let putting = queue.clone();
    let putting = spawn(reactor.net(), async move { putting.put(2).await });
    reactor.settle();
    queue.shutdown();
    assert_eq!(reactor.block_on(putting), Ok(Err(ShutDown)));
    assert_eq!(queue.put_nowait(3), Err(PutError::ShutDown(3)));
    let last = queue.clone();
    let getters = [(); 2].map(|()| {
        let queue = queue.clone();
        spawn(reactor.net(), async move { queue.get().await })
    });
    let [first, second] = getters;
    assert_eq!(reactor.block_on(first), Ok(Ok(1)));
    assert_eq!(reactor.block_on(second), Ok(Err(ShutDown)));
    assert_eq!(last.get_nowait(), Err(GetError::ShutDown));
}

#[test]
fn a_queue_shut_down_at_once_drops_what_is_in_and_releases_everybody() {
    let mut reactor = MemoryReactor::new();
    let (queue, empty) = (Queue::bounded(1), Queue::<u32>::new());
    queue.put_nowait(1).unwrap();
    let (joined, putting, getting) = (queue.clone(), queue.clone(), empty.clone());
    let joined = spawn(reactor.net(), async move { joined.join().await });
    let putting = spawn(reactor.net(), async move { putting.put(2).await });
    let getting = spawn(reactor.net(), async move { getting.get().await });
    reactor.settle();
    queue.shutdown_now();
    empty.shutdown_now();
    reactor.settle();
    assert!(joined.is_finished() && queue.is_empty());
    assert_eq!(reactor.block_on(putting), Ok(Err(ShutDown)));
    assert_eq!(reactor.block_on(getting), Ok(Err(ShutDown)));
}

#[test]
fn who_waits_at_an_empty_queue_is_told_of_its_shutdown() {
    let mut reactor = MemoryReactor::new();
    let queue = Queue::<u32>::new();
    let getting = queue.clone();
    let getting = spawn(reactor.net(), async move { getting.get().await });
    reactor.settle();
    queue.shutdown();
    assert_eq!(reactor.block_on(getting), Ok(Err(ShutDown)));
}

#[test]
fn what_was_taken_out_before_a_shutdown_at_once_is_still_waited_for() {
    let reactor = MemoryReactor::new();
    let queue = Queue::new();
    for number in [1, 2, 3] {
        queue.put_nowait(number).unwrap();
    }
    queue.get_nowait().unwrap();
    let joined = queue.clone();
    let joined = spawn(reactor.net(), async move { joined.join().await });
    queue.shutdown_now();
    reactor.settle();
    assert!(!joined.is_finished());
    queue.task_done().unwrap();
    reactor.settle();
    assert!(joined.is_finished());
}
