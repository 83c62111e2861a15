//! Tasks: when they run, how they end, who hears of it.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use torsade_core::{Protocol, Transport};
use torsade_deferred::{Deferred, Failure};
use torsade_futures::{Task, defer, shield, sleep, spawn, task_count, yield_now};
use torsade_testing::{MemoryReactor, StringTransport};

type Log = Rc<RefCell<Vec<&'static str>>>;

const SECOND: Duration = Duration::from_secs(1);

/// Notes that it was dropped.
struct Noted(Log, &'static str);
impl Drop for Noted {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

#[test]
fn a_task_begins_in_the_next_turn_and_not_inside_spawn() {
    let reactor = MemoryReactor::new();
    let log = Log::default();
    let noted = Rc::clone(&log);
    spawn(reactor.net(), async move { noted.borrow_mut().push("ran") }).detach();
    log.borrow_mut().push("spawned");
    reactor.settle();
    assert_eq!(*log.borrow(), ["spawned", "ran"]);
}

#[test]
fn resolving_outside_of_a_turn_does_not_run_the_task_that_waits() {
    let reactor = MemoryReactor::new();
    let (resolver, deferred) = Deferred::<u32, Infallible>::new();
    let task = spawn(reactor.net(), deferred.into_future());
    reactor.settle();
    resolver.resolve(7);
    assert!(!task.is_finished());
    reactor.settle();
    assert!(task.is_finished());
}

/// One order for tasks and callbacks: each goes on at the place where its result was brought.
#[test]
fn tasks_and_continuations_run_in_the_order_in_which_their_results_came() {
    let reactor = MemoryReactor::new();
    let net = reactor.net();
    let log = Log::default();
    let mut resolvers = Vec::new();
    for name in ["task 1", "callback 1", "task 2", "callback 2"] {
        let (resolver, deferred) = Deferred::<(), Infallible>::new();
        resolvers.push(resolver);
        let log = Rc::clone(&log);
        if name.starts_with("task") {
            let waiting = async move {
                deferred.await.unwrap();
                log.borrow_mut().push(name);
            };
            spawn(net, waiting).detach();
        } else {
            deferred.finish(move |_| log.borrow_mut().push(name));
        }
    }
    reactor.settle();
    net.call_later(Duration::ZERO, move |_| {
        for resolver in resolvers {
            resolver.resolve(());
        }
    });
    reactor.settle();
    assert_eq!(
        *log.borrow(),
        ["task 1", "callback 1", "task 2", "callback 2"]
    );
}

#[test]
fn a_callback_and_the_task_it_wakes_do_not_nest() {
    struct Waker(Option<torsade_deferred::Resolver<(), Infallible>>, Log);
    impl Protocol for Waker {
        fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
            let log = Rc::clone(&self.1);
            let held = self.1.borrow_mut();
            self.0.take().unwrap().resolve(());
            // Spawned with a borrow held that the task wants, too.
            spawn(
                &transport.net(),
                async move { log.borrow_mut().push("spawned") },
            )
            .detach();
            drop(held);
        }
    }
    let log = Log::default();
    let (resolver, deferred) = Deferred::new();
    let mut t = StringTransport::serve(Waker(Some(resolver), Rc::clone(&log)));
    let noted = Rc::clone(&log);
    let waiting = async move {
        deferred.await.unwrap();
        noted.borrow_mut().push("woken");
    };
    spawn(t.net(), waiting).detach();
    t.feed("x");
    assert_eq!(*log.borrow(), ["woken", "spawned"]);
}

#[test]
fn what_a_task_writes_leaves_in_the_same_turn() {
    struct Ask;
    impl Protocol for Ask {
        fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
            let answer = data.to_ascii_uppercase();
            let later = defer(&transport.net(), async move {
                yield_now().await;
                Ok::<_, Infallible>(answer)
            });
            transport.hold(later, |_, transport, answer| {
                transport.write(answer.unwrap())
            });
        }
    }
    let mut t = StringTransport::serve(Ask);
    t.feed("a");
    t.feed("b");
    assert_eq!(t.take_sent(), b"AB");
}

