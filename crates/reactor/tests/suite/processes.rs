//! Child processes, on every driver that there is.

use std::cell::{Cell, RefCell};
use std::io::Read;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{
    ChildFd, Command, Disconnect, ExitStatus, OutputError, Process, ProcessEnd, ProcessProtocol,
    ProcessTransport, Protocol, Signal, SignalError, SpawnError, TerminalSize, Time, Timeout,
    Transport,
};
use torsade_deferred::Failure;
use torsade_reactor::Reactor;

use crate::support::{Log, drive, pattern, settle};
use crate::unix::on_each_driver;

type OnMade = Box<dyn FnOnce(&ProcessTransport<Notes>)>;
type OnLine = Box<dyn FnMut(&ProcessTransport<Notes>, &str)>;

/// Notes all that happens; keeps what is written.
struct Notes {
    log: Log,
    out: Rc<RefCell<Vec<u8>>>,
    err: Rc<RefCell<Vec<u8>>>,
    made: Option<OnMade>,
    line: OnLine,
}

impl Notes {
    fn new(log: &Log) -> Self {
        Self {
            log: log.clone(),
            out: Rc::default(),
            err: Rc::default(),
            made: None,
            line: Box::new(|_, _| ()),
        }
    }

    /// Do something when this is noted, or when all that it has written is this.
    fn when(
        mut self,
        line: &'static str,
        mut act: impl FnMut(&ProcessTransport<Self>) + 'static,
    ) -> Self {
        self.line = Box::new(move |transport, noted| {
            if noted == line {
                act(transport);
            }
        });
        self
    }

    fn note(&mut self, transport: &ProcessTransport<Self>, line: String) {
        (self.line)(transport, &line);
        self.log.note(line);
    }

    fn made(mut self, f: impl FnOnce(&ProcessTransport<Self>) + 'static) -> Self {
        self.made = Some(Box::new(f));
        self
    }
}

impl ProcessProtocol for Notes {
    fn connection_made(&mut self, transport: &ProcessTransport<Self>) {
        self.log.note("made");
        if let Some(made) = self.made.take() {
            made(transport);
        }
    }

    fn child_data_received(&mut self, transport: &ProcessTransport<Self>, fd: u32, data: &[u8]) {
        match fd {
            1 => {
                self.out.borrow_mut().extend_from_slice(data);
                let all = String::from_utf8_lossy(&self.out.borrow()).into_owned();
                (self.line)(transport, &all);
            }
            2 => self.err.borrow_mut().extend_from_slice(data),
            _ => {
                let data = String::from_utf8_lossy(data);
                self.note(transport, format!("descriptor {fd}: {data}"));
            }
        }
    }

    fn child_connection_lost(&mut self, t: &ProcessTransport<Self>, fd: u32, why: &Disconnect) {
        self.note(t, format!("{fd} lost: {why}"));
    }

    fn process_exited(&mut self, transport: &ProcessTransport<Self>, status: ExitStatus) {
        self.note(transport, format!("exited: {status}"));
    }

    fn process_ended(&mut self, _: &ProcessTransport<Self>, end: ProcessEnd) {
        self.log.note(format!("ended: {end}"));
    }
}

/// What was noted, and what was written.
struct Run {
    log: Log,
    out: Vec<u8>,
    err: Vec<u8>,
    end: ProcessEnd,
}

fn run(reactor: &mut Reactor, command: &Command) -> Run {
    run_with(reactor, command, |_| ())
}

fn run_with(
    reactor: &mut Reactor,
    command: &Command,
    made: impl FnOnce(&ProcessTransport<Notes>) + 'static,
) -> Run {
    run_notes(reactor, command, Notes::new(&Log::default()).made(made))
}

fn run_notes(reactor: &mut Reactor, command: &Command, notes: Notes) -> Run {
    let (log, out, err) = (
        notes.log.clone(),
        Rc::clone(&notes.out),
        Rc::clone(&notes.err),
    );
    let process = reactor.net().spawn_process(command, notes).unwrap();
    let end = reactor.run_until(process.ended()).unwrap().unwrap();
    let last = log.lines().pop().unwrap();
    assert_eq!(last, format!("ended: {end}"), "it is the last callback");
    assert!(!process.is_running());
    Run {
        log,
        out: out.take(),
        err: err.take(),
        end,
    }
}

fn sh(text: &str) -> Command {
    Command::shell(text)
}

