use std::cell::RefCell;
use std::rc::Rc;

use crate::end::{End, Side};

/// Two ends with a network of finite queues between them.
#[derive(Clone, Debug)]
pub(crate) struct Joint {
    ends: [Rc<End>; 2],
    /// What each of the four queues holds at most: one out and one in on each side.
    pub(crate) queue: usize,
    /// What is moved at once.
    pub(crate) segment: usize,
}

thread_local! {
    /// Those in which bytes move by themselves.
    static JOINTS: RefCell<Vec<Joint>> = const { RefCell::new(Vec::new()) };
}

impl Joint {
    pub(crate) fn new(ends: [Rc<End>; 2], queue: usize, segment: usize) -> Self {
        Self {
            ends,
            queue,
            segment,
        }
    }

    /// From now on bytes move whenever the thread comes to rest.
    pub(crate) fn run_by_itself(self) {
        self.prepare();
        JOINTS.with_borrow_mut(|joints| joints.push(self));
    }

    /// Give the queues their size.
    pub(crate) fn prepare(&self) {
        for end in &self.ends {
            end.set_queue(self.queue, 1);
        }
    }

    /// Move at most one segment each way, and say whether anything moved.
    pub(crate) fn carry(&self) -> bool {
        let [one, other] = &self.ends;
        let there = self.carry_from(one, other);
        let back = self.carry_from(other, one);
        there || back
    }

    /// Move a segment from one end's output queue to the other's input queue, or the end.
    fn carry_from(&self, from: &End, to: &End) -> bool {
        let most = if to.is_open() {
            self.segment.min(self.queue.saturating_sub(to.waiting()))
        } else {
            self.segment
        };
        if from.output() != Side::Reset {
            let piece = from.take_outgoing(most);
            if !piece.is_empty() {
                // They come no later than the bytes that they were sent with.
                to.arrive_with(&piece, from.take_descriptors());
                return true;
            }
            if from.outgoing() > 0 {
                return false;
            }
        }
        from.output() != Side::Open && to.end_input(from.output())
    }

    /// Whether nothing will ever move again.
    fn is_over(&self) -> bool {
        let is_done = |end: &Rc<End>| !end.is_open() && end.outgoing() == 0;
        self.ends.iter().all(is_done) || self.ends.iter().any(|end| end.output() == Side::Reset)
    }
}

/// Move bytes in all joints that run by themselves, and say whether any moved.
pub(crate) fn carry_all() -> bool {
    let joints = JOINTS.with_borrow(Clone::clone);
    let mut moved = false;
    for joint in joints {
        moved |= joint.carry();
    }
    if !moved {
        JOINTS.with_borrow_mut(|joints| joints.retain(|joint| !joint.is_over()));
    }
    moved
}
