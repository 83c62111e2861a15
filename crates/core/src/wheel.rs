mod parts;
mod when;

use std::mem;
use std::time::Duration;

use self::parts::{Bound, Link, Moment, NOBODY, Node, Passed};
pub(crate) use self::when::When;
use crate::Time;
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
/// lies around it and is divided among lower levels. So a timer moves down at most ten times in its
/// life, four times if there is a turn every 100 us.
///
/// # What is seldom due costs little
/// Most timers are removed or set again long before they are due. So one that has some time is not
/// put into a slot at once: it joins the *young*, a list of which only the least deadline is known.
/// When that has come, the young that are due run, and the others are put into slots, each once.
/// And one that is set again, to a later deadline, stays where it is: when its list is divided, it
/// goes where it belongs by then. So to reset it is to write down its new deadline.
///
/// # Order
/// By deadline, and equal deadlines in the order in which they were set, for which each setting has
/// its number. What has become due is sorted; no other list has an order.
///
/// # When to wake
/// Each slot knows its least deadline, and whose it is; so do the young. If that timer is gone or
/// has another one, the list is looked through again, unless it holds many: then it goes on to tell
/// the deadline that was. So [`next_deadline`](Self::next_deadline) may be early, never late.
/// Somebody who wakes too early divides that list, at a cost that its timers had ahead of them
/// anyway.
///
/// # The life of a timer
/// ```text
///        set           settle            advance            advance
///   -----------> fresh ------> the young --------> a slot ----------> DUE
///                  |                                  ^       put_off  |  ^
///                  +----------------------------------+                v  | keep_put_off
///                    settle, if it is due soon                        PUT_OFF
/// ```
/// Fresh ones count from the end of the turn, so they have no deadline yet. `remove` takes it out
/// wherever it is. `reset` makes it fresh again, and `delay` moves its deadline: in a slot or with
/// the young it stays there, and it leaves what is due.
pub(crate) struct Wheel<T> {
    nodes: Vec<Node<T>>,
    /// The heads of all lists, then a link for each node.
    links: Vec<Link>,
    /// For each list, the least deadline in it, if it is the young or a slot.
    bounds: Vec<Bound>,
    /// Those that were set or reset in this turn, perhaps twice, and perhaps removed since.
    fresh: Vec<u32>,
    /// The number of the next setting.
    number: u64,
    /// For each level, which of its slots hold timers.
    slots: [u64; LEVELS],
    /// Which levels hold timers.
    levels: u16,
    /// Not later than any deadline in a slot.
    seen: Time,
    /// How many nodes are timers.
    len: usize,
    /// The others: from this link on, each has the next one after it. Ends with `NOWHERE`.
    free: u32,
    /// The generation that a new node starts with.
    base: u32,
    /// What is being sorted; empty in between.
    sorting: Vec<Passed>,
}

/// No list, by the head that it would have: of nodes that are no timers, and of new ones until the
/// end of the turn.
const NOWHERE: u32 = 0;
const DUE: u32 = 1;
/// Due, but its connection's input comes first.
const PUT_OFF: u32 = 2;
const YOUNG: u32 = 3;
/// The first slot of the first level.
const SLOTS: u32 = 4;
/// The link of the first node.
const NODES: u32 = SLOTS + LEVELS as u32 * DIGITS;

const LEVELS: usize = u64::BITS.div_ceil(DIGIT) as usize;
/// How many bits a digit has.
const DIGIT: u32 = 6;
/// How many slots a level has.
const DIGITS: u32 = 1 << DIGIT;

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            links: (0..NODES).map(Link::alone).collect(),
            bounds: vec![Bound::NONE; NODES as usize],
            fresh: Vec::new(),
            number: 0,
            slots: [0; LEVELS],
            levels: 0,
            seen: Time::ZERO,
            len: 0,
            free: NOWHERE,
            base: 0,
            sorting: Vec::new(),
        }
    }
}

/// What users do.
impl<T> Wheel<T> {
    /// Set a timer whose time counts from the end of this turn.
    pub(crate) fn set(&mut self, when: impl Into<When>, value: T) -> Key {
        if self.free == NOWHERE {
            self.grow();
        }
        let link = self.free;
        let index = link - NODES;
        self.free = self.links[link as usize].after;
        self.len += 1;
        self.number += 1;
        let node = &mut self.nodes[index as usize];
        node.moment = Moment::Fresh(when.into());
        node.value = Some(value);
        node.number = self.number;
        let generation = node.generation;
        self.fresh.push(index);
        Key { index, generation }
    }

