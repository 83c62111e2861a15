use std::collections::BTreeSet;
use std::time::Duration;

use torsade_core::Time;

use super::kernel::{Event, Kernel, Planned, PlannedState};
use super::random::Random;
use super::weather::Trouble;

/// Which faults a seed may choose from, for [`Sim::swarm`](super::Sim::swarm).
///
/// Every seed has a mix of its own: some of the kinds, so that runs differ in more than in detail
/// (a fault that keeps another one from ever mattering is absent in half of them), at times and
/// places of its own.
///
/// ```
/// use std::time::Duration;
/// use torsade_testing::sim::{FaultKind, Faults};
///
/// let gentle = Faults::none()
///     .with(FaultKind::Clog)
///     .with(FaultKind::Drop)
///     .within(Duration::from_secs(30))
///     .about(10);
/// assert_ne!(gentle, Faults::all());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    kinds: BTreeSet<FaultKind>,
    within: Duration,
    about: usize,
}

/// A kind of fault: what it does is said of the method of [`Sim`](super::Sim) with its name.
///
/// ```
/// assert_eq!(torsade_testing::sim::FaultKind::ALL.len(), 12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// [`Sim::partition`](super::Sim::partition) of one host, or some, from the others.
    Partition,
    /// [`Sim::mute`](super::Sim::mute).
    Mute,
    /// [`Sim::clog`](super::Sim::clog), by up to 5 s.
    Clog,
    /// [`Sim::drop_some`](super::Sim::drop_some), one in 2 to 50.
    Drop,
    /// [`Sim::corrupt`](super::Sim::corrupt), one in 20 to 500. Not among
    /// [`Faults::all`]: what a protocol can promise then is a question of its own.
    Corrupt,
    /// [`Sim::refuse`](super::Sim::refuse).
    Refuse,
    /// [`Sim::exhaust`](super::Sim::exhaust), with up to 5 descriptors.
    Exhaust,
    /// [`Sim::pause_reading`](super::Sim::pause_reading).
    PauseReading,
    /// [`Sim::stall`](super::Sim::stall), one turn in 2 to 20, by up to 3 s.
    Stall,
    /// [`Sim::skew`](super::Sim::skew), between half and double the speed.
    Skew,
    /// [`Sim::kill`](super::Sim::kill).
    Kill,
    /// [`Sim::crash`](super::Sim::crash).
    Crash,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Partition,
        Self::Mute,
        Self::Clog,
        Self::Drop,
        Self::Corrupt,
        Self::Refuse,
        Self::Exhaust,
        Self::PauseReading,
        Self::Stall,
        Self::Skew,
        Self::Kill,
        Self::Crash,
    ];
}

impl Faults {
    /// All kinds but [`FaultKind::Corrupt`], about ten of them, within a minute.
    pub fn all() -> Self {
        Self {
            kinds: FaultKind::ALL.into(),
            within: Duration::from_secs(60),
            about: 10,
        }
        .without(FaultKind::Corrupt)
    }

    /// None yet.
    pub fn none() -> Self {
        Self {
            kinds: BTreeSet::new(),
            ..Self::all()
        }
    }

    /// This kind, too.
    #[must_use]
    pub fn with(mut self, kind: FaultKind) -> Self {
        self.kinds.insert(kind);
        self
    }

    /// But not this kind.
    #[must_use]
    pub fn without(mut self, kind: FaultKind) -> Self {
        self.kinds.remove(&kind);
        self
    }

    /// They begin within so much time, and are over by then.
    #[must_use]
    pub fn within(mut self, duration: Duration) -> Self {
        self.within = duration;
        self
    }

    /// So many, on average over the seeds.
    #[must_use]
    pub fn about(mut self, faults: usize) -> Self {
        self.about = faults;
        self
    }

    /// What a seed makes of it. From numbers of its own, so that it stays the same whatever
    /// happens in the network.
    pub(super) fn plan(&self, seed: u64, hosts: usize, now: Time) -> Vec<Planned> {
        let mut random = Random::fork(seed, 2);
        let mut kinds: Vec<FaultKind> = self.kinds.iter().copied().collect();
        kinds.retain(|_| random.one_in(2));
        if kinds.is_empty() {
            kinds.extend(self.kinds.iter().nth(random.below(self.kinds.len())));
        }
        if kinds.is_empty() || hosts == 0 {
            return Vec::new();
        }
        let count = 1 + random.below(2 * self.about);
        let mut plan = Vec::new();
        for _ in 0..count {
            let kind = kinds[random.below(kinds.len())];
            let begin = random.up_to(self.within);
            // Many short ones, and some that last.
            let longest = (self.within - begin) / (1 << random.below(6));
            let end = begin + random.up_to(longest);
            plan.push(Planned {
                trouble: trouble(kind, hosts, &mut random),
                begin: now + begin,
                end: now + end,
                state: PlannedState::ToCome,
            });
        }
        plan
    }
}

fn trouble(kind: FaultKind, hosts: usize, random: &mut Random) -> Trouble {
    let host = random.below(hosts) as u32;
    let one = vec![host];
    let others = others(host, hosts, random);
    match kind {
        FaultKind::Partition => Trouble::Partition(one, others),
        FaultKind::Mute => match random.one_in(2) {
            true => Trouble::Mute(one, others),
            false => Trouble::Mute(others, one),
        },
        FaultKind::Clog => {
            let by = random.up_to(Duration::from_secs(5));
            Trouble::Clog(one, others, by)
        }
        FaultKind::Drop => Trouble::Drop(one, others, 2 + random.below(49) as u32),
        FaultKind::Corrupt => Trouble::Corrupt(one, others, 20 + random.below(481) as u32),
        FaultKind::Refuse => Trouble::Refuse(host),
        FaultKind::Exhaust => Trouble::Exhaust(host, random.below(6)),
        FaultKind::PauseReading => Trouble::PauseReading(host),
        FaultKind::Stall => {
            let by = random.up_to(Duration::from_secs(3));
            Trouble::Stall(host, by, 2 + random.below(19) as u32)
        }
        FaultKind::Skew => Trouble::Skew(host, 500_000 + random.below(1_500_001) as u32),
        FaultKind::Kill => Trouble::Killed(host),
        FaultKind::Crash => Trouble::Crashed(host),
    }
}

/// All others, or some.
fn others(host: u32, hosts: usize, random: &mut Random) -> Vec<u32> {
    let all: Vec<u32> = (0..hosts as u32).filter(|it| *it != host).collect();
    if random.one_in(2) {
        return all;
    }
    let some: Vec<u32> = all.iter().copied().filter(|_| random.one_in(2)).collect();
    if some.is_empty() { all } else { some }
}

/// Have the faults of a plan happen, but for those that are left out.
pub(super) fn begin(kernel: &mut Kernel, plan: Vec<Planned>, omitted: impl Fn(usize) -> bool) {
    for planned in plan {
        let number = kernel.planned.len();
        let (begin, end) = (planned.begin, planned.end);
        kernel.planned.push(planned);
        if omitted(number) {
            kernel.planned[number].state = PlannedState::Over;
        } else {
            kernel.at(begin, Event::FaultBegins { plan: number });
            kernel.at(end, Event::FaultEnds { plan: number });
        }
    }
}
