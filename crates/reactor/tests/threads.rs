//! Threads that work for a reactor, and threads that call into it.
#![expect(
    clippy::unwrap_used,
    reason = "functions that several tests share are not marked as tests"
)]

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use torsade_core::{Limits, Net, ThreadError};
use torsade_deferred::{Deferred, Failure, Resolver};
use torsade_reactor::{
    BlockOn, BlockOnError, Executor, Reactor, Shutdown, Until, as_completed, wait,
};

const HOUR: Duration = Duration::from_secs(3600);

/// A call that says when it begins and then waits to be let go. Without a word it ends, too.
fn held() -> (impl FnOnce() + Send + 'static, Receiver<()>, Sender<()>) {
    let (begun, begins) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let call = move || {
        begun.send(()).unwrap();
        let _ = wait.recv();
    };
    (call, begins, go)
}

fn bounded(threads: usize, queue: usize) -> Reactor {
    let mut limits = Limits::default();
    limits.max_threads = threads;
    limits.thread_queue = queue;
    Reactor::builder().limits(limits).build().unwrap()
}

#[test]
fn a_call_runs_in_another_thread_and_its_result_comes_here() {
    let mut reactor = Reactor::new().unwrap();
    let here = thread::current().id();
    let there = reactor.net().defer_to_thread(|| thread::current().id());
    let checked = there.map(move |there| (there, thread::current().id()));
    let (there, back) = reactor.run_until(checked).unwrap().unwrap();
    assert!(there != here && back == here);
}

#[test]
fn a_panic_in_the_call_is_its_result_and_the_thread_goes_on() {
    let mut reactor = bounded(1, 10);
    let panicked = reactor.net().defer_to_thread(|| -> u32 { panic!("bang") });
    let after = reactor.net().defer_to_thread(|| 7);
    let Err(Failure::Panicked(panic)) = reactor.run_until(panicked).unwrap() else {
        panic!("it did")
    };
    assert_eq!(panic.message(), "bang");
    assert_eq!(reactor.run_until(after).unwrap().unwrap(), 7);
}

#[test]
fn there_are_so_many_threads_and_so_many_calls_wait() {
    let mut reactor = bounded(2, 1);
    let net = reactor.net().clone();
    let (first, first_begins, let_first) = held();
    let (second, second_begins, let_second) = held();
    let both = torsade_deferred::gather((net.defer_to_thread(first), net.defer_to_thread(second)));
    first_begins.recv().unwrap();
    second_begins.recv().unwrap();
    let third = net.defer_to_thread(|| 3);
    let fourth = net.defer_to_thread(|| 4);
    let refused = fourth.try_take().unwrap();
    assert!(matches!(refused, Err(Failure::Error(ThreadError::Full))));
    assert!(!third.is_settled());
    drop((let_first, let_second));
    assert_eq!(reactor.run_until(third).unwrap().unwrap(), 3);
    reactor.run_until(both).unwrap().unwrap();
}

#[test]
fn a_call_that_is_cancelled_in_time_is_never_made_and_dropped_here() {
    struct Home(thread::ThreadId, Arc<AtomicBool>);
    impl Drop for Home {
        fn drop(&mut self) {
            self.1
                .store(thread::current().id() == self.0, Ordering::Relaxed);
        }
    }
    let mut reactor = bounded(1, 10);
    let net = reactor.net().clone();
    let (busy, begins, let_busy) = held();
    let busy = net.defer_to_thread(busy);
    begins.recv().unwrap();
    let dropped_here = Arc::new(AtomicBool::new(false));
    let home = Home(thread::current().id(), Arc::clone(&dropped_here));
    net.defer_to_thread(move || drop(home)).cancel();
    assert!(dropped_here.load(Ordering::Relaxed));
    busy.cancel(); // too late: it runs to its end, and nobody hears of it
    drop(let_busy);
    let after = net.defer_to_thread(|| 7);
    assert_eq!(reactor.run_until(after).unwrap().unwrap(), 7);
}