#[test]
fn a_panic_is_the_result_of_the_task_and_harms_nobody() {
    let mut reactor = MemoryReactor::new();
    let bad: Task<()> = spawn(reactor.net(), async { panic!("no tea") });
    let good = spawn(reactor.net(), async { 1 });
    let result = reactor.block_on(bad);
    assert!(matches!(&result, Err(Failure::Panicked(panic)) if panic.message() == "no tea"));
    assert_eq!(reactor.block_on(good), Ok(1));
}

#[test]
fn a_panic_that_nobody_waits_for_is_reported() {
    let mut reactor = MemoryReactor::new();
    reactor.expect_unhandled("no tea");
    spawn(reactor.net(), async { panic!("no tea") }).detach();
    reactor.settle();
}

#[test]
fn a_cancelled_task_is_dropped_at_its_await_point_and_then_its_end_is_known() {
    let mut reactor = MemoryReactor::new();
    let log = Log::default();
    let noted = Rc::clone(&log);
    let task = spawn(reactor.net(), async move {
        let _noted = Noted(noted, "dropped");
        pending::<()>().await;
    });
    reactor.settle();
    task.cancel();
    task.cancel();
    assert!(log.borrow().is_empty()); // nobody is called back inside cancel
    let (ended, result) = (Rc::clone(&log), reactor.block_on(task));
    ended.borrow_mut().push("known");
    assert_eq!(result, Err(Failure::Cancelled));
    assert_eq!(*log.borrow(), ["dropped", "known"]);
}

/// What its drop brings about comes before its result, in the one order of callbacks.
#[test]
fn what_the_drop_of_a_future_resolves_is_known_before_the_end_of_its_task() {
    struct Resolves(Option<torsade_deferred::Resolver<(), Infallible>>);
    impl Drop for Resolves {
        fn drop(&mut self) {
            self.0.take().unwrap().resolve(());
        }
    }
    let reactor = MemoryReactor::new();
    let log = Log::default();
    let (resolver, dropped) = Deferred::new();
    let resolves = Resolves(Some(resolver));
    let mut task = Box::pin(async move {
        let _resolves = &resolves;
        pending::<()>().await;
    });
    let task = spawn(
        reactor.net(),
        poll_fn(move |context| {
            // Held by the task itself, so dropped with its future and not at its end.
            let _ = task.as_mut().poll(context);
            Poll::Ready(())
        }),
    );
    let (first, second) = (Rc::clone(&log), Rc::clone(&log));
    dropped.finish(move |_| first.borrow_mut().push("dropped"));
    task.into_deferred()
        .finish(move |_| second.borrow_mut().push("ended"));
    reactor.settle();
    assert_eq!(*log.borrow(), ["dropped", "ended"]);
}

#[test]
fn a_task_cancelled_before_it_began_never_begins() {
    let mut reactor = MemoryReactor::new();
    let log = Log::default();
    let noted = Rc::clone(&log);
    let task = spawn(reactor.net(), async move { noted.borrow_mut().push("ran") });
    task.cancel();
    assert_eq!(reactor.block_on(task), Err(Failure::Cancelled));
    assert!(log.borrow().is_empty());
}

#[test]
fn a_task_that_cancels_itself_ends_at_its_next_await_or_at_its_end() {
    let mut reactor = MemoryReactor::new();
    for waits in [false, true] {
        let own: Rc<RefCell<Option<Task<&str>>>> = Rc::default();
        let handle = Rc::clone(&own);
        let task = spawn(reactor.net(), async move {
            handle.borrow().as_ref().unwrap().cancel();
            if waits {
                pending::<()>().await;
            }
            "end"
        });
        *own.borrow_mut() = Some(task);
        reactor.settle();
        let task = own.take().unwrap();
        assert!(task.is_finished());
        let expected = if waits {
            Err(Failure::Cancelled)
        } else {
            Ok("end")
        };
        assert_eq!(reactor.block_on(task), expected);
    }
}

