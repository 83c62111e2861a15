use std::fmt;

/// A table whose keys carry a generation, so that a key of something that is gone never finds
/// what came into its place.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    entries: Vec<Entry<T>>,
    free: Option<u32>,
    len: usize,
    /// The generation that a new place starts with.
    base: u32,
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    content: Content<T>,
}

#[derive(Debug)]
enum Content<T> {
    Full(T),
    Free { next: Option<u32> },
}

/// Where a value is, and which use of that place it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// Generations stay below this, so that index and generation fit one 64-bit token with bits to
/// spare for what kind of thing it names.
const GENERATIONS: u32 = 1 << 28;

impl<T> Slots<T> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: None,
            len: 0,
            base: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The key that the next [`insert`](Self::insert) will return: for values that know their own.
    pub(crate) fn next_key(&self) -> Key {
        match self.free {
            Some(index) => Key {
                index,
                generation: self.entries[index as usize].generation,
            },
            None => Key {
                // More than 2^32 live values cannot be reached with any memory that exists.
                index: self.entries.len() as u32,
                generation: self.base,
            },
        }
    }

    pub(crate) fn insert(&mut self, value: T) -> Key {
        let key = self.next_key();
        self.len += 1;
        match self.entries.get_mut(key.index as usize) {
            Some(entry) => {
                if let Content::Free { next } = entry.content {
                    self.free = next;
                }
                entry.content = Content::Full(value);
            }
            None => self.entries.push(Entry {
                generation: key.generation,
                content: Content::Full(value),
            }),
        }
        key
    }

    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        match self.entries.get(key.index as usize) {
            Some(Entry {
                generation,
                content: Content::Full(value),
            }) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.entries.get_mut(key.index as usize) {
            Some(Entry {
                generation,
                content: Content::Full(value),
            }) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        let entry = &mut self.entries[key.index as usize];
        entry.generation =
            (entry.generation + u32::from(!planted!("stale_generation"))) % GENERATIONS;
        let content = std::mem::replace(&mut entry.content, Content::Free { next: self.free });
        self.free = Some(key.index);
        self.len -= 1;
        if self.len == 0 && self.entries.len() > Self::KEPT {
            self.shed();
        }
        match content {
            Content::Full(value) => Some(value),
            Content::Free { .. } => None,
        }
    }

    /// An empty table keeps room for this many.
    const KEPT: usize = 1024;

    /// Give the memory of a burst back. New places start past every generation given out, so
    /// that old keys stay without a match.
    fn shed(&mut self) {
        let newest = self.entries.iter().map(|entry| entry.generation).max();
        self.base = newest.map_or(0, |generation| (generation + 1) % GENERATIONS);
        self.entries = Vec::new();
        self.free = None;
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> {
        (0..).zip(&self.entries).filter_map(|(index, entry)| {
            matches!(entry.content, Content::Full(_)).then_some(Key {
                index,
                generation: entry.generation,
            })
        })
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.entries
            .iter()
            .filter_map(|entry| match &entry.content {
                Content::Full(value) => Some(value),
                Content::Free { .. } => None,
            })
    }
}

impl Key {
    /// Index and generation in the low 60 bits.
    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self {
            index: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}v{}", self.index, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_does_not_find_the_new_value() {
        let mut slots = Slots::new();
        let old = slots.insert('a');
        assert_eq!(slots.remove(old), Some('a'));
        let new = slots.insert('b');
        assert_eq!(new.index, old.index);
        assert_eq!(slots.get(old), None);
        assert_eq!(slots.remove(old), None);
        assert_eq!(slots.get(new), Some(&'b'));
    }

    #[test]
    fn the_key_told_ahead_is_the_one_given() {
        let mut slots = Slots::new();
        for round in 0..3 {
            let told = slots.next_key();
            let given = slots.insert(round);
            assert_eq!(told, given);
            if round == 1 {
                slots.remove(given);
            }
        }
        assert_eq!(slots.len(), 2);
        assert_eq!(slots.keys().count(), 2);
    }

    #[test]
    fn an_emptied_table_gives_its_memory_back_and_still_knows_old_keys() {
        let mut slots = Slots::new();
        let keys: Vec<_> = (0..5000).map(|n| slots.insert(n)).collect();
        for key in &keys {
            slots.remove(*key);
        }
        assert_eq!(slots.entries.capacity(), 0);
        let new = slots.insert(1);
        assert!(
            keys.iter()
                .all(|old| *old != new && slots.get(*old).is_none())
        );
    }

    #[test]
    fn bits_and_back() {
        let key = Key {
            index: 7,
            generation: GENERATIONS - 1,
        };
        assert_eq!(Key::from_bits(key.to_bits()), key);
        assert!(key.to_bits() < 1 << 60);
    }
}
