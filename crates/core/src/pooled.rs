use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::mem;
use std::rc::Rc;

use crate::Net;

/// Where the closures of free timers are kept: one pool for each type of closure, so that a timer
/// that is set and cancelled again and again allocates nothing.
///
/// A program has as many types of them as it has places where it sets timers.
#[derive(Default)]
pub(crate) struct Pools {
    /// By the type of the closure.
    pools: RefCell<Vec<(TypeId, Rc<dyn Pool>)>>,
    /// Which was used last: a burst of timers is set in one place.
    last: Cell<usize>,
}

/// A closure in its pool, to be run once. Dropping it drops the closure.
pub(crate) struct Pooled {
    pool: Rc<dyn Pool>,
    /// `GONE` when it has run.
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

/// A closure with more bytes has a box of its own, so that what a pool keeps stays little.
const LARGE: usize = 128;

impl Pools {
    /// Keep `f` until it is run or dropped.
    #[inline]
    pub(crate) fn put<F: FnOnce(&Net) + 'static>(&self, f: F) -> Pooled {
        if const { size_of::<F>() > LARGE } {
            let large = Box::new(f);
            self.put_small(move |net: &Net| large(net))
        } else {
            self.put_small(f)
        }
    }

    #[inline]
    fn put_small<F: FnOnce(&Net) + 'static>(&self, f: F) -> Pooled {
        let pools = self.pools.borrow();
        if let Some((_, pool)) = pools.get(self.last.get())
            && let Some(pool_of) = of::<F>(&**pool)
        {
            let place = pool_of.put(f);
            let pool = Rc::clone(pool);
            return Pooled { pool, place };
        }
        drop(pools);
        self.find::<F>();
        self.put_small(f)
    }

    /// Make the pool for this type the one that was used last.
    #[cold]
    fn find<F: FnOnce(&Net) + 'static>(&self) {
        let mut pools = self.pools.borrow_mut();
        let wanted = TypeId::of::<F>();
        let at = match pools.binary_search_by_key(&wanted, |(of, _)| *of) {
            Ok(at) => at,
            Err(at) => {
                let places = Places::<F> {
                    places: Vec::new(),
                    len: 0,
                    free: GONE,
                };
                pools.insert(at, (wanted, Rc::new(PoolOf(RefCell::new(places)))));
                at
            }
        };
        self.last.set(at);
    }
}

fn of<F: 'static>(pool: &dyn Pool) -> Option<&PoolOf<F>>
where
    PoolOf<F>: Pool,
{
    (pool as &dyn Any).downcast_ref()
}

impl Pooled {
    pub(crate) fn run(mut self, net: &Net) {
        let place = mem::replace(&mut self.place, GONE);
        self.pool.run(place, net);
    }
}

impl Drop for Pooled {
    #[inline]
    fn drop(&mut self) {
        if self.place != GONE {
            self.pool.discard(self.place);
        }
    }
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

impl<F> PoolOf<F> {
    #[inline]
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
        if *len == 0 && places.len() > KEPT {
            *places = Vec::new();
            *free = GONE;
        }
        Some(f)
    }
}

#[cfg(test)]
mod tests {
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
            assert_eq!(put().place, 0);
        }
        let many: Vec<_> = (0..5000).map(|_| put()).collect();
        assert_eq!(Rc::strong_count(&alive), 5001);
        drop(many);
        assert_eq!(Rc::strong_count(&alive), 1);
        assert_eq!(put().place, 0);
        assert_eq!(pools.pools.borrow().len(), 1);
        let other = pools.put(|_| ());
        let large = [0_u8; 1000];
        let larger = pools.put(move |_| assert_eq!(large[0], 0));
        assert_eq!((other.place, larger.place), (0, 0));
        assert_eq!(pools.pools.borrow().len(), 3);
    }
}
