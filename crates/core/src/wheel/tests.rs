use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Set(Duration),
    Reset(usize, Duration),
    Delay(usize, Duration),
    Remove(usize),
    /// The turn ends, so much after the last one.
    Settle(Duration),
    /// What is due runs, but for every so many of them, which wait.
    Run(usize),
}

fn durations() -> impl Strategy<Value = Duration> {
    let spread = (0_u32..66, 0_u64..5).prop_map(|(power, more)| {
        // Around the borders of digits, where a mistake would be.
        Duration::from_nanos(1_u64.checked_shl(power).map_or(u64::MAX, |n| n - 1 + more))
    });
    prop_oneof![
        4 => (0_u64..200).prop_map(Duration::from_nanos),
        4 => (0_u64..20).prop_map(Duration::from_millis),
        4 => spread,
        1 => Just(Duration::MAX),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => durations().prop_map(Step::Set),
        2 => (any::<usize>(), durations()).prop_map(|(at, by)| Step::Reset(at, by)),
        2 => (any::<usize>(), durations()).prop_map(|(at, by)| Step::Delay(at, by)),
        2 => any::<usize>().prop_map(Step::Remove),
        3 => durations().prop_map(Step::Settle),
        3 => (1_usize..6).prop_map(Step::Run),
    ]
}

/// The same with a plain list, which is in the order in which timers were set.
#[derive(Default)]
struct Model {
    timers: Vec<(Key, Moment)>,
    /// The longest it was.
    most: usize,
}

impl Model {
    fn pick(&self, number: usize) -> Option<usize> {
        number.checked_rem(self.timers.len())
    }

    /// Sets the timer again, behind all others.
    fn set_again(&mut self, at: usize, moment: Moment) {
        let (key, _) = self.timers.remove(at);
        self.timers.push((key, moment));
    }

    fn settle(&mut self, now: Time) {
        for (_, moment) in &mut self.timers {
            if let Moment::Fresh(when) = *moment {
                *moment = Moment::Settled(when.seen_from(now));
            }
        }
    }

    fn settled(&self) -> Vec<(Time, Key)> {
        let mut settled: Vec<_> = (self.timers.iter())
            .filter_map(|(key, moment)| match moment {
                Moment::Settled(deadline) => Some((*deadline, *key)),
                Moment::Fresh(_) => None,
            })
            .collect();
        settled.sort_by_key(|(deadline, _)| *deadline);
        settled
    }
}

/// Runs what is due in both, and compares.
fn run(wheel: &mut Wheel<()>, model: &mut Model, now: Time, every: usize) {
    let Some(next) = wheel.next_deadline() else {
        return assert_eq!(model.settled(), []);
    };
    if let Some((least, _)) = model.settled().first() {
        assert!(next <= *least, "it would wake too late");
    }
    if next > now {
        return;
    }
    wheel.advance(now);
    let mut due = model.settled();
    due.retain(|(deadline, _)| *deadline <= now);
    for (number, (_, key)) in due.into_iter().enumerate() {
        assert_eq!(wheel.first_due(), Some(key));
        if number % every == every - 1 {
            wheel.put_off(key);
        } else {
            assert!(wheel.remove(key).is_some());
            model.timers.retain(|(other, _)| *other != key);
        }
    }
    assert_eq!(wheel.first_due(), None);
    wheel.keep_put_off();
}

fn compare(steps: Vec<Step>) {
    let (mut wheel, mut model) = (Wheel::default(), Model::default());
    let mut now = Time::ZERO;
    for step in steps {
        match step {
            Step::Set(after) => {
                let key = wheel.set(after, ());
                model.timers.push((key, Moment::Fresh(after.into())));
            }
            Step::Reset(number, after) => {
                if let Some(at) = model.pick(number) {
                    assert!(wheel.reset(model.timers[at].0, after));
                    model.set_again(at, Moment::Fresh(after.into()));
                }
            }
            Step::Delay(number, by) => {
                if let Some(at) = model.pick(number) {
                    let (key, moment) = model.timers[at];
                    assert!(wheel.delay(key, by));
                    match moment {
                        Moment::Fresh(when) => {
                            model.set_again(at, Moment::Fresh(when.later(by)));
                        }
                        Moment::Settled(deadline) => {
                            let deadline = (deadline + by).max(wheel.seen);
                            model.set_again(at, Moment::Settled(deadline));
                        }
                    }
                }
            }
            Step::Remove(number) => {
                if let Some(at) = model.pick(number) {
                    let (key, _) = model.timers.remove(at);
                    assert!(wheel.remove(key).is_some());
                    assert!(wheel.remove(key).is_none() && !wheel.reset(key, Duration::ZERO));
                }
            }
            Step::Settle(after) => {
                now = now + after;
                wheel.settle(now);
                model.settle(now);
            }
            Step::Run(every) => run(&mut wheel, &mut model, now, every),
        }
        model.most = model.most.max(model.timers.len());
        let next = model.settled().first().map(|(deadline, _)| *deadline);
        if model.most <= Wheel::<()>::MANY {
            assert_eq!(wheel.next_deadline(), next, "few are told exactly");
        }
        assert_eq!(wheel.keys().count(), model.timers.len());
    }
}

proptest! {
    #[test]
    fn a_wheel_agrees_with_a_sorted_list(steps in proptest::collection::vec(steps(), 1..200)) {
        compare(steps);
    }

    /// Few, so that they are told exactly.
    #[test]
    fn a_few_timers_agree_too(steps in proptest::collection::vec(steps(), 1..30)) {
        compare(steps);
    }
}

fn set(wheel: &mut Wheel<u32>, millis: u64) -> Key {
    wheel.set(Duration::from_millis(millis), 0)
}

fn at(millis: u64) -> Time {
    Time::ZERO + Duration::from_millis(millis)
}

#[test]
fn to_wake_early_for_one_that_is_gone_finds_the_next() {
    let mut wheel = Wheel::default();
    let first = set(&mut wheel, 60_000);
    for more in 1..=100 {
        set(&mut wheel, 60_000 + more);
    }
    wheel.settle(at(0));
    assert!(wheel.remove(first).is_some());
    assert_eq!(wheel.next_deadline(), Some(at(60_000)));
    wheel.advance(at(60_000));
    assert_eq!(wheel.first_due(), None);
    assert_eq!(wheel.next_deadline(), Some(at(60_001)));
}

#[test]
fn a_million_cancelled_timers_hold_no_memory() {
    let mut wheel = Wheel::default();
    for round in 0..3 {
        let keys: Vec<_> = (0..1_000_000).map(|_| set(&mut wheel, 60_000)).collect();
        if round == 1 {
            wheel.settle(at(0));
        } else if round == 2 {
            wheel.settle(at(0));
            wheel.advance(at(70_000));
        }
        for key in keys {
            wheel.remove(key);
        }
        assert!(wheel.is_empty());
        assert_eq!(wheel.nodes.capacity(), 0);
        assert_eq!(wheel.links.capacity(), NODES as usize);
        assert!(wheel.sorting.capacity() <= Wheel::<u32>::KEPT);
    }
}