#[test]
fn cancelling_a_finished_task_changes_nothing() {
    let mut reactor = MemoryReactor::new();
    let task = spawn(reactor.net(), async { 1 });
    reactor.settle();
    task.cancel();
    assert_eq!(reactor.block_on(task), Ok(1));
}

#[test]
fn dropping_the_handle_detaches_and_dropping_the_await_cancels() {
    let mut reactor = MemoryReactor::new();
    let clock = reactor.net().clone();
    let work = |done: &Rc<Cell<bool>>| {
        let (nap, done) = (sleep(&clock, SECOND), Rc::clone(done));
        async move {
            nap.await;
            done.set(true);
        }
    };
    let done = [(); 3].map(|()| Rc::new(Cell::new(false)));
    drop(spawn(&clock, work(&done[0])));
    let awaited = spawn(&clock, work(&done[1]));
    let shielded = spawn(&clock, work(&done[2]));
    let outer = spawn(&clock, async move {
        let mut waits: [Pin<Box<dyn Future<Output = ()>>>; 2] = [
            Box::pin(async move { awaited.await.unwrap() }),
            Box::pin(async move { shield(shielded).await.unwrap() }),
        ];
        poll_fn(|context| {
            for wait in &mut waits {
                assert!(wait.as_mut().poll(context).is_pending());
            }
            Poll::<()>::Pending
        })
        .await;
    });
    reactor.settle();
    outer.cancel();
    reactor.advance(SECOND);
    assert_eq!(done.map(|done| done.get()), [true, false, true]);
}

#[test]
fn cancelling_the_deferred_of_a_task_cancels_the_task() {
    let reactor = MemoryReactor::new();
    let log = Log::default();
    let noted = Rc::clone(&log);
    let deferred: Deferred<(), Infallible> = defer(reactor.net(), async move {
        let _noted = Noted(noted, "dropped");
        pending().await
    });
    reactor.settle();
    deferred.cancel();
    reactor.settle();
    assert_eq!(*log.borrow(), ["dropped"]);
    assert_eq!(task_count(reactor.net()), 0);
}

#[test]
fn a_panic_in_the_drop_of_a_cancelled_future_is_reported_and_the_task_has_ended() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("bad drop");
        }
    }
    let mut reactor = MemoryReactor::new();
    reactor.expect_panic("bad drop");
    let task = spawn(reactor.net(), async move {
        let _bad = Bad;
        pending::<()>().await;
    });
    reactor.settle();
    task.cancel();
    assert_eq!(reactor.block_on(task), Err(Failure::Cancelled));
}

/// A task that never waits leaves room for input, timers and others.
#[test]
fn a_task_that_yields_for_ever_starves_nobody() {
    struct Echo;
    impl Protocol for Echo {
        fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
            transport.write(data);
        }
    }
    let mut reactor = torsade_reactor::Reactor::new().unwrap();
    let net = reactor.net().clone();
    let listener = net
        .listen("127.0.0.1:0", torsade_core::factory(|_| Echo))
        .unwrap();
    let rounds = Rc::new(Cell::new(0_u64));
    let counted = Rc::clone(&rounds);
    let spinning = spawn(&net, async move {
        loop {
            counted.set(counted.get() + 1);
            yield_now().await;
        }
    });
    let address = listener.address();
    let answer = reactor
        .block_on(async move {
            let (mut reader, writer) = torsade_futures::open_connection(&net, address)
                .await
                .unwrap();
            writer.write("hello");
            let answer = reader.read_exactly(5).await.unwrap();
            sleep(&net, Duration::from_millis(1)).await;
            answer
        })
        .unwrap();
    assert_eq!(answer, b"hello");
    assert!(rounds.get() > 10);
    spinning.cancel();
}