#[test]
fn a_stop_waits_for_what_has_begun_and_drops_the_rest() {
    let mut reactor = bounded(1, 10);
    let net = reactor.net().clone();
    let ended = Arc::new(AtomicBool::new(false));
    let (call, begins, let_call) = held();
    let flag = Arc::clone(&ended);
    let begun = net.defer_to_thread(move || {
        call();
        flag.store(true, Ordering::Relaxed);
    });
    begins.recv().unwrap();
    // The queue is dropped before the threads are waited for; that lets the first call go.
    let waiting = net.defer_to_thread(move || drop(let_call));
    net.stop();
    reactor.run().unwrap();
    assert!(ended.load(Ordering::Relaxed), "the stop waited");
    for deferred in [begun, waiting] {
        assert!(matches!(
            deferred.try_take().unwrap(),
            Err(Failure::Abandoned)
        ));
    }
    // And it can be used again.
    let again = net.defer_to_thread(|| 7);
    assert_eq!(reactor.run_until(again).unwrap().unwrap(), 7);
}

#[test]
fn a_reactor_that_is_dropped_waits_too() {
    let reactor = bounded(1, 10);
    let net = reactor.net().clone();
    let ended = Arc::new(AtomicBool::new(false));
    let (call, begins, let_call) = held();
    let flag = Arc::clone(&ended);
    net.defer_to_thread(move || {
        call();
        flag.store(true, Ordering::Relaxed);
    })
    .detach();
    begins.recv().unwrap();
    let waiting = net.defer_to_thread(move || drop(let_call));
    drop(reactor);
    assert!(ended.load(Ordering::Relaxed));
    assert!(matches!(
        waiting.try_take().unwrap(),
        Err(Failure::Abandoned)
    ));
    let late = net.defer_to_thread(|| 7).try_take().unwrap();
    assert!(matches!(late, Err(Failure::Error(ThreadError::Gone(_)))));
}

#[test]
fn an_idle_thread_above_the_minimum_ends() {
    let mut limits = Limits::default();
    limits.max_threads = 1;
    limits.thread_idle = Duration::ZERO;
    let mut reactor = Reactor::builder().limits(limits).build().unwrap();
    // Each call finds the thread that made the last one on its way out, or gone.
    for number in 0..100 {
        let call = reactor.net().defer_to_thread(move || number);
        assert_eq!(reactor.run_until(call).unwrap().unwrap(), number);
    }
}

#[test]
fn a_thread_calls_in_and_has_its_answer() {
    let mut reactor = Reactor::new().unwrap();
    let remote = reactor.remote();
    let script = thread::spawn(move || {
        let value = remote
            .block_on(|net| net.sleep(Duration::ZERO).map(|()| 7))
            .unwrap();
        let error = remote
            .block_on(|_| Deferred::<(), _>::fail("no"))
            .unwrap_err();
        let panic = remote.block_on(|_| -> Deferred<(), ()> { panic!("bang") });
        remote.post(|net| net.stop()).unwrap();
        (value, error.to_string(), panic.unwrap_err())
    });
    reactor.run().unwrap();
    let (value, error, panic) = script.join().unwrap();
    assert_eq!((value, &error[..]), (7, "no"));
    assert!(matches!(panic, BlockOnError::Failed(Failure::Panicked(_))));
}

#[test]
fn the_reactors_own_thread_is_told_that_it_would_wait_for_itself() {
    let mut reactor = Reactor::new().unwrap();
    let remote = reactor.remote();
    let outside = remote.block_on(|_| Deferred::<(), ()>::succeed(()));
    assert!(matches!(outside, Err(BlockOnError::OwnThread)));
    let inside = reactor.net().defer_later(Duration::ZERO, move |net| {
        let waited = net.remote().block_on(|net| net.sleep(HOUR));
        waited.unwrap_err().to_string()
    });
    let told = reactor.run_until(inside).unwrap().unwrap();
    assert!(told.contains("own thread"), "{told}");
}