#[test]
fn what_is_written_comes_back_and_the_end_is_the_last_thing() {
    on_each_driver(|reactor| {
        let ran = run_with(reactor, &Command::new("cat"), |transport| {
            transport.write("hello ");
            transport.write("there");
            transport.close_stdin();
        });
        assert_eq!(ran.out, b"hello there");
        assert!(ran.end.is_success());
        let mut lines = ran.log.lines();
        assert_eq!(lines.remove(0), "made");
        lines.sort();
        assert_eq!(
            lines,
            [
                "0 lost: closed here",
                "1 lost: closed by the peer",
                "2 lost: closed by the peer",
                "ended: exit code 0",
                "exited: exit code 0",
            ]
        );
        assert!(reactor.net().processes().is_empty());
        settle(reactor);
    });
}

#[test]
fn what_is_written_at_once_waits_for_the_process() {
    on_each_driver(|reactor| {
        let log = Log::default();
        let notes = Notes::new(&log);
        let out = Rc::clone(&notes.out);
        let process = reactor
            .net()
            .spawn_process(&Command::new("cat"), notes)
            .unwrap();
        process.write("early");
        process.close_stdin();
        process.write(" and late");
        assert!(log.lines().is_empty(), "nobody is called from inside");
        reactor.run_until(process.ended()).unwrap().unwrap();
        assert_eq!(*out.borrow(), b"early");
    });
}

/// Runs a program that a hangup ends, though whoever started this test may have hangups ignored:
/// that is inherited.
fn hangs_up() -> Command {
    Command::new("env").arg("--default-signal=HUP")
}

#[test]
fn an_exit_is_a_code_or_a_signal() {
    on_each_driver(|reactor| {
        for code in [0, 1, 3, 255] {
            let ran = run(reactor, &sh(&format!("exit {code}")));
            assert_eq!(ran.end, ProcessEnd::Exited(ExitStatus::Code(code)));
        }
        for signal in [Signal::Kill, Signal::Term, Signal::Hup, Signal::Usr1] {
            let ran = run_with(reactor, &hangs_up().arg("cat"), move |transport| {
                transport.signal_process(signal).unwrap();
            });
            let status = ExitStatus::Signal {
                signal,
                core_dumped: false,
            };
            assert_eq!(ran.end, ProcessEnd::Exited(status));
        }
    });
}

#[test]
fn after_the_exit_a_signal_is_an_error() {
    on_each_driver(|reactor| {
        let process = reactor
            .net()
            .spawn_process(&Command::new("true"), Notes::new(&Log::default()))
            .unwrap();
        reactor.run_until(process.ended()).unwrap().unwrap();
        assert!(matches!(process.kill(), Err(SignalError::Exited)));
        assert_eq!(process.status(), Some(ExitStatus::Code(0)));
        // And the end is still to be had.
        let end = reactor.run_until(process.ended()).unwrap().unwrap();
        assert!(end.is_success());
    });
}

#[test]
fn standard_error_comes_apart_or_goes_where_the_output_goes() {
    on_each_driver(|reactor| {
        let both = sh("echo out; echo err >&2");
        let ran = run(reactor, &both);
        assert_eq!((&*ran.out, &*ran.err), (&b"out\n"[..], &b"err\n"[..]));
        let ran = run(reactor, &both.descriptor(2, ChildFd::Like(1)));
        assert_eq!((&*ran.out, &*ran.err), (&b"out\nerr\n"[..], &b""[..]));
    });
}

#[test]
fn it_has_the_environment_directory_and_name_that_were_asked_for() {
    on_each_driver(|reactor| {
        let ran = run(
            reactor,
            &sh("pwd; echo $TORSADE_A-$TORSADE_B")
                .env("TORSADE_A", "a")
                .env("TORSADE_B", "b")
                .env_remove("TORSADE_B")
                .current_dir("/"),
        );
        assert_eq!(ran.out, b"/\na-\n");
        let bare = Command::new("/usr/bin/env").env_clear().env("ONLY", "this");
        assert_eq!(run(reactor, &bare).out, b"ONLY=this\n");
        let named = Command::new("/bin/sh").arg0("mine").args(["-c", "echo $0"]);
        assert_eq!(run(reactor, &named).out, b"mine\n");
    });
}

