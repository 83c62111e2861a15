//! A chat of many members, each on a host of its own.
//!
//! Whatever happens: what a member hears on its connection of what another said on one of its own
//! has no gap, no repetition and no other order. When the faults are over: everybody comes back,
//! and hears everybody.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Connection, ConnectionId, Disconnect, Net, Transport, factory};
use torsade_testing::sim::{FaultKind, Faults, Sim};
use torsade_wire::{LineProtocol, LineTransport, Lines};

/// What a run has come to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Lines that members heard.
    pub heard: u64,
    /// Connections that members lost.
    pub lost: u64,
    /// Faults that began.
    pub faults: u64,
    /// How often one did harm.
    pub harm: u64,
    /// How much of the network's time passed.
    pub lasted: Duration,
}

/// Every member who speaks says so many lines quickly, and then one after each pause.
const LINES: u32 = 3;

/// Run it, with so many members, all of whom speak.
///
/// # Panics
/// If something happens that must not.
pub fn run(seed: u64, members: u32, faults: Option<Faults>) -> Outcome {
    let mut net = Sim::new(seed);
    let room = furnish(&net, members, members, Duration::from_secs(5));
    if let Some(faults) = faults {
        net.swarm(faults);
        net.advance(Duration::from_secs(60));
        net.calm();
    }
    finish(net, &room)
}

/// Run it with many members, of whom some speak, while the network falls apart and comes together:
/// a swarm of partitions, and one third of the members after the other without the server, one of
/// them for so long that its connections are given up.
///
/// # Panics
/// If something happens that must not.
pub fn run_partitioned(seed: u64, members: u32, speakers: u32) -> Outcome {
    let mut net = Sim::new(seed);
    let room = furnish(&net, members, speakers, Duration::from_secs(60));
    let partitions = Faults::none().with(FaultKind::Partition);
    net.swarm(partitions.within(Duration::from_secs(300)).about(200));
    net.advance(Duration::from_secs(10));
    for (third, lasts) in [(0, 30), (1, 1800), (2, 120)] {
        let names: Vec<String> = (0..members)
            .filter(|number| number % 3 == third)
            .map(|number| format!("m{number}"))
            .collect();
        let cut = net.partition(names, "server");
        net.advance(Duration::from_secs(lasts));
        drop(cut);
        net.advance(Duration::from_secs(5));
    }
    net.calm();
    finish(net, &room)
}

/// A server and its members.
fn furnish(net: &Sim, members: u32, speakers: u32, pause: Duration) -> Vec<Rc<Member>> {
    net.host("server").boot(serve);
    let members = (0..members).map(|number| {
        let member = Rc::new(Member::new(number, members, speakers, pause));
        let booted = Rc::clone(&member);
        let host = net.host(&format!("m{number}"));
        host.boot(move |net| join(net, &booted));
        member
    });
    members.collect()
}

/// The second phase: everybody is to hear everybody.
fn finish(mut net: Sim, room: &[Rc<Member>]) -> Outcome {
    let all = || room.iter().all(|member| member.has_heard_all());
    net.must_finish("everybody hears everybody", Duration::from_secs(3600), all);
    for member in room {
        member.is_done.set(true);
    }
    // Who was about to come back sees that it is over.
    net.advance(Duration::from_secs(2));
    Outcome {
        heard: room.iter().map(|member| member.heard.get()).sum(),
        lost: room.iter().map(|member| member.lost.get()).sum(),
        faults: net.faults(),
        harm: net.harm(),
        lasted: net.now() - torsade_core::Time::ZERO,
    }
}

/// Who is connected to the server.
type Room = Rc<RefCell<BTreeMap<u64, Connection>>>;

fn serve(net: &Net) {
    let room = Room::default();
    let listening = net.listen(
        "0.0.0.0:6667",
        factory(move |_| {
            Lines::new(Seat {
                room: Rc::clone(&room),
                id: None,
            })
        }),
    );
    if listening.is_err() {
        // Descriptors are short: later.
        net.call_later(Duration::from_secs(1), serve);
    }
}

/// The server's end of a member.
struct Seat {
    room: Room,
    id: Option<ConnectionId>,
}

