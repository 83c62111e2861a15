use std::any::{Any, TypeId};
use std::cell::{Cell, OnceCell, RefCell};
use std::mem;

use crate::Net;

/// Where the closures of free timers are kept: one pool for each type of closure, so that a timer
/// that is set and cancelled again and again allocates nothing.
///
/// A program has as many types of them as it has places where it sets timers.
#[derive(Default)]
pub(crate) struct Pools {
    /// By their numbers.
    pools: Row,
    /// The number of the pool for a type of closure, in the order of types.
    numbers: RefCell<Vec<(TypeId, u32)>>,
    /// Which was used last: a burst of timers is set in one place.
    last: Cell<u32>,
}

/// Pools in the order in which they came. They stay as long as the engine, so nothing is borrowed
/// and no handle counted to use one, while it runs a closure that makes another.
#[derive(Default)]
struct Row {
    pools: [OnceCell<Box<dyn Pool>>; WIDTH],
    /// The pools after these.
    next: OnceCell<Box<Self>>,
}

/// A closure in its pool, to be [run](Pools::run) or [discarded](Pools::discard). There it stays
/// until then, or until the engine is gone.
#[must_use]
pub(crate) struct Pooled {
    pool: u32,
    place: u32,
}

/// A pool for closures of any type.
trait Pool: Any {
    fn run(&self, place: u32, net: &Net);

    fn discard(&self, place: u32);
}

/// A pool for closures of one type.
struct PoolOf<F>(RefCell<Places<F>>);

struct Places<F> {
    places: Vec<Place<F>>,
    /// How many of them are full.
    len: usize,
    /// The first that is free; `GONE` if all are full.
    free: u32,
}

enum Place<F> {
    Full(F),
    /// And which is the next.
    Free(u32),
}

const GONE: u32 = u32::MAX;

/// An empty pool keeps room for this many.
const KEPT: usize = 256;

/// So many pools are in a row.
const WIDTH: usize = 32;

/// A closure with more bytes has a box of its own, so that what a pool keeps stays little.
const LARGE: usize = 128;

impl Pools {
    /// Keep `f` until it is run or discarded.
    #[inline(always)]
    pub(crate) fn put<F: FnOnce(&Net) + 'static>(&self, f: F) -> Pooled {
        if const { size_of::<F>() > LARGE } {
            let large = Box::new(f);
            self.put_small(move |net: &Net| large(net))
        } else {
            self.put_small(f)
        }
    }

    #[inline(always)]
    fn put_small<F: FnOnce(&Net) + 'static>(&self, f: F) -> Pooled {
        let (pool, of) = loop {
            let last = self.last.get();
            if let Some(of) = self.pools.get(last).and_then(of::<F>) {
                break (last, of);
            }
            self.find::<F>();
        };
        let place = of.put(f);
        Pooled { pool, place }
    }

    /// Make the pool for this type the one that was used last.
    #[cold]
    fn find<F: FnOnce(&Net) + 'static>(&self) {
        let mut numbers = self.numbers.borrow_mut();
        let wanted = TypeId::of::<F>();
        let number = match numbers.binary_search_by_key(&wanted, |(of, _)| *of) {
            Ok(at) => numbers[at].1,
            Err(at) => {
                // There are fewer types than numbers.
                let number = numbers.len() as u32;
                numbers.insert(at, (wanted, number));
                self.pools.put(number, Box::new(PoolOf::<F>::default()));
                number
            }
        };
        self.last.set(number);
    }

    /// Run the closure.
    #[inline]
    pub(crate) fn run(&self, closure: Pooled, net: &Net) {
        if let Some(pool) = self.pools.get(closure.pool) {
            pool.run(closure.place, net);
        }
    }

    /// Drop the closure, which is the user's.
    #[inline]
    pub(crate) fn discard(&self, closure: Pooled) {
        if let Some(pool) = self.pools.get(closure.pool) {
            pool.discard(closure.place);
        }
    }
}

