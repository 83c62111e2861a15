//! Long work in short steps, as in Twisted's rule R84.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::Cooperator;
use torsade_deferred::{Deferred, Failure};
use torsade_testing::MemoryReactor;

/// Counts its steps.
fn steps(counter: &Rc<Cell<u32>>, most: u32) -> impl Iterator<Item = ()> + 'static {
    let counter = Rc::clone(counter);
    (0..most).map(move |_| counter.set(counter.get() + 1))
}

fn fake(steps: usize) -> (MemoryReactor, Cooperator) {
    let reactor = MemoryReactor::new();
    let cooperator = Cooperator::new(reactor.net(), steps);
    (reactor, cooperator)
}

#[test]
fn a_turn_has_so_many_steps_and_others_run_in_between() {
    let (reactor, cooperator) = fake(10);
    let counter = Rc::new(Cell::new(0));
    let seen = Rc::new(RefCell::new(Vec::new()));
    let done = cooperator.coiterate(steps(&counter, 25));
    // A timer of no delay runs once a turn.
    fn watch(net: &torsade_core::Net, counter: Rc<Cell<u32>>, seen: Rc<RefCell<Vec<u32>>>) {
        net.call_later(Duration::ZERO, move |net| {
            seen.borrow_mut().push(counter.get());
            if counter.get() < 25 {
                watch(net, counter, seen);
            }
        });
    }
    watch(reactor.net(), Rc::clone(&counter), Rc::clone(&seen));
    assert_eq!(counter.get(), 0); // none inside the call
    reactor.settle();
    assert_eq!(*seen.borrow(), [10, 20, 25]);
    assert_eq!(done.try_take().unwrap(), Ok(()));
}

#[test]
fn works_take_turns_and_new_ones_join_at_the_end() {
    let (reactor, cooperator) = fake(1);
    let order = Rc::new(RefCell::new(String::new()));
    for name in ['a', 'b', 'c'] {
        let order = Rc::clone(&order);
        cooperator
            .coiterate((0..2).map(move |_| order.borrow_mut().push(name)))
            .detach();
    }
    reactor.settle();
    assert_eq!(*order.borrow(), "abcabc");
}

#[test]
fn r84_stopping_the_cooperator_ends_all_works_and_cancels_the_tick() {
    let (reactor, cooperator) = fake(10);
    let counter = Rc::new(Cell::new(0));
    let ready = cooperator.coiterate(steps(&counter, 5));
    let (task, paused) = cooperator.cooperate(steps(&counter, 5));
    task.pause();
    let (resolver, answer) = Deferred::<(), &str>::new();
    let waiting = cooperator.coiterate([answer]);
    reactor.net().call_later(Duration::ZERO, |_| ());
    cooperator.stop();
    assert_eq!(ready.try_take().unwrap(), Err(Failure::Cancelled));
    assert_eq!(paused.try_take().unwrap(), Err(Failure::Cancelled));
    assert_eq!(waiting.try_take().unwrap(), Err(Failure::Cancelled));
    assert!(!cooperator.is_running() && !task.is_running());
    assert_eq!(reactor.net().free_timers().len(), 1); // the one of this test
    reactor.settle();
    assert_eq!(counter.get(), 0);
    let late = cooperator.coiterate(steps(&counter, 1));
    assert_eq!(late.try_take().unwrap(), Err(Failure::Cancelled));
    drop(resolver);
}

#[test]
fn r84_the_tick_is_cancelled_with_the_last_work() {
    let (reactor, cooperator) = fake(10);
    let (first, _ended) = cooperator.cooperate(std::iter::repeat(()));
    let (second, ended) = cooperator.cooperate(std::iter::repeat(()));
    assert_eq!(reactor.net().free_timers().len(), 1);
    assert!(first.stop());
    assert_eq!(reactor.net().free_timers().len(), 1);
    ended.cancel();
    assert!(!second.stop());
    assert!(reactor.net().free_timers().is_empty());
    assert_eq!(cooperator.works(), 0);

    // And it is set again for who comes later.
    let done = cooperator.coiterate([()]);
    reactor.settle();
    assert_eq!(done.try_take().unwrap(), Ok(()));
}

