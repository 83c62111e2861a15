use std::io::ErrorKind;

use torsade::{Address, ToEndpoint};
use torsade_testing::{FarEnd, MemoryReactor};

/// A person at a terminal, and the other end of what they talk with.
fn talking() -> (MemoryReactor, FarEnd, FarEnd) {
    let (reactor, person) = typing();
    let network = reactor.next_connect().succeed();
    (reactor, person, network)
}

/// Before it is known whether there is anybody to talk with.
fn typing() -> (MemoryReactor, FarEnd) {
    let reactor = MemoryReactor::new();
    super::talk(reactor.net(), "192.0.2.1:80".to_endpoint().unwrap());
    let stdio = reactor.next_connect();
    assert_eq!(stdio.address(), &Address::Stdio);
    let person = stdio.succeed();
    (reactor, person)
}

#[test]
fn what_is_typed_is_sent_with_the_ends_of_lines_that_the_network_has() {
    let (_reactor, mut person, mut network) = talking();
    person.feed("hello\nthere");
    person.feed("\r\nhow are\r");
    person.feed("\nyou\n\n");
    let sent = network.take_sent();
    assert_eq!(
        String::from_utf8_lossy(&sent),
        "hello\r\nthere\r\nhow are\r\nyou\r\n\r\n"
    );
    network.feed("fine\r\n");
    assert_eq!(person.take_sent(), b"fine\r\n");
}

#[test]
fn when_nothing_more_is_typed_the_answers_still_come() {
    let (reactor, mut person, mut network) = talking();
    person.feed("the last line");
    person.end();
    assert_eq!(network.take_sent(), b"the last line");
    assert!(network.has_ended());
    network.feed("the answer");
    network.end();
    assert_eq!(person.take_sent(), b"the answer");
    assert!(person.has_ended());
    assert_eq!(reactor.net().connections(), 0);
}

#[test]
fn what_is_typed_early_waits_and_who_is_not_there_is_said() {
    let (reactor, mut person) = typing();
    person.feed("early\n");
    let mut network = reactor.next_connect().succeed();
    assert_eq!(network.take_sent(), b"early\r\n");

    let (reactor, person) = typing();
    reactor.next_connect().fail(ErrorKind::ConnectionRefused);
    assert!(person.has_ended());
    assert_eq!(reactor.net().connections(), 0);
}
