/// Values under keys that are never used twice: a key of something that is gone finds nothing.
#[derive(Debug)]
pub(super) struct Slab<T> {
    places: Vec<Place<T>>,
    /// The place that was left last.
    free: Option<u32>,
    len: usize,
}

#[derive(Debug)]
enum Place<T> {
    Taken(u32, T),
    /// The generation to come, and the place that was left before.
    Free(u32, Option<u32>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Self {
            places: Vec::new(),
            free: None,
            len: 0,
        }
    }

    pub(super) fn insert(&mut self, value: T) -> Key {
        self.len += 1;
        if let Some(index) = self.free
            && let place = &mut self.places[index as usize]
            && let Place::Free(generation, before) = *place
        {
            self.free = before;
            *place = Place::Taken(generation, value);
            return Key { index, generation };
        }
        let index = self.places.len() as u32;
        self.places.push(Place::Taken(0, value));
        Key {
            index,
            generation: 0,
        }
    }

    pub(super) fn get(&self, key: Key) -> Option<&T> {
        match self.places.get(key.index as usize)? {
            Place::Taken(generation, value) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.places.get_mut(key.index as usize)? {
            Place::Taken(generation, value) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        let next = Place::Free(key.generation.wrapping_add(1), self.free);
        let place = std::mem::replace(&mut self.places[key.index as usize], next);
        self.free = Some(key.index);
        self.len -= 1;
        match place {
            Place::Taken(_, value) => Some(value),
            Place::Free(..) => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.places
            .iter()
            .enumerate()
            .filter_map(|(index, place)| match place {
                Place::Taken(generation, value) => Some((
                    Key {
                        index: index as u32,
                        generation: *generation,
                    },
                    value,
                )),
                Place::Free(..) => None,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_what_is_gone_finds_nothing() {
        let mut slab = Slab::new();
        let one = slab.insert("one");
        let two = slab.insert("two");
        assert_eq!(slab.remove(one), Some("one"));
        let three = slab.insert("three"); // in the same place
        assert_eq!(slab.get(one), None);
        assert_eq!(slab.remove(one), None);
        assert_eq!(
            (slab.get(two), slab.get(three)),
            (Some(&"two"), Some(&"three"))
        );
        assert_eq!((slab.len(), slab.iter().count()), (2, 2));
    }
}
