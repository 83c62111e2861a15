//! `Net::netstat`: everything that is open, with its state.
#![expect(
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

use std::net::SocketAddr;
use std::time::Duration;

use torsade_core::{
    ChildFd, Command, DatagramProtocol, DatagramTransport, Disconnect, ExitStatus, Filter, Netstat,
    NetstatState, ProcessProtocol, Protocol, Sides, ToEndpoint, Transport, factory,
};
use torsade_testing::MemoryReactor;

/// Does what the peer says.
struct Obedient;
impl Protocol for Obedient {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        match data {
            b"pause" => transport.pause_reading(),
            b"end" => transport.close_write(),
            b"answer" => transport.write([7; 100_000]),
            b"close" => {
                transport.write([7; 100_000]);
                transport.close();
            }
            _ => {}
        }
    }

    fn eof_received(&mut self, _: &Transport<Self>) {
        // Ours stays open.
    }
}

struct Deaf;
impl DatagramProtocol for Deaf {
    fn datagram_received(&mut self, _: &DatagramTransport<Self>, _: &[u8], _: &SocketAddr) {}
}

/// Is never ready.
struct Unready;
impl Filter for Unready {
    fn is_ready(&self) -> bool {
        false
    }

    fn decode(&mut self, data: &mut [u8], _: &mut Sides<'_>) -> Result<usize, Disconnect> {
        Ok(data.len())
    }

    fn encode(&mut self, _: &[&[u8]], _: &mut Sides<'_>) -> Result<(), Disconnect> {
        Ok(())
    }
}

fn netstat(reactor: &MemoryReactor) -> Netstat {
    let asked = reactor.net().netstat();
    reactor.settle();
    asked.try_take().unwrap().unwrap()
}

#[test]
fn each_connection_is_shown_with_its_state() {
    let reactor = MemoryReactor::new();
    let net = reactor.net();
    net.listen("127.0.0.1:80", factory(|_| Obedient)).unwrap();
    let ends: Vec<_> = ["", "pause", "end", "answer", "close", "gone"]
        .into_iter()
        .map(|word| {
            let mut end = reactor.dial("127.0.0.1:80");
            end.set_window(10);
            end.feed(word);
            if word == "gone" {
                end.end();
            }
            end
        })
        .collect();
    let shown = netstat(&reactor);
    let rows: Vec<_> = shown
        .rows
        .iter()
        .map(|row| {
            (
                row.state,
                row.received,
                row.sent,
                row.buffered,
                row.is_paused,
            )
        })
        .collect();
    use NetstatState::{Closing, Ended, Listening, Open, PeerEnded};
    assert_eq!(
        rows,
        [
            (Listening, 0, 0, 0, false),
            (Open, 0, 0, 0, false),
            (Open, 5, 0, 0, true),
            (Ended, 3, 0, 0, false),
            (Open, 6, 10, 99_990, true), // throttled: the peer does not read
            (Closing, 5, 10, 99_990, false),
            (PeerEnded, 4, 0, 0, false),
        ]
    );
    let row = &shown.rows[1];
    assert_eq!(row.local.as_ref().unwrap().to_string(), "127.0.0.1:80");
    assert_eq!(row.remote.as_ref(), Some(ends[0].peer().remote()));
    assert!(row.what.ends_with("::Obedient"), "{}", row.what);
    assert!(shown.rows[0].what.contains("netstat.rs"));
}

#[test]
fn what_is_no_connection_yet_is_shown_too() {
    let reactor = MemoryReactor::new();
    let net = reactor.net();
    let _port = net.bind("127.0.0.1:53", Deaf).unwrap();
    let _connecting = net.connect("10.0.0.1:7", Obedient);
    let filtered = "127.0.0.1:443".to_endpoint().unwrap().filter(|_| Unready);
    net.listen(filtered, factory(|_| Obedient)).unwrap();
    let _end = reactor.dial("127.0.0.1:443");
    let shown = netstat(&reactor);
    let states: Vec<_> = shown.rows.iter().map(|row| row.state).collect();
    use NetstatState::{Connecting, Datagrams, Handshaking, Listening};
    assert_eq!(states, [Listening, Datagrams, Connecting, Handshaking]);
    assert!(shown.rows[2].what.starts_with("10.0.0.1:7, asked for at "));
}

struct Silent;
impl ProcessProtocol for Silent {}