#[test]
fn a_program_that_cannot_be_run_is_an_error_and_no_process() {
    on_each_driver(|reactor| {
        let spawn = |command: &Command| {
            let result = reactor
                .net()
                .spawn_process(command, Notes::new(&Log::default()));
            result.map(drop)
        };
        let missing = spawn(&Command::new("/nowhere/at-all"));
        assert!(matches!(missing, Err(SpawnError::NotFound { .. })));
        let data = spawn(&Command::new("/etc/passwd"));
        assert!(matches!(data, Err(SpawnError::NotPermitted { .. })));
        // Also where a copy of this process tries it, which has to tell.
        let piped = Command::new("/nowhere/at-all").descriptor(5, ChildFd::Read);
        for number in [3, 4, 5, 6, 20, 40] {
            let command = piped.clone().descriptor(number, ChildFd::Null);
            let missing = spawn(&command);
            assert!(matches!(missing, Err(SpawnError::NotFound { .. })));
        }
        assert!(reactor.net().processes().is_empty());
    });
}

#[test]
fn a_reader_that_pauses_bounds_what_is_held() {
    on_each_driver(|reactor| {
        let log = Log::default();
        let notes = Notes::new(&log).made(|transport| transport.pause_reading(1));
        let out = Rc::clone(&notes.out);
        let command = sh("head -c 3000000 /dev/zero; echo done >&2");
        let err = Rc::clone(&notes.err);
        let process = reactor.net().spawn_process(&command, notes).unwrap();
        drive(reactor, || log.has("made"));
        for _ in 0..50 {
            reactor.turn(Some(Duration::from_millis(1))).unwrap();
        }
        assert!(out.borrow().is_empty() && err.borrow().is_empty());
        process.resume_reading(1);
        reactor.run_until(process.ended()).unwrap().unwrap();
        assert_eq!(out.borrow().len(), 3_000_000);
        assert_eq!(*err.borrow(), b"done\n");
    });
}

#[test]
fn a_process_that_does_not_read_holds_its_writer_back() {
    on_each_driver(|reactor| {
        let data = pattern(0..1_000_000);
        let sent = data.clone();
        let ran = run_with(reactor, &sh("read go; cat"), move |transport| {
            assert!(transport.wants_output());
            transport.write("go\n");
            transport.write(&sent);
            assert!(!transport.wants_output());
            assert!(transport.buffered() > 900_000);
            transport.close_stdin();
        });
        assert!(ran.out == data, "it comes back whole");
    });
}

#[test]
fn a_process_that_closes_its_input_loses_that_and_nothing_else() {
    on_each_driver(|reactor| {
        let command = sh("exec <&-; read go <&3; echo alive").descriptor(3, ChildFd::Write);
        let lost = "0 lost: reset by the peer";
        let notes = Notes::new(&Log::default())
            .made(|transport| transport.write(vec![b'x'; 300_000]))
            .when(lost, |transport| transport.write_to_child(3, "go\n"));
        let ran = run_notes(reactor, &command, notes);
        assert_eq!(ran.out, b"alive\n");
        assert!(ran.end.is_success());
    });
}

#[test]
fn a_grandchild_that_holds_a_pipe_does_not_hold_the_end() {
    on_each_driver(|reactor| {
        let command =
            sh("sleep 1000 & echo $!; exit 3").after_exit_timeout(Duration::from_millis(50));
        let ran = run(reactor, &command);
        assert_eq!(ran.end, ProcessEnd::Cut(ExitStatus::Code(3)));
        let held = Disconnect::TimedOut(Timeout::AfterExit);
        let lines = ran.log.lines();
        assert!(lines.contains(&format!("1 lost: {held}")), "{lines:?}");
        // What was written before is there.
        let sleeper = String::from_utf8(ran.out).unwrap();
        end(sleeper.trim().parse().unwrap());
    });
}

