use std::mem;
use std::time::Duration;

use crate::Time;
use crate::grid::Grid;
use crate::slots::Key;

/// Values that are due at some time, with cheap setting, resetting and removing.
///
/// # How it works
/// A deadline is a number of 64 bits, read as digits of 6 bits. All deadlines are seen from one
/// moment, `seen`, which is never later than one of them. A timer belongs to the most significant
/// digit in which its deadline differs from `seen`, its *level*, and there to the *slot* that its
/// deadline's digit names:
///
/// ```text
/// level 0    64 slots of 1 ns: all deadlines of a slot are the same
/// level 1    64 slots of 64 ns
/// level 2    64 slots of 4.1 us
///   ...          64 times as long on each level
/// level 10   16 slots of 37 years
/// ```
/// Every timer of a level is due before every one of a higher level, and within a level the slots
/// are in order. A slot is a doubly linked list, at whose end timers are put: so to set one is to
/// find two digits and to append, to remove one is to unlink it, and neither depends on how many
/// there are. Lists are closed to rings by a link of their own, their *head*, so that no timer is
/// the first or the last of one.
///
/// When `seen` moves on, to the present, the slots before its digits are due as a whole; one slot
/// lies around it and is divided among lower levels, in the order of its list. So a timer moves
/// down at most ten times in its life, four times if there is a turn every 100 us, and not at all
/// if it is removed early, as most are.
///
/// # Order
/// By deadline, and equal deadlines in the order in which they were set. Equal deadlines are
/// always in one list, since place depends on the deadline and `seen` only, and no step changes
/// their order in it; so nothing needs to be numbered. What has become due is sorted by deadline
/// and then by its place in the list it came from.
///
/// # When to wake
/// Each slot knows its least deadline, and whose it is. If that timer is gone, the slot is looked
/// through again, unless it holds many: then it goes on to tell the deadline that was. So
/// [`next_deadline`](Self::next_deadline) may be early, never late. Somebody who wakes too early
/// divides that slot, at a cost that its timers had ahead of them anyway.
///
/// # The life of a timer
/// ```text
///        set, reset              settle                  advance
///   ------------------> FRESH -----------> a slot ------------------> DUE
///                                  ^          | delay        put_off  |  ^
///                                  +----------+                       v  | keep_put_off
///                                                                   PUT_OFF
/// ```
/// Fresh ones count from the end of the turn, so they have no deadline yet. `remove` takes it out
/// wherever it is, and `reset` and `delay` move it.
pub(crate) struct Wheel<T> {
    nodes: Vec<Node<T>>,
    /// The heads of all lists, then a link for each node.
    links: Vec<Link>,
    /// For each slot of each level, the least deadline in it.
    bounds: Vec<Bound>,
    /// For each level, which of its slots hold timers.
    slots: [u64; LEVELS],
    /// Which levels hold timers.
    levels: u16,
    /// Not later than any deadline in a slot.
    seen: Time,
    /// How many nodes are timers.
    len: usize,
    /// The others: from this link on, each has the next one after it. Ends with `FREE`.
    free: u32,
    /// The generation that a new node starts with.
    base: u32,
    /// What is being sorted; empty in between.
    sorting: Vec<Passed>,
}

struct Node<T> {
    moment: Moment,
    /// Nothing in those that are free.
    value: Option<T>,
    generation: u32,
    /// In which list it is, by its head.
    list: u32,
}

/// Neighbours in a list.
#[derive(Clone, Copy)]
struct Link {
    before: u32,
    after: u32,
}

#[derive(Clone, Copy)]
enum Moment {
    /// Counts from the end of the turn.
    Fresh(When),
    Settled(Time),
}

/// When a timer is due, as seen from the end of the turn in which it is set.
#[derive(Clone, Copy)]
pub(crate) enum When {
    After(Duration),
    /// At the next moment of the grid, so that how long the turn takes does not add up.
    On(Grid),
}

/// Counts while its slot is not empty.
#[derive(Clone, Copy)]
struct Bound {
    /// Not later than any deadline in the slot.
    least: Time,
    /// Whose deadline it is or was. Nobody's if it is known to be early.
    of: u32,
}

/// Ordered as timers that are due run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Passed {
    deadline: Time,
    /// Its number among those collected.
    number: u32,
    node: u32,
}

