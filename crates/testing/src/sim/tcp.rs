use std::io;
use std::time::Duration;

use torsade_core::driver::{Close, Interest};
use torsade_core::{ConnectionId, Descriptor};

use super::end::{End, Holder, Input, Output};
use super::kernel::{Event, Kernel};
use super::links::Cuts;
use super::node::Power;
use super::slab::Key;
use super::trace::What;

/// What programs do to their connections.
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
        end.written += took as u64;
        let (host, flow) = (end.host, end.flow);
        self.trace
            .note(now, host, What::Sends { flow, len: took }, &[]);
        self.pump(key);
        Ok(took)
    }

    /// Read once. 0 is the end.
    /// With the last `sent` bytes go these, which are the other end's when it reads the first.
    pub(super) fn pass(&mut self, key: Key, sent: usize, descriptors: Vec<Descriptor>) {
        let end = self.ends.get(key);
        let Some((at, peer)) = end.and_then(|end| Some((end.written - sent as u64, end.peer?)))
        else {
            return;
        };
        if let Some(peer) = self.ends.get_mut(peer) {
            peer.passed.push_back((at, descriptors));
        }
    }

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
        end.read += read as u64;
        end.arrived.clear();
        while let Some((at, _)) = end.passed.front()
            && *at < end.read
            && let Some((_, descriptors)) = end.passed.pop_front()
        {
            end.arrived.extend(descriptors);
        }
        if end.unread.is_empty() {
            end.unread = Default::default();
        }
        let (host, flow, peer) = (end.host, end.flow, end.peer);
        self.trace
            .note(now, host, What::Reads { flow }, &buffer[..read]);
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
        let lingers = self.nodes[host as usize]
            .linger
            .filter(|_| how == Close::Linger);
        match lingers {
            Some((most, time)) => {
                self.let_go(key, Holder::Lingering);
                self.shutdown(key);
                self.linger(key, most, time);
            }
            // What a kernel does to a socket that is closed with input unread.
            None if has_unread && !planted!("simulated_close_never_resets") => self.reset(key),
            None if how == Close::Reset => self.reset(key),
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
    pub(super) fn bury(&mut self, key: Key) {
        if self.ends.get(key).is_some_and(End::is_over)
            && let Some(end) = self.ends.remove(key)
        {
            self.nodes[end.host as usize]
                .lingering
                .retain(|it| *it != key);
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
