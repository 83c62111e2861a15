use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Limits, Time, Transport};
use torsade_reactor::Reactor;

use crate::support::{Client, Log, Script, drive, pattern, serve, settle};

#[test]
fn a_reset_is_told_as_one() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let server = log.clone();
    let address = serve(reactor.net(), move || Script::new("server", &server));
    let client = Client::connect(address);
    drive(&mut reactor, || log.has("server made"));
    let socket = socket2::Socket::from(client.0);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    drop(socket);
    drive(&mut reactor, || log.lines().len() > 1);
    assert_eq!(
        log.lines(),
        ["server made", "server lost: reset by the peer"]
    );
}

#[test]
fn an_abort_here_is_a_reset_there() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let server = log.clone();
    let address = serve(reactor.net(), move || {
        Script::new("server", &server).data(|transport, _| {
            transport.write(b"never sent");
            transport.abort();
        })
    });
    let mut client = Client::connect(address);
    client.write(b"x");
    let heard = client.read_to_end(&mut reactor);
    assert_eq!(heard, (vec![], Some(ErrorKind::ConnectionReset)));
    assert!(log.has("server lost: aborted here"));
}

#[test]
fn a_question_that_ends_in_a_half_close_is_answered() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let server = log.clone();
    let address = serve(reactor.net(), move || {
        let asked = Rc::new(RefCell::new(Vec::new()));
        let question = Rc::clone(&asked);
        Script::new("server", &server)
            .data(move |_, data| question.borrow_mut().extend_from_slice(data))
            .eof(move |transport| {
                transport.write(b"you asked: ");
                transport.write(&*asked.borrow());
                transport.close();
            })
    });
    let mut client = Client::connect(address);
    client.write(b"why?");
    client.0.shutdown(Shutdown::Write).unwrap();
    let heard = client.read_to_end(&mut reactor);
    assert_eq!(heard, (b"you asked: why?".to_vec(), None));
    settle(&mut reactor);
    assert_eq!(
        log.lines(),
        [
            "server made",
            "server eof",
            "server lost: closed by the peer"
        ]
    );
}

#[test]
fn our_half_close_leaves_the_peers_half_open() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let server = log.clone();
    let heard = log.clone();
    let address = serve(reactor.net(), move || {
        let heard = heard.clone();
        Script::new("server", &server)
            .made(|transport| {
                transport.write(b"go on");
                transport.close_write();
            })
            .data(move |_, data| heard.note(String::from_utf8_lossy(data)))
    });
    let mut client = Client::connect(address);
    assert_eq!(client.read_to_end(&mut reactor), (b"go on".to_vec(), None));
    client.write(b"still here");
    drive(&mut reactor, || log.has("still here"));
    drop(client);
    drive(&mut reactor, || log.lines().len() == 4);
    assert_eq!(
        log.lines()[2..],
        ["server eof", "server lost: closed by the peer"]
    );
}

#[test]
fn a_hang_up_while_paused_wakes_nobody() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let server = log.clone();
    let handle: Rc<RefCell<Option<Transport<Script>>>> = Rc::default();
    let place = Rc::clone(&handle);
    let address = serve(reactor.net(), move || {
        let place = Rc::clone(&place);
        Script::new("server", &server).made(move |transport| {
            transport.pause_reading();
            *place.borrow_mut() = Some(transport.clone());
        })
    });
    let mut client = Client::connect(address);
    drive(&mut reactor, || log.has("server made"));
    client.write(b"not read yet");
    drop(client);
    settle(&mut reactor);
    assert_eq!(log.lines(), ["server made"]);

    handle.take().unwrap().resume_reading();
    drive(&mut reactor, || log.lines().len() == 3);
    assert_eq!(
        log.lines()[1..],
        ["server eof", "server lost: closed by the peer"]
    );
    settle(&mut reactor);
}

#[test]
fn urgent_data_wakes_nobody_twice() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let server = log.clone();
    let heard = log.clone();
    let address = serve(reactor.net(), move || {
        let heard = heard.clone();
        Script::new("server", &server)
            .data(move |_, data| heard.note(String::from_utf8_lossy(data)))
    });
    let mut client = Client::connect(address);
    drive(&mut reactor, || log.has("server made"));
    socket2::SockRef::from(&client.0)
        .send_out_of_band(b"!")
        .unwrap();
    settle(&mut reactor);
    client.write(b"after");
    drive(&mut reactor, || log.lines().concat().contains("after"));
}