#[test]
fn child_processes_are_shown_with_what_is_open_of_them() {
    use NetstatState::{Exited, LetGo, Running};
    let reactor = MemoryReactor::new();
    let spawn = |program: &str, stderr| {
        let command = Command::new(program).descriptor(2, stderr);
        reactor.net().spawn_process(&command, Silent).unwrap()
    };
    let sort = spawn("/bin/sort", ChildFd::Read);
    let tail = spawn("tail", ChildFd::Null);
    let mut far = reactor.next_process();
    far.feed("12345");
    let shown = netstat(&reactor);
    let children = |shown: &Netstat| {
        let children = shown.rows.iter().filter_map(|row| {
            let child = row.child.as_ref()?;
            let open = child.descriptors.iter().map(|(number, _)| *number);
            Some((row.state, child.pid, child.status, open.collect()))
        });
        children.collect::<Vec<(_, _, _, Vec<u32>)>>()
    };
    assert_eq!(
        children(&shown),
        [
            (Running, sort.pid(), None, vec![0, 1, 2]),
            (Running, tail.pid(), None, vec![0, 1]),
        ]
    );
    let row = &shown.rows[0];
    let child = row.child.as_ref().unwrap();
    assert_eq!(child.program, "/bin/sort");
    let what = format!("/bin/sort, process {}, descriptors 0 1 2, ", sort.pid());
    assert!(row.what.starts_with(&what), "{}", row.what);
    assert!(row.what.contains("netstat.rs"), "{}", row.what);
    assert_eq!((row.connection, &row.local), (None, &None));
    // Each descriptor is a connection with a row of its own.
    let (_, output) = child.descriptors[1];
    let mut pipes = shown.rows.iter();
    let pipe = pipes.find(|row| row.connection == Some(output)).unwrap();
    assert_eq!((pipe.state, pipe.received), (NetstatState::Open, 5));
    assert!(pipe.child.is_none());

    // It has exited, and somebody holds its standard output.
    let status = ExitStatus::Code(3);
    far.pipe(0).reset();
    far.pipe(2).end();
    far.exit_and_leave_pipes(status);
    let shown = netstat(&reactor);
    assert_eq!(
        children(&shown)[0],
        (Exited, sort.pid(), Some(status), vec![1])
    );
    assert!(shown.rows[0].what.contains(", exit code 3, descriptors 1,"));
    // Nobody waits for the other one; asked for first, answered when that is known.
    let asked = reactor.net().netstat();
    tail.let_go();
    reactor.settle();
    let shown = asked.try_take().unwrap().unwrap();
    assert_eq!(children(&shown)[1].0, LetGo);
    // What has ended is not shown.
    assert_eq!(children(&netstat(&reactor)).len(), 1);
}

#[test]
fn a_child_whose_streams_are_a_connection_is_shown_with_that() {
    let reactor = MemoryReactor::new();
    let connecting = reactor.net().connect(Command::new("sort"), Obedient);
    let _far = reactor.next_process();
    let transport = connecting.try_take().unwrap().unwrap();
    let shown = netstat(&reactor);
    let child = shown.rows.iter().find_map(|row| row.child.as_ref());
    let descriptors = &child.unwrap().descriptors;
    // Its complaints, which go to the log, are read, too.
    assert_eq!(descriptors[..2], [(0, transport.id()), (1, transport.id())]);
    assert_eq!(descriptors[2].0, 2);
    assert_eq!(descriptors.len(), 3);
}

#[test]
fn a_table_for_people_has_its_columns_under_each_other() {
    let reactor = MemoryReactor::new();
    reactor
        .net()
        .listen("127.0.0.1:80", factory(|_| Obedient))
        .unwrap();
    let _end = reactor.dial_from("192.0.2.1:5".parse::<SocketAddr>().unwrap(), "127.0.0.1:80");
    let text = netstat(&reactor).to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(
        lines[2].starts_with("open         127.0.0.1:80  192.0.2.1:5 "),
        "{text}"
    );
    let column = lines[0].find("remote").unwrap();
    assert_eq!(lines[1].find('*'), Some(column));
    assert_eq!(lines[2].find("192."), Some(column));
}

#[test]
fn a_connection_may_ask_for_it_in_a_callback() {
    struct Status;
    impl Protocol for Status {
        fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
            let asked = transport.net().netstat();
            transport.then(asked, |_, transport, netstat| {
                transport.write(netstat.unwrap().rows.len().to_string());
            });
        }
    }
    let mut t = torsade_testing::StringTransport::serve(Status);
    t.feed("?");
    assert_eq!(t.take_sent(), b"1");
    t.advance(Duration::ZERO);
}