#[test]
fn a_spinning_task_does_not_keep_a_resolve_outside_of_a_turn_nor_the_end_of_the_reactor() {
    let reactor = torsade_reactor::Reactor::new().unwrap();
    let net = reactor.net().clone();
    spawn(&net, async {
        loop {
            yield_now().await;
        }
    })
    .detach();
    // Outside of a turn this runs the thread's queue, in which the task is.
    Deferred::<_, Infallible>::succeed(1).finish(|_| ());
    assert_eq!(task_count(&net), 1);
    drop(reactor);
    assert_eq!(task_count(&net), 0);
}

#[test]
fn what_is_left_at_the_end_of_a_stop_is_dropped_and_abandoned() {
    let reactor = MemoryReactor::new();
    let net = reactor.net().clone();
    let log = Log::default();
    let noted = Rc::clone(&log);
    let task = spawn(&net, async move {
        let _noted = Noted(noted, "dropped");
        pending::<()>().await;
    });
    reactor.settle();
    net.stop();
    reactor.settle();
    assert_eq!(*log.borrow(), ["dropped"]);
    let result = task.into_deferred().try_take().unwrap();
    assert_eq!(result, Err(Failure::Abandoned));
    // It can run again, with tasks.
    let again = spawn(&net, async { 1 });
    reactor.settle();
    assert!(again.is_finished());
}

#[test]
fn a_reactor_that_is_gone_runs_no_task() {
    let reactor = MemoryReactor::new();
    let net = reactor.net().clone();
    let before = spawn(&net, pending::<()>());
    drop(reactor);
    let log = Log::default();
    let noted = Noted(Rc::clone(&log), "dropped");
    let after = spawn(&net, async move { drop(noted) });
    assert_eq!(*log.borrow(), ["dropped"]);
    for task in [before, after] {
        let result = task.into_deferred().try_take().unwrap();
        assert_eq!(result, Err(Failure::Abandoned));
    }
}

#[test]
fn a_late_waker_of_another_task_in_the_same_place_wakes_nobody() {
    let mut reactor = MemoryReactor::new();
    let kept: Rc<Cell<Option<Waker>>> = Rc::default();
    let place = Rc::clone(&kept);
    let first = spawn(
        reactor.net(),
        poll_fn(move |context| {
            place.set(Some(context.waker().clone()));
            Poll::Ready(())
        }),
    );
    assert_eq!(reactor.block_on(first), Ok(()));
    let polls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&polls);
    let second = spawn(
        reactor.net(),
        poll_fn(move |_| {
            counted.set(counted.get() + 1);
            Poll::<()>::Pending
        }),
    );
    reactor.settle();
    kept.take().unwrap().wake();
    reactor.settle();
    assert_eq!(polls.get(), 1);
    second.cancel();
    reactor.settle();
}

#[test]
fn foreign_wakers_are_called_from_the_queue() {
    struct Flag(Mutex<u32>);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            *self.0.lock().unwrap() += 1;
        }
    }
    let [before, flag] = [(); 2].map(|()| Arc::new(Flag(Mutex::new(0))));
    let event = torsade_futures::sync::Event::new();
    let mut wait = Box::pin(event.wait());
    // The last one counts.
    for flag in [&before, &flag] {
        let waker = Waker::from(Arc::clone(flag));
        let mut context = Context::from_waker(&waker);
        assert!(wait.as_mut().poll(&mut context).is_pending());
    }
    let turn = torsade_deferred::queue::Turn::enter().unwrap();
    event.set();
    assert_eq!(*flag.0.lock().unwrap(), 0);
    turn.drain(10);
    assert_eq!(*flag.0.lock().unwrap(), 1);
    assert_eq!(*before.0.lock().unwrap(), 0);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the other thread is what is tested"
)]
fn wakes_from_other_threads_arrive_in_order() {
    let mut reactor = torsade_reactor::Reactor::new().unwrap();
    let net = reactor.net().clone();
    let (sender, wakers) = std::sync::mpsc::channel::<Waker>();
    let order = Rc::new(RefCell::new(Vec::new()));
    let tasks = [0, 1, 2].map(|number| {
        let (sender, order, mut woken) = (sender.clone(), Rc::clone(&order), false);
        spawn(
            &net,
            poll_fn(move |context| {
                if std::mem::replace(&mut woken, true) {
                    order.borrow_mut().push(number);
                    return Poll::Ready(());
                }
                sender.send(context.waker().clone()).unwrap();
                Poll::Pending
            }),
        )
    });
    let other = std::thread::spawn(move || {
        let wakers: Vec<_> = (0..3).map(|_| wakers.recv().unwrap()).collect();
        for waker in wakers.into_iter().rev() {
            waker.wake_by_ref();
            waker.wake();
        }
    });
    reactor
        .block_on(async move {
            for task in tasks {
                task.await.unwrap();
            }
        })
        .unwrap();
    other.join().unwrap();
    assert_eq!(*order.borrow(), [2, 1, 0]);
}

