//! Process protocols without a process: the order of callbacks, in virtual time.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{
    ChildFd, Command, Disconnect, ExitStatus, Limits, OutputError, Process, ProcessEnd,
    ProcessProtocol, ProcessTransport, Protocol, Signal, TerminalSize, Timeout, Transport,
};
use torsade_deferred::{Deferred, Failure};
use torsade_testing::{Leaks, MemoryReactor};

type Log = Rc<RefCell<Vec<String>>>;

struct Notes(Log);

impl Notes {
    fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }
}

impl ProcessProtocol for Notes {
    fn connection_made(&mut self, _: &ProcessTransport<Self>) {
        self.note("made");
    }

    fn child_data_received(&mut self, _: &ProcessTransport<Self>, fd: u32, data: &[u8]) {
        self.note(format!("{fd}: {}", String::from_utf8_lossy(data)));
    }

    fn child_connection_lost(&mut self, _: &ProcessTransport<Self>, fd: u32, _: &Disconnect) {
        self.note(format!("{fd} lost"));
    }

    fn pause_writing(&mut self, _: &ProcessTransport<Self>, fd: u32) {
        self.note(format!("pause {fd}"));
    }

    fn resume_writing(&mut self, _: &ProcessTransport<Self>, fd: u32) {
        self.note(format!("resume {fd}"));
    }

    fn process_exited(&mut self, _: &ProcessTransport<Self>, status: ExitStatus) {
        self.note(format!("exited: {status}"));
    }

    fn stopping(&mut self, transport: &ProcessTransport<Self>) {
        self.note("stopping");
        transport.close();
    }

    fn process_ended(&mut self, _: &ProcessTransport<Self>, end: ProcessEnd) {
        self.note(format!("ended: {end}"));
    }
}

fn spawn(reactor: &MemoryReactor, command: &Command) -> (ProcessTransport<Notes>, Log) {
    let log = Log::default();
    let notes = Notes(Rc::clone(&log));
    let transport = reactor.net().spawn_process(command, notes).unwrap();
    (transport, log)
}

fn tool() -> Command {
    Command::new("tool")
}

#[test]
fn exited_does_not_wait_for_pipes_and_ended_does() {
    let _leaks = Leaks::check();
    let reactor = MemoryReactor::new();
    let (_, log) = spawn(&reactor, &tool());
    let mut process = reactor.next_process();
    process.exit_and_leave_pipes(ExitStatus::Code(2));
    process.feed("late");
    process.pipe(0).end();
    process.pipe(2).end();
    assert_eq!(
        log.take(),
        ["made", "exited: exit code 2", "1: late", "0 lost", "2 lost"]
    );
    process.pipe(1).end();
    assert_eq!(log.take(), ["1 lost", "ended: exit code 2"]);
    assert!(reactor.net().processes().is_empty());
}

#[test]
fn pipes_that_end_first_wait_for_the_exit() {
    let reactor = MemoryReactor::new();
    let (transport, log) = spawn(&reactor, &tool());
    let mut process = reactor.next_process();
    for fd in 0..3 {
        process.pipe(fd).end();
    }
    assert_eq!(log.take(), ["made", "0 lost", "1 lost", "2 lost"]);
    assert!(transport.is_running());
    process.exit_and_leave_pipes(ExitStatus::Code(0));
    assert_eq!(log.take(), ["exited: exit code 0", "ended: exit code 0"]);
}

#[test]
fn a_pipe_that_others_hold_is_cut_when_it_was_silent_for_so_long() {
    let _leaks = Leaks::check();
    let mut reactor = MemoryReactor::new();
    let (_, log) = spawn(&reactor, &tool());
    let mut process = reactor.next_process();
    process.exit_and_leave_pipes(ExitStatus::Code(0));
    let limit = reactor.net().limits().after_exit_timeout;
    assert_eq!(limit, Duration::from_secs(5));
    for _ in 0..10 {
        reactor.advance(limit - Duration::from_millis(1));
        process.feed("alive");
    }
    log.take();
    reactor.advance(limit * 2);
    let end = "ended: exit code 0, and a descriptor was kept open by others";
    assert_eq!(log.take(), ["0 lost", "1 lost", "2 lost", end]);
    assert!(process.pipe(1).has_reset());
}

#[test]
fn who_waits_for_ever_is_not_cut_and_who_is_not_read_is_not_silent() {
    let mut reactor = MemoryReactor::new();
    let (transport, log) = spawn(&reactor, &tool().after_exit_timeout(Duration::MAX));
    reactor
        .next_process()
        .exit_and_leave_pipes(ExitStatus::Code(0));
    reactor.advance(Duration::from_secs(1_000_000));
    assert_eq!(log.take(), ["made", "exited: exit code 0"]);
    transport.close();

    let (transport, log) = spawn(&reactor, &tool());
    transport.pause_reading(1);
    let mut process = reactor.next_process();
    process.feed("unread");
    process.exit(ExitStatus::Code(0));
    reactor.advance(Duration::from_secs(1_000));
    assert_eq!(
        log.take(),
        ["made", "0 lost", "2 lost", "exited: exit code 0"]
    );
    transport.resume_reading(1);
    reactor.settle();
    assert_eq!(log.take(), ["1: unread", "1 lost", "ended: exit code 0"]);
}