    /// Set the timer again, from now. Returns whether it was still armed.
    #[inline]
    pub(crate) fn reset(&mut self, key: Key, when: impl Into<When>) -> bool {
        self.number += 1;
        let number = self.number;
        let Some(node) = self.node_mut(key) else {
            return false;
        };
        let list = node.list;
        node.number = number;
        let before = mem::replace(&mut node.moment, Moment::Fresh(when.into()));
        if let Moment::Settled(_) = before {
            self.fresh.push(key.index);
        }
        self.leave_due(list, key.index);
        true
    }

    /// Move the timer's deadline further away. Returns whether it was still armed.
    pub(crate) fn delay(&mut self, key: Key, by: Duration) -> bool {
        self.number += 1;
        let (number, seen) = (self.number, self.seen);
        let Some(node) = self.node_mut(key) else {
            return false;
        };
        node.number = number;
        match node.moment {
            Moment::Fresh(when) => node.moment = Moment::Fresh(when.later(by)),
            Moment::Settled(deadline) => {
                let deadline = (deadline + by).max(seen);
                node.moment = Moment::Settled(deadline);
                let list = node.list;
                if self.leave_due(list, key.index) {
                    self.place(key.index, deadline, seen);
                }
            }
        }
        true
    }

    /// Take the timer out.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let node = self.node_mut(key)?;
        node.generation = node.generation.wrapping_add(1);
        node.moment = Moment::Settled(Time::MAX);
        let list = mem::replace(&mut node.list, NOWHERE);
        let value = node.value.take();
        if list != NOWHERE {
            self.unlink(NODES + key.index);
        }
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
        !self.fresh.is_empty()
    }

    /// The turn ends at `now`: what was set during it counts from here.
    pub(crate) fn settle(&mut self, now: Time) {
        let mut fresh = mem::take(&mut self.fresh);
        for index in fresh.drain(..) {
            let node = &mut self.nodes[index as usize];
            if let Moment::Fresh(when) = node.moment {
                let deadline = when.seen_from(now);
                node.moment = Moment::Settled(deadline);
                let list = node.list;
                if list == NOWHERE {
                    self.place(index, deadline, now);
                } else if deadline <= self.bounds[list as usize].least {
                    // Earlier than its list is looked at.
                    self.unlink(NODES + index);
                    self.place(index, deadline, now);
                }
            }
        }
        fresh.shrink_to(Self::KEPT);
        self.fresh = fresh;
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
            return self.nodes[index as usize].deadline();
        }
        let young = self.least_young();
        let placed = self.least_placed();
        match (young, placed) {
            (Some(young), Some(placed)) => Some(young.min(placed)),
            (young, placed) => young.or(placed),
        }
    }

    fn least_young(&mut self) -> Option<Time> {
        let bound = self.bounds[YOUNG as usize];
        if bound.of == NOBODY {
            return (bound.least < Time::MAX).then_some(bound.least);
        }
        match self.holds(YOUNG, bound) {
            true => Some(bound.least),
            false => self.look_through_young(),
        }
    }

    fn least_placed(&mut self) -> Option<Time> {
        while self.levels != 0 {
            let level = self.levels.trailing_zeros();
            let list = slot_of(level, self.slots[level as usize].trailing_zeros());
            let bound = self.bounds[list as usize];
            if bound.of == NOBODY || self.holds(list, bound) || !self.place_again(list) {
                return Some(bound.least);
            }
        }
        None
    }

    /// Whether that is still the deadline of that timer, and the timer there.
    #[inline]
    fn holds(&self, list: u32, bound: Bound) -> bool {
        let node = self.nodes.get(bound.of as usize);
        node.is_some_and(|node| node.list == list && node.deadline() == Some(bound.least))
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
        if self.bounds[YOUNG as usize].least <= now {
            self.divide(YOUNG, now, &mut sorting);
        }
        // What was put off goes on in the order that it has with the others.
        self.divide(DUE, now, &mut sorting);
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

    /// A list with more is not looked through for its least deadline.
    const MANY: usize = 16;

    /// What is due earlier than this goes into its slot at once: if it were young, the others would
    /// not stay so for long.
    const SOON: Duration = Duration::from_millis(16);

    /// Make nodes that are free. They are as many as there were, up to a bound, so that this is
    /// seldom and no more than is used.
    #[cold]
    fn grow(&mut self) {
        let first = self.nodes.len();
        let more = first.clamp(1, Self::KEPT);
        let end = first + more;
        let free = Node {
            moment: Moment::Settled(Time::MAX),
            value: None,
            generation: self.base,
            list: NOWHERE,
            number: 0,
        };
        self.nodes.resize_with(end, || Node {
            value: None,
            ..free
        });
        // More than 2^32 timers cannot be reached with any memory that exists.
        let links = (first..end).map(|index| Link::alone(NODES + index as u32 + 1));
        self.links.extend(links);
        self.links[NODES as usize + end - 1].after = NOWHERE;
        self.free = NODES + first as u32;
    }

    /// Give the memory of a burst back. New nodes start past every generation given out, so that
    /// old keys stay without a match.
    #[cold]
    fn shed(&mut self) {
        let newest = self.nodes.iter().map(|node| node.generation).max();
        self.base = newest.map_or(0, |generation| generation.wrapping_add(1));
        self.nodes = Vec::new();
        self.fresh = Vec::new();
        self.links.truncate(NODES as usize);
        self.links.shrink_to_fit();
        self.free = NOWHERE;
    }

    /// Collect what is due of a list, and put the rest into slots: of lower levels than its own, but
    /// for what was set again. What is fresh waits for the end of the turn.
    fn divide(&mut self, list: u32, now: Time, passed: &mut Vec<Passed>) {
        let mut next = self.take(list);
        while let Some(index) = next.checked_sub(NODES) {
            next = self.links[next as usize].after;
            let node = &mut self.nodes[index as usize];
            match node.moment {
                Moment::Fresh(_) => node.list = NOWHERE,
                Moment::Settled(deadline) if deadline <= now => passed.push(Passed {
                    deadline,
                    number: node.number,
                    node: index,
                }),
                Moment::Settled(deadline) => self.put(index, deadline),
            }
        }
    }

    /// The timer with the least deadline of the young has another one or is gone: find the next, if
    /// they are not many.
    fn look_through_young(&mut self) -> Option<Time> {
        let mut found = Bound::NONE;
        let mut next = self.links[YOUNG as usize].after;
        for _ in 0..Self::MANY {
            let Some(of) = next.checked_sub(NODES) else {
                break;
            };
            if let Some(least) = self.nodes[of as usize].deadline()
                && least <= found.least
            {
                found = Bound { least, of };
            }
            next = self.links[next as usize].after;
        }
        let bound = &mut self.bounds[YOUNG as usize];
        if next == YOUNG {
            *bound = found;
            return (found.of != NOBODY).then_some(found.least);
        }
        bound.of = NOBODY;
        Some(bound.least)
    }

    /// The same of a slot: each of its timers is put where it belongs by now. Returns whether they
    /// were few.
    fn place_again(&mut self, list: u32) -> bool {
        let mut next = self.links[list as usize].after;
        for _ in 0..Self::MANY {
            next = self.links[next as usize].after;
            if next == list {
                break;
            }
        }
        if next != list {
            self.bounds[list as usize].of = NOBODY;
            return false;
        }
        next = self.take(list);
        while let Some(index) = next.checked_sub(NODES) {
            next = self.links[next as usize].after;
            let node = &mut self.nodes[index as usize];
            match node.moment {
                Moment::Fresh(_) => node.list = NOWHERE,
                Moment::Settled(deadline) => self.put(index, deadline),
            }
        }
        true
    }

    /// Put a timer that is in no list to the young or into a slot.
    #[inline]
    fn place(&mut self, index: u32, deadline: Time, now: Time) {
        if deadline > now + Self::SOON {
            self.bound(YOUNG, deadline, index);
            self.append(YOUNG, index);
        } else {
            self.put(index, deadline);
        }
    }

    /// Put a timer that is in no list into the slot of that deadline. One that has passed counts as
    /// the present.
    #[inline]
    fn put(&mut self, index: u32, deadline: Time) {
        let deadline = deadline.max(self.seen);
        self.nodes[index as usize].moment = Moment::Settled(deadline);
        let (level, slot) = place_of(deadline, self.seen);
        let list = slot_of(level, slot);
        self.slots[level as usize] |= 1 << slot;
        self.levels |= 1 << level;
        self.bound(list, deadline, index);
        self.append(list, index);
    }

    /// A timer with that deadline joins the list.
    #[inline]
    fn bound(&mut self, list: u32, deadline: Time, index: u32) {
        let bound = &mut self.bounds[list as usize];
        if deadline <= bound.least {
            *bound = Bound {
                least: deadline,
                of: index,
            };
        }
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

    /// Take a timer of that list out of it if it is due. Returns whether it was.
    #[inline]
    fn leave_due(&mut self, list: u32, index: u32) -> bool {
        let is_due = matches!(list, DUE | PUT_OFF);
        if is_due {
            self.unlink(NODES + index);
            self.nodes[index as usize].list = NOWHERE;
        }
        is_due
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
        self.bounds[list as usize] = Bound::NONE;
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