fn end(pid: i32) {
    use rustix::process::{Pid, Signal, kill_process};
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn a_grandchild_that_uses_its_pipe_is_heard_after_the_exit() {
    on_each_driver(|reactor| {
        let command = sh("(read go <&3; echo late) & exit 0").descriptor(3, ChildFd::Write);
        let notes = Notes::new(&Log::default()).when("exited: exit code 0", |transport| {
            transport.write_to_child(3, "go\n");
        });
        let ran = run_notes(reactor, &command, notes);
        assert_eq!(ran.out, b"late\n");
        assert!(ran.end.is_success());
    });
}

/// What we do not read cannot be silent.
#[test]
fn output_that_we_hold_back_is_not_cut() {
    on_each_driver(|reactor| {
        let hand = Rc::new(Cell::new(Time::ZERO));
        let read = Rc::clone(&hand);
        let builder = Reactor::builder().driver(reactor.driver());
        let mut reactor = builder.clock(move || read.get()).build().unwrap();
        let command = sh("echo much").after_exit_timeout(Duration::from_millis(1));
        let notes = Notes::new(&Log::default()).made(|transport| transport.pause_reading(1));
        let (log, out) = (notes.log.clone(), Rc::clone(&notes.out));
        let process = reactor.net().spawn_process(&command, notes).unwrap();
        drive(&mut reactor, || log.has("exited: exit code 0"));
        for _ in 0..20 {
            hand.set(hand.get() + Duration::from_millis(1));
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        assert!(out.borrow().is_empty());
        process.resume_reading(1);
        let end = reactor.run_until(process.ended()).unwrap().unwrap();
        assert_eq!(*out.borrow(), b"much\n");
        assert!(end.is_success(), "{end}");
    });
}

#[test]
fn descriptors_beyond_the_standard_ones_are_where_they_were_asked_for() {
    on_each_driver(|reactor| {
        let file = std::fs::File::open("/etc/passwd").unwrap();
        let command = sh("read line <&4; echo \"got $line\" >&3; head -c 4 <&5 >&3; echo over >&7")
            .descriptor(3, ChildFd::Read)
            .descriptor(4, ChildFd::Write)
            .descriptor(5, ChildFd::given(file))
            .descriptor(7, ChildFd::Like(3));
        let ran = run_with(reactor, &command, |transport| {
            transport.write_to_child(4, "a line\n");
            transport.close_child_fd(4);
        });
        assert!(ran.end.is_success());
        let lines = ran.log.lines();
        let heard: String = lines
            .iter()
            .filter_map(|it| it.strip_prefix("descriptor 3: "))
            .collect();
        assert_eq!(heard, "got a line\nrootover\n");
    });
}

#[test]
fn a_child_has_no_descriptor_that_it_was_not_given() {
    on_each_driver(|reactor| {
        // What this process was started with and is passed on by whoever starts another.
        let mut passed_on = Vec::new();
        for number in std::fs::read_dir("/proc/self/fdinfo").unwrap() {
            let number = number.unwrap();
            let flags = std::fs::read_to_string(number.path()).unwrap_or_default();
            let flags = flags.lines().find_map(|it| it.strip_prefix("flags:"));
            let flags = flags.map_or(0, |it| u32::from_str_radix(it.trim(), 8).unwrap());
            let closes_on_exec = flags & 0o2_000_000 != 0;
            let number: u32 = number.file_name().to_str().unwrap().parse().unwrap();
            if !closes_on_exec && number > 2 {
                passed_on.push(number);
            }
        }
        let ls = Command::new("/bin/ls").arg("/proc/self/fd");
        for (command, given) in [
            (ls.clone(), None),
            (ls.descriptor(9, ChildFd::Null), Some(9)),
        ] {
            let ran = run(reactor, &command);
            let text = String::from_utf8(ran.out).unwrap();
            let mut there: Vec<u32> = text.lines().map(|it| it.parse().unwrap()).collect();
            there.retain(|it| !passed_on.contains(it) && Some(*it) != given);
            // The fourth is what it reads the folder by. That may have the number of something that
            // another test of this process had open for a moment.
            assert!(
                there.starts_with(&[0, 1, 2]) && there.len() <= 4,
                "{there:?}"
            );
        }
    });
}

#[test]
fn on_a_terminal_it_has_one_and_is_told_of_its_size() {
    on_each_driver(|reactor| {
        let size = TerminalSize {
            rows: 30,
            columns: 100,
        };
        let command =
            sh("tty; stty size; read line; stty size; echo $line </dev/tty").terminal(size);
        let log = Log::default();
        let mut notes = Notes::new(&log);
        notes.line = Box::new(|transport, said| {
            if said.ends_with("30 100\r\n") {
                let size = TerminalSize {
                    rows: 31,
                    columns: 101,
                };
                transport.set_terminal_size(size).unwrap();
                transport.write("typed\n");
            }
        });
        let ran = run_notes(reactor, &command, notes);
        let said = String::from_utf8(ran.out).unwrap();
        let lines: Vec<_> = said.lines().collect();
        assert!(lines[0].starts_with("/dev/pts/"), "{said}");
        assert_eq!(lines[1..], ["30 100", "typed", "31 101", "typed"], "{said}");
        assert!(ran.end.is_success());
        assert!(ran.log.has("1 lost: closed by the peer"));
    });
}

#[test]
fn closing_a_terminal_hangs_up() {
    on_each_driver(|reactor| {
        let command = hangs_up()
            .args(["sleep", "1000"])
            .terminal(TerminalSize::default());
        let ran = run_with(reactor, &command, |transport| transport.close());
        let status = ExitStatus::Signal {
            signal: Signal::Hup,
            core_dumped: false,
        };
        assert_eq!(ran.end, ProcessEnd::Exited(status));
    });
}

/// Asks a program, and keeps what it says.
struct Ask(Rc<RefCell<Vec<u8>>>);

impl Protocol for Ask {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write("b\na\n");
        transport.close_write();
    }

    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.0.borrow_mut().extend_from_slice(data);
    }
}

