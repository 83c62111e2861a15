use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

/// The order in which a [`BaseQueue`](super::BaseQueue) gives things back.
pub trait Store: Default + 'static {
    /// What is stored.
    type Item: 'static;

    /// Put one more in.
    fn push(&mut self, item: Self::Item);

    /// Take out the one whose turn it is.
    fn pop(&mut self) -> Option<Self::Item>;

    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// First in, first out.
#[derive(Debug)]
pub struct Fifo<T>(VecDeque<T>);

/// Last in, first out.
#[derive(Debug)]
pub struct Lifo<T>(Vec<T>);

/// The smallest first; of equal ones, the one that came first.
#[derive(Debug)]
pub struct Smallest<T> {
    heap: BinaryHeap<Reverse<Ranked<T>>>,
    next: u64,
}

/// By value, then by age.
#[derive(Debug)]
struct Ranked<T> {
    item: T,
    number: u64,
}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: 'static> Store for Fifo<T> {
    type Item = T;

    fn push(&mut self, item: T) {
        self.0.push_back(item);
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> Default for Lifo<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: 'static> Store for Lifo<T> {
    type Item = T;

    fn push(&mut self, item: T) {
        self.0.push(item);
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T: Ord> Default for Smallest<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            next: 0,
        }
    }
}

impl<T: Ord + 'static> Store for Smallest<T> {
    type Item = T;

    fn push(&mut self, item: T) {
        let number = self.next;
        self.next += 1;
        self.heap.push(Reverse(Ranked { item, number }));
    }

    fn pop(&mut self) -> Option<T> {
        self.heap.pop().map(|Reverse(ranked)| ranked.item)
    }

    fn len(&self) -> usize {
        self.heap.len()
    }
}

impl<T: Ord> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_item = self.item.cmp(&other.item);
        by_item.then_with(|| self.number.cmp(&other.number))
    }
}

impl<T: Ord> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T: Ord> Eq for Ranked<T> {}