#[test]
fn a_writer_is_held_back_and_let_go_on() {
    let reactor = MemoryReactor::new();
    let (transport, log) = spawn(&reactor, &tool());
    let mut process = reactor.next_process();
    process.pipe(0).set_window(0);
    transport.write(vec![b'x'; 70_000]);
    reactor.settle();
    assert_eq!(log.take(), ["made", "pause 0"]);
    assert!(!transport.wants_output());
    process.pipe(0).set_window(usize::MAX);
    assert_eq!(process.take_input().len(), 70_000);
    assert_eq!(log.take(), ["resume 0"]);
    assert!(transport.wants_output());
}

#[test]
fn descriptors_are_closed_one_by_one_or_all() {
    let reactor = MemoryReactor::new();
    let command = tool()
        .descriptor(3, ChildFd::Read)
        .descriptor(4, ChildFd::Write);
    let (transport, log) = spawn(&reactor, &command);
    transport.write_to_child(4, "to four");
    transport.write_to_child(9, "to nobody");
    transport.close_stderr();
    let mut process = reactor.next_process();
    assert_eq!(process.pipe(4).take_sent(), b"to four");
    process.pipe(3).feed("from three");
    assert_eq!(log.take(), ["made", "2 lost", "3: from three"]);
    transport.close();
    reactor.settle();
    assert_eq!(log.take(), ["0 lost", "1 lost", "3 lost", "4 lost"]);
    process.exit_and_leave_pipes(ExitStatus::Code(0));
    assert_eq!(log.take(), ["exited: exit code 0", "ended: exit code 0"]);
}

#[test]
fn a_terminal_is_one_stream() {
    let reactor = MemoryReactor::new();
    let (transport, log) = spawn(&reactor, &tool().terminal(TerminalSize::default()));
    transport.write("typed");
    let mut process = reactor.next_process();
    assert_eq!(process.take_input(), b"typed");
    process.feed_error("shown");
    let size = TerminalSize {
        rows: 50,
        columns: 132,
    };
    transport.set_terminal_size(size).unwrap();
    assert_eq!(process.terminal_size(), Some(size));
    process.exit(ExitStatus::Code(0));
    let lines = log.take();
    assert_eq!(lines[..3], ["made", "1: shown", "1 lost"]);
}

#[test]
fn a_continuation_ends_with_its_process() {
    let _leaks = Leaks::check();
    let mut reactor = MemoryReactor::new();
    let (transport, log) = spawn(&reactor, &tool());
    let mut process = reactor.next_process();
    transport.call(|me, _| me.note("called"));
    transport.call_later(Duration::from_secs(1), |me, _| me.note("later"));
    transport.call_later(Duration::from_secs(9), |me, _| me.note("too late"));
    let (resolver, answer) = Deferred::<u32, ()>::new();
    transport.then(answer, |me, _, answer| me.note(format!("{answer:?}")));
    resolver.resolve(42);
    let (never, waiting) = Deferred::<u32, ()>::new();
    transport.then(waiting, |me, _, _| me.note("never"));
    reactor.advance(Duration::from_secs(1));
    assert_eq!(log.take(), ["made", "called", "Ok(42)", "later"]);
    process.exit(ExitStatus::Code(0));
    log.take();
    assert!(never.is_cancelled());
    reactor.advance(Duration::from_secs(100));
    transport.call(|me, _| me.note("over"));
    reactor.settle();
    assert!(log.take().is_empty());
}

#[test]
fn a_panic_kills_the_process_and_the_rest_is_told() {
    struct Bad(Log);
    impl ProcessProtocol for Bad {
        fn out_received(&mut self, _: &ProcessTransport<Self>, _: &[u8]) {
            panic!("cannot read that");
        }
        fn process_ended(&mut self, _: &ProcessTransport<Self>, end: ProcessEnd) {
            self.0.borrow_mut().push(end.to_string());
        }
    }
    let mut reactor = MemoryReactor::new();
    reactor.expect_panic("child_data_received of process");
    let log = Log::default();
    let bad = Bad(Rc::clone(&log));
    reactor.net().spawn_process(&tool(), bad).unwrap();
    let mut process = reactor.next_process();
    process.feed("?");
    assert_eq!(process.take_signals(), [Signal::Kill]);
    assert!(process.pipe(0).has_reset());
    process.exit_and_leave_pipes(ExitStatus::Code(1));
    assert_eq!(log.take(), ["exit code 1"]);
}