/// The lists that are no slots, by their heads.
const FRESH: u32 = 0;
const DUE: u32 = 1;
/// Due, but its connection's input comes first.
const PUT_OFF: u32 = 2;
/// Of no list, but of nodes that are no timers.
const FREE: u32 = 3;
/// The first slot of the first level.
const SLOTS: u32 = 4;
/// The link of the first node.
const NODES: u32 = SLOTS + LEVELS as u32 * DIGITS;

const LEVELS: usize = u64::BITS.div_ceil(DIGIT) as usize;
/// How many bits a digit has.
const DIGIT: u32 = 6;
/// How many slots a level has.
const DIGITS: u32 = 1 << DIGIT;
const NOBODY: u32 = u32::MAX;

impl When {
    fn seen_from(self, now: Time) -> Time {
        match self {
            Self::After(after) if planted!("timer_rounded_down") => {
                now + Duration::from_millis(after.as_millis() as u64)
            }
            Self::After(after) => now + after,
            Self::On(grid) => grid.next(now),
        }
    }

    fn later(self, by: Duration) -> Self {
        match self {
            Self::After(after) => Self::After(after.saturating_add(by)),
            Self::On(grid) => Self::On(Grid {
                origin: grid.origin + by,
                ..grid
            }),
        }
    }
}

impl From<Duration> for When {
    fn from(after: Duration) -> Self {
        Self::After(after)
    }
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            links: (0..NODES).map(Link::alone).collect(),
            bounds: vec![Bound::NONE; (NODES - SLOTS) as usize],
            slots: [0; LEVELS],
            levels: 0,
            seen: Time::ZERO,
            len: 0,
            free: FREE,
            base: 0,
            sorting: Vec::new(),
        }
    }
}

/// What users do.
impl<T> Wheel<T> {
    /// Set a timer whose time counts from the end of this turn.
    pub(crate) fn set(&mut self, when: impl Into<When>, value: T) -> Key {
        let moment = Moment::Fresh(when.into());
        self.len += 1;
        let Some(index) = self.free.checked_sub(NODES) else {
            return self.set_new(moment, value);
        };
        self.free = self.links[self.free as usize].after;
        let node = &mut self.nodes[index as usize];
        node.moment = moment;
        node.value = Some(value);
        let generation = node.generation;
        self.append(FRESH, index);
        Key { index, generation }
    }

    /// Set the timer again, from now. Returns whether it was still armed.
    pub(crate) fn reset(&mut self, key: Key, when: impl Into<When>) -> bool {
        let Some(node) = self.node_mut(key) else {
            return false;
        };
        node.moment = Moment::Fresh(when.into());
        self.unlink(NODES + key.index);
        self.append(FRESH, key.index);
        true
    }

    /// Move the timer's deadline further away. Returns whether it was still armed.
    pub(crate) fn delay(&mut self, key: Key, by: Duration) -> bool {
        let Some(node) = self.node_mut(key) else {
            return false;
        };
        match node.moment {
            Moment::Fresh(when) => node.moment = Moment::Fresh(when.later(by)),
            Moment::Settled(deadline) => {
                self.unlink(NODES + key.index);
                self.put(key.index, deadline + by);
            }
        }
        true
    }

    /// Take the timer out.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let node = self.node_mut(key)?;
        node.generation = node.generation.wrapping_add(1);
        node.list = FREE;
        let value = node.value.take();
        self.unlink(NODES + key.index);
        self.links[(NODES + key.index) as usize].after = self.free;
        self.free = NODES + key.index;
        self.len -= 1;
        if self.len == 0 && self.nodes.len() > Self::KEPT {
            self.shed();
        }
        value
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let node = self.nodes.get(key.index as usize)?;
        node.value
            .as_ref()
            .filter(|_| node.generation == key.generation)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> {
        (0..).zip(&self.nodes).filter_map(|(index, node)| {
            let generation = node.generation;
            node.value.is_some().then_some(Key { index, generation })
        })
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.nodes.iter().filter_map(|node| node.value.as_ref())
    }
}

/// What the engine does, turn by turn.
impl<T> Wheel<T> {
    pub(crate) fn has_fresh(&self) -> bool {
        self.links[FRESH as usize].after != FRESH
    }

