use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What is wrong in a network now: the faults in force.
#[derive(Debug, Default)]
pub(super) struct Weather {
    faults: BTreeMap<u64, Trouble>,
    next: u64,
    /// How many have begun, and how often one did harm.
    pub(super) begun: u64,
    pub(super) harm: u64,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing gets from any of these to any of those, or back.
    Partition(Vec<u32>, Vec<u32>),
    /// Nothing gets from here to there, though it does get back.
    Mute(Vec<u32>, Vec<u32>),
    /// It takes so much longer.
    Clog(Vec<u32>, Vec<u32>, Duration),
    /// One segment in so many gets lost.
    Drop(Vec<u32>, Vec<u32>, u32),
    /// One segment in so many arrives with a byte changed.
    Corrupt(Vec<u32>, Vec<u32>, u32),
    /// Nobody listens, whoever does.
    Refuse(u32),
    /// The names that a program on this host asks for have this happen to them.
    Lookups(u32, LookupTrouble),
    /// No more than so many descriptors.
    Exhaust(u32, usize),
    /// The program does not read.
    PauseReading(u32),
    /// One turn in so many takes so long.
    Stall(u32, Duration, u32),
    /// The clock runs at so many millionths of its speed.
    Skew(u32, u32),
    /// The program was killed.
    Killed(u32),
    /// The machine has lost its power.
    Crashed(u32),
}

/// What may be wrong with the names that a host asks for, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LookupTrouble {
    /// The answer takes so much longer.
    Slow(Duration),
    /// The answer is that it is not known.
    Fails,
    /// There is none.
    Silent,
}

impl Weather {
    pub(super) fn begin(&mut self, trouble: Trouble) -> u64 {
        let number = self.next;
        self.next += 1;
        self.begun += 1;
        self.faults.insert(number, trouble);
        number
    }

    pub(super) fn end(&mut self, number: u64) -> Option<Trouble> {
        self.faults.remove(&number)
    }

    pub(super) fn is_fine(&self) -> bool {
        self.faults.is_empty()
    }

    pub(super) fn is_cut(&self, from: u32, to: u32) -> bool {
        self.faults.values().any(|fault| match fault {
            Trouble::Partition(one, other) => {
                is_between(one, other, from, to) || is_between(other, one, from, to)
            }
            Trouble::Mute(one, other) => is_between(one, other, from, to),
            _ => false,
        })
    }

    pub(super) fn delay(&self, from: u32, to: u32) -> Duration {
        let delays = self.faults.values().map(|fault| match fault {
            Trouble::Clog(one, other, by) if is_between(one, other, from, to) => *by,
            _ => Duration::ZERO,
        });
        delays.sum()
    }

    /// One in how many gets lost, for each fault of that kind.
    pub(super) fn losses(&self, from: u32, to: u32) -> impl Iterator<Item = u32> {
        self.faults.values().filter_map(move |fault| match fault {
            Trouble::Drop(one, other, times) => is_between(one, other, from, to).then_some(*times),
            _ => None,
        })
    }

    pub(super) fn corruptions(&self, from: u32, to: u32) -> impl Iterator<Item = u32> {
        self.faults.values().filter_map(move |fault| match fault {
            Trouble::Corrupt(one, other, times) => {
                is_between(one, other, from, to).then_some(*times)
            }
            _ => None,
        })
    }

    /// What happens to the names that a host asks for.
    pub(super) fn lookups(&self, host: u32) -> Option<LookupTrouble> {
        let troubles = self.faults.values().filter_map(|fault| match fault {
            Trouble::Lookups(whose, trouble) if *whose == host => Some(*trouble),
            _ => None,
        });
        troubles.max()
    }

    pub(super) fn refuses(&self, host: u32) -> bool {
        let mut faults = self.faults.values();
        faults.any(|fault| *fault == Trouble::Refuse(host))
    }

    /// How many descriptors a host may have.
    pub(super) fn descriptors(&self, host: u32) -> usize {
        let bounds = self.faults.values().filter_map(|fault| match fault {
            Trouble::Exhaust(whose, most) if *whose == host => Some(*most),
            _ => None,
        });
        bounds.min().unwrap_or(usize::MAX)
    }

    pub(super) fn reads(&self, host: u32) -> bool {
        let mut faults = self.faults.values();
        !faults.any(|fault| *fault == Trouble::PauseReading(host))
    }

    pub(super) fn stalls(&self, host: u32) -> impl Iterator<Item = (Duration, u32)> {
        self.faults.values().filter_map(move |fault| match fault {
            Trouble::Stall(whose, by, times) if *whose == host => Some((*by, *times)),
            _ => None,
        })
    }

    /// At how many millionths of its speed a host's clock runs.
    pub(super) fn pace(&self, host: u32) -> u32 {
        let mut paces = self.faults.values().filter_map(|fault| match fault {
            Trouble::Skew(whose, pace) if *whose == host => Some(*pace),
            _ => None,
        });
        paces.next_back().unwrap_or(EVEN)
    }

    pub(super) fn is_down(&self, host: u32) -> bool {
        self.faults.values().any(|fault| {
            matches!(fault, Trouble::Killed(whose) | Trouble::Crashed(whose) if *whose == host)
        })
    }
}

/// The pace of a clock that is right.
pub(super) const EVEN: u32 = 1_000_000;

fn is_between(one: &[u32], other: &[u32], from: u32, to: u32) -> bool {
    one.contains(&from) && other.contains(&to)
}

impl Trouble {
    /// In words, with the names of the hosts.
    pub(super) fn described<'a>(&'a self, name: &'a dyn Fn(u32) -> String) -> Described<'a> {
        Described {
            trouble: self,
            name,
        }
    }
}

pub(super) struct Described<'a> {
    trouble: &'a Trouble,
    name: &'a dyn Fn(u32) -> String,
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |host: &u32| (self.name)(*host);
        let all = |hosts: &[u32]| hosts.iter().map(one).collect::<Vec<_>>().join(",");
        match self.trouble {
            Trouble::Partition(a, b) => write!(f, "partition {} | {}", all(a), all(b)),
            Trouble::Mute(a, b) => write!(f, "nothing gets from {} to {}", all(a), all(b)),
            Trouble::Clog(a, b, by) => write!(f, "clog {} -> {} by {by:?}", all(a), all(b)),
            Trouble::Drop(a, b, n) => write!(f, "drop 1 in {n} from {} to {}", all(a), all(b)),
            Trouble::Corrupt(a, b, n) => {
                write!(f, "corrupt 1 in {n} from {} to {}", all(a), all(b))
            }
            Trouble::Refuse(host) => write!(f, "{} refuses connections", one(host)),
            Trouble::Lookups(host, LookupTrouble::Slow(by)) => {
                write!(f, "names take {} {by:?} longer", one(host))
            }
            Trouble::Lookups(host, LookupTrouble::Fails) => {
                write!(f, "names fail {}", one(host))
            }
            Trouble::Lookups(host, LookupTrouble::Silent) => {
                write!(f, "nobody answers {} for names", one(host))
            }
            Trouble::Exhaust(host, n) => write!(f, "{} has {n} descriptors", one(host)),
            Trouble::PauseReading(host) => write!(f, "{} does not read", one(host)),
            Trouble::Stall(host, by, n) => write!(f, "1 turn in {n} of {} takes {by:?}", one(host)),
            Trouble::Skew(host, pace) => write!(f, "the clock of {} runs at {pace} ppm", one(host)),
            Trouble::Killed(host) => write!(f, "{} is killed", one(host)),
            Trouble::Crashed(host) => write!(f, "{} crashes", one(host)),
        }
    }
}
