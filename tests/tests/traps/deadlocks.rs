//! Output that waits for input that waits for output.

use std::cell::Cell;
use std::net::SocketAddr;

use torsade_core::{Connection, Disconnect, Protocol, Transport};

use crate::support::{Door, Lab, Peer, Script, Seen, Shared, pattern};

/// What each of two echoing ends says at first: more than a kernel holds on its way.
const BURST: usize = 5_000_000;

/// What each of them must have heard: the first words came back, and went round again.
const HEARD: u64 = 3 * BURST as u64;

/// Says much at first, then echoes for ever.
fn talker(connections: &Shared<Connection>) -> Script {
    let connections = connections.clone();
    Script::echo().made(move |transport| {
        transport.write(vec![b'.'; BURST]);
        connections.push(transport.connection());
    })
}

/// An accepting and a connecting end that both echo go on for ever, whatever is on its way.
pub(crate) fn two_echoing_ends() {
    let mut lab = Lab::new();
    let door = Door::open();
    let ends = Shared::default();
    let accepting = ends.clone();
    let address = lab.serve(move || talker(&accepting));
    lab.net.connect(door.address(), talker(&ends)).detach();
    let mut cable = Cable::new(Peer::narrow(address), {
        lab.settle();
        door.accept()
    });
    lab.drive("both are connected", || ends.len() == 2);
    lab.settle();
    let ends = ends.list();
    for end in &ends {
        assert!(end.buffered() > 1_000_000, "the trap is set: {end:?}");
    }
    lab.drive("both have heard", || {
        cable.carry();
        ends.iter().all(|end| end.bytes_received() > HEARD)
    });
}

/// Carries bytes between two peers, few at a time.
struct Cable {
    peers: [Peer; 2],
}

impl Cable {
    fn new(one: Peer, other: Peer) -> Self {
        Self {
            peers: [one, other],
        }
    }

    /// Carry on while something moves, but not for ever.
    fn carry(&mut self) {
        for _ in 0..100 {
            let [one, other] = &mut self.peers;
            if !(carry(one, other) | carry(other, one)) {
                return;
            }
        }
    }
}

/// Returns whether something moved. Nothing is read while the last piece waits.
fn carry(from: &mut Peer, to: &mut Peer) -> bool {
    let read = from.received.is_empty() && from.read_some(8 * 1024) > 0;
    let wrote = to.write_some(&from.received);
    from.received.drain(..wrote);
    read || wrote > 0
}

/// What the client of the relay asks: more than a kernel holds on its way.
const ASKED: usize = 4_000_000;

/// A relay to an upstream that answers ten bytes a byte, and reads nothing while an answer
/// waits, brings every byte and both ends.
pub(crate) fn a_relay_to_a_loud_upstream() {
    let mut lab = Lab::new();
    let door = Door::open();
    let upstream = door.address();
    let losses = Shared::default();
    let noted = losses.clone();
    let address = lab.serve(move || Front::new(upstream, &noted));
    let mut client = Peer::narrow(address);
    lab.settle();
    let mut upstream = Loud::new(door.accept());
    let question = pattern(ASKED);
    let (asked, answered) = (Cell::new(0), Cell::new(0));
    lab.drive("the whole answer is there", || {
        for _ in 0..100 {
            let sent = client.write_some(&question[asked.get()..]);
            asked.set(asked.get() + sent);
            if sent > 0 && asked.get() == ASKED {
                client.finish();
            }
            client.read();
            for piece in client.take() {
                let at = answered.replace(answered.get() + 1) / 10;
                assert_eq!(piece, question[at]);
            }
            upstream.answer();
        }
        client.seen != Seen::Open
    });
    assert_eq!((client.seen, answered.get()), (Seen::Ended, 10 * ASKED));
    lab.drive("the relay is gone", || losses.len() == 2);
    assert_eq!(losses.list(), vec![Disconnect::PeerClosed; 2]);
}

/// Answers every byte with ten of it, as a program that reads and writes in turns.
struct Loud {
    peer: Peer,
    answer: Vec<u8>,
}

impl Loud {
    fn new(peer: Peer) -> Self {
        Self {
            peer,
            answer: Vec::new(),
        }
    }

    fn answer(&mut self) {
        let sent = self.peer.write_some(&self.answer);
        self.answer.drain(..sent);
        if !self.answer.is_empty() {
            return;
        }
        self.peer.read_some(4096);
        let asked = self.peer.take();
        self.answer
            .extend(asked.iter().flat_map(|byte| [*byte; 10]));
        if self.peer.seen == Seen::Ended {
            self.peer.finish();
        }
    }
}

/// The relay's end that clients talk to.
struct Front {
    upstream: SocketAddr,
    back: Option<Connection>,
    losses: Shared<Disconnect>,
}

/// The relay's end that talks to the upstream.
struct Back {
    front: Connection,
    losses: Shared<Disconnect>,
}

impl Front {
    fn new(upstream: SocketAddr, losses: &Shared<Disconnect>) -> Self {
        Self {
            upstream,
            back: None,
            losses: losses.clone(),
        }
    }

    fn back(&self, f: impl FnOnce(&Connection)) {
        self.back.as_ref().map(f);
    }
}

impl Protocol for Front {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        // Until there is somebody to tell. The two ends of a relay hold each other back
        // themselves, by another holder than this one.
        transport.pause_reading();
        transport.throttle_input(false);
        let back = Back {
            front: transport.connection(),
            losses: self.losses.clone(),
        };
        let connecting = transport.net().connect(self.upstream, back);
        transport.then(connecting, |me, transport, back| match back {
            Ok(back) => {
                me.back = Some(back.connection());
                transport.resume_reading();
            }
            Err(_) => transport.close(),
        });
    }

    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.back(|back| back.write(data));
    }

    fn eof_received(&mut self, _: &Transport<Self>) {
        self.back(Connection::close_write);
    }

    fn pause_writing(&mut self, _: &Transport<Self>) {
        self.back(Connection::pause_reading);
    }

    fn resume_writing(&mut self, _: &Transport<Self>) {
        self.back(Connection::resume_reading);
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.losses.push(reason.clone());
        self.back(Connection::close);
    }
}

impl Protocol for Back {
    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.front.write(data);
    }

    fn eof_received(&mut self, _: &Transport<Self>) {
        self.front.close_write();
    }

    fn pause_writing(&mut self, _: &Transport<Self>) {
        self.front.pause_reading();
    }

    fn resume_writing(&mut self, _: &Transport<Self>) {
        self.front.resume_reading();
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.losses.push(reason.clone());
        self.front.close();
    }
}
