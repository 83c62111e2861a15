//! TLS on the simulated network, on its virtual clock.
//!
//! What repeats from a seed: who connects when, what is said, how often and with which reason
//! connections end, and what time that is, to the nanosecond. What does not is what is secret: keys,
//! and so the bytes on the wire, are new each time. Their number is the same as long as signatures
//! have one length; those of the keys that `throw_away` makes differ by a byte or two, so these
//! tests use a kind of key whose signatures do not.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Duration;

use torsade_core::{
    ConnectError, Disconnect, Factory, Limits, Net, Peer, Protocol, Time, Timeout, Transport,
    factory,
};
use torsade_deferred::Deferred;
use torsade_testing::sim::{FaultKind, Faults, Sim};
use torsade_tls::throw_away::Authority;
use torsade_tls::{Identity, TlsClient, TlsConnector, TlsExt, TlsServer};

use crate::support::{VERSIONS, authority};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// When the networks of these tests begin.
const BEGIN: Duration = Duration::from_secs(1000 * 24 * 60 * 60);

/// What happened, in order, as the programs saw it.
#[derive(Clone, Default)]
struct Story(Rc<RefCell<Vec<String>>>);

impl Story {
    fn tell(&self, at: Time, who: &str, what: &str) {
        let line = format!("{} {who} {what}", at.as_nanos());
        self.0.borrow_mut().push(line);
    }
}

/// One end of a conversation in which a number is sent to and fro and grows.
struct Counting {
    net: Net,
    who: String,
    story: Story,
    opens: bool,
    /// What has come of the next message.
    heard: Vec<u8>,
}

/// So long is a message, for which several records are needed.
const MESSAGE: usize = 20_000;
/// So often it goes to and fro.
const ROUNDS: u8 = 6;

impl Counting {
    fn tell(&self, what: &str) {
        self.story.tell(self.net.now(), &self.who, what);
    }
}

impl Protocol for Counting {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let tls = transport.tls().unwrap();
        let resumed = tls.is_resumed();
        self.tell(&format!("made {} {resumed}", tls.version()));
        if self.opens {
            transport.write(vec![0; MESSAGE]);
        }
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.tell(&format!("got {} of {}", data.len(), data[0]));
        self.heard.extend_from_slice(data);
        if self.heard.len() < MESSAGE {
            return;
        }
        let number = self.heard[0];
        assert_eq!(self.heard, [number; MESSAGE]);
        self.heard.clear();
        match number {
            ROUNDS => transport.close(),
            number => transport.write(vec![number + 1; MESSAGE]),
        }
    }

    fn eof_received(&mut self, transport: &Transport<Self>) {
        self.tell("eof");
        transport.close();
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.tell(&reason.to_string());
    }
}

thread_local! {
    /// Whose time certificates are checked against.
    static CLOCK: RefCell<Option<Net>> = const { RefCell::new(None) };
}

/// The time of the network that is simulated on this thread.
fn simulated() -> Duration {
    let passed = CLOCK.with_borrow(|net| net.as_ref().unwrap().now().as_nanos());
    BEGIN + Duration::from_nanos(passed)
}

/// Whose signatures have one length.
fn identity() -> Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    let identity = IDENTITY.get_or_init(|| {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let params = rcgen::CertificateParams::new(["server".to_owned()]).unwrap();
        let own = params.self_signed(&key).unwrap();
        Identity::from_pem(own.pem(), key.serialize_pem()).unwrap()
    });
    identity.clone()
}

/// Three clients come again and again, in a network of this seed's faults.
fn story(seed: u64) -> (Vec<String>, u64) {
    let mut sim = Sim::new(seed);
    let story = Story::default();
    let server = TlsServer::builder()
        .identity(identity())
        .wall_clock(simulated);
    let server = server.build().unwrap();
    let (tls, told) = (server, story.clone());
    sim.host("server").boot(move |net| {
        let (story, own) = (told.clone(), net.clone());
        let counting = factory(move |_: &Peer| counting("server", &own, &story, false));
        // It may fail when descriptors are short.
        let _ = net.listen(tls.endpoint("0.0.0.0:443").unwrap(), counting);
    });
    let watch = sim.host("watch").net();
    CLOCK.with_borrow_mut(|clock| *clock = Some(watch));
    for (number, version) in [0, 1, 1].into_iter().enumerate() {
        // Whom its own certificate vouches for.
        let client = TlsClient::builder()
            .only(VERSIONS[version])
            .dangerously_trust_every_server()
            .wall_clock(simulated);
        let tls = client.build().unwrap().to("server").unwrap();
        let (who, story) = (format!("client {number}"), story.clone());
        sim.host(&who.clone())
            .boot(move |net| come(net, &tls, &who, &story, 8));
    }
    let faults = Faults::all().with(FaultKind::Corrupt);
    sim.swarm(faults.within(40 * SECOND).about(30));
    sim.advance(100 * SECOND);
    sim.calm();
    let harm = sim.harm();
    let lines = story.0.borrow().clone();
    (lines, harm)
}

fn counting(who: &str, net: &Net, story: &Story, opens: bool) -> Counting {
    Counting {
        net: net.clone(),
        who: who.to_owned(),
        story: story.clone(),
        opens,
        heard: Vec::new(),
    }
}