impl Row {
    #[inline]
    fn get(&self, number: u32) -> Option<&dyn Pool> {
        let mut row = self;
        let mut place = number as usize;
        while place >= WIDTH {
            row = row.next.get()?;
            place -= WIDTH;
        }
        row.pools[place].get().map(|pool| &**pool)
    }

    fn put(&self, number: u32, pool: Box<dyn Pool>) {
        let mut row = self;
        let mut place = number as usize;
        while place >= WIDTH {
            row = row.next.get_or_init(Box::default);
            place -= WIDTH;
        }
        let _ = row.pools[place].set(pool);
    }
}

fn of<F: 'static>(pool: &dyn Pool) -> Option<&PoolOf<F>> {
    (pool as &dyn Any).downcast_ref()
}

impl<F: FnOnce(&Net) + 'static> Pool for PoolOf<F> {
    fn run(&self, place: u32, net: &Net) {
        if let Some(f) = self.take(place) {
            f(net);
        }
    }

    fn discard(&self, place: u32) {
        // Taken out first: its drop is the user's, who may set timers in it.
        let f = self.take(place);
        drop(f);
    }
}

impl<F> Default for PoolOf<F> {
    fn default() -> Self {
        Self(RefCell::new(Places {
            places: Vec::new(),
            len: 0,
            free: GONE,
        }))
    }
}

impl<F> PoolOf<F> {
    #[inline(always)]
    fn put(&self, f: F) -> u32 {
        let mut places = self.0.borrow_mut();
        let Places { places, len, free } = &mut *places;
        *len += 1;
        let place = *free;
        if let Some(room @ &mut Place::Free(next)) = places.get_mut(place as usize) {
            *room = Place::Full(f);
            *free = next;
            return place;
        }
        places.push(Place::Full(f));
        // There are fewer closures than timers, and of those fewer than numbers.
        places.len() as u32 - 1
    }

    #[inline]
    fn take(&self, place: u32) -> Option<F> {
        let mut places = self.0.borrow_mut();
        let Places { places, len, free } = &mut *places;
        let room = places.get_mut(place as usize)?;
        let Place::Full(f) = mem::replace(room, Place::Free(*free)) else {
            return None;
        };
        *free = place;
        *len -= 1;
        if *len == 0 {
            Self::is_empty_now(places, free);
        }
        Some(f)
    }

    /// Give the memory of a burst back, if there was one.
    #[cold]
    fn is_empty_now(places: &mut Vec<Place<F>>, free: &mut u32) {
        if places.len() > KEPT {
            *places = Vec::new();
            *free = GONE;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn a_place_is_used_again_and_a_burst_gives_its_memory_back() {
        let pools = Pools::default();
        let alive = Rc::new(());
        let put = || {
            let held = Rc::clone(&alive);
            pools.put(move |_| drop(held))
        };
        for _ in 0..3 {
            let one = put();
            assert_eq!((one.pool, one.place), (0, 0));
            pools.discard(one);
        }
        let many: Vec<_> = (0..5000).map(|_| put()).collect();
        assert_eq!(Rc::strong_count(&alive), 5001);
        for one in many {
            pools.discard(one);
        }
        assert_eq!(Rc::strong_count(&alive), 1);
        assert_eq!(put().place, 0);
        let other = pools.put(|_| ());
        let large = [0_u8; 1000];
        let larger = pools.put(move |_| assert_eq!(large[0], 0));
        assert_eq!((other.pool, other.place), (1, 0));
        assert_eq!((larger.pool, larger.place), (2, 0));
        assert_eq!(put().place, 1);
        drop(pools);
        assert_eq!(Rc::strong_count(&alive), 1);
    }

    #[test]
    fn pools_of_many_types_have_more_than_one_row() {
        let row = Row::default();
        for number in 0..100 {
            assert!(row.get(number).is_none());
            row.put(number, Box::new(PoolOf::<fn(&Net)>::default()));
        }
        assert!((0..100).all(|number| row.get(number).is_some()));
        assert!(row.get(100).is_none());
    }
}
