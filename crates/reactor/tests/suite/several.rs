//! Several reactors with one port.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use torsade_core::{Net, Protocol, Transport, factory};
use torsade_reactor::{ReactorThreads, Reactors, ReactorsError};

use crate::support::own_ip;

/// Says in which thread it lives.
struct Where;

impl Protocol for Where {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write(thread::current().name().unwrap_or_default());
        transport.write("\n");
    }

    fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
        transport.net().stop();
    }
}

type SetUp<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn serve(net: &Net) -> SetUp<SocketAddr> {
    Ok(net
        .listen((own_ip(), 0), factory(|_| Where))?
        .address()
        .inet()
        .unwrap())
}

fn two() -> (ReactorThreads<SocketAddr>, SocketAddr) {
    let reactors = Reactors::new(2).start(serve).unwrap();
    let address = reactors.results()[0];
    (reactors, address)
}

/// A client, and the thread that serves it.
fn connect(address: SocketAddr) -> (TcpStream, String) {
    let mut client = TcpStream::connect(address).unwrap();
    let mut name = Vec::new();
    let mut byte = [0];
    while byte != *b"\n" {
        client.read_exact(&mut byte).unwrap();
        name.push(byte[0]);
    }
    (client, String::from_utf8(name).unwrap().trim().to_owned())
}

#[test]
fn both_threads_serve_one_port() {
    let (reactors, address) = two();
    assert_eq!(reactors.results(), [address, address]);
    assert_ne!(address.port(), 0);
    let mut served = BTreeMap::<_, Vec<_>>::new();
    // With a fair choice, more than 500 are needed once in 2^499 times.
    for _ in 0..500 {
        let (client, name) = connect(address);
        served.entry(name).or_default().push(client);
        if served.len() == 2 {
            break;
        }
    }
    let names: Vec<_> = served.keys().cloned().collect();
    assert_eq!(names, ["reactor-0", "reactor-1"]);
    reactors.stop();
    reactors.join().unwrap();
    for mut client in served.into_values().flatten() {
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "told of the stop");
    }
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_stop_in_one_thread_ends_all() {
    let (reactors, address) = two();
    let (mut client, _) = connect(address);
    client.write_all(b"stop").unwrap();
    let remotes = reactors.remotes().to_vec();
    reactors.join().unwrap();
    assert!(remotes.iter().all(|remote| remote.post(|_| ()).is_err()));
}

#[test]
fn who_drops_the_threads_stops_them() {
    let (reactors, address) = two();
    drop(reactors);
    assert!(TcpStream::connect(address).is_err());
    TcpListener::bind(address).unwrap();
}

/// Starts two, of which the second to be set up does something else.
fn one_of_two(
    other: impl Fn() -> SetUp<()> + Send + Sync + 'static,
) -> (ReactorsError, SocketAddr) {
    let (tell, told) = mpsc::channel();
    let ended = Reactors::new(2)
        .run(move |net| {
            tell.send(serve(net)?)?;
            match thread::current().name() {
                Some("reactor-1") => other(),
                _ => Ok(()),
            }
        })
        .unwrap_err();
    (ended, told.recv().unwrap())
}

#[test]
fn an_error_in_one_thread_ends_all() {
    let (ended, address) = one_of_two(|| Err("no configuration".into()));
    assert_eq!(
        ended.to_string(),
        "cannot set up a reactor: no configuration"
    );
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_panic_in_one_thread_ends_all() {
    let (ended, address) = one_of_two(|| panic!("bang"));
    assert!(matches!(&ended, ReactorsError::Panicked(panic) if panic.message() == "bang"));
    assert!(TcpStream::connect(address).is_err());
}

/// A panic of its host's waker or clock is not caught by the engine: the loop ends.
#[test]
fn a_panic_of_a_loop_that_runs_ends_all() {
    let clock = || {
        let armed = std::cell::Cell::new(0);
        move || {
            armed.set(armed.get() + 1);
            assert!(armed.get() < 100, "the clock broke");
            torsade_core::Time::from_nanos(armed.get())
        }
    };
    let reactors = Reactors::new(2)
        .build_with(move || torsade_reactor::Reactor::builder().clock(clock()).build())
        .start(serve)
        .unwrap();
    let address = reactors.results()[0];
    let second = &reactors.remotes()[1];
    second
        .post(|net| {
            fn again(net: &Net) {
                net.call_later(std::time::Duration::ZERO, again);
            }
            again(net);
        })
        .unwrap();
    let ended = reactors.join().unwrap_err();
    assert!(
        matches!(&ended, ReactorsError::Panicked(panic) if panic.message() == "the clock broke")
    );
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_port_that_others_have_is_in_use() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let (group, address) = two();
    for taken in [other.local_addr().unwrap(), address] {
        let ended = Reactors::new(2)
            .run(move |net| Ok(net.listen(taken, factory(|_| Where)).map(|_| ())?))
            .unwrap_err();
        assert!(ended.to_string().contains("cannot listen"), "{ended}");
    }
    drop(group);
}

#[test]
fn a_fixed_port_is_shared_and_what_is_listened_on_twice_is_not() {
    let free = TcpListener::bind((own_ip(), 0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let reactors = Reactors::new(3)
        .start(move |net| {
            let listener = net.listen(address, factory(|_| Where))?;
            let again = net.listen(address, factory(|_| Where));
            Ok((listener.address().inet().unwrap(), again.is_err()))
        })
        .unwrap();
    assert_eq!(reactors.results(), [(address, true); 3]);
}

#[test]
fn two_ports_0_are_two_ports_and_later_ones_are_a_threads_own() {
    let both = |net: &Net| Ok((serve(net)?, serve(net)?));
    let reactors = Reactors::new(2).start(both).unwrap();
    let (one, two) = reactors.results()[0];
    assert_eq!(reactors.results()[1], (one, two));
    assert_ne!(one, two);
    let (tell, told) = mpsc::channel();
    for remote in reactors.remotes() {
        let tell = tell.clone();
        remote
            .post(move |net| tell.send(serve(net).unwrap()).unwrap())
            .unwrap();
    }
    let (three, four) = (told.recv().unwrap(), told.recv().unwrap());
    assert_ne!(three, four);
    reactors.stop();
    reactors.join().unwrap();
}