const REPLY: usize = 2_000_000;

/// A server that answers the first bytes with a large reply and closes, whatever else was sent.
fn hasty(reactor: &Reactor, log: &Log) -> SocketAddr {
    let server = log.clone();
    serve(reactor.net(), move || {
        Script::new("server", &server).data(|transport, _| {
            transport.write(pattern(0..REPLY));
            transport.close();
        })
    })
}

#[test]
fn a_reply_arrives_whole_though_input_was_left_unread() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let address = hasty(&reactor, &log);
    let mut client = Client::connect(address);
    let mut talk = || {
        // More than the server reads before it closes, and more after that.
        let _ = client.try_write(&[7; 100_000]);
    };
    talk();
    drive(&mut reactor, || {
        talk();
        log.lines().len() == 2
    });
    assert_eq!(log.lines()[1], "server lost: closed here");
    let (heard, error) = client.read_to_end(&mut reactor);
    assert_eq!(error, None, "after {} bytes", heard.len());
    assert!(heard == pattern(0..REPLY));
}

/// Whether the peer of this client still takes what it says.
fn is_taken(client: &mut Client, reactor: &mut Reactor) -> bool {
    // The first write after the peer's close is what provokes the reset.
    for _ in 0..100 {
        if client.try_write(b"more").is_err() {
            return false;
        }
        settle(reactor);
    }
    true
}

#[test]
fn a_socket_lingers_for_its_time_and_no_longer() {
    let hand = Rc::new(Cell::new(Time::ZERO));
    let read = Rc::clone(&hand);
    let mut reactor = Reactor::builder()
        .clock(move || read.get())
        .build()
        .unwrap();
    let log = Log::default();
    let server = log.clone();
    let address = serve(reactor.net(), move || {
        Script::new("server", &server).data(|transport, _| transport.close())
    });
    let mut client = Client::connect(address);
    client.write(b"x");
    assert_eq!(client.read_to_end(&mut reactor), (vec![], None));
    assert!(log.has("server lost: closed here"));
    assert_eq!(
        reactor.next_deadline(),
        Some(Time::ZERO + Duration::from_secs(5))
    );

    hand.set(Time::ZERO + Duration::from_millis(4999));
    settle(&mut reactor);
    assert!(is_taken(&mut client, &mut reactor));
    hand.set(Time::ZERO + Duration::from_secs(5));
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert!(!is_taken(&mut client, &mut reactor));
    assert_eq!(reactor.next_deadline(), None);
}

#[test]
fn a_farewell_survives_the_reactor_though_input_was_left_unread() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let server = log.clone();
    let address = serve(reactor.net(), move || {
        Script::new("server", &server).made(|transport| {
            transport.pause_reading();
            transport.write(b"farewell");
        })
    });
    let mut client = Client::connect(address);
    drive(&mut reactor, || log.has("server made"));
    client.write(b"never read");
    reactor.stop();
    reactor.run().unwrap();
    assert!(log.has("server lost: closed here"));
    drop(reactor);
    let mut stream = client.0;
    stream.set_nonblocking(false).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert_eq!(received, b"farewell");
    assert!(stream.take_error().unwrap().is_none(), "and no reset");
}

#[test]
fn of_too_many_that_linger_the_oldest_goes() {
    let mut limits = Limits::default();
    limits.lingering = 2;
    let mut reactor = Reactor::builder().limits(limits).build().unwrap();
    let log = Log::default();
    let server = log.clone();
    let address = serve(reactor.net(), move || {
        Script::new("server", &server).data(|transport, _| transport.close())
    });
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = Client::connect(address);
        client.write(b"x");
        assert_eq!(client.read_to_end(&mut reactor), (vec![], None));
        clients.push(client);
    }
    let taken: Vec<_> = clients
        .iter_mut()
        .map(|client| is_taken(client, &mut reactor))
        .collect();
    assert_eq!(taken, [false, true, true]);

    // Who ends goes at once.
    clients.clear();
    settle(&mut reactor);
    assert!(
        format!("{reactor:?}").contains("lingering: 0"),
        "{reactor:?}"
    );
}
