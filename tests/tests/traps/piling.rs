//! Output that piles up.

use torsade_core::{Connection, Disconnect, Limit, Limits};

use crate::support::{Lab, Peer, Script, Seen, Shared, pattern};

const MB: usize = 1_000_000;

/// One write of any size passes: the cap bounds piling up.
pub(crate) fn one_write_of_forty_megabytes() {
    let mut lab = Lab::new();
    let losses = Shared::default();
    let noted = losses.clone();
    let part = pattern(MB);
    let whole = part.repeat(40);
    let address = lab.serve(move || {
        let whole = whole.clone();
        Script::new()
            .made(move |transport| {
                transport.write(&whole);
                transport.close();
            })
            .loses(&noted)
    });
    let mut client = Peer::connect(address);
    let heard = client.read_to_end(&mut lab);
    assert_eq!(heard.len(), 40 * MB);
    assert!(heard.chunks(MB).all(|piece| piece == part));
    assert_eq!(losses.list(), [Disconnect::Closed]);
}

/// A server that does not speak, and its connections in the order in which they came.
struct Deaf {
    lab: Lab,
    address: std::net::SocketAddr,
    connections: Shared<Connection>,
    losses: Shared<(Connection, Disconnect)>,
}

impl Deaf {
    fn new(change: impl FnOnce(&mut Limits)) -> Self {
        let lab = Lab::with(change);
        let (connections, losses) = (Shared::default(), Shared::default());
        let (made, lost) = (connections.clone(), losses.clone());
        let address = lab.serve(move || {
            let (made, lost) = (made.clone(), lost.clone());
            Script::echo()
                .made(move |transport| made.push(transport.connection()))
                .lost(move |transport, reason| {
                    lost.push((transport.connection(), reason.clone()));
                })
        });
        Self {
            lab,
            address,
            connections,
            losses,
        }
    }

    /// A peer that does not read, and the connection to it.
    fn peer(&mut self) -> (Peer, Connection) {
        let peer = Peer::narrow(self.address);
        let before = self.connections.len();
        let connections = self.connections.clone();
        self.lab
            .drive("it is connected", || connections.len() > before);
        (peer, self.connections.list().pop().unwrap())
    }
}

/// Who writes on and on to a peer that does not read has that connection ended at the cap, and
/// only that one.
pub(crate) fn piling_up_on_one_connection() {
    let mut deaf = Deaf::new(|_| ());
    let (mut deaf_peer, connection) = deaf.peer();
    let (mut bystander, _) = deaf.peer();
    let cap = deaf.lab.net.limits().write_cap;
    let mut written = 0;
    while connection.is_open() {
        connection.write(vec![0; MB]);
        written += MB;
        assert!(deaf.lab.net.buffered() <= cap + MB);
        assert!(written <= 3 * cap, "nothing ends it");
        bystander.round_trip(&mut deaf.lab, b"still here?");
    }
    assert!(written > cap);
    deaf.lab.settle();
    let reason = Disconnect::LimitPassed(Limit::WriteBuffer);
    assert_eq!(deaf.losses.list(), [(connection, reason)]);
    assert_eq!(deaf.lab.net.buffered(), 0);
    bystander.round_trip(&mut deaf.lab, b"and now?");
    while deaf_peer.seen == Seen::Open {
        deaf_peer.wait_readable();
        deaf_peer.read();
    }
    assert_eq!(deaf_peer.seen, Seen::Cut);
}

/// When all connections together hold too much, the fullest goes first; the others keep all of
/// theirs.
pub(crate) fn piling_up_over_a_reactor() {
    const CAP: usize = 9 * MB + MB / 2;
    let mut deaf = Deaf::new(|limits| limits.total_write_cap = CAP);
    let mut peers: Vec<_> = (0..4).map(|_| deaf.peer()).collect();
    let fill = |deaf: &mut Deaf, connection: &Connection, bytes: usize| {
        connection.write(pattern(bytes));
        deaf.lab.settle();
        assert!(deaf.lab.net.buffered() <= CAP);
    };
    fill(&mut deaf, &peers[0].1, 3 * MB);
    fill(&mut deaf, &peers[1].1, 4 * MB);
    fill(&mut deaf, &peers[2].1, 2 * MB);
    assert_eq!(deaf.losses.len(), 0);
    // Too much: not who comes last goes, nor who came first.
    fill(&mut deaf, &peers[3].1, 3 * MB);
    let reason = || Disconnect::LimitPassed(Limit::TotalWriteBuffer);
    assert_eq!(deaf.losses.list(), [(peers[1].1.clone(), reason())]);
    // A new one that alone is too much is the fullest itself.
    let (_peer, large) = deaf.peer();
    fill(&mut deaf, &large, 2 * CAP);
    assert_eq!(deaf.losses.list()[1..], [(large, reason())]);
    peers.remove(1);
    for ((peer, _), len) in peers.iter_mut().zip([3 * MB, 2 * MB, 3 * MB]) {
        assert!(peer.read_exactly(&mut deaf.lab, len) == pattern(len));
        peer.round_trip(&mut deaf.lab, b"still here?");
    }
}