impl LineProtocol for Seat {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.id = Some(transport.id());
        let connection = transport.connection();
        self.room
            .borrow_mut()
            .insert(transport.id().to_bits(), connection);
    }

    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        let me = transport.id().to_bits();
        let mut said = line.to_vec();
        said.extend_from_slice(b"\r\n");
        let room = self.room.borrow();
        for (_, other) in room.iter().filter(|(id, _)| **id != me) {
            other.write(&said);
        }
    }

    fn connection_lost(&mut self, _: &Transport<Self>, _: &Disconnect) {
        if let Some(id) = self.id {
            self.room.borrow_mut().remove(&id.to_bits());
        }
    }
}

struct Member {
    number: u32,
    speaks: bool,
    /// Between two lines, after the quick ones.
    pause: Duration,
    heard: Cell<u64>,
    lost: Cell<u64>,
    /// How many connections it has had.
    sessions: Cell<u32>,
    /// Whom it has heard when they had said all their quick lines.
    lasts: RefCell<Vec<bool>>,
    is_done: Cell<bool>,
}

impl Member {
    fn new(number: u32, members: u32, speakers: u32, pause: Duration) -> Self {
        let nothing_to_hear = |who| who == number || who >= speakers;
        let lasts = (0..members).map(nothing_to_hear).collect();
        Self {
            number,
            speaks: number < speakers,
            pause,
            heard: Cell::new(0),
            lost: Cell::new(0),
            sessions: Cell::new(0),
            lasts: RefCell::new(lasts),
            is_done: Cell::new(false),
        }
    }

    fn has_heard_all(&self) -> bool {
        self.lasts.borrow().iter().all(|heard| *heard)
    }
}

/// Connect, and again after every loss.
fn join(net: &Net, member: &Rc<Member>) {
    if member.is_done.get() {
        return;
    }
    let client = Lines::new(Client {
        member: Rc::clone(member),
        session: 0,
        said: 0,
        heard: BTreeMap::new(),
    });
    let (again, member) = (net.clone(), Rc::clone(member));
    net.connect("server:6667", client).finish(move |result| {
        if result.is_err() && again.is_alive() && !member.is_done.get() {
            again.call_later(Duration::from_secs(1), move |net| join(net, &member));
        }
    });
}

/// A member's end.
struct Client {
    member: Rc<Member>,
    session: u32,
    said: u32,
    /// The last line of each session of each member, on this connection.
    heard: BTreeMap<(u32, u32), u32>,
}

impl Client {
    /// Who only listens is told by nobody that the server has given it up: after a silence in which
    /// others must have said something it tries again.
    fn listen(&self, transport: &Transport<Self>) {
        let heard = self.member.heard.get();
        transport.call_later(3 * self.member.pause, move |me, transport| {
            if me.member.heard.get() == heard {
                transport.abort();
            } else {
                me.listen(transport);
            }
        });
    }

    fn speak(&mut self, transport: &Transport<Self>) {
        let (me, session, number) = (self.member.number, self.session, self.said);
        transport.send_line(format!("{me} {session} {number}"));
        self.said += 1;
        let pause = match self.said < LINES {
            true => Duration::from_millis(50),
            false => self.member.pause,
        };
        transport.call_later(pause, |me, transport| me.speak(transport));
    }
}

impl LineProtocol for Client {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.session = self.member.sessions.get();
        self.member.sessions.set(self.session + 1);
        self.listen(transport);
        if !self.member.speaks {
            return;
        }
        // Not all at once: when there has been time to come.
        let wait = 200 + 7 * u64::from(self.member.number);
        transport.call_later(Duration::from_millis(wait), |me, transport| {
            me.speak(transport);
        });
    }

    fn line_received(&mut self, _: &Transport<Self>, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let words: Vec<Option<u32>> = text.split(' ').map(|word| word.parse().ok()).collect();
        let [Some(who), Some(session), Some(number)] = words[..] else {
            panic!("a line that nobody said: {text}");
        };
        if let Some(last) = self.heard.insert((who, session), number) {
            assert_eq!(number, last + 1, "what {who} said in its session {session}");
        }
        self.member.heard.set(self.member.heard.get() + 1);
        if number >= LINES {
            self.member.lasts.borrow_mut()[who as usize] = true;
        }
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, _: &Disconnect) {
        self.member.lost.set(self.member.lost.get() + 1);
        let net = transport.net();
        if net.is_alive() && !self.member.is_done.get() {
            let member = Rc::clone(&self.member);
            net.call_later(Duration::from_secs(1), move |net| join(net, &member));
        }
    }
}