#[test]
fn a_stop_waits_for_the_exit_and_then_lets_go() {
    let _leaks = Leaks::check();
    let mut reactor = MemoryReactor::new();
    let (_, polite) = spawn(&reactor, &tool());
    let (_, stubborn) = spawn(&reactor, &tool().kill_on_stop(true));
    let mut one = reactor.next_process();
    let mut other = reactor.next_process();
    reactor.net().stop();
    assert!(!reactor.has_stopped());
    assert!(one.pipe(0).has_ended());
    assert_eq!(one.take_signals(), []);
    assert_eq!(other.take_signals(), [Signal::Term]);
    one.exit_and_leave_pipes(ExitStatus::Code(0));
    assert_eq!(polite.borrow().last().unwrap(), "ended: exit code 0");
    assert!(!reactor.has_stopped());
    reactor.advance(reactor.net().limits().stop_timeout);
    assert_eq!(other.take_signals(), [Signal::Kill]);
    assert!(other.is_let_go());
    assert_eq!(
        stubborn.borrow().last().unwrap(),
        "ended: let go while it ran"
    );
    assert!(reactor.has_stopped());
}

#[test]
fn output_is_bounded_in_size_and_in_time() {
    let _leaks = Leaks::check();
    let mut reactor = MemoryReactor::new();
    let net = reactor.net().clone();
    let much = net.communicate(&tool().output_limit(10), "");
    let mut process = reactor.next_process();
    process.feed("12345");
    process.feed_error("67890");
    assert_eq!(process.take_signals(), []);
    process.feed("!");
    assert_eq!(process.take_signals(), [Signal::Kill]);
    process.exit(ExitStatus::Code(0));
    let much = much.try_take().unwrap();
    assert!(matches!(
        much,
        Err(Failure::Error(OutputError::TooMuch { most: 10 }))
    ));

    let late = net.communicate(&tool().deadline(Duration::from_secs(3)), "");
    let mut process = reactor.next_process();
    reactor.advance(Duration::from_secs(3));
    assert_eq!(process.take_signals(), [Signal::Kill]);
    let late = late.try_take().unwrap();
    assert!(matches!(late, Err(Failure::Error(OutputError::TimedOut))));
    process.exit(ExitStatus::Code(0));

    let cancelled = net.communicate(&tool(), "");
    let mut process = reactor.next_process();
    cancelled.cancel();
    assert_eq!(process.take_signals(), [Signal::Kill]);
    process.exit(ExitStatus::Code(0));
}

/// Says what it was told, in capitals.
struct Loud;

impl Protocol for Loud {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data.to_ascii_uppercase());
    }
}

#[test]
fn a_program_is_a_connection_like_any_other() {
    let _leaks = Leaks::check();
    let reactor = MemoryReactor::new();
    let connecting = reactor.net().connect(tool().arg("-x"), Loud);
    let mut process = reactor.next_process();
    let transport = connecting.try_take().unwrap().unwrap();
    process.feed("hello");
    assert_eq!(process.take_input(), b"HELLO");
    process.feed_error("a complaint, for the log\n");
    process.exit(ExitStatus::Code(1));
    assert!(!transport.is_open());
    let known = transport.fact::<Process>().unwrap();
    assert_eq!(known.status(), Some(ExitStatus::Code(1)));
    assert!(reactor.pending_connects().is_empty() && reactor.connects().is_empty());
}

#[test]
fn a_reactor_that_goes_tells_every_process() {
    let reactor = MemoryReactor::new();
    let (_, made) = spawn(&reactor, &tool());
    let process = reactor.next_process();
    let (_, unmade) = spawn(&reactor, &tool());
    drop(reactor);
    assert!(process.command().program() == "tool");
    for log in [made, unmade] {
        let lines = log.take();
        assert_eq!(lines[0], "made");
        assert_eq!(lines.last().unwrap(), "ended: let go while it ran");
    }
}

/// Takes what comes, and leaves its side open at the end.
struct Listening(Log);

impl Protocol for Listening {
    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        let text = String::from_utf8_lossy(data).into_owned();
        self.0.borrow_mut().push(text);
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.0.borrow_mut().push(reason.to_string());
    }
}