#[test]
fn the_standard_streams_are_a_connection() {
    on_each_driver(|reactor| {
        let said = Rc::default();
        let command = Command::shell("sort; echo complaint >&2; exit 3");
        let connecting = reactor.net().connect(command, Ask(Rc::clone(&said)));
        let transport = reactor.run_until(connecting).unwrap().unwrap();
        let process = transport.fact::<Process>().unwrap();
        let lost = reactor.run_until(transport.closed()).unwrap().unwrap();
        assert_eq!(lost, Disconnect::PeerClosed);
        assert_eq!(*said.borrow(), b"a\nb\n");
        let end = reactor.run_until(process.ended()).unwrap().unwrap();
        assert_eq!(end, ProcessEnd::Exited(ExitStatus::Code(3)));
        assert!(reactor.net().processes().is_empty());
    });
}

#[test]
fn a_program_that_is_not_there_is_not_connected_to() {
    on_each_driver(|reactor| {
        let nowhere = Command::new("/nowhere/at-all");
        let connecting = reactor.net().connect(nowhere, Ask(Rc::default()));
        let Err(Failure::Error(error)) = reactor.run_until(connecting).unwrap() else {
            panic!("it is");
        };
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        assert!(error.to_string().contains("process:/nowhere/at-all"));
    });
}

#[test]
fn children_of_others_are_theirs() {
    on_each_driver(|reactor| {
        let mut other = std::process::Command::new("true").spawn().unwrap();
        for _ in 0..5 {
            run(reactor, &Command::new("true"));
        }
        assert!(other.wait().unwrap().success(), "its status is still there");
    });
}

#[test]
fn an_exit_that_somebody_else_took_is_unknown() {
    on_each_driver(|reactor| {
        use rustix::process::{Pid, WaitOptions, waitpid};
        let log = Log::default();
        let process = reactor
            .net()
            .spawn_process(&Command::new("true"), Notes::new(&log))
            .unwrap();
        let pid = Pid::from_raw(process.pid() as i32).unwrap();
        waitpid(Some(pid), WaitOptions::empty()).unwrap();
        let end = reactor.run_until(process.ended()).unwrap().unwrap();
        assert_eq!(end, ProcessEnd::Exited(ExitStatus::Unknown));
    });
}

#[test]
fn the_output_is_had_whole_or_not_at_all() {
    on_each_driver(|reactor| {
        let net = reactor.net().clone();
        let sorted = net.communicate(&Command::new("sort"), "b\na\n");
        let sorted = reactor.run_until(sorted).unwrap().unwrap();
        assert_eq!(
            (&*sorted.out, sorted.end.is_success()),
            (&b"a\nb\n"[..], true)
        );

        let seen = net.get_process_output(&Command::new("echo").arg("hi"));
        assert_eq!(reactor.run_until(seen).unwrap().unwrap(), b"hi\n");

        let failed = net.get_process_output(&sh("exit 4"));
        let failed = reactor.run_until(failed).unwrap();
        let Err(Failure::Error(OutputError::Failed { status })) = failed else {
            panic!("{failed:?}");
        };
        assert_eq!(status, ExitStatus::Code(4));

        let much = net.communicate(&Command::new("yes").output_limit(100_000), "");
        let much = reactor.run_until(much).unwrap();
        assert!(matches!(
            much,
            Err(Failure::Error(OutputError::TooMuch { most: 100_000 }))
        ));

        let slow = Command::new("sleep")
            .arg("1000")
            .deadline(Duration::from_millis(20));
        let late = reactor.run_until(net.communicate(&slow, "")).unwrap();
        assert!(matches!(late, Err(Failure::Error(OutputError::TimedOut))));

        let missing = reactor
            .run_until(net.communicate(&Command::new("/nowhere"), ""))
            .unwrap();
        assert!(matches!(
            missing,
            Err(Failure::Error(OutputError::Spawn(_)))
        ));

        let cancelled = net.communicate(&Command::new("sleep").arg("1000"), "");
        cancelled.cancel();
        // Those that were given up were killed.
        drive(reactor, || net.processes().is_empty());
    });
}

