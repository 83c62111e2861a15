//! C11: threads.

use std::sync::mpsc;

use torsade_core::Gone;

use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::accepted;
use super::{Cell, cells};

pub(super) const CELLS: &[Cell] = cells![11:
    posted_calls_run_in_order_and_not_at_once,
    a_call_posted_by_a_posted_call_waits_for_the_next_turn,
    calls_posted_by_another_thread_run_here,
    posting_to_what_is_gone_is_an_error,
];

/// "Posts closures: first in, first out", and outside of the caller's call (C1).
fn posted_calls_run_in_order_and_not_at_once(stage: Stage) {
    let mut h = stage.harness();
    let (noted, notes) = mpsc::channel();
    for number in 0..100 {
        let noted = noted.clone();
        let posted = h.net().remote().post(move |net| {
            assert!(net.is_alive());
            noted.send(number).unwrap_or_default();
        });
        assert!(posted.is_ok());
    }
    assert!(notes.try_recv().is_err());
    h.settle();
    assert_eq!(
        notes.try_iter().collect::<Vec<_>>(),
        (0..100).collect::<Vec<_>>()
    );
}

/// By R50: "those present at the start" of a turn run in it; what comes in between the two is
/// another turn's input.
fn a_call_posted_by_a_posted_call_waits_for_the_next_turn(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    transport.pause_reading();
    h.settle();
    h.send(end, b"x");
    h.settle();
    transport.resume_reading();
    thread_local! {
        static LOG: std::cell::Cell<Option<Log>> = const { std::cell::Cell::new(None) };
    }
    fn say(line: &str) {
        if let Some(log) = LOG.take() {
            log.note(line);
            LOG.set(Some(log));
        }
    }
    LOG.set(Some(log.clone()));
    let posted = h.net().remote().post(|net| {
        say("first");
        let posted = net.remote().post(|net| {
            say("second");
            assert!(net.remote().post(|_| say("third")).is_ok());
        });
        assert!(posted.is_ok());
    });
    assert!(posted.is_ok());
    h.settle();
    LOG.take();
    let lines = log.take();
    let at = |wanted: &str| lines.iter().position(|line| line == wanted);
    assert!(at("first") < at("a data x"), "{lines:?}");
    assert!(at("a data x") < at("third"), "{lines:?}");
    assert_eq!(lines.len(), 4, "{lines:?}");
}

/// "One `Send + Clone` handle posts closures", from any thread.
fn calls_posted_by_another_thread_run_here(stage: Stage) {
    let mut h = stage.harness();
    let (noted, notes) = mpsc::channel();
    let remote = h.net().remote();
    let here = std::thread::current().id();
    stage.elsewhere(move || {
        for number in 0..100 {
            let noted = noted.clone();
            let posted = remote.clone().post(move |_| {
                let is_here = std::thread::current().id() == here;
                noted.send((number, is_here)).unwrap_or_default();
            });
            assert!(posted.is_ok());
        }
    });
    h.settle();
    let wanted: Vec<_> = (0..100).map(|number| (number, true)).collect();
    assert_eq!(notes.try_iter().collect::<Vec<_>>(), wanted);
}

/// "An error (not a hang) when the reactor is gone": the call is dropped, unrun.
fn posting_to_what_is_gone_is_an_error(stage: Stage) {
    let mut h = stage.harness();
    let remote = h.net().remote();
    let (noted, notes) = mpsc::channel::<()>();
    let before = noted.clone();
    assert_eq!(
        remote.post(move |_| before.send(()).unwrap_or_default()),
        Ok(())
    );
    h.shut_down();
    assert_eq!(
        remote.post(move |_| noted.send(()).unwrap_or_default()),
        Err(Gone)
    );
    h.settle();
    assert_eq!(notes.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}
