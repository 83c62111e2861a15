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
    timers: Vec<(Timer, Planned)>,
    /// How many were set.
    number: u64,
    /// The longest it was.
    most: usize,
}

/// Its key, and its value.
type Timer = (Key, u64);

#[derive(Clone, Copy)]
enum Planned {
    /// Counts from the end of the turn.
    After(Duration),
    At(Time),
}

impl Model {
    fn pick(&self, number: usize) -> Option<usize> {
        number.checked_rem(self.timers.len())
    }

    /// Sets the timer again, behind all others.
    fn set_again(&mut self, at: usize, planned: Planned) {
        let (timer, _) = self.timers.remove(at);
        self.timers.push((timer, planned));
    }

    fn settle(&mut self, now: Time) {
        for (_, planned) in &mut self.timers {
            if let Planned::After(after) = *planned {
                *planned = Planned::At(now + after);
            }
        }
    }

    fn settled(&self) -> Vec<(Time, Timer)> {
        let mut settled: Vec<_> = (self.timers.iter())
            .filter_map(|(timer, planned)| match planned {
                Planned::At(deadline) => Some((*deadline, *timer)),
                Planned::After(_) => None,
            })
            .collect();
        settled.sort_by_key(|(deadline, _)| *deadline);
        settled
    }
}

/// Runs what is due in both, and compares.
fn run(wheel: &mut Wheel<u64>, model: &mut Model, now: Time, every: usize) {
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
    let due: Vec<_> = due.into_iter().map(|(_, (_, value))| value).collect();
    let mut asked = Vec::new();
    while let Some(value) = wheel.take_due(|value| {
        asked.push(*value);
        asked.len() % every == 0
    }) {
        assert_eq!(asked.last(), Some(&value));
        model.timers.retain(|((_, other), _)| *other != value);
    }
    assert_eq!(asked, due);
    wheel.keep_put_off();
}

fn compare(steps: Vec<Step>) {
    let (mut wheel, mut model) = (Wheel::default(), Model::default());
    let mut now = Time::ZERO;
    for step in steps {
        match step {
            Step::Set(after) => {
                model.number += 1;
                let key = wheel.set(after, model.number);
                let timer = (key, model.number);
                model.timers.push((timer, Planned::After(after)));
            }
            Step::Reset(number, after) => {
                if let Some(at) = model.pick(number) {
                    assert!(wheel.reset(model.timers[at].0.0, after));
                    model.set_again(at, Planned::After(after));
                }
            }
            Step::Delay(number, by) => {
                if let Some(at) = model.pick(number) {
                    let ((key, _), planned) = model.timers[at];
                    assert!(wheel.delay(key, by));
                    let planned = match planned {
                        Planned::After(after) => Planned::After(after.saturating_add(by)),
                        Planned::At(deadline) => Planned::At((deadline + by).max(wheel.seen)),
                    };
                    model.set_again(at, planned);
                }
            }
            Step::Remove(number) => {
                if let Some(at) = model.pick(number) {
                    let ((key, value), _) = model.timers.remove(at);
                    assert_eq!(wheel.remove(key), Some(value));
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
        if model.most <= Wheel::<u64>::MANY {
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
    assert_eq!(wheel.take_due(|_| false), None);
    assert_eq!(wheel.next_deadline(), Some(at(60_001)));
}

#[test]
fn a_long_row_of_turns_holds_no_memory_and_no_deadline_is_lost() {
    let mut wheel = Wheel::default();
    let first = set(&mut wheel, 3_600_000);
    wheel.settle(at(7));
    let second = set(&mut wheel, 3_600_000);
    for turn in 8..1_000 {
        assert!(wheel.reset(second, Duration::from_secs(60)));
        wheel.settle(at(turn));
        assert_eq!(wheel.next_deadline(), Some(at(60_000 + turn)));
    }
    assert!(wheel.turn.room() <= 2 * Wheel::<u32>::FEW);
    assert!(wheel.remove(second).is_some());
    assert_eq!(wheel.next_deadline(), Some(at(3_600_007)));
    assert!(wheel.remove(first).is_some());
    assert_eq!(wheel.next_deadline(), None);
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
        assert_eq!(wheel.lists.room(), 0);
        assert_eq!(wheel.turn.room() + wheel.due.capacity(), 0);
    }
}
