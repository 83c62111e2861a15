use std::mem;

use crate::Time;

/// The lists of a wheel: which nodes are in them, and what is known of their deadlines.
///
/// Lists are doubly linked, and closed to rings by a link of their own, their *head*, so that no
/// node is the first or the last of one.
pub(super) struct Lists {
    /// The heads of all lists, then a link for each node.
    links: Vec<Link>,
    /// For each list, the least deadline in it.
    bounds: [Bound; HEADS],
    /// For each level, which of its slots hold timers.
    slots: [u64; LEVELS],
    /// Which levels hold timers.
    levels: u16,
}

/// Neighbours in a list.
#[derive(Clone, Copy)]
struct Link {
    before: u32,
    after: u32,
}

/// `NONE` while its list is empty.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    /// Not later than any deadline in the list.
    pub(super) least: Time,
    /// Whose deadline it is or was. Nobody's if it is known to be early.
    pub(super) of: u32,
}

/// Of a bound whose timer is not known.
pub(super) const NOBODY: u32 = u32::MAX;

/// The list of the young. Those before it are the slots.
pub(super) const YOUNG: u32 = LEVELS as u32 * DIGITS;
/// The link of the first node.
const NODES: u32 = YOUNG + 1;
const HEADS: usize = NODES as usize;

const LEVELS: usize = u64::BITS.div_ceil(DIGIT) as usize;
/// How many bits a digit has.
const DIGIT: u32 = 6;
/// How many slots a level has.
pub(super) const DIGITS: u32 = 1 << DIGIT;

impl Default for Lists {
    fn default() -> Self {
        Self {
            links: (0..NODES).map(Link::alone).collect(),
            bounds: [Bound::NONE; HEADS],
            slots: [0; LEVELS],
            levels: 0,
        }
    }
}

/// The nodes of lists.
impl Lists {
    #[inline]
    pub(super) fn append(&mut self, list: u32, node: u32) {
        let link = NODES + node;
        let before = mem::replace(&mut self.links[list as usize].before, link);
        self.links[before as usize].after = link;
        self.links[link as usize] = Link {
            before,
            after: list,
        };
        if list < YOUNG {
            self.slots[(list / DIGITS) as usize] |= 1 << (list % DIGITS);
            self.levels |= 1 << (list / DIGITS);
        }
    }

    /// Take a node out of that list, if it is one.
    #[inline]
    pub(super) fn leave(&mut self, list: u32, node: u32) {
        if list <= YOUNG {
            self.unlink(node);
        }
    }

    #[inline]
    fn unlink(&mut self, node: u32) {
        let Link { before, after } = self.links[(NODES + node) as usize];
        self.links[before as usize].after = after;
        self.links[after as usize].before = before;
        if before == after {
            self.vacate(before);
        }
    }

    /// Make a list empty, and say which was its first. The others are had from
    /// [`after`](Self::after), of each before it is put elsewhere; the last one leads nowhere but back
    /// to the head, which is no node's link.
    pub(super) fn take(&mut self, list: u32) -> Option<u32> {
        let first = self.first(list);
        if first.is_some() {
            self.links[list as usize] = Link::alone(list);
            self.vacate(list);
        }
        first
    }

    #[inline]
    pub(super) fn first(&self, list: u32) -> Option<u32> {
        self.links[list as usize].after.checked_sub(NODES)
    }

    /// The next of a list.
    #[inline]
    pub(super) fn after(&self, node: u32) -> Option<u32> {
        self.links[(NODES + node) as usize].after.checked_sub(NODES)
    }

    pub(super) fn holds_more_than(&self, list: u32, many: usize) -> bool {
        let first = self.first(list);
        let all = std::iter::successors(first, |node| self.after(*node));
        all.take(many + 1).count() > many
    }

    /// The list is empty.
    fn vacate(&mut self, list: u32) {
        self.bounds[list as usize] = Bound::NONE;
        if list < YOUNG {
            let level = (list / DIGITS) as usize;
            self.slots[level] &= !(1 << (list % DIGITS));
            if self.slots[level] == 0 {
                self.levels &= !(1 << level);
            }
        }
    }

    #[inline]
    pub(super) fn bound_mut(&mut self, list: u32) -> &mut Bound {
        &mut self.bounds[list as usize]
    }

    /// Whether this is a list that will be taken apart by that time.
    #[inline]
    pub(super) fn is_due_by(&self, list: u32, time: Time) -> bool {
        let bound = self.bounds.get(list as usize);
        bound.is_some_and(|bound| bound.least <= time)
    }

    /// Which slots of a level hold timers.
    pub(super) fn slots(&self, level: u32) -> u64 {
        self.slots[level as usize]
    }

    /// The first slot that holds timers.
    pub(super) fn first_slot(&self) -> Option<u32> {
        let level = self.levels.trailing_zeros();
        let slots = self.slots.get(level as usize)?;
        Some(slot_of(level, slots.trailing_zeros()))
    }
}

/// Room for nodes.
impl Lists {
    /// There are so many.
    pub(super) fn grow(&mut self, nodes: usize) {
        self.links.resize(HEADS + nodes, Link::alone(0));
    }

    /// There are none any more.
    pub(super) fn shed(&mut self) {
        self.links.truncate(HEADS);
        self.links.shrink_to_fit();
    }

    /// For how many there is memory.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.links.capacity() - HEADS
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
    pub(super) const NONE: Self = Self {
        least: Time::MAX,
        of: NOBODY,
    };

    /// A timer with that deadline joins the list.
    #[inline]
    pub(super) fn include(&mut self, deadline: Time, of: u32) {
        if deadline <= self.least {
            *self = Self {
                least: deadline,
                of,
            };
        }
    }
}

/// Level and slot of a deadline.
#[inline]
pub(super) fn place_of(deadline: Time, seen: Time) -> (u32, u32) {
    let level = ((deadline.as_nanos() ^ seen.as_nanos()) | 1).ilog2() / DIGIT;
    let slot = (deadline.as_nanos() >> (level * DIGIT)) as u32 % DIGITS;
    (level, slot)
}

#[inline]
pub(super) fn slot_of(level: u32, slot: u32) -> u32 {
    level * DIGITS + slot
}