/// Connect now, and every five seconds so often.
fn come(net: &Net, tls: &TlsConnector, who: &str, story: &Story, times: usize) {
    let protocol = counting(who, net, story, true);
    let (story, who, tls) = (story.clone(), who.to_owned(), tls.clone());
    let (told, name, own) = (story.clone(), who.clone(), net.clone());
    net.connect(tls.endpoint("server:443").unwrap(), protocol)
        .map(drop)
        .or_else(move |error| {
            told.tell(own.now(), &name, &error.to_string());
            Deferred::<(), ConnectError>::succeed(())
        })
        .detach();
    if times > 1 {
        net.call_later(5 * SECOND, move |net| {
            come(net, &tls, &who, &story, times - 1)
        });
    }
}

#[test]
fn a_seed_repeats_what_is_said_to_the_nanosecond() {
    let mut harm = 0;
    let mut all = String::new();
    let mut before = Vec::new();
    for seed in 0..12 {
        let (first, harmed) = story(seed);
        let (second, again) = story(seed);
        for (number, (one, other)) in first.iter().zip(&second).enumerate() {
            assert_eq!(one, other, "line {number} of seed {seed}");
        }
        assert_eq!((first.len(), harmed), (second.len(), again), "seed {seed}");
        assert_ne!(first, before, "seed {seed} is another story");
        harm += harmed;
        all += &first.join("\n");
        before = first;
    }
    // It was not too calm to tell.
    assert!(harm > 100, "{harm}");
    for what in [
        "TLS 1.2 false",
        "TLS 1.3 false",
        "TLS 1.3 true",
        "eof",
        "closed",
    ] {
        assert!(all.contains(what), "{what}");
    }
    let decayed = all.matches("cannot be decrypted").count();
    let resets = all.matches("reset").count();
    println!("{harm} harms, {decayed} records that cannot be decrypted, {resets} resets");
    assert!(decayed > 0 && resets > 0);
}

/// Tells why connections were none.
struct Door(Story);

impl Factory for Door {
    type Protocol = Silent;

    fn build(&mut self, _: &Peer) -> Option<Silent> {
        Some(Silent)
    }

    fn failed(&mut self, _: &Peer, reason: &Disconnect) {
        let at = CLOCK.with_borrow(|net| net.as_ref().unwrap().now());
        assert_eq!(*reason, Disconnect::TimedOut(Timeout::Handshake));
        self.0.tell(at, "server", &reason.to_string());
    }
}

struct Silent;
impl Protocol for Silent {
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

#[test]
fn a_handshake_has_its_virtual_time() {
    let mut sim = Sim::new(7);
    let story = Story::default();
    let mut limits = Limits::default();
    limits.handshake_timeout = 20 * SECOND;
    let server = sim.host_with("server", limits).net();
    CLOCK.with_borrow_mut(|clock| *clock = Some(server.clone()));
    let tls = TlsServer::builder().identity(identity()).build().unwrap();
    let endpoint = tls.endpoint("0.0.0.0:443").unwrap();
    server.listen(endpoint, Door(story.clone())).unwrap();
    sim.advance(5 * SECOND);
    // In clear, so that it never shakes hands.
    let connecting = sim.host("client").net().connect("server:443", Silent);
    sim.run_until(|| server.connections() == 1);
    assert!(sim.now() < Time::ZERO + 6 * SECOND);
    let until = sim.now() + 20 * SECOND;
    sim.run_until(|| server.connections() == 0);
    assert_eq!(sim.now(), until);
    sim.settle();
    let told = format!("{} server timed out: no handshake", until.as_nanos());
    assert_eq!(*story.0.borrow(), [told]);
    assert!(connecting.try_take().unwrap().is_ok());
}

#[test]
fn a_certificate_expires_while_a_network_runs() {
    let made: &Authority = authority();
    let made = made.issue_valid(["server"], BEGIN, BEGIN + 2 * DAY - SECOND);
    let mut sim = Sim::new(8);
    let server = sim.host("server").net();
    let client = sim.host("client").net();
    CLOCK.with_borrow_mut(|clock| *clock = Some(client.clone()));
    let tls = TlsServer::builder()
        .identity(made.identity())
        .build()
        .unwrap();
    let endpoint = tls.endpoint("0.0.0.0:443").unwrap();
    server.listen(endpoint, factory(|_| Silent)).unwrap();
    let tls = TlsClient::builder()
        .roots(&authority().roots())
        .without_resumption();
    let tls = tls.wall_clock(simulated).build().unwrap();
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        let connecting = client.connect(tls.endpoint("server:443").unwrap(), Silent);
        sim.settle();
        let outcome = connecting.try_take().unwrap();
        outcomes.push(outcome.map(drop).map_err(|error| error.to_string()));
        sim.advance(DAY);
    }
    assert_eq!(outcomes[..2], [Ok(()), Ok(())]);
    for (outcome, ago) in outcomes[2..].iter().zip(["less than a day", "a day"]) {
        let error = outcome.as_ref().unwrap_err();
        assert!(error.ends_with(&format!("it expired {ago} ago")), "{error}");
    }
}
