//! What fails a test though none of its assertions did.
#![expect(clippy::expect_used, reason = "that is how a test fails")]

use std::time::Duration;

use torsade_core::{Disconnect, Protocol, Transport};
use torsade_deferred::Deferred;
use torsade_testing::{Pump, StringTransport};

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

/// Panics when told to.
struct Fragile;

impl Protocol for Fragile {
    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        panic!("told {}", String::from_utf8_lossy(data));
    }
}

/// Lets go of a Deferred that failed.
struct Careless;

impl Protocol for Careless {
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {
        Deferred::<(), _>::fail("nobody looked").detach();
    }
}

/// What dropping this complains about.
fn complaint<T>(fake: T) -> String {
    let drop_it = std::panic::AssertUnwindSafe(|| drop(fake));
    let payload = std::panic::catch_unwind(drop_it).expect_err("the drop complains");
    payload.downcast_ref::<String>().expect("in words").clone()
}

#[test]
fn a_caught_panic_is_told_with_its_place() {
    let mut t = StringTransport::serve(Fragile);
    t.feed(b"so");
    let complaint = complaint(t);
    assert!(complaint.contains("panic in data_received"), "{complaint}");
    assert!(complaint.contains("told so"), "{complaint}");
    assert!(complaint.contains("tests/complaints.rs:"), "{complaint}");
}

#[test]
fn an_expected_panic_is_none() {
    let mut t = StringTransport::serve(Fragile);
    t.expect_panic("told so");
    t.feed(b"so");
    assert!(matches!(t.lost(), Some(Disconnect::Panicked(_))));
}

#[test]
fn an_expected_panic_must_happen() {
    let mut t = StringTransport::serve(Quiet);
    t.expect_panic("told so");
    assert!(complaint(t).contains("did not happen: told so"));
}

#[test]
fn only_as_many_panics_as_expected() {
    let mut one = StringTransport::serve(Fragile);
    let mut two = StringTransport::serve(Fragile);
    one.expect_panic("told so");
    one.feed(b"so");
    two.feed(b"so");
    assert!(complaint(one).contains("told so"));
    drop(two);
}

#[test]
fn an_error_that_nobody_took_is_told_with_both_sites() {
    let mut t = StringTransport::serve(Careless);
    t.feed(b"x");
    let complaint = complaint(t);
    assert!(complaint.contains("nobody looked"), "{complaint}");
    assert!(complaint.contains("tests/complaints.rs:"), "{complaint}");
}

#[test]
fn an_expected_error_is_none() {
    let mut t = StringTransport::serve(Careless);
    t.expect_unhandled("nobody looked");
    t.feed(b"x");
}

#[test]
fn a_timer_left_armed_is_told_with_where_it_was_set() {
    let mut t = StringTransport::serve(Quiet);
    t.net().call_later(Duration::from_secs(1), |_| {}); // here
    t.end();
    assert!(t.lost().is_some());
    let complaint = complaint(t);
    assert!(complaint.contains("a timer is still armed"), "{complaint}");
    assert!(complaint.contains("tests/complaints.rs:"), "{complaint}");
}

#[test]
fn a_timer_of_an_open_connection_is_no_leak() {
    let t = StringTransport::serve(Quiet);
    t.net().call_later(Duration::from_secs(1), |_| {});
}

#[test]
fn a_timer_that_ran_or_was_cancelled_is_no_leak() {
    let mut t = StringTransport::serve(Quiet);
    t.net().call_later(Duration::from_secs(1), |_| {});
    let cancelled = t.net().call_later(Duration::from_secs(9), |_| {});
    t.advance(Duration::from_secs(1));
    cancelled.cancel();
    t.end();
}

#[test]
fn a_pump_complains_too() {
    struct Poke;
    impl Protocol for Poke {
        fn connection_made(&mut self, transport: &Transport<Self>) {
            transport.write("so");
        }
        fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    }
    let mut pump = Pump::new(Poke, Fragile);
    pump.run();
    assert!(complaint(pump).contains("told so"));
}

#[test]
fn a_loss_at_the_end_of_the_test_is_a_callback_too() {
    struct Sore;
    impl Protocol for Sore {
        fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
        fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
            panic!("lost: {reason}");
        }
    }
    let t = StringTransport::serve(Sore);
    assert!(complaint(t).contains("lost: the reactor is gone"));
}

#[test]
#[should_panic(expected = "inside a callback")]
fn a_fake_used_inside_a_callback_says_so() {
    struct Nested(Option<StringTransport<Quiet>>);
    impl Protocol for Nested {
        fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                if let Some(other) = &mut self.0 {
                    other.feed(b"x");
                }
            }));
            self.0 = None;
            if let Err(payload) = result {
                std::panic::resume_unwind(payload);
            }
        }
    }
    let mut t = StringTransport::serve(Nested(Some(StringTransport::serve(Quiet))));
    t.feed(b"go");
    panic!("{}", complaint(t));
}