#[test]
fn a_callback_that_panics_is_the_end_of_its_process() {
    on_each_driver(|reactor| {
        let ran = run_with(reactor, &Command::new("cat"), |_| panic!("that hurt"));
        let status = ExitStatus::Signal {
            signal: Signal::Kill,
            core_dumped: false,
        };
        assert_eq!(ran.end, ProcessEnd::Exited(status));
    });
}

#[test]
fn a_stop_closes_what_is_open_and_waits_for_the_exit() {
    on_each_driver(|reactor| {
        let log = Log::default();
        let notes = Notes::new(&log).made(|transport| transport.net().stop());
        reactor
            .net()
            .spawn_process(&Command::new("cat"), notes)
            .unwrap();
        reactor.run().unwrap();
        assert!(log.has("ended: exit code 0"), "{:?}", log.lines());
    });
}

#[test]
fn a_child_that_ends_before_the_reactor_runs_is_reaped_when_it_does() {
    on_each_driver(|reactor| {
        let log = Log::default();
        let process = reactor
            .net()
            .spawn_process(&sh("echo early; exit 5"), Notes::new(&log))
            .unwrap();
        // Nobody turns the reactor meanwhile.
        while state(process.pid()) != Some('Z') {
            std::thread::yield_now();
        }
        assert!(log.lines().is_empty());
        let end = reactor.run_until(process.ended()).unwrap().unwrap();
        assert_eq!(end, ProcessEnd::Exited(ExitStatus::Code(5)));
        assert_eq!(log.lines()[0], "made");
        assert_eq!(state(process.pid()), None);
    });
}

/// Whether a process is there, and is no zombie.
fn state(pid: u32) -> Option<char> {
    let mut stat = String::new();
    let mut file = std::fs::File::open(format!("/proc/{pid}/stat")).ok()?;
    file.read_to_string(&mut stat).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

#[test]
fn a_reactor_that_goes_leaves_children_running_and_no_zombie() {
    on_each_driver(|reactor| {
        let spawn = |reactor: &mut Reactor, command: &Command, log: &Log| {
            let process = reactor
                .net()
                .spawn_process(command, Notes::new(log))
                .unwrap();
            let noted = log.clone();
            drive(reactor, || noted.has("made"));
            process.pid()
        };
        let mut going = Reactor::builder().driver(reactor.driver()).build().unwrap();
        let (left, killed) = (Log::default(), Log::default());
        let sleep = Command::new("sleep").arg("1000");
        let left_pid = spawn(&mut going, &sleep, &left);
        let killed_pid = spawn(&mut going, &sleep.kill_on_stop(true), &killed);
        drop(going);
        for log in [left, killed] {
            assert!(log.has("ended: let go while it ran"), "{:?}", log.lines());
        }
        assert!(matches!(state(left_pid), Some('R' | 'S' | 'D')));
        drive(reactor, || state(killed_pid).is_none());
        end(left_pid as i32);
        drive(reactor, || state(left_pid).is_none());
    });
}

#[test]
fn who_is_let_go_runs_on_and_is_reaped() {
    on_each_driver(|reactor| {
        // The end of its input is what it waits for.
        let sleep = sh("read end");
        let pid = Rc::new(RefCell::new(0));
        let noted = Rc::clone(&pid);
        let ran = run_with(reactor, &sleep, move |transport| {
            noted.replace(transport.pid());
            transport.let_go();
        });
        assert_eq!(ran.end, ProcessEnd::LetGo);
        drive(reactor, || state(*pid.borrow()).is_none());
    });
}
