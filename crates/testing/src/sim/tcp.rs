//! What kernels do to connections.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use torsade_core::driver::{Close, Interest};
use torsade_core::{AttemptId, ConnectionId, Time};

use super::end::{End, Holder, Input, Output, Phase};
use super::kernel::{Event, Kernel, no_descriptors};
use super::links::Cuts;
use super::node::{Answer, Power};
use super::slab::Key;
use super::trace::{Flow, Packet, What};

/// So often a connect is tried again, after 1 s, 2 s, 4 s and so on.
const SYN_TRIES: u8 = 6;

/// Between two tries to get a segment through there is never more.
const LONGEST_RETRANSMIT: Duration = Duration::from_secs(30);

/// Connecting.
impl Kernel {
    /// A program connects: the answer comes later.
    pub(super) fn connect(&mut self, host: u32, attempt: Option<AttemptId>, to: SocketAddr) -> Option<Key> {
        if self.is_short(host) {
            if let Some(attempt) = attempt {
                self.answer(host, Answer::Failed(attempt, no_descriptors()));
            }
            return None;
        }
        let node = &mut self.nodes[host as usize];
        let ip = match to.ip() {
            ip if ip.is_loopback() => ip,
            _ => IpAddr::V4(node.ip),
        };
        let local = SocketAddr::new(ip, node.next_port());
        node.open += 1;
        self.flows += 1;
        let mut end = End::new(host, self.flows, (local, to), &self.links.clone());
        end.phase = Phase::Connecting(attempt);
        end.opener = true;
        self.trace.begin_flow(
            self.flows,
            Flow {
                opener: local,
                asked: to,
            },
        );
        let key = self.ends.insert(end);
        if let Some(attempt) = attempt {
            self.nodes[host as usize].attempts.insert(attempt.to_bits(), key);
        }
        let at = match self.target(host, to) {
            Some(there) => self.arrival(host, there, 0),
            None => self.now,
        };
        self.at(at, Event::Syn { from: key, tries: 0 });
        Some(key)
    }

    pub(super) fn cancel_connect(&mut self, host: u32, attempt: AttemptId) {
        let node = &mut self.nodes[host as usize];
        if let Some(key) = node.attempts.remove(&attempt.to_bits()) {
            self.reset(key);
        }
        // An answer that is not taken yet answers nobody; the engine finds no attempt for it.
    }

    /// Who is at an address, as seen from a host.
    fn target(&self, from: u32, to: SocketAddr) -> Option<u32> {
        if to.ip().is_loopback() || to.ip().is_unspecified() {
            return Some(from);
        }
        self.host_at(to.ip())
    }

    fn syn(&mut self, from: Key, tries: u8) {
        let Some(end) = self.ends.get(from) else {
            return;
        };
        let (host, to) = (end.host, end.remote);
        let there = self.target(host, to);
        let Some(there) = there.filter(|&there| self.gets_through(host, there)) else {
            self.syn_again(from, tries);
            return;
        };
        self.note_packet(from, there, Packet::Syn, &[]);
        let refuses = !self.weather.is_fine() && self.weather.refuses(there);
        let node = &mut self.nodes[there as usize];
        let backlog = node.backlog();
        let local = match to.ip() {
            ip if ip.is_unspecified() => SocketAddr::new(IpAddr::V4(node.ip), to.port()),
            _ => to,
        };
        match node.listener_at(to) {
            Some(listening) if !refuses => {
                if listening.queue.len() >= backlog {
                    self.syn_again(from, tries);
                    return;
                }
                self.take_syn(from, there, local);
            }
            _ => {
                if refuses {
                    self.weather.harm += 1;
                }
                let at = self.arrival(there, host, 0);
                self.at(at, Event::Refused { to: from, from: there });
            }
        }
    }

    /// Nobody answered: try again, or give up after the last time.
    fn syn_again(&mut self, from: Key, tries: u8) {
        if tries < SYN_TRIES {
            let at = self.now + Duration::from_secs(1 << tries);
            self.at(at, Event::Syn { from, tries: tries + 1 });
        } else {
            self.connect_failed(from, io::ErrorKind::TimedOut);
        }
    }

