//! A peer by the book, on a string transport and as a host of a simulated network.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use torsade_core::{Disconnect, Protocol, Transport, factory};
use torsade_testing::sim::{Cuts, Links, Sim};
use torsade_testing::{MemoryReactor, Progress, Script, StringTransport};

const SECOND: Duration = Duration::from_secs(1);

/// Asks for a name, says hello, and goes; after ten seconds it goes without.
struct Doorman;
impl Protocol for Doorman {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write("who is there?\n");
        transport.call_later(10 * SECOND, |_, transport| transport.abort());
    }
    fn data_received(&mut self, transport: &Transport<Self>, name: &[u8]) {
        transport.write_parts(&[b"hello, ", name]);
        transport.close();
    }
}

/// The message of the panic.
fn message(work: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(work)).unwrap_err();
    payload.downcast_ref::<String>().unwrap().clone()
}

fn said(script: &Script) -> String {
    message(|| script.run(&mut StringTransport::serve(Doorman)))
}

#[test]
fn what_is_as_it_says_passes() {
    Script::new()
        .expect("who is ")
        .expect("there?\n")
        .expect_silence(9 * SECOND)
        .send("ann\n")
        .expect("hello, ann\n")
        .expect_end()
        .run(&mut StringTransport::serve(Doorman));
    Script::new()
        .expect("who is there?\n")
        .end()
        .expect_end()
        .run(&mut StringTransport::serve(Doorman));
    let mut t = StringTransport::serve(Doorman);
    Script::new().expect("who is there?\n").reset().run(&mut t);
    assert_eq!(t.lost(), Some(Disconnect::Reset));
    let reactor = MemoryReactor::new();
    let listening = reactor.net().listen("127.0.0.1:7", factory(|_| Doorman));
    let script = Script::new()
        .expect("who is there?\n")
        .send("bob")
        .expect("hello, bob");
    script.run(&mut reactor.dial(listening.unwrap().address()));
}

#[test]
fn where_it_differs_is_shown_with_what_went_before() {
    let script = Script::new()
        .expect("who is there?\n")
        .send("bob\n")
        .expect("hello, ann\n")
        .expect_end();
    let wanted = concat!(
        "the conversation is not as step 3 of 4 says: expect \"hello, ann\\n\"\n",
        "  expected  \"hello, ann\\n\"\n",
        "  came      \"hello, bob\\n\"\n",
        "                    ^ at byte 7\n",
        "  in bytes  61 6e 6e 0a expected, 62 6f 62 0a came\n",
        "before that, with 14 bytes that were right:\n",
        "    1 expect \"who is there?\\n\"\n",
        "    2 send \"bob\\n\"",
    );
    assert_eq!(said(&script), wanted);
}

#[test]
fn every_way_to_differ_is_told_in_words() {
    let begun = || Script::new().expect("who is there?\n");
    let early = begun().expect("hello");
    assert!(said(&early).ends_with("nothing more came\nbefore that, with 14 bytes that were right:\n    1 expect \"who is there?\\n\""));
    let part = Script::new().expect("who is there?\nhello");
    let told = said(&part);
    assert!(
        told.contains("68 65 6c 6c 6f expected, nothing more came"),
        "{told}"
    );
    assert!(told.contains("and then nothing more came"), "{told}");
    let told = said(&begun().send("x").expect("hello, x").expect("!"));
    assert!(told.contains("the stream ended"), "{told}");
    let told = said(&begun().send("x").expect_end());
    assert!(told.contains("before that came \"hello, x\""), "{told}");
    let told = said(&begun().expect_reset());
    assert!(
        told.contains("expect a reset\n  nothing more came"),
        "{told}"
    );
    let told = said(&begun().send("x").expect("hello, x").expect_reset());
    assert!(
        told.contains("expect a reset\n  the stream ended"),
        "{told}"
    );
    let told = said(&begun().expect_silence(11 * SECOND).expect("?"));
    assert!(told.contains("the connection was reset"), "{told}");
    let told = said(&Script::new().expect_silence(SECOND));
    assert!(told.contains("this came: \"who is there?\\n\""), "{told}");
    let told = said(&Script::new());
    assert!(told.contains("goes on after the last of 0 steps"), "{told}");
    let told = said(&begun().send("x"));
    assert!(told.contains("more came after it: \"hello, x\""), "{told}");
}

/// The doorman on a host, and a peer by this script on another.
fn over_the_network(script: &Script, cuts: Cuts) -> (Sim, Progress) {
    let net = Sim::new(7);
    let mut links = Links::default();
    links.cuts = cuts;
    net.links(links);
    let server = net.host("server").net();
    server.listen("0.0.0.0:7", factory(|_| Doorman)).unwrap();
    let peer = script.peer();
    let progress = peer.progress();
    net.host("ann").net().connect("server:7", peer).detach();
    (net, progress)
}

#[test]
fn it_is_a_peer_on_a_network() {
    let script = Script::new()
        .expect("who is there?\n")
        .expect_silence(5 * SECOND)
        .send("ann\n")
        .expect("hello, ann\n")
        .expect_end();
    let (mut net, progress) = over_the_network(&script, Cuts::Whole);
    net.advance(4 * SECOND);
    assert!(!progress.is_done());
    net.advance(2 * SECOND);
    assert!(progress.is_done());
    assert_eq!(net.host("ann").net().connections(), 0);

    // The name comes in pieces, so it is another one.
    let (mut net, progress) = over_the_network(&script, Cuts::Bytewise);
    net.expect_panic("not as step 4 of 5 says: expect \"hello, ann\\n\"");
    net.advance(6 * SECOND);
    assert!(!progress.is_done());
}

#[test]
fn a_peer_whose_script_is_not_finished_fails_the_test() {
    let begun = Script::new().expect("who is there?\n");
    let cases = [
        (begun.clone().expect("and then"), "the connection was reset"),
        (
            begun.clone().expect_silence(20 * SECOND),
            "the connection was reset",
        ),
        (begun.clone().expect_end(), "the connection was reset"),
    ];
    for (script, text) in cases {
        let (mut net, _) = over_the_network(&script, Cuts::Whole);
        net.expect_panic(text);
        net.advance(11 * SECOND);
    }
    let (mut net, progress) = over_the_network(&begun.clone().expect_reset(), Cuts::Whole);
    net.advance(11 * SECOND);
    assert!(progress.is_done());

    let (mut net, _) = over_the_network(&begun.clone().expect("more"), Cuts::Whole);
    net.advance(SECOND);
    let told = message(|| drop(net));
    assert!(told.contains("ann: panic in connection_lost"), "{told}");
    assert!(
        told.contains("not as step 2 of 2 says: expect \"more\""),
        "{told}"
    );
}