#[test]
fn a_step_that_waits_is_waited_for_and_cancelled_with_its_work() {
    let (reactor, cooperator) = fake(10);
    let (resolver, answer) = Deferred::<(), &str>::new();
    let ended = cooperator.coiterate([answer]);
    drop(cooperator); // changes nothing
    reactor.settle();
    assert!(reactor.net().free_timers().is_empty()); // nobody is ready
    ended.cancel();
    assert!(resolver.is_cancelled());
}

#[test]
fn an_error_of_a_step_ends_its_work_and_no_other() {
    let (reactor, cooperator) = fake(10);
    let failing = cooperator.coiterate([Deferred::succeed(()), Deferred::fail("no")]);
    let panicking = cooperator.coiterate((0..3).map(|_| -> () { panic!("bang") }));
    let fine = cooperator.coiterate([(), ()]);
    reactor.settle();
    assert_eq!(failing.try_take().unwrap(), Err(Failure::Error("no")));
    assert!(matches!(
        panicking.try_take().unwrap(),
        Err(Failure::Panicked(_))
    ));
    assert_eq!(fine.try_take().unwrap(), Ok(()));
}

#[test]
fn pauses_nest_and_also_hold_while_a_step_waits() {
    let (reactor, cooperator) = fake(10);
    let counter = Rc::new(Cell::new(0));
    let (task, ended) = cooperator.cooperate(steps(&counter, 3));
    assert!(task.pause() && task.pause());
    reactor.settle();
    assert!(task.resume());
    reactor.settle();
    assert_eq!(counter.get(), 0);
    assert!(task.resume());
    assert!(!task.resume()); // was not paused
    reactor.settle();
    assert_eq!(counter.get(), 3);
    assert_eq!(ended.try_take().unwrap(), Ok(()));
    assert!(!task.pause());

    let (resolver, answer) = Deferred::<(), ()>::new();
    let second = Rc::new(Cell::new(false));
    let flag = Rc::clone(&second);
    let mut answer = Some(answer);
    let (task, ended) = cooperator.cooperate(std::iter::from_fn(move || {
        flag.set(answer.is_none());
        answer.take()
    }));
    reactor.settle();
    task.pause();
    resolver.resolve(());
    reactor.settle();
    assert!(!second.get() && !ended.is_settled());
    task.resume();
    reactor.settle();
    assert_eq!(ended.try_take().unwrap(), Ok(()));
}

#[test]
fn a_step_may_stop_its_own_work() {
    let (reactor, cooperator) = fake(10);
    let handle = Rc::new(RefCell::new(None::<torsade_core::CooperativeTask>));
    let own = Rc::clone(&handle);
    let counter = Rc::new(Cell::new(0));
    let count = Rc::clone(&counter);
    let (task, ended) = cooperator.cooperate(std::iter::from_fn(move || {
        count.set(count.get() + 1);
        own.borrow().as_ref().map(|task| {
            task.stop();
        })
    }));
    handle.replace(Some(task));
    reactor.settle();
    assert_eq!(ended.try_take().unwrap(), Err(Failure::Cancelled));
    assert_eq!(counter.get(), 1);
}

#[test]
fn the_end_of_the_reactor_abandons_the_works() {
    let (reactor, cooperator) = fake(10);
    let (resolver, answer) = Deferred::<(), ()>::new();
    let waiting = cooperator.coiterate([answer]);
    reactor.settle();
    let ready = cooperator.coiterate(std::iter::repeat(()));
    reactor.net().stop();
    reactor.settle();
    assert!(reactor.has_stopped());
    assert_eq!(ready.try_take().unwrap(), Err(Failure::Abandoned));
    assert_eq!(waiting.try_take().unwrap(), Err(Failure::Abandoned));
    assert!(resolver.is_cancelled());

    let (resolver, answer) = Deferred::<(), ()>::new();
    let waiting = cooperator.coiterate([answer]);
    reactor.settle();
    drop(reactor);
    resolver.resolve(()); // there is no turn for its next step
    assert_eq!(waiting.try_take().unwrap(), Err(Failure::Abandoned));
    let late = cooperator.coiterate([()]);
    assert!(late.try_take().unwrap().is_err());
}
