//! Which place to try next: RFC 8305 without its sockets and clocks.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::error::{AttemptError, FailedAttempt};
use crate::{Address, Endpoint, Place};

/// The places of a connect: those to be tried, those under way, those that failed.
///
/// A look-up is a step like an attempt: while it has no answer the next place is tried after the
/// same delay, so that a name nobody answers for does not keep an endpoint's other places waiting.
///
/// ```text
///                     +--+ no room there: the same one again, later
///                     v  |
///   left --next--> under way --failed--> failed
///    ^                |  |
///    +----- found ----+  +--- the winner: the race is dropped
///    the addresses of a name,
///    in front of the others
/// ```
#[derive(Debug)]
pub(crate) struct Race<B> {
    left: VecDeque<Place>,
    under_way: Vec<Step<B>>,
    failed: Vec<FailedAttempt>,
    steps: u32,
}

/// A place that is being tried, and what it takes to give that up.
#[derive(Debug)]
struct Step<B> {
    number: u32,
    place: Place,
    begun: B,
    /// How often it found no room.
    waits: u32,
}

impl<B> Race<B> {
    pub(crate) fn new(places: &[Place]) -> Self {
        Self {
            left: places.iter().cloned().collect(),
            under_way: Vec::new(),
            failed: Vec::new(),
            steps: 0,
        }
    }

    /// The place to try now.
    pub(crate) fn next(&mut self) -> Option<Place> {
        self.left.pop_front()
    }

    pub(crate) fn has_more(&self) -> bool {
        !self.left.is_empty()
    }

    /// Every place has failed.
    pub(crate) fn is_lost(&self) -> bool {
        self.left.is_empty() && self.under_way.is_empty()
    }

    /// The number that the next step will have.
    pub(crate) fn next_step(&self) -> u32 {
        self.steps
    }

    pub(crate) fn begun(&mut self, place: Place, begun: B) {
        let number = self.steps;
        self.steps = self.steps.wrapping_add(1);
        self.under_way.push(Step {
            number,
            place,
            begun,
            waits: 0,
        });
    }

    /// What was begun for a step found no room: how long to wait before it is tried again. `None`
    /// where there is no such thing as room, so that it has failed.
    ///
    /// A Unix socket's listener has a queue, and who finds it full is told so at once, where TCP
    /// would wait and try again by itself. A blocking connect waits for it, too.
    pub(crate) fn wait(&mut self, step: u32) -> Option<Duration> {
        let step = self.step(step)?;
        step.place.address()?.unix()?;
        let wait = Duration::from_millis(1 << step.waits.min(LONGEST_WAIT));
        step.waits += 1;
        Some(wait)
    }

    /// A step has come to this.
    pub(crate) fn goes_on(&mut self, step: u32, begun: B) {
        if let Some(step) = self.step(step) {
            step.begun = begun;
        }
    }

    /// What a step goes to.
    pub(crate) fn address(&mut self, step: u32) -> Option<Address> {
        self.step(step)?.place.address().cloned()
    }

    fn step(&mut self, number: u32) -> Option<&mut Step<B>> {
        self.under_way.iter_mut().find(|step| step.number == number)
    }

    /// A place turned out not to be one.
    pub(crate) fn unfit(&mut self, place: Place, error: AttemptError) {
        self.failed.push(FailedAttempt { place, error });
    }

    /// These come first.
    pub(crate) fn instead(&mut self, places: Vec<Place>) {
        for place in places.into_iter().rev() {
            self.left.push_front(place);
        }
    }

    pub(crate) fn failed(&mut self, step: u32, error: AttemptError) {
        if let Some(place) = self.end(step) {
            self.unfit(place, error);
        }
    }

    /// The addresses of a name are there.
    pub(crate) fn found(&mut self, step: u32, found: &[IpAddr], endpoint: &Endpoint) {
        let Some(place) = self.end(step) else { return };
        let Place::Name { port, .. } = place else {
            return;
        };
        let places: Vec<Place> = interleaved(found)
            .into_iter()
            .map(|ip| Address::from(SocketAddr::new(ip, port)))
            .filter(|address| endpoint.admits(address))
            .map(Place::Address)
            .collect();
        match places.is_empty() {
            true => self.unfit(place, AttemptError::Family),
            false => self.instead(places),
        }
    }

    /// A step needs not be given up any more.
    pub(crate) fn ended(&mut self, step: u32) {
        self.end(step);
    }

    fn end(&mut self, step: u32) -> Option<Place> {
        let at = self.under_way.iter().position(|it| it.number == step)?;
        Some(self.under_way.remove(at).place)
    }

    /// What is under way and is to be given up; and all places, for who asks why.
    pub(crate) fn give_up(self) -> (Vec<B>, Vec<FailedAttempt>) {
        let mut attempts = self.failed;
        let mut begun = Vec::new();
        for step in self.under_way {
            attempts.push(FailedAttempt {
                place: step.place,
                error: AttemptError::Unanswered,
            });
            begun.push(step.begun);
        }
        (begun, attempts)
    }
}

/// The longest of the waits, which double from 1 ms on: 64 ms.
const LONGEST_WAIT: u32 = 6;

/// RFC 8305 section 4: the families by turns, beginning with the one that was sorted first, and
/// each in its order.
fn interleaved(found: &[IpAddr]) -> Vec<IpAddr> {
    let Some(first) = found.first() else {
        return Vec::new();
    };
    let of_family = |v4: bool| found.iter().filter(move |ip| ip.is_ipv4() == v4).copied();
    let (mut one, mut other) = (of_family(first.is_ipv4()), of_family(!first.is_ipv4()));
    let mut sorted = Vec::with_capacity(found.len());
    loop {
        match (one.next(), other.next()) {
            (None, None) => return sorted,
            (a, b) => sorted.extend(a.into_iter().chain(b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::interleaved;

    #[test]
    fn families_take_turns_from_the_first_on() {
        let ips = |text: &str| -> Vec<std::net::IpAddr> {
            text.split(' ').map(|ip| ip.parse().unwrap()).collect()
        };
        let found = ips("::1 ::2 ::3 1.0.0.1 1.0.0.2");
        assert_eq!(interleaved(&found), ips("::1 1.0.0.1 ::2 1.0.0.2 ::3"));
        let found = ips("1.0.0.1 ::1 ::2 ::3");
        assert_eq!(interleaved(&found), ips("1.0.0.1 ::1 ::2 ::3"));
        assert!(interleaved(&[]).is_empty());
    }
}