    /// The kernel of `there` has the connection, and queues it for its program.
    fn take_syn(&mut self, from: Key, there: u32, local: SocketAddr) {
        let links = self.links.clone();
        let Some(opener) = self.ends.get(from) else {
            return;
        };
        let mut end = End::new(there, opener.flow, (local, opener.local), &links);
        end.peer = Some(from);
        let key = self.ends.insert(end);
        if let Some(opener) = self.ends.get_mut(from) {
            opener.peer = Some(key);
        }
        let node = &mut self.nodes[there as usize];
        if let Some(listening) = node.listener_at(local) {
            listening.queue.push_back(key);
        }
        self.list(there);
        self.fly(key, 0, Event::SynAck { from: key });
    }

    fn syn_ack(&mut self, from: Key) {
        if !self.passes(from, Event::SynAck { from }) {
            return;
        }
        let Some(to) = self.ends.get(from).and_then(|end| end.peer) else {
            return;
        };
        let Some(opener) = self.ends.get_mut(to) else {
            self.answer_with_reset(from);
            return;
        };
        let host = opener.host;
        let phase = std::mem::replace(&mut opener.phase, Phase::Connected);
        self.note_packet(from, host, Packet::SynAck, &[]);
        if let Phase::Connecting(Some(attempt)) = phase {
            self.nodes[host as usize].attempts.remove(&attempt.to_bits());
            self.answer(host, Answer::Connected(attempt, to));
        }
        self.pump(to);
    }

    fn connect_failed(&mut self, key: Key, kind: io::ErrorKind) {
        let Some(end) = self.ends.get_mut(key) else {
            return;
        };
        let host = end.host;
        match end.phase {
            Phase::Connecting(Some(attempt)) => {
                self.ends.remove(key);
                let node = &mut self.nodes[host as usize];
                node.attempts.remove(&attempt.to_bits());
                node.open = node.open.saturating_sub(1);
                self.answer(host, Answer::Failed(attempt, kind.into()));
            }
            _ => self.break_input(key, kind),
        }
    }
}

/// What programs do.
impl Kernel {
    /// Take of these pieces what there is room for.
    pub(super) fn send<B: AsRef<[u8]>>(
        &mut self,
        key: Key,
        pieces: impl Iterator<Item = B>,
    ) -> io::Result<usize> {
        let now = self.now;
        let Some(end) = self.ends.get_mut(key) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        if let Some(kind) = end.send_error() {
            return Err(kind.into());
        }
        let mut took = 0;
        for piece in pieces {
            let piece = piece.as_ref();
            let part = &piece[..piece.len().min(end.room())];
            end.out.extend(part);
            took += part.len();
            if part.len() < piece.len() {
                break;
            }
        }
        end.sends += 1;
        let (host, flow) = (end.host, end.flow);
        self.trace.note(now, host, What::Sends { flow, len: took }, &[]);
        self.pump(key);
        Ok(took)
    }

    /// Read once. 0 is the end.
    pub(super) fn receive(&mut self, key: Key, buffer: &mut [u8]) -> io::Result<usize> {
        let cuts = self.links.cuts;
        let now = self.now;
        let Some(end) = self.ends.get_mut(key) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let there = end.unread.len().min(buffer.len());
        if there == 0 {
            return match end.input {
                Input::Open => Err(io::ErrorKind::WouldBlock.into()),
                Input::Ended => Ok(0),
                Input::Failed(kind) => Err(kind.into()),
            };
        }
        let read = match cuts {
            Cuts::Whole => there,
            Cuts::Random if self.random.one_in(4) => 1 + self.random.below(there),
            Cuts::Random => there,
            Cuts::Bytewise => 1,
        };
        let (front, back) = end.unread.as_slices();
        let from_front = front.len().min(read);
        buffer[..from_front].copy_from_slice(&front[..from_front]);
        buffer[from_front..read].copy_from_slice(&back[..read - from_front]);
        end.unread.drain(..read);
        if end.unread.is_empty() {
            end.unread = Default::default();
        }
        let (host, flow, peer) = (end.host, end.flow, end.peer);
        self.trace.note(now, host, What::Reads { flow }, &buffer[..read]);
        if let Some(peer) = peer {
            self.pump(peer);
        }
        Ok(read)
    }