#[test]
fn two_reactors_of_one_thread_run_each_its_own() {
    let (one, two) = (MemoryReactor::new(), MemoryReactor::new());
    let queue = torsade_futures::sync::Queue::new();
    let (from, to) = (queue.clone(), queue);
    let getting = spawn(one.net(), async move { from.get().await });
    let putting = spawn(two.net(), async move { to.put(5).await });
    one.settle();
    assert!(getting.is_finished() && putting.is_finished());
}

#[test]
fn block_on_gives_the_panic_and_the_stop_of_what_it_runs() {
    let mut reactor = torsade_reactor::Reactor::new().unwrap();
    let net = reactor.net().clone();
    let stopped = reactor.block_on(async move {
        net.stop();
        pending::<()>().await;
    });
    assert_eq!(stopped.unwrap_err().kind(), std::io::ErrorKind::Interrupted);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        reactor.block_on(async { panic!("no tea") })
    }));
    assert!(panicked.is_err());
}

#[test]
#[should_panic(expected = "what never comes")]
fn a_test_that_waits_for_ever_says_so() {
    MemoryReactor::new().block_on(pending::<()>());
}

#[test]
fn r80_waits_that_are_ready_need_no_stack() {
    let mut reactor = MemoryReactor::new();
    let task = spawn(reactor.net(), async {
        let mut sum = 0;
        for each in 0..100_000_u64 {
            sum += Deferred::<_, Infallible>::succeed(each).await.unwrap();
        }
        sum
    });
    assert_eq!(reactor.block_on(task), Ok(4_999_950_000));
}

/// A task that waits for a Deferred that waits for a task that waits for a Deferred.
#[test]
fn r80_cancelling_goes_down_through_tasks_and_deferreds_in_any_mix() {
    let reactor = MemoryReactor::new();
    let net = reactor.net().clone();
    let (resolver, innermost) = Deferred::<(), Infallible>::new();
    let inner = defer(&net, async move {
        innermost.await.map_err(|_| "the inner one ended early")
    });
    let between = inner.map(|()| 1);
    let outer: Deferred<i32, &str> = defer(&net, async move {
        between.await.map_err(|_| "the outer one ended early")
    });
    reactor.settle();
    assert!(!resolver.is_cancelled());
    outer.cancel();
    reactor.settle();
    assert!(resolver.is_cancelled());
    assert_eq!(task_count(&net), 0);
}

/// What was cancelled further down is an error like another, from which a body goes on.
#[test]
fn r80_a_body_recovers_from_what_was_cancelled_below() {
    let mut reactor = MemoryReactor::new();
    let below = spawn(reactor.net(), pending::<u8>()).into_deferred();
    let canceller = below.canceller();
    let task = spawn(reactor.net(), async move {
        match below.await {
            Err(Failure::Cancelled) => "went on",
            _ => "did not",
        }
    });
    reactor.settle();
    canceller.cancel();
    assert_eq!(reactor.block_on(task), Ok("went on"));
}
