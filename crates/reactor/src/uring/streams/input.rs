use torsade_core::ConnectionId;

use super::super::ring::{Completion, Filled};
use super::super::stream::{End, Input, KEPT, Owner, Receiving};
use super::{Late, News, Streams};

/// Input.
impl Streams {
    /// Bytes came for a stream: whom they may be told at once.
    #[inline(always)]
    pub(crate) fn tells(&mut self, place: usize, bytes: usize, last: bool) -> Option<ConnectionId> {
        // Nobody is told twice before those who wait were told once.
        let crowded = !self.due.is_empty();
        let (turn, share) = (self.turn, self.share);
        let stream = self.table.get_mut(place)?;
        if last {
            stream.receiving = Receiving::No;
        }
        let Owner::Connection(id) = stream.owner else {
            return None;
        };
        let tells = !crowded && stream.tells(turn, share);
        if tells {
            stream.took(bytes);
        }
        tells.then_some(id)
    }

    /// What to do with bytes that may not be told at once.
    pub(crate) fn keep_bytes(&mut self, place: usize, bytes: Filled, last: bool) -> News {
        let Some(stream) = self.stream(place) else {
            return News::Nothing;
        };
        if last {
            stream.receiving = Receiving::No;
        }
        match stream.owner {
            Owner::Connection(_) => self.hold(place, Input::Bytes(bytes)),
            Owner::Lingering(_) => {
                drop(bytes);
                self.receive(place);
            }
            Owner::Closing(_) => {
                return self.free_if_over(place).map_or(News::Nothing, News::Closed);
            }
        }
        News::Nothing
    }

    /// A receive says something else. If the turn's budget is spent, it is held.
    pub(crate) fn received(&mut self, place: usize, said: &Completion, spent: bool) -> News {
        let crowded = spent || !self.due.is_empty();
        let (turn, share) = (self.turn, self.share);
        let Some(stream) = self.table.get_mut(place) else {
            return News::Nothing;
        };
        if said.last {
            stream.receiving = Receiving::No;
        }
        match stream.owner {
            Owner::Connection(id) if said.is_readiness() => {
                if stream.wants && stream.passes && !spent {
                    return News::Readable(id);
                }
                self.receive(place);
                News::Nothing
            }
            Owner::Connection(id) => {
                match End::read(said.outcome) {
                    Some(end) if !crowded && stream.tells(turn, share) => {
                        return News::End(id, end);
                    }
                    Some(end) => self.hold(place, Input::End(end)),
                    None => self.receive(place),
                }
                News::Nothing
            }
            Owner::Lingering(number) => self.discard(place, number, said.outcome),
            Owner::Closing(_) => self.free_if_over(place).map_or(News::Nothing, News::Closed),
        }
    }

    /// Hold a connection's input, which may not be told now.
    fn hold(&mut self, place: usize, input: Input) {
        let Some(stream) = self.table.get_mut(place) else {
            return;
        };
        let held = stream.held.get_or_insert_default();
        match input {
            Input::Bytes(filled) => held.filled.push_back(filled),
            Input::End(end) => held.end = Some(end),
        }
        if !stream.wants {
            held.copy();
        }
        // The kernel is to keep what comes next, so that the peer is slowed down.
        if (!stream.wants || held.filled.len() >= KEPT)
            && let Receiving::UnderWay(op) = stream.receiving
        {
            self.ring.cancel(op);
            stream.receiving = Receiving::Cancelled;
        }
        self.go_on(place);
    }

    /// The next part of what is held for somebody who wants it and has not had a share yet.
    pub(crate) fn next_late(&mut self, place: usize) -> Option<Late> {
        let (turn, share) = (self.turn, self.share);
        let stream = self.table.get_mut(place)?;
        let Owner::Connection(id) = stream.owner else {
            return None;
        };
        if stream.is_broken() {
            return stream.wants.then_some(Late::Readable(id));
        }
        let left = stream.left(turn, share);
        let held = stream.held.as_mut()?;
        if !stream.wants {
            held.copy();
            return None;
        }
        if left == 0 {
            return None;
        }
        if !held.copied.is_empty() {
            let rest = held.copied.split_off(held.copied.len().min(left));
            let bytes = std::mem::replace(&mut held.copied, rest);
            stream.took(bytes.len());
            return Some(Late::Copied(id, bytes));
        }
        if let Some(filled) = held.filled.pop_front() {
            stream.took(filled.len());
            return Some(Late::Filled(id, filled));
        }
        let end = stream.held.take()?.end?;
        Some(Late::End(id, end))
    }

    /// On with what is held, or else with receiving. Returns whose input is held although it is
    /// wanted.
    pub(crate) fn go_on(&mut self, place: usize) -> Option<ConnectionId> {
        let stream = self.table.get_mut(place)?;
        if stream.held.as_ref().is_some_and(|held| held.is_empty()) {
            stream.held = None;
        }
        if stream.held.is_none() && !stream.is_broken() {
            self.receive(place);
            return None;
        }
        let Owner::Connection(id) = stream.owner else {
            return None;
        };
        if !stream.wants {
            return None;
        }
        if !std::mem::replace(&mut stream.is_due, true) {
            self.due.push_back(place);
        }
        Some(id)
    }
}
