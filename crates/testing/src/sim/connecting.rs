use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use torsade_core::AttemptId;

use super::end::{End, Phase};
use super::kernel::{Event, Kernel, no_descriptors};
use super::names;
use super::node::Answer;
use super::slab::Key;
use super::trace::{Flow, Packet, What};

/// So often a connect is tried again, after 1 s, 2 s, 4 s and so on.
const SYN_TRIES: u8 = 6;

/// Connecting.
impl Kernel {
    /// A program connects: the answer comes later.
    pub(super) fn connect(
        &mut self,
        host: u32,
        attempt: Option<AttemptId>,
        (to, from): (SocketAddr, Option<SocketAddr>),
    ) -> Option<Key> {
        if self.is_short(host) {
            if let Some(attempt) = attempt {
                self.answer(host, Answer::Failed(attempt, no_descriptors()));
            }
            return None;
        }
        let node = &mut self.nodes[host as usize];
        let ip = match to.ip() {
            ip if ip.is_loopback() => ip,
            other => node.own(other),
        };
        if let (Some(from), Some(attempt)) = (from, attempt)
            && !from.ip().is_unspecified()
            && !node.has(from.ip())
        {
            let refused = io::ErrorKind::AddrNotAvailable.into();
            self.answer(host, Answer::Failed(attempt, refused));
            return None;
        }
        let port = from.map_or(0, |from| from.port());
        let port = match port {
            0 => node.next_port(),
            port => port,
        };
        let ip = match from {
            Some(from) if !from.ip().is_unspecified() => from.ip(),
            _ => ip,
        };
        let local = names::opener(to, port).unwrap_or_else(|| SocketAddr::new(ip, port));
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
            self.nodes[host as usize]
                .attempts
                .insert(attempt.to_bits(), key);
        }
        let at = match self.target(host, to) {
            Some(there) => self.arrival(host, there, 0),
            None => self.now,
        };
        self.at(
            at,
            Event::Syn {
                from: key,
                tries: 0,
            },
        );
        Some(key)
    }

    /// No simulated host has sockets of that kind.
    pub(super) fn refuse_family(&mut self, host: u32, attempt: AttemptId, error: io::Error) {
        self.answer(host, Answer::Failed(attempt, error));
    }

    pub(super) fn cancel_connect(&mut self, host: u32, attempt: AttemptId) {
        let node = &mut self.nodes[host as usize];
        if let Some(key) = node.attempts.remove(&attempt.to_bits()) {
            self.reset(key);
        }
        // An answer that is not taken yet answers nobody; the engine finds no attempt for it.
    }

    /// Who is at an address, as seen from a host.
    pub(super) fn target(&self, from: u32, to: SocketAddr) -> Option<u32> {
        if to.ip().is_loopback() || to.ip().is_unspecified() {
            return Some(from);
        }
        self.host_at(to.ip())
    }

    pub(super) fn syn(&mut self, from: Key, tries: u8) {
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
        let local = match to.ip() {
            ip if ip.is_unspecified() => SocketAddr::new(node.own(ip), to.port()),
            _ => to,
        };
        match node.listener_at(to) {
            Some(listening) if !refuses => {
                if listening.queue.len() >= listening.backlog {
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
                self.at(
                    at,
                    Event::Refused {
                        to: from,
                        from: there,
                    },
                );
            }
        }
    }

    /// Nobody answered: try again, or give up after the last time.
    pub(super) fn syn_again(&mut self, from: Key, tries: u8) {
        if tries < SYN_TRIES {
            let at = self.now + Duration::from_secs(1 << tries);
            self.at(
                at,
                Event::Syn {
                    from,
                    tries: tries + 1,
                },
            );
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

    pub(super) fn syn_ack(&mut self, from: Key) {
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
            self.nodes[host as usize]
                .attempts
                .remove(&attempt.to_bits());
            self.answer(host, Answer::Connected(attempt, to));
        }
        self.pump(to);
    }

    pub(super) fn connect_failed(&mut self, key: Key, kind: io::ErrorKind) {
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

    pub(super) fn refused(&mut self, to: Key, from: u32) {
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
}
