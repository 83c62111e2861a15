use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::continuation::Continuation;
use crate::grid::Grid;
use crate::link::Link;
use crate::slots::{Key, Slots};
use crate::{AttemptId, ConnectionId, Net, Time};

/// All timers of an engine: an indexed heap, so that cancelling removes and resetting moves.
///
/// A timer set within a turn is `Fresh` until the turn ends, because its time counts from there;
/// then it is in the heap, by deadline and then by the order in which it was set.
#[derive(Default)]
pub(crate) struct Timers {
    armed: Slots<Armed>,
    heap: Vec<Node>,
    fresh: Vec<Fresh>,
    /// Numbers settings, so that equal deadlines keep their order.
    sequence: u64,
}

struct Armed {
    at: At,
    action: Action,
}

#[derive(Clone, Copy)]
enum At {
    Heap(usize),
    Fresh(usize),
}

#[derive(Clone, Copy)]
struct Node {
    deadline: Time,
    sequence: u64,
    key: Key,
}

#[derive(Clone, Copy)]
struct Fresh {
    when: When,
    sequence: u64,
    key: Key,
}

/// When a timer is due, as seen from the end of the turn in which it is set.
#[derive(Clone, Copy)]
pub(crate) enum When {
    After(Duration),
    /// At the next moment of the grid, so that how long the turn takes does not add up.
    On(Grid),
}