    /// The turn ends at `now`: what was set during it counts from here.
    pub(crate) fn settle(&mut self, now: Time) {
        let mut next = self.take(FRESH);
        while let Some(index) = next.checked_sub(NODES) {
            next = self.links[next as usize].after;
            let deadline = match self.nodes[index as usize].moment {
                Moment::Fresh(when) => when.seen_from(now),
                Moment::Settled(deadline) => deadline,
            };
            self.put(index, deadline);
        }
    }

    /// When to wake at the latest. That a timer is due then is not certain.
    #[inline]
    pub(crate) fn next_deadline(&mut self) -> Option<Time> {
        if self.len == 0 {
            return None;
        }
        self.next_deadline_of_some()
    }

    fn next_deadline_of_some(&mut self) -> Option<Time> {
        if let Some(index) = self.links[DUE as usize].after.checked_sub(NODES) {
            return Some(self.nodes[index as usize].deadline());
        }
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros();
        let list = slot_of(level, self.slots[level as usize].trailing_zeros());
        let bound = self.bounds[(list - SLOTS) as usize];
        match self.nodes.get(bound.of as usize) {
            Some(node) if node.list != list || node.deadline() != bound.least => {
                Some(self.look_through(list))
            }
            Some(_) | None => Some(bound.least),
        }
    }

    /// It is `now`: what is due by now can be had from [`first_due`](Self::first_due).
    pub(crate) fn advance(&mut self, now: Time) {
        let now = now.max(self.seen);
        let (top, around) = place_of(now, self.seen);
        self.seen = now;
        let mut sorting = mem::take(&mut self.sorting);
        for level in 0..=top {
            let last = if level == top { around } else { DIGITS - 1 };
            let mut passed = self.slots[level as usize] & (u64::MAX >> (DIGITS - 1 - last));
            while passed != 0 {
                let slot = passed.trailing_zeros();
                passed &= passed - 1;
                self.divide(slot_of(level, slot), now, &mut sorting);
            }
        }
        sorting.sort_unstable();
        for passed in sorting.drain(..) {
            self.append(DUE, passed.node);
        }
        sorting.shrink_to(Self::KEPT);
        self.sorting = sorting;
    }

    /// The timer that is to run next, of those that were due when time last advanced.
    pub(crate) fn first_due(&self) -> Option<Key> {
        let index = self.links[DUE as usize].after.checked_sub(NODES)?;
        let generation = self.nodes[index as usize].generation;
        Some(Key { index, generation })
    }

    /// It is to wait until [`keep_put_off`](Self::keep_put_off).
    pub(crate) fn put_off(&mut self, key: Key) {
        if self.node_mut(key).is_some() {
            self.unlink(NODES + key.index);
            self.append(PUT_OFF, key.index);
        }
    }

    /// What was put off is due again, in its order.
    pub(crate) fn keep_put_off(&mut self) {
        let mut next = self.take(PUT_OFF);
        while let Some(index) = next.checked_sub(NODES) {
            next = self.links[next as usize].after;
            self.append(DUE, index);
        }
    }
}

impl<T> Wheel<T> {
    /// Room for so many is kept; what a burst of more needed is given back.
    const KEPT: usize = 1024;

    /// A slot with more is not looked through for its least deadline.
    const MANY: usize = 16;

    #[cold]
    fn set_new(&mut self, moment: Moment, value: T) -> Key {
        // More than 2^32 timers cannot be reached with any memory that exists.
        let index = self.nodes.len() as u32;
        let generation = self.base;
        self.nodes.push(Node {
            moment,
            value: Some(value),
            generation,
            list: FRESH,
        });
        self.links.push(Link::alone(NODES + index));
        self.append(FRESH, index);
        Key { index, generation }
    }

    /// Give the memory of a burst back. New nodes start past every generation given out, so that
    /// old keys stay without a match.
    #[cold]
    fn shed(&mut self) {
        let newest = self.nodes.iter().map(|node| node.generation).max();
        self.base = newest.map_or(0, |generation| generation.wrapping_add(1));
        self.nodes = Vec::new();
        self.links.truncate(NODES as usize);
        self.links.shrink_to_fit();
        self.free = FREE;
    }

    /// Collect what is due in a slot that has begun, and put the rest on lower levels.
    fn divide(&mut self, list: u32, now: Time, passed: &mut Vec<Passed>) {
        let mut next = self.take(list);
        while let Some(node) = next.checked_sub(NODES) {
            next = self.links[next as usize].after;
            let deadline = self.nodes[node as usize].deadline();
            if deadline <= now {
                let number = passed.len() as u32;
                passed.push(Passed {
                    deadline,
                    number,
                    node,
                });
            } else {
                self.put(node, deadline);
            }
        }
    }

