mod lists;
mod parts;
mod turn;
mod when;

use std::mem;
use std::time::Duration;

use self::lists::{Bound, DIGITS, Lists, NOBODY, YOUNG, place_of, slot_of};
use self::parts::{Moment, Node, Passed};
use self::turn::Turn;
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
/// And one that is set again, and is not due before its list is looked at, stays where it is: when
/// its list is divided, it goes where it belongs by then. So to reset it is to write down its new
/// deadline.
///
/// # Time counts from the end of the turn
/// That time is not known when a timer is set, and no timer is visited to be told it: each says in
/// which turn it was set, and for how long, and the wheel keeps when turns ended. It keeps no more
/// such times than it has nodes, or a few: then every timer is told its deadline, and the times are
/// forgotten. Only those that are due soon are visited at the end of their turn, since they have to
/// be put into slots.
///
/// # Order
/// By deadline, and equal deadlines in the order in which they were set, for which each setting has
/// its number. What has become due is sorted; no list has an order.
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
///       set, if it has some time               advance            advance
///   --------------------------------> YOUNG -----------> a slot ----------> DUE
///                                                           ^
///   --------------------------------> FRESH ----------------+
///       set, if it is due soon                  settle
/// ```
/// `remove` takes it out wherever it is. `reset` begins anew, and `delay` moves its deadline: in a
/// slot or with the young a timer stays there if it can, and it leaves what is due. What is due and
/// is put off stays due.
pub(crate) struct Wheel<T> {
    nodes: Vec<Node<T>>,
    /// The young and the slots.
    lists: Lists,
    /// What was set in this turn, and when earlier ones ended.
    turn: Turn,
    /// The latest moment that is known.
    now: Time,
    /// What has become due, in order. From `next_due` on it is to run, but for what has been removed
    /// or set again since.
    due: Vec<Passed>,
    next_due: usize,
    /// Due, but its connection's input comes first. In order.
    put_off: Vec<Passed>,
    /// Not later than any deadline in a slot.
    seen: Time,
    /// How many nodes are timers.
    len: usize,
    /// The others: from this one on, each has the next one after it. The last has one that is not
    /// there yet.
    free: u32,
    /// The generation that a new node starts with.
    base: u32,
}

/// Where nodes are that are in no list: those that are no timers.
const NOWHERE: u32 = u32::MAX;
const DUE: u32 = u32::MAX - 1;
/// New, and due soon: is put into a slot at the end of the turn.
const FRESH: u32 = u32::MAX - 2;

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            lists: Lists::default(),
            turn: Turn::default(),
            now: Time::ZERO,
            due: Vec::new(),
            next_due: 0,
            put_off: Vec::new(),
            seen: Time::ZERO,
            len: 0,
            free: 0,
            base: 0,
        }
    }
}

/// What users do.
impl<T> Wheel<T> {
    /// Set a timer whose time counts from the end of this turn.
    ///
    /// Inlined, as is [`remove`](Self::remove): to hand the value over otherwise costs as much as the
    /// rest.
    #[inline(always)]
    pub(crate) fn set(&mut self, when: impl Into<When>, value: T) -> Key {
        let index = self.free;
        if index as usize >= self.nodes.len() {
            self.grow();
        }
        self.len += 1;
        let moment = self.turn.moment(when.into());
        let node = &mut self.nodes[index as usize];
        self.free = node.next_free;
        node.value = Some(value);
        self.turn.set(index, node, moment, &mut self.lists);
        let generation = node.generation;
        Key { index, generation }
    }

    /// Set the timer again, from now. Returns whether it was still armed.
    #[inline]
    pub(crate) fn reset(&mut self, key: Key, when: impl Into<When>) -> bool {
        let Some(node) = find(&mut self.nodes, key) else {
            return false;
        };
        let moment = self.turn.moment(when.into());
        if let Moment::After { nanos, .. } = moment
            && self.lists.is_due_by(node.list, self.now.plus(nanos))
        {
            self.turn.change(node, moment);
        } else {
            self.lists.leave(node.list, key.index);
            self.turn.set(key.index, node, moment, &mut self.lists);
        }
        true
    }

    /// Move the timer's deadline further away. Returns whether it was still armed.
    pub(crate) fn delay(&mut self, key: Key, by: Duration) -> bool {
        let Some(node) = find(&mut self.nodes, key) else {
            return false;
        };
        let moment = node.moment.later(by);
        self.turn.change(node, moment);
        if node.list == DUE
            && let Some(deadline) = moment.deadline(self.turn.ends())
        {
            self.place(key.index, deadline, self.seen);
        }
        true
    }

