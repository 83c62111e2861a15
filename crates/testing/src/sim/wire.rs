use std::io;
use std::time::Duration;

use torsade_core::Time;

use super::end::{Holder, Input, Output, Phase};
use super::kernel::{Event, Kernel};
use super::links::Cuts;
use super::node::Power;
use super::slab::Key;
use super::trace::{Packet, What};

/// Between two tries to get a segment through there is never more.
const LONGEST_RETRANSMIT: Duration = Duration::from_secs(30);

/// On the wire.
impl Kernel {
    /// Put on the wire what the window allows, and the end after the last byte.
    pub(super) fn pump(&mut self, key: Key) {
        let (segment, cuts) = (self.links.segment.max(1), self.links.cuts);
        loop {
            let Some(end) = self.ends.get(key) else {
                return;
            };
            let (Phase::Connected, Some(peer)) = (end.phase, end.peer) else {
                return;
            };
            let (waiting, flying) = (end.waiting(), end.flying);
            if waiting == 0 {
                break;
            }
            let window = match self.ends.get(peer) {
                Some(peer) => peer.window(flying),
                None => usize::MAX,
            };
            let most = waiting.min(window).min(segment);
            // Small segments only when they are the last ones: windows open in steps.
            let least = segment.min(self.links.receive_buffer.div_ceil(2));
            if most == 0 || (most < waiting && most < least) {
                return;
            }
            let len = match cuts {
                Cuts::Whole => most,
                Cuts::Random if self.random.one_in(4) => 1 + self.random.below(most),
                Cuts::Random => most,
                Cuts::Bytewise => 1,
            };
            if let Some(end) = self.ends.get_mut(key) {
                end.flying += len;
            }
            self.fly(key, len, Event::Segment { from: key, len });
        }
        if let Some(end) = self.ends.get_mut(key)
            && end.output == Output::Ending
        {
            end.output = Output::EndFlies;
            self.fly(key, 0, Event::Fin { from: key });
        }
    }

    /// Something of an end goes to its peer, and arrives after what went before.
    pub(super) fn fly(&mut self, key: Key, len: usize, event: Event) {
        let Some(end) = self.ends.get(key) else {
            return;
        };
        let there = end.peer.and_then(|peer| self.ends.get(peer));
        let Some(there) = there
            .map(|peer| peer.host)
            .or_else(|| self.host_at(end.remote.ip()))
        else {
            return;
        };
        let at = self.arrival(end.host, there, len);
        let Some(end) = self.ends.get_mut(key) else {
            return;
        };
        let at = at.max(end.last_arrival);
        end.last_arrival = at;
        self.at(at, event);
    }

    /// When so many bytes that are sent now arrive.
    pub(super) fn arrival(&mut self, from: u32, to: u32, len: usize) -> Time {
        if from == to {
            return self.now;
        }
        let links = self.links_between(from, to).clone();
        let mut sent = self.now;
        if let Some(bandwidth) = links.bandwidth {
            let nanos = len as u128 * 1_000_000_000 / u128::from(bandwidth.max(1));
            let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            let free = self.free_at.entry((from, to)).or_insert(Time::ZERO);
            sent = sent.max(*free) + takes;
            *free = sent;
        }
        let clogged = match self.weather.is_fine() {
            true => Duration::ZERO,
            false => self.weather.delay(from, to),
        };
        sent + links.latency + self.random.up_to(links.jitter) + clogged
    }

    /// Whether a segment gets from one host to another now.
    pub(super) fn gets_through(&mut self, from: u32, to: u32) -> bool {
        if from == to {
            return true;
        }
        if self.nodes[to as usize].power == Power::Off {
            return false;
        }
        if self.weather.is_fine() {
            return true;
        }
        let mut lost = self.weather.is_cut(from, to);
        let losses: Vec<_> = self.weather.losses(from, to).collect();
        for times in losses {
            lost |= self.random.one_in(times);
        }
        self.weather.harm += u64::from(lost);
        !lost
    }

    /// Whether a segment of this end arrives now. If it got lost, it will be sent again.
    pub(super) fn passes(&mut self, from: Key, event: Event) -> bool {
        let now = self.now;
        let Some(end) = self.ends.get(from) else {
            return false;
        };
        if end.stalled_until > now {
            let at = end.stalled_until;
            self.at(at, event);
            return false;
        }
        let there = end.peer.and_then(|peer| self.ends.get(peer));
        let there = there
            .map(|peer| peer.host)
            .or_else(|| self.host_at(end.remote.ip()));
        let there = there.unwrap_or(end.host);
        let (host, flow) = (end.host, end.flow);
        if self.gets_through(host, there) {
            if let Some(end) = self.ends.get_mut(from) {
                end.tries = 0;
                end.stuck_since = None;
            }
            return true;
        }
        self.trace
            .note(now, there, What::Lost { flow, from: host }, &[]);
        let (retransmit, give_up) = (self.links.retransmit, self.links.give_up);
        if let Some(end) = self.ends.get_mut(from) {
            let since = *end.stuck_since.get_or_insert(now);
            if now - since >= give_up {
                self.break_input(from, io::ErrorKind::TimedOut);
                return false;
            }
            let wait = retransmit.saturating_mul(1 << end.tries.min(20));
            end.tries = end.tries.saturating_add(1);
            end.stalled_until = now + wait.min(LONGEST_RETRANSMIT);
            let at = end.stalled_until;
            self.at(at, event);
        }
        false
    }