    /// The timer with the least deadline of a slot is gone: find the next, if they are not many.
    fn look_through(&mut self, list: u32) -> Time {
        let mut found = Bound::NONE;
        let mut next = self.links[list as usize].after;
        for _ in 0..Self::MANY {
            let Some(of) = next.checked_sub(NODES) else {
                break;
            };
            let least = self.nodes[of as usize].deadline();
            if least <= found.least {
                found = Bound { least, of };
            }
            next = self.links[next as usize].after;
        }
        let bound = &mut self.bounds[(list - SLOTS) as usize];
        if next == list {
            *bound = found;
        } else {
            bound.of = NOBODY;
        }
        bound.least
    }

    /// Put a timer that is in no list into the slot of that deadline. One that has passed counts as
    /// the present.
    #[inline]
    fn put(&mut self, index: u32, deadline: Time) {
        let deadline = deadline.max(self.seen);
        self.nodes[index as usize].moment = Moment::Settled(deadline);
        let (level, slot) = place_of(deadline, self.seen);
        let list = slot_of(level, slot);
        let slots = &mut self.slots[level as usize];
        let bound = &mut self.bounds[(list - SLOTS) as usize];
        if *slots >> slot & 1 == 0 || deadline < bound.least {
            *bound = Bound {
                least: deadline,
                of: index,
            };
        }
        *slots |= 1 << slot;
        self.levels |= 1 << level;
        self.append(list, index);
    }

    #[inline]
    fn append(&mut self, list: u32, index: u32) {
        self.nodes[index as usize].list = list;
        let link = NODES + index;
        let before = mem::replace(&mut self.links[list as usize].before, link);
        self.links[before as usize].after = link;
        self.links[link as usize] = Link {
            before,
            after: list,
        };
    }

    #[inline]
    fn unlink(&mut self, link: u32) {
        let Link { before, after } = self.links[link as usize];
        self.links[before as usize].after = after;
        self.links[after as usize].before = before;
        if before == after {
            self.vacate(before);
        }
    }

    /// Make a list empty, and say which link was its first.
    fn take(&mut self, list: u32) -> u32 {
        let Link { before, after } =
            mem::replace(&mut self.links[list as usize], Link::alone(list));
        // The last one leads nowhere but back to the head, which is no node's link.
        debug_assert!(after == list || self.links[before as usize].after == list);
        self.vacate(list);
        after
    }

    /// The list is empty.
    #[inline]
    fn vacate(&mut self, list: u32) {
        if let Some(place) = list.checked_sub(SLOTS) {
            let level = (place / DIGITS) as usize;
            self.slots[level] &= !(1 << (place % DIGITS));
            if self.slots[level] == 0 {
                self.levels &= !(1 << level);
            }
        }
    }

    #[inline]
    fn node_mut(&mut self, key: Key) -> Option<&mut Node<T>> {
        let node = self.nodes.get_mut(key.index as usize)?;
        (node.generation == key.generation).then_some(node)
    }
}

impl<T> Node<T> {
    #[inline]
    fn deadline(&self) -> Time {
        match self.moment {
            Moment::Settled(deadline) => deadline,
            // In no slot, so nobody asks.
            Moment::Fresh(_) => Time::MAX,
        }
    }
}

impl Link {
    /// A list without nodes is a ring of its head.
    const fn alone(link: u32) -> Self {
        Self {
            before: link,
            after: link,
        }
    }
}

impl Bound {
    const NONE: Self = Self {
        least: Time::MAX,
        of: NOBODY,
    };
}

/// Level and slot of a deadline.
#[inline]
fn place_of(deadline: Time, seen: Time) -> (u32, u32) {
    let level = ((deadline.as_nanos() ^ seen.as_nanos()) | 1).ilog2() / DIGIT;
    let slot = (deadline.as_nanos() >> (level * DIGIT)) as u32 % DIGITS;
    (level, slot)
}

#[inline]
fn slot_of(level: u32, slot: u32) -> u32 {
    SLOTS + level * DIGITS + slot
}

#[cfg(test)]
mod tests;