    pub(super) fn set_interest(&mut self, key: Key, id: ConnectionId, interest: Interest) {
        if let Some(end) = self.ends.get_mut(key) {
            end.connection = Some(id);
            end.interest = interest;
            self.note(key);
        }
    }

    /// End our side, after what was sent.
    pub(super) fn shutdown(&mut self, key: Key) {
        if let Some(end) = self.ends.get_mut(key)
            && end.output == Output::Open
        {
            end.output = Output::Ending;
            self.pump(key);
        }
    }

    /// The program closes its socket.
    pub(super) fn close(&mut self, key: Key, how: Close) {
        let Some(end) = self.ends.get_mut(key) else {
            return;
        };
        if end.holder != Holder::Program {
            return;
        }
        let host = end.host;
        let has_unread = !end.unread.is_empty();
        let how = match self.nodes[host as usize].power {
            Power::On => how,
            // Its program was killed: it says nothing any more.
            Power::Idle | Power::Off => Close::Plain,
        };
        let lingers = self.nodes[host as usize].linger.filter(|_| how == Close::Linger);
        match lingers {
            Some((most, time)) => {
                self.let_go(key, Holder::Lingering);
                self.shutdown(key);
                self.linger(key, most, time);
            }
            // What a kernel does to a socket that is closed with input unread.
            None if has_unread || how == Close::Reset => self.reset(key),
            None => {
                self.let_go(key, Holder::Orphan);
                self.shutdown(key);
            }
        }
        self.bury(key);
    }

    /// Tell the other side at once that it is over.
    pub(super) fn reset(&mut self, key: Key) {
        let Some(end) = self.ends.get_mut(key) else {
            return;
        };
        // What flies arrives before it; nothing else does.
        end.out.truncate(end.flying);
        let tells = end.output != Output::Broken;
        end.output = Output::Broken;
        let (host, peer) = (end.host, end.peer);
        if end.holder == Holder::Program {
            self.let_go(key, Holder::Orphan);
        }
        if let Some(to) = peer.filter(|_| tells) {
            self.fly(key, 0, Event::Reset { to, from: host });
        }
        self.bury(key);
    }

    fn let_go(&mut self, key: Key, to: Holder) {
        let Some(end) = self.ends.get_mut(key) else {
            return;
        };
        end.holder = to;
        end.connection = None;
        end.interest = Interest::default();
        end.unread = Default::default();
        let peer = end.peer;
        let node = &mut self.nodes[end.host as usize];
        node.open = node.open.saturating_sub(1);
        if let Some(peer) = peer {
            // Nothing is in its way any more.
            self.pump(peer);
        }
    }

    fn linger(&mut self, key: Key, most: usize, time: Duration) {
        let Some(end) = self.ends.get(key) else {
            return;
        };
        let host = end.host as usize;
        self.nodes[host].lingering.push_back(key);
        while self.nodes[host].lingering.len() > most {
            if let Some(oldest) = self.nodes[host].lingering.pop_front() {
                self.stop_lingering(oldest);
            }
        }
        let until = self.now + time;
        self.at(until, Event::LingerOver { end: key });
    }

    pub(super) fn linger_over(&mut self, key: Key) {
        if let Some(end) = self.ends.get(key) {
            let host = end.host as usize;
            self.nodes[host].lingering.retain(|it| *it != key);
            self.stop_lingering(key);
        }
    }

    fn stop_lingering(&mut self, key: Key) {
        if let Some(end) = self.ends.get_mut(key)
            && end.holder == Holder::Lingering
        {
            end.holder = Holder::Orphan;
            self.bury(key);
        }
    }