/// A connection of the standard streams, which a grandchild holds: cut when that was silent for so
/// long, and the end of the process waits for it.
#[test]
fn a_grandchild_does_not_hold_a_connection() {
    let (mut reactor, log) = (MemoryReactor::new(), Log::default());
    let command = Command::new("daemon").after_exit_timeout(Duration::from_secs(3));
    let connecting = reactor.net().connect(command, Listening(Rc::clone(&log)));
    let mut daemon = reactor.next_process();
    let transport = connecting.try_take().unwrap().unwrap();
    let ended = transport.fact::<Process>().unwrap().ended();
    daemon.pipe(2).end();
    daemon.exit_and_leave_pipes(ExitStatus::Code(0));
    reactor.advance(Duration::from_secs(2));
    daemon.feed("still here");
    reactor.advance(Duration::from_secs(2));
    assert_eq!(log.take(), ["still here"]);
    reactor.advance(Duration::from_secs(3));
    let held = Disconnect::TimedOut(Timeout::AfterExit).to_string();
    assert_eq!(log.take(), [held]);
    let cut = ProcessEnd::Cut(ExitStatus::Code(0));
    assert_eq!(ended.try_take().unwrap(), Ok(cut));
}

/// Without one the end of the process is that of the connection.
#[test]
fn a_process_ends_with_its_connection() {
    let (reactor, log) = (MemoryReactor::new(), Log::default());
    let connecting = reactor
        .net()
        .connect(Command::new("sort"), Listening(Rc::clone(&log)));
    let mut sort = reactor.next_process();
    let transport = connecting.try_take().unwrap().unwrap();
    let ended = transport.fact::<Process>().unwrap().ended();
    sort.exit(ExitStatus::Code(0));
    assert_eq!(log.take(), ["closed by the peer"]);
    let exited = ProcessEnd::Exited(ExitStatus::Code(0));
    assert_eq!(ended.try_take().unwrap(), Ok(exited));
}

/// Has something to do after each piece of output, more than a turn allows.
struct Busy(Log);

impl Busy {
    fn note(&self, what: String) {
        self.0.borrow_mut().push(what);
    }
}

impl ProcessProtocol for Busy {
    fn child_data_received(&mut self, t: &ProcessTransport<Self>, fd: u32, data: &[u8]) {
        let data = String::from_utf8_lossy(data).into_owned();
        self.note(format!("{fd}: {data}"));
        for number in 1..=3 {
            let what = format!("call {number} of {data}");
            t.call(move |busy, _| busy.note(what));
        }
    }

    fn child_connection_lost(&mut self, _: &ProcessTransport<Self>, fd: u32, _: &Disconnect) {
        self.note(format!("{fd} lost"));
    }
}

impl Protocol for Busy {
    fn data_received(&mut self, t: &Transport<Self>, data: &[u8]) {
        let data = String::from_utf8_lossy(data).into_owned();
        self.note(format!("1: {data}"));
        for number in 1..=3 {
            let what = format!("call {number} of {data}");
            t.call(move |busy, _| busy.note(what));
        }
    }
}

/// What was to be done after a callback comes before the next one, also where a turn ends in
/// between: as it is on a connection.
#[test]
fn what_a_turn_left_over_comes_before_later_output() {
    let mut limits = Limits::default();
    limits.turn_continuations = 1;
    limits.turn_connection_bytes = 1;
    let reactor = MemoryReactor::with_limits(limits.clone());
    let log = Log::default();
    let busy = Busy(Rc::clone(&log));
    let connecting = reactor.net().connect("127.0.0.1:80", busy);
    let mut far = reactor.next_connect().succeed();
    let transport = connecting.try_take().unwrap().unwrap();
    transport.pause_reading();
    far.feed("ab");
    transport.resume_reading();
    reactor.settle();
    let calls = |fd: u32, data: &str| {
        let mut lines = vec![format!("{fd}: {data}")];
        lines.extend((1..=3).map(|number| format!("call {number} of {data}")));
        lines
    };
    let in_order = [calls(1, "a"), calls(1, "b")].concat();
    assert_eq!(log.take(), in_order, "of a connection");

    let reactor = MemoryReactor::with_limits(limits);
    let busy = Busy(Rc::clone(&log));
    let transport = reactor.net().spawn_process(&tool(), busy).unwrap();
    let mut process = reactor.next_process();
    let mut exchange = |fds: &[(u32, &str)]| {
        for (fd, _) in fds {
            transport.pause_reading(*fd);
        }
        for (fd, data) in fds {
            process.pipe(*fd).feed(data);
            // The end of it is behind its last byte.
            if *data == "z" {
                process.pipe(*fd).end();
            }
        }
        for (fd, _) in fds {
            transport.resume_reading(*fd);
        }
        reactor.settle();
        log.take()
    };
    assert_eq!(exchange(&[(1, "ab")]), in_order, "of one descriptor");
    // Nor does that of another one come between.
    let two = exchange(&[(1, "c"), (2, "d")]);
    let orders = [(1, "c", 2, "d"), (2, "d", 1, "c")]
        .map(|(one, first, other, second)| [calls(one, first), calls(other, second)].concat());
    assert!(orders.contains(&two), "{two:?}");
    let last = [calls(2, "z"), vec!["2 lost".to_owned()]].concat();
    assert_eq!(exchange(&[(2, "z")]), last);
}