    /// Take the timer out.
    #[inline(always)]
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let node = find(&mut self.nodes, key)?;
        node.generation = node.generation.wrapping_add(1);
        self.lists.leave(node.list, key.index);
        node.list = NOWHERE;
        node.next_free = mem::replace(&mut self.free, key.index);
        let value = node.value.take();
        self.len -= 1;
        if self.len == 0 {
            self.is_empty_now();
        }
        value
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let node = self.nodes.get(key.index as usize)?;
        (node.value.as_ref()).filter(|_| node.generation == key.generation)
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
    /// Whether there is anything to [`settle`](Self::settle).
    pub(crate) fn is_stirred(&self) -> bool {
        self.turn.is_stirred
    }

    /// The turn ends at `now`: what was set during it counts from here.
    pub(crate) fn settle(&mut self, now: Time) {
        self.now = self.now.max(now);
        let (soon, bound) = self.turn.end(now);
        if bound.of != NOBODY {
            self.lists.bound_mut(YOUNG).include(bound.least, bound.of);
        }
        for &index in &soon {
            let node = &self.nodes[index as usize];
            if node.list == FRESH {
                let deadline = node.moment.seen_from(now);
                self.place(index, deadline, now);
            }
        }
        self.turn.give_back(soon, Self::KEPT);
        let kept = self.nodes.len().max(Self::FEW);
        if self.turn.ends().len() >= kept {
            self.forget_ends(kept);
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
        if let Some(due) = self.least_due() {
            return Some(due);
        }
        let young = self.least_young();
        let placed = self.least_placed();
        match (young, placed) {
            (Some(young), Some(placed)) => Some(young.min(placed)),
            (young, placed) => young.or(placed),
        }
    }

    fn least_due(&self) -> Option<Time> {
        let mut due = self.due[self.next_due..].iter();
        let first = due.find(|passed| passed.is_still(&self.nodes[passed.node as usize]))?;
        Some(first.deadline)
    }

    fn least_young(&mut self) -> Option<Time> {
        let bound = *self.lists.bound_mut(YOUNG);
        if bound.of == NOBODY {
            return (bound.least < Time::MAX).then_some(bound.least);
        }
        match self.holds(YOUNG, bound) {
            true => Some(bound.least),
            false => self.look_through_young(),
        }
    }

    fn least_placed(&mut self) -> Option<Time> {
        while let Some(list) = self.lists.first_slot() {
            let bound = *self.lists.bound_mut(list);
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
        node.is_some_and(|node| {
            node.list == list && node.moment.deadline(self.turn.ends()) == Some(bound.least)
        })
    }

    /// It is `now`: what is due by now can be had from [`take_due`](Self::take_due).
    pub(crate) fn advance(&mut self, now: Time) {
        let before = self.seen;
        self.seen = now.max(before);
        self.now = self.now.max(now);
        // What was put off goes on in the order that it has with the others.
        let mut due = mem::take(&mut self.due);
        due.drain(..mem::take(&mut self.next_due));
        due.retain(|passed| passed.is_still(&self.nodes[passed.node as usize]));
        let (top, around) = place_of(self.seen, before);
        for level in 0..=top {
            let last = if level == top { around } else { DIGITS - 1 };
            let mut passed = self.lists.slots(level) & (u64::MAX >> (DIGITS - 1 - last));
            while passed != 0 {
                let slot = passed.trailing_zeros();
                passed &= passed - 1;
                self.divide(slot_of(level, slot), &mut due);
            }
        }
        if self.lists.bound_mut(YOUNG).least <= self.seen {
            self.divide(YOUNG, &mut due);
        }
        due.sort_unstable();
        self.due = due;
    }

    /// Take out the timer that is to run next, of those that were due when time last advanced. Those
    /// that have to wait are put off until [`keep_put_off`](Self::keep_put_off).
    #[inline]
    pub(crate) fn take_due(&mut self, mut waits: impl FnMut(&T) -> bool) -> Option<T> {
        loop {
            let passed = self.due.get(self.next_due)?;
            self.next_due += 1;
            let node = &self.nodes[passed.node as usize];
            match &node.value {
                Some(value) if passed.is_still(node) => {
                    if waits(value) {
                        self.put_off.push(*passed);
                        continue;
                    }
                }
                _ => continue,
            }
            let (index, generation) = (passed.node, node.generation);
            return self.remove(Key { index, generation });
        }
    }

    /// What was put off is due again, in its order.
    pub(crate) fn keep_put_off(&mut self) {
        debug_assert!(self.least_due().is_none(), "all have run or were put off");
        self.due.clear();
        self.due.shrink_to(Self::KEPT);
        self.next_due = 0;
        mem::swap(&mut self.due, &mut self.put_off);
    }
}

impl<T> Wheel<T> {
    /// Room for so many is kept; what a burst of more needed is given back.
    const KEPT: usize = 1024;

    /// A list with more is not looked through for its least deadline.
    const MANY: usize = 16;

    /// The ends of so many turns are kept at least.
    const FEW: usize = 64;

    /// Make nodes that are free. They are as many as there were, up to a bound, so that this is
    /// seldom and no more than is used.
    #[cold]
    fn grow(&mut self) {
        let first = self.nodes.len();
        let end = first + first.clamp(1, Self::KEPT);
        // More than 2^32 timers cannot be reached with any memory that exists.
        let free = (first..end).map(|index| Node::free(index as u32 + 1, self.base));
        self.nodes.extend(free);
        self.lists.grow(end);
    }

    /// Give the memory of a burst back, if there was one. New nodes start past every generation given
    /// out, so that old keys stay without a match.
    #[cold]
    fn is_empty_now(&mut self) {
        if self.nodes.len() <= Self::KEPT {
            return;
        }
        let newest = self.nodes.iter().map(|node| node.generation).max();
        self.base = newest.map_or(0, |generation| generation.wrapping_add(1));
        self.nodes = Vec::new();
        self.free = 0;
        self.lists.shed();
        self.turn.shed();
        self.due = Vec::new();
        self.next_due = 0;
        self.put_off = Vec::new();
    }

    /// Tell every timer its deadline, so that it is not asked any more when turns ended.
    #[cold]
    fn forget_ends(&mut self, kept: usize) {
        for node in &mut self.nodes {
            if let Some(deadline) = node.moment.deadline(self.turn.ends()) {
                node.moment = Moment::Settled(deadline);
            }
        }
        self.turn.forget_ends(kept);
    }

    /// Collect what is due of a list, and put the rest into slots: of lower levels than its own, but
    /// for what was set again.
    fn divide(&mut self, list: u32, due: &mut Vec<Passed>) {
        let mut next = self.lists.take(list);
        while let Some(index) = next {
            next = self.lists.after(index);
            let node = &mut self.nodes[index as usize];
            match node.moment.deadline(self.turn.ends()) {
                Some(deadline) if deadline <= self.seen => {
                    node.list = DUE;
                    due.push(Passed {
                        deadline,
                        number: node.number,
                        node: index,
                    });
                }
                Some(deadline) => self.put(index, deadline),
                None => self.turn.wait(index, node, &mut self.lists),
            }
        }
    }

    /// The timer with the least deadline of the young has another one or is gone: find the next, if
    /// they are not many.
    fn look_through_young(&mut self) -> Option<Time> {
        let mut found = Bound::NONE;
        let mut next = self.lists.first(YOUNG);
        for _ in 0..Self::MANY {
            let Some(of) = next else {
                break;
            };
            let moment = self.nodes[of as usize].moment;
            match (moment.deadline(self.turn.ends()), moment) {
                (Some(least), _) => found.include(least, of),
                // It stayed here because of a bound that may no longer be.
                (None, Moment::After { nanos, .. }) => self.turn.include(nanos, of),
                (None, _) => {}
            }
            next = self.lists.after(of);
        }
        if next.is_some() {
            let bound = self.lists.bound_mut(YOUNG);
            bound.of = NOBODY;
            return Some(bound.least);
        }
        *self.lists.bound_mut(YOUNG) = found;
        (found.of != NOBODY).then_some(found.least)
    }

    /// The same of a slot: each of its timers is put where it belongs by now. Returns whether they
    /// were few.
    fn place_again(&mut self, list: u32) -> bool {
        if self.lists.holds_more_than(list, Self::MANY) {
            self.lists.bound_mut(list).of = NOBODY;
            return false;
        }
        let mut next = self.lists.take(list);
        while let Some(index) = next {
            next = self.lists.after(index);
            let node = &mut self.nodes[index as usize];
            match node.moment.deadline(self.turn.ends()) {
                Some(deadline) => self.put(index, deadline),
                None => self.turn.wait(index, node, &mut self.lists),
            }
        }
        true
    }

    /// Put a timer that is in no list to the young or into a slot.
    fn place(&mut self, index: u32, deadline: Time, now: Time) {
        if deadline > now.plus(Turn::SOON) {
            self.join(YOUNG, index, deadline);
        } else {
            self.put(index, deadline);
        }
    }

    /// Put a timer that is in no list into the slot of that deadline. One that has passed counts as
    /// the present.
    #[inline]
    fn put(&mut self, index: u32, deadline: Time) {
        let deadline = deadline.max(self.seen);
        let (level, slot) = place_of(deadline, self.seen);
        self.join(slot_of(level, slot), index, deadline);
    }

    #[inline]
    fn join(&mut self, list: u32, index: u32, deadline: Time) {
        let node = &mut self.nodes[index as usize];
        node.moment = Moment::Settled(deadline);
        node.list = list;
        self.lists.append(list, index);
        self.lists.bound_mut(list).include(deadline, index);
    }
}

#[inline]
fn find<T>(nodes: &mut [Node<T>], key: Key) -> Option<&mut Node<T>> {
    let node = nodes.get_mut(key.index as usize)?;
    (node.generation == key.generation).then_some(node)
}

#[cfg(test)]
mod tests;