    /// Forget an end that nobody has any use for.
    fn bury(&mut self, key: Key) {
        if self.ends.get(key).is_some_and(End::is_over)
            && let Some(end) = self.ends.remove(key)
        {
            self.nodes[end.host as usize].lingering.retain(|it| *it != key);
        }
    }

    /// Have the host told, if there is something that its program wants to know.
    pub(super) fn note(&mut self, key: Key) {
        let Some(end) = self.ends.get(key) else {
            return;
        };
        let host = end.host;
        let readable = end.interest.readable && end.has_input();
        let writable = end.interest.writable && end.is_writable();
        let reads = || self.weather.is_fine() || self.weather.reads(host);
        let news = writable || (readable && reads());
        if !news || end.listed {
            return;
        }
        if let Some(end) = self.ends.get_mut(key) {
            end.listed = true;
        }
        self.nodes[host as usize].ready.push(key);
        self.list(host);
    }
}

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
    fn fly(&mut self, key: Key, len: usize, event: Event) {
        let Some(end) = self.ends.get(key) else {
            return;
        };
        let there = end.peer.and_then(|peer| self.ends.get(peer));
        let Some(there) = there.map(|peer| peer.host).or_else(|| self.host_at(end.remote.ip())) else {
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
    fn arrival(&mut self, from: u32, to: u32, len: usize) -> Time {
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
    fn gets_through(&mut self, from: u32, to: u32) -> bool {
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
    fn passes(&mut self, from: Key, event: Event) -> bool {
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
        let there = there.map(|peer| peer.host).or_else(|| self.host_at(end.remote.ip()));
        let there = there.unwrap_or(end.host);
        let (host, flow) = (end.host, end.flow);
        if self.gets_through(host, there) {
            if let Some(end) = self.ends.get_mut(from) {
                end.tries = 0;
                end.stuck_since = None;
            }
            return true;
        }
        self.trace.note(now, there, What::Lost { flow, from: host }, &[]);
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
            | Event::Wake { .. }
            | Event::FaultBegins { .. }
            | Event::FaultEnds { .. } => {}
        }
    }

    fn refused(&mut self, to: Key, from: u32) {
        let Some(end) = self.ends.get(to) else {
            return;
        };
        let (host, flow) = (end.host, end.flow);
        if !self.gets_through(from, host) {
            // As if nobody had answered.
            self.syn_again(to, 0);
            return;
        }
        let what = What::Arrives {
            flow,
            from,
            by_opener: false,
            packet: Packet::Refused,
        };
        let now = self.now;
        self.trace.note(now, host, what, &[]);
        self.connect_failed(to, io::ErrorKind::ConnectionRefused);
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
        let Some(there) = peer.and_then(|peer| self.ends.get(peer)).map(|peer| peer.host) else {
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

    fn corrupt(&mut self, from: u32, to: u32, bytes: &mut [u8]) {
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
    fn answer_with_reset(&mut self, sender: Key) {
        let Some(end) = self.ends.get(sender) else {
            return;
        };
        let there = self.target(end.host, end.remote).unwrap_or(end.host);
        let here = end.host;
        // It comes after what that side sent before.
        let before = end.peer.and_then(|peer| self.ends.get(peer));
        let before = before.map_or(Time::ZERO, |peer| peer.last_arrival);
        let at = self.arrival(there, here, 0).max(before);
        self.at(at, Event::Reset { to: sender, from: there });
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

    /// It is over for the kernel; what has arrived before stays readable.
    fn break_input(&mut self, key: Key, kind: io::ErrorKind) {
        let Some(end) = self.ends.get_mut(key) else {
            return;
        };
        if !matches!(end.input, Input::Failed(_)) {
            end.input = Input::Failed(kind);
        }
        end.output = Output::Broken;
        end.out = Default::default();
        end.flying = 0;
        self.note(key);
        self.bury(key);
    }

    fn note_packet(&mut self, from: Key, there: u32, packet: Packet, bytes: &[u8]) {
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

    /// The address of a host.
    pub(super) fn ip(&self, host: u32) -> Ipv4Addr {
        self.nodes[host as usize].ip
    }
}