#[test]
fn a_thread_may_wait_for_the_reactor_of_another() {
    let mut reactor = Reactor::new().unwrap();
    let remote = reactor.remote();
    let other = thread::spawn(move || {
        let _own = Reactor::new().unwrap();
        let value = remote.block_on(|_| Deferred::<_, ()>::succeed(7)).unwrap();
        remote.post(|net| net.stop()).unwrap();
        value
    });
    reactor.run().unwrap();
    assert_eq!(other.join().unwrap(), 7);
}

#[test]
fn who_waits_when_the_reactor_goes_is_let_go() {
    // The call was taken, and its Deferred is kept by somebody who outlives the reactor.
    let mut reactor = Reactor::new().unwrap();
    let remote = reactor.remote();
    let asleep = thread::spawn(move || {
        remote.block_on(|net| {
            net.stop();
            net.sleep(HOUR)
        })
    });
    reactor.run().unwrap();
    let result = asleep.join().unwrap();
    assert!(matches!(
        result,
        Err(BlockOnError::Failed(Failure::Abandoned))
    ));

    // The call waits in the mailbox of a reactor that never runs.
    let reactor = Reactor::new().unwrap();
    let remote = reactor.remote();
    let (word, words) = mpsc::channel();
    let unheard = thread::spawn(move || {
        word.send(()).unwrap();
        remote.block_on(|net| net.sleep(HOUR))
    });
    words.recv().unwrap();
    drop(reactor);
    assert!(matches!(
        unheard.join().unwrap(),
        Err(BlockOnError::Gone(_))
    ));
}

#[test]
fn a_thread_of_the_pool_that_waits_does_not_keep_the_reactor_from_stopping() {
    let mut reactor = bounded(1, 10);
    let net = reactor.net().clone();
    let remote = reactor.remote();
    let (report, reported) = mpsc::channel();
    // Its resolver outlives the reactor, so nothing but the stop ends the wait.
    thread_local! {
        static KEPT: RefCell<Option<Resolver<(), ()>>> = const { RefCell::new(None) };
    }
    net.defer_to_thread(move || {
        let waited = remote.block_on(move |net| {
            net.stop();
            let (resolver, never) = Deferred::<(), ()>::new();
            KEPT.set(Some(resolver));
            never
        });
        let again = remote.block_on(|_| Deferred::<(), ()>::succeed(()));
        report.send((waited, again)).unwrap();
    })
    .detach();
    reactor.run().unwrap();
    let (waited, again) = reported.recv().unwrap();
    assert!(matches!(waited, Err(BlockOnError::Gone(_))));
    assert!(matches!(again, Err(BlockOnError::Gone(_))));
    KEPT.take();
}

#[test]
fn an_executor_is_first_come_first_served() {
    let executor = Executor::new(1);
    let log = Arc::new(Mutex::new(Vec::new()));
    let jobs: Vec<_> = (0..100)
        .map(|number| {
            let log = Arc::clone(&log);
            executor
                .submit(move || log.lock().unwrap().push(number))
                .unwrap()
        })
        .collect();
    let waited = wait(jobs, Until::AllDone, None);
    assert_eq!((waited.done.len(), waited.not_done.len()), (100, 0));
    assert!(log.lock().unwrap().iter().copied().eq(0..100));
    assert_eq!(executor.threads(), 1);
}

#[test]
fn waiting_ends_with_the_first_or_the_first_failure() {
    let executor = Executor::new(3);
    let (slow, begins, let_slow) = held();
    let slow = executor.submit(slow).unwrap();
    let quick = executor.submit(|| ()).unwrap();
    let waited = wait([slow, quick], Until::FirstDone, None);
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
    begins.recv().unwrap();
    let slow = waited.not_done.into_iter().next().unwrap();
    assert!(slow.is_running() && !slow.cancel());

    let failing = executor.submit(|| panic!("bang")).unwrap();
    let waited = wait([slow, failing], Until::FirstFailed, None);
    let [failed] = &waited.done[..] else {
        panic!("one has an end")
    };
    assert!(failed.is_done());
    // A wait with a limit ends without one.
    let waited = wait(waited.not_done, Until::AllDone, Some(Duration::ZERO));
    assert!(waited.done.is_empty());
    drop(let_slow);
    assert_eq!(waited.not_done.into_iter().next().unwrap().result(), Ok(()));
}

