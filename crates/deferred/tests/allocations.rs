//! One allocation for a Deferred, one for each step.

use std::cell::Cell;
use std::rc::Rc;

use allocation_counter::{AllocationInfo, measure};
use torsade_deferred::Deferred;

/// Counts what `body` allocates once the queue of the thread has its memory.
fn count(body: impl Fn()) -> AllocationInfo {
    body();
    measure(&body)
}

#[test]
fn a_deferred_resolved_through_two_maps_costs_three() {
    let seen = Rc::new(Cell::new(0));
    let slot = Rc::clone(&seen);
    let info = count(move || {
        let (resolver, deferred) = Deferred::<u32, ()>::new();
        let deferred = deferred.map(|n| n + 1).map(|n| n + 1);
        resolver.resolve(5);
        slot.set(deferred.try_take().unwrap().unwrap());
    });
    assert_eq!(seen.get(), 7);
    assert_eq!(info.count_total, 3);
    assert_eq!(info.count_current, 0, "all of it is freed");
}

#[test]
fn each_step_costs_one() {
    let resolved = count(|| {
        let (resolver, deferred) = Deferred::<u32, ()>::new();
        resolver.resolve(1);
        deferred.detach();
    });
    assert_eq!(resolved.count_total, 1);

    let settled = count(|| Deferred::<u32, ()>::succeed(1).detach());
    assert_eq!(settled.count_total, 1);

    let finished = count(|| Deferred::<u32, ()>::succeed(1).finish(|_| ()));
    assert_eq!(finished.count_total, 2);

    let hooked = count(|| {
        let (resolver, deferred) = Deferred::<u32, ()>::new();
        resolver.on_cancel(|| ());
        deferred.cancel();
        drop(resolver);
    });
    assert_eq!(hooked.count_total, 2);

    let chained = count(|| {
        let (resolver, deferred) = Deferred::<u32, ()>::new();
        let canceller = deferred.canceller();
        deferred
            .map_err(|()| 0)
            .or_else(|_| Deferred::<_, ()>::succeed(0))
            .finish(|_| ());
        resolver.resolve(1);
        canceller.cancel();
    });
    assert_eq!(chained.count_total, 4);
}

#[test]
fn a_loop_written_as_a_recursion_keeps_constant_memory() {
    fn run(left: u32) -> Deferred<(), ()> {
        let (resolver, tick) = Deferred::<(), ()>::new();
        let next = tick.and_then(move |()| {
            if left == 0 {
                Deferred::succeed(())
            } else {
                run(left - 1)
            }
        });
        resolver.resolve(());
        next
    }
    let peak = |turns: u32| count(move || run(turns).finish(|_| ())).bytes_max;
    assert_eq!(peak(100), peak(10_000));

    // Also when somebody may cancel it, as a connection does with what it waits for.
    let watched = |turns: u32| {
        count(move || {
            let deferred = run(turns);
            let _canceller = deferred.canceller();
            deferred.finish(|_| ());
        })
        .bytes_max
    };
    assert_eq!(watched(100), watched(10_000));
}