    pub(super) fn arrive(&mut self, event: Event) {
        match event {
            Event::Syn { from, tries } => self.syn(from, tries),
            Event::SynAck { from } => self.syn_ack(from),
            Event::Refused { to, from } => self.refused(to, from),
            Event::Segment { from, len } => self.segment(from, len),
            Event::Fin { from } => self.fin(from),
            Event::Reset { to, from } => self.was_reset(to, from),
            Event::LingerOver { .. }
            | Event::Datagram { .. }
            | Event::Unreachable { .. }
            | Event::Wake { .. }
            | Event::Lookup { .. }
            | Event::FaultBegins { .. }
            | Event::FaultEnds { .. } => {}
        }
    }

    fn segment(&mut self, from: Key, len: usize) {
        if !self.passes(from, Event::Segment { from, len }) {
            return;
        }
        let Some(end) = self.ends.get_mut(from) else {
            return;
        };
        let len = len.min(end.flying);
        let mut bytes: Vec<u8> = end.out.drain(..len).collect();
        end.flying -= len;
        if end.out.is_empty() {
            end.out = Default::default();
        }
        let (host, peer) = (end.host, end.peer);
        let Some(there) = peer
            .and_then(|peer| self.ends.get(peer))
            .map(|peer| peer.host)
        else {
            self.answer_with_reset(from);
            self.bury(from);
            return;
        };
        self.corrupt(host, there, &mut bytes);
        self.note_packet(from, there, Packet::Data, &bytes);
        self.deliver(from, peer, &bytes);
        self.note(from);
        self.pump(from);
        self.bury(from);
    }

    fn deliver(&mut self, from: Key, to: Option<Key>, bytes: &[u8]) {
        let Some((key, end)) = to.and_then(|key| Some((key, self.ends.get_mut(key)?))) else {
            return;
        };
        match end.holder {
            Holder::Program if end.input == Input::Open => {
                end.unread.extend(bytes);
                self.note(key);
            }
            Holder::Program | Holder::Lingering => {}
            Holder::Orphan => {
                // Its program is gone: whoever sends to it is told so.
                end.output = Output::Broken;
                end.out.clear();
                end.flying = 0;
                self.answer_with_reset(from);
                self.bury(key);
            }
        }
    }

    pub(super) fn corrupt(&mut self, from: u32, to: u32, bytes: &mut [u8]) {
        if self.weather.is_fine() || bytes.is_empty() {
            return;
        }
        let corruptions: Vec<_> = self.weather.corruptions(from, to).collect();
        for times in corruptions {
            if self.random.one_in(times) {
                let place = self.random.below(bytes.len());
                bytes[place] ^= 1 + self.random.below(255) as u8;
                self.weather.harm += 1;
            }
        }
    }

    /// What is sent to nobody is answered with a reset.
    pub(super) fn answer_with_reset(&mut self, sender: Key) {
        let Some(end) = self.ends.get(sender) else {
            return;
        };
        let there = self.target(end.host, end.remote).unwrap_or(end.host);
        let here = end.host;
        // It comes after what that side sent before.
        let before = end.peer.and_then(|peer| self.ends.get(peer));
        let before = before.map_or(Time::ZERO, |peer| peer.last_arrival);
        let at = self.arrival(there, here, 0).max(before);
        self.at(
            at,
            Event::Reset {
                to: sender,
                from: there,
            },
        );
    }

    fn fin(&mut self, from: Key) {
        let Some(end) = self.ends.get(from) else {
            return;
        };
        if end.flying > 0 {
            // Bytes that were lost come first.
            let at = end.stalled_until.max(end.last_arrival);
            self.at(at, Event::Fin { from });
            return;
        }
        if !self.passes(from, Event::Fin { from }) {
            return;
        }
        let Some(end) = self.ends.get_mut(from) else {
            return;
        };
        if end.output == Output::EndFlies {
            end.output = Output::Ended;
        }
        let peer = end.peer;
        if let Some(key) = peer
            && let Some(end) = self.ends.get_mut(key)
        {
            let there = end.host;
            if end.input == Input::Open {
                end.input = Input::Ended;
            }
            self.note_packet(from, there, Packet::Fin, &[]);
            self.note(key);
            self.bury(key);
        }
        self.bury(from);
    }

    fn was_reset(&mut self, to: Key, from: u32) {
        let Some(end) = self.ends.get(to) else {
            return;
        };
        let (host, flow, by_opener) = (end.host, end.flow, !end.opener);
        // Nobody sends a reset again.
        if !self.gets_through(from, host) {
            return;
        }
        let packet = Packet::Reset;
        let what = What::Arrives {
            flow,
            from,
            by_opener,
            packet,
        };
        let now = self.now;
        self.trace.note(now, host, what, &[]);
        self.connect_failed(to, io::ErrorKind::ConnectionReset);
    }

    /// It is over for the kernel; what has arrived before stays readable, the peer's end too: who
    /// had it is not told of a reset behind it, but when sending.
    pub(super) fn break_input(&mut self, key: Key, kind: io::ErrorKind) {
        let Some(end) = self.ends.get_mut(key) else {
            return;
        };
        if end.input == Input::Open {
            end.input = Input::Failed(kind);
        }
        end.output = Output::Broken;
        end.out = Default::default();
        end.flying = 0;
        self.note(key);
        self.bury(key);
    }

    pub(super) fn note_packet(&mut self, from: Key, there: u32, packet: Packet, bytes: &[u8]) {
        let now = self.now;
        if let Some(end) = self.ends.get(from) {
            let what = What::Arrives {
                flow: end.flow,
                from: end.host,
                by_opener: end.opener,
                packet,
            };
            self.trace.note(now, there, what, bytes);
        }
    }
}