#[test]
fn calls_come_as_they_are_completed() {
    let executor = Executor::new(2);
    let (slow, begins, let_slow) = held();
    let slow = executor
        .submit(move || {
            slow();
            "slow"
        })
        .unwrap();
    begins.recv().unwrap();
    let quick = executor.submit(|| "quick").unwrap();
    let mut completed = as_completed([slow, quick]);
    assert_eq!(completed.next().unwrap().result(), Ok("quick"));
    drop(let_slow);
    assert_eq!(completed.next().unwrap().result(), Ok("slow"));
    assert!(completed.next().is_none());
}

#[test]
fn a_map_is_in_order_begins_few_ahead_and_takes_back_the_rest() {
    let executor = Executor::with_queue(2, 0);
    let begun = Arc::new(Mutex::new(0));
    let count = Arc::clone(&begun);
    let mut map = executor.map(0..1000, move |number| {
        *count.lock().unwrap() += 1;
        assert_ne!(number, 1, "one panics");
        number
    });
    assert_eq!(map.next(), Some(Ok(0)));
    assert!(matches!(map.next(), Some(Err(Failure::Panicked(_)))));
    assert_eq!(map.next(), Some(Ok(2)));
    drop(map);
    executor.shutdown(Shutdown::Finish);
    assert!(*begun.lock().unwrap() <= 7);
}

#[test]
fn an_executor_that_shuts_down_finishes_or_drops_what_waits() {
    let executor = Executor::new(1);
    let jobs: Vec<_> = (0..10)
        .map(|n| executor.submit(move || n).unwrap())
        .collect();
    executor.shutdown(Shutdown::Finish);
    let results: Vec<_> = jobs.into_iter().map(|job| job.result().unwrap()).collect();
    assert!(results.into_iter().eq(0..10));
    assert_eq!(executor.threads(), 0);
    assert!(matches!(executor.submit(|| ()), Err(ThreadError::Gone(_))));

    let executor = Executor::new(1);
    let (busy, begins, let_busy) = held();
    let busy = executor.submit(busy).unwrap();
    begins.recv().unwrap();
    let waiting = executor.submit(|| ()).unwrap();
    let (told, tells) = mpsc::channel();
    waiting.when_done(move || told.send(()).unwrap());
    executor.begin_shutdown(Shutdown::DropWaiting);
    tells.recv().unwrap();
    assert_eq!(waiting.result(), Err(Failure::Abandoned));
    drop(let_busy);
    assert_eq!(busy.result(), Ok(()));
}

#[test]
fn an_executor_of_ones_own_serves_a_reactor() {
    let mut reactor = Reactor::new().unwrap();
    let executor = Executor::new(1);
    fn both(executor: &Executor, net: &Net) -> Deferred<(u32, u32), ThreadError> {
        let (one, two) = (
            executor.defer_to_thread(net, || 1),
            executor.defer_to_thread(net, || 2),
        );
        torsade_deferred::gather((one, two))
    }
    let both = both(&executor, reactor.net());
    assert_eq!(reactor.run_until(both).unwrap().unwrap(), (1, 2));

    let (busy, begins, let_busy) = held();
    let busy = executor.submit(busy).unwrap();
    begins.recv().unwrap();
    let dropped = executor.defer_to_thread(reactor.net(), || 3);
    executor.begin_shutdown(Shutdown::DropWaiting);
    let abandoned = reactor.run_until(dropped).unwrap();
    assert!(matches!(abandoned, Err(Failure::Abandoned)));
    drop(let_busy);
    busy.result().unwrap();
}
