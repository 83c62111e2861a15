use torsade_core::Time;

use super::super::ring::Outcome;
use super::super::stream::Owner;
use super::{Lingers, News, Streams};
use crate::accepting;

/// Lingering.
impl Streams {
    /// Keep a socket whose end was sent, if that is wanted. If too many linger, the oldest goes.
    pub(super) fn keep(&mut self, place: usize, now: Time) -> bool {
        if self.most_lingering == 0 || self.linger.is_zero() {
            return false;
        }
        while self.lingering.len() >= self.most_lingering {
            self.give_up_oldest();
        }
        let number = self.next_number;
        self.next_number += 1;
        let Some(stream) = self.stream(place) else {
            return false;
        };
        stream.owner = Owner::Lingering(number);
        stream.held = None;
        self.lingering.push_back(Lingers {
            number,
            until: now + self.linger,
            place,
        });
        self.receive(place);
        true
    }

    fn give_up_oldest(&mut self) {
        if let Some(oldest) = self.lingering.pop_front() {
            self.give_up(oldest.place, None);
            self.free_if_over(oldest.place);
        }
    }

    /// What a socket that lingers still receives.
    pub(super) fn discard(&mut self, place: usize, number: u64, outcome: Outcome) -> News {
        let goes_on = match outcome.result() {
            Ok(n) => n > 0,
            Err(error) => matches!(
                error.raw_os_error(),
                Some(libc::ENOBUFS | libc::ECANCELED | libc::EINTR | libc::EAGAIN)
            ),
        };
        if goes_on {
            self.receive(place);
            return News::Nothing;
        }
        if let Ok(index) = self.lingering.binary_search_by_key(&number, |it| it.number) {
            self.lingering.remove(index);
        }
        self.give_up(place, None);
        self.free_if_over(place).map_or(News::Nothing, News::Closed)
    }

    pub(crate) fn lingering(&self) -> usize {
        self.lingering.len()
    }

    /// When the next one's time is over.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.lingering.front().map(|it| it.until)
    }

    /// Close those whose time is over.
    pub(crate) fn expire(&mut self, now: Time) {
        while self.lingering.front().is_some_and(|it| it.until <= now) {
            self.give_up_oldest();
        }
    }
}

impl accepting::Lingers for Streams {
    fn give_way(&mut self) -> bool {
        let were_some = !self.lingering.is_empty();
        while !self.lingering.is_empty() {
            self.give_up_oldest();
        }
        // If that fails, they are closed with the next wait.
        were_some && self.ring.submit().is_ok()
    }
}