impl When {
    fn seen_from(self, now: Time) -> Time {
        match self {
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

/// What a timer does. Dropping one may run user code.
pub(crate) enum Action {
    /// The user's, belonging to no connection, and where it was set.
    Free(Box<dyn FnOnce(&Net)>, &'static Location<'static>),
    /// The user's, belonging to a connection.
    Connection(Rc<Link>, Rc<dyn Continuation>),
    /// The deadline of an attempt to connect.
    Attempt(AttemptId),
    /// The deadline of a close that is being flushed.
    Flush(ConnectionId),
    /// What a connection's filters wait for.
    Filter(ConnectionId),
    /// The deadline of a connection's filters to be ready.
    Handshake(ConnectionId),
    /// The deadline of a stop.
    Stop,
}

impl Default for Slots<Armed> {
    fn default() -> Self {
        Self::new()
    }
}

impl Timers {
    /// Set a timer whose time counts from the end of this turn.
    pub(crate) fn set(&mut self, when: impl Into<When>, action: Action) -> Key {
        let at = At::Fresh(self.fresh.len());
        let key = self.armed.insert(Armed { at, action });
        self.push_fresh(key, when);
        key
    }

    /// Set the timer again, from now. Returns whether it was still armed.
    pub(crate) fn reset(&mut self, key: Key, after: Duration) -> bool {
        let Some(at) = self.armed.get(key).map(|armed| armed.at) else {
            return false;
        };
        self.unlink(at);
        self.push_fresh(key, after);
        true
    }

    /// Move the timer's deadline further away. Returns whether it was still armed.
    pub(crate) fn delay(&mut self, key: Key, by: Duration) -> bool {
        let Some(at) = self.armed.get(key).map(|armed| armed.at) else {
            return false;
        };
        match at {
            At::Fresh(index) => {
                let fresh = &mut self.fresh[index];
                fresh.when = fresh.when.later(by);
            }
            At::Heap(position) => {
                let node = &mut self.heap[position];
                node.deadline = node.deadline + by;
                self.sink(position);
            }
        }
        true
    }

    /// Take the timer out; the caller drops or runs its action where user code may run.
    pub(crate) fn remove(&mut self, key: Key) -> Option<Action> {
        let armed = self.armed.remove(key)?;
        self.unlink(armed.at);
        Some(armed.action)
    }

    pub(crate) fn is_armed(&self, key: Key) -> bool {
        self.armed.get(key).is_some()
    }

    /// Whether the timer is armed for `now` or before.
    pub(crate) fn is_due(&self, key: Key, now: Time) -> bool {
        match self.armed.get(key).map(|armed| armed.at) {
            Some(At::Heap(position)) => self.heap[position].deadline <= now,
            Some(At::Fresh(_)) | None => false,
        }
    }

    pub(crate) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.armed.is_empty()
    }

    /// Where the user's timers that belong to no connection were set.
    pub(crate) fn free(&self) -> Vec<&'static Location<'static>> {
        self.armed
            .values()
            .filter_map(|armed| match armed.action {
                Action::Free(_, site) => Some(site),
                _ => None,
            })
            .collect()
    }

    /// The turn ends at `now`: what was set during it counts from here.
    pub(crate) fn settle_fresh(&mut self, now: Time) {
        for index in 0..self.fresh.len() {
            let Fresh {
                when,
                sequence,
                key,
            } = self.fresh[index];
            let position = self.heap.len();
            self.heap.push(Node {
                deadline: when.seen_from(now),
                sequence,
                key,
            });
            self.note(key, At::Heap(position));
            self.rise(position);
        }
        self.fresh.clear();
        self.fresh.shrink_to(Self::KEPT);
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.heap.first().map(|node| node.deadline)
    }

    /// Everything due at `now`, in order. They stay armed, so that one that is cancelled by
    /// another does not run.
    pub(crate) fn due(&self, now: Time) -> Vec<Key> {
        let mut due = Vec::new();
        let mut look = vec![0];
        while let Some(position) = look.pop() {
            match self.heap.get(position) {
                Some(node) if node.deadline <= now => {
                    due.push(*node);
                    look.extend([2 * position + 1, 2 * position + 2]);
                }
                _ => {}
            }
        }
        due.sort_unstable_by_key(|node| (node.deadline, node.sequence));
        due.iter().map(|node| node.key).collect()
    }

    pub(crate) fn action(&self, key: Key) -> Option<&Action> {
        self.armed.get(key).map(|armed| &armed.action)
    }

    /// Take out the user's timers that belong to no connection, for the end of a stop.
    pub(crate) fn drain_free(&mut self) -> Vec<Action> {
        let keys: Vec<_> = self
            .armed
            .keys()
            .filter(|key| matches!(self.action(*key), Some(Action::Free(..))))
            .collect();
        keys.into_iter()
            .filter_map(|key| self.remove(key))
            .collect()
    }

    /// Take out every timer, for the end of the engine.
    pub(crate) fn drain(&mut self) -> Vec<Action> {
        let keys: Vec<_> = self.armed.keys().collect();
        keys.into_iter()
            .filter_map(|key| self.remove(key))
            .collect()
    }

    /// Room for this many timers is kept; what a burst of more needed is given back.
    const KEPT: usize = 1024;

    fn push_fresh(&mut self, key: Key, when: impl Into<When>) {
        let sequence = self.sequence;
        self.sequence += 1;
        self.note(key, At::Fresh(self.fresh.len()));
        self.fresh.push(Fresh {
            when: when.into(),
            sequence,
            key,
        });
    }

    fn note(&mut self, key: Key, at: At) {
        if let Some(armed) = self.armed.get_mut(key) {
            armed.at = at;
        }
    }

    fn unlink(&mut self, at: At) {
        match at {
            At::Fresh(index) => {
                self.fresh.swap_remove(index);
                if let Some(moved) = self.fresh.get(index) {
                    self.note(moved.key, At::Fresh(index));
                }
            }
            At::Heap(position) => {
                self.heap.swap_remove(position);
                if position < self.heap.len() {
                    self.note(self.heap[position].key, At::Heap(position));
                    self.rise(position);
                    self.sink(position);
                }
                if self.heap.len() > Self::KEPT && self.heap.len() < self.heap.capacity() / 4 {
                    self.heap.shrink_to(self.heap.len() * 2);
                }
            }
        }
    }

    fn before(&self, a: usize, b: usize) -> bool {
        let key = |node: &Node| (node.deadline, node.sequence);
        key(&self.heap[a]) < key(&self.heap[b])
    }

    fn rise(&mut self, mut position: usize) {
        while position > 0 {
            let parent = (position - 1) / 2;
            if !self.before(position, parent) {
                return;
            }
            self.swap(position, parent);
            position = parent;
        }
    }

    fn sink(&mut self, mut position: usize) {
        loop {
            let mut least = position;
            for child in [2 * position + 1, 2 * position + 2] {
                if child < self.heap.len() && self.before(child, least) {
                    least = child;
                }
            }
            if least == position {
                return;
            }
            self.swap(position, least);
            position = least;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.note(self.heap[a].key, At::Heap(a));
        self.note(self.heap[b].key, At::Heap(b));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(timers: &mut Timers, millis: u64) -> Key {
        timers.set(Duration::from_millis(millis), Action::Stop)
    }

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn due_timers_come_by_deadline_and_then_in_the_order_they_were_set() {
        let mut timers = Timers::default();
        let late = set(&mut timers, 9);
        let first = set(&mut timers, 5);
        let second = set(&mut timers, 5);
        let soon = set(&mut timers, 1);
        timers.settle_fresh(at(100));
        assert_eq!(timers.next_deadline(), Some(at(101)));
        assert_eq!(timers.due(at(104)), [soon]);
        assert_eq!(timers.due(at(109)), [soon, first, second, late]);
    }

    #[test]
    fn a_reset_moves_and_a_delay_adds_to_what_was_planned() {
        let mut timers = Timers::default();
        let one = set(&mut timers, 10);
        let two = set(&mut timers, 20);
        timers.settle_fresh(at(0));
        assert!(timers.delay(one, Duration::from_millis(30)));
        assert!(timers.reset(two, Duration::from_millis(1)));
        timers.settle_fresh(at(5));
        assert_eq!(timers.due(at(39)), [two]);
        assert_eq!(timers.due(at(40)), [two, one]);
    }

    /// Against a plain sorted list, through a long mix of settings, resets and removals.
    #[test]
    fn the_heap_agrees_with_a_sorted_list() {
        let mut timers = Timers::default();
        let mut model: Vec<(Time, Key)> = Vec::new();
        let mut random = 0x9e37_79b9_u64;
        for round in 0..5_000_u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let pick = (random >> 33) as usize;
            let millis = (random >> 40) % 50;
            let now = at(round);
            match pick % 4 {
                0 | 1 => model.push((
                    now + Duration::from_millis(millis),
                    set(&mut timers, millis),
                )),
                2 if !model.is_empty() => {
                    let (_, key) = model.remove(pick % model.len());
                    assert!(timers.remove(key).is_some());
                    assert!(timers.remove(key).is_none());
                }
                3 if !model.is_empty() => {
                    let (_, key) = model.remove(pick % model.len());
                    assert!(timers.reset(key, Duration::from_millis(millis)));
                    model.push((now + Duration::from_millis(millis), key));
                }
                _ => {}
            }
            timers.settle_fresh(now);
            let mut expected = model.clone();
            expected.sort_by_key(|(deadline, _)| *deadline);
            assert_eq!(
                timers.next_deadline(),
                expected.first().map(|(deadline, _)| *deadline)
            );
            let due = timers.due(at(round + 10));
            let expected: Vec<_> = expected
                .iter()
                .filter(|(deadline, _)| *deadline <= at(round + 10))
                .map(|(_, key)| *key)
                .collect();
            assert_eq!(due, expected);
        }
    }

    #[test]
    fn a_million_cancelled_timers_hold_no_memory() {
        let mut timers = Timers::default();
        for _ in 0..1_000_000 {
            let key = set(&mut timers, 60_000);
            timers.settle_fresh(at(0));
            timers.remove(key);
        }
        assert!(timers.is_empty());
        assert!(timers.heap.capacity() <= 2 * Timers::KEPT);
        assert!(timers.fresh.capacity() <= 2 * Timers::KEPT);
        assert_eq!(
            timers.armed.next_key().index,
            0,
            "the one place is used again"
        );
    }
}
