//! Pipes as connections, where they differ from sockets.

use std::fs::{self, File};
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_getfl, mknodat};
use rustix::io::{FdFlags, fcntl_setfd};
use torsade_core::{Address, Adopted, ConnectError, Connection, Transport, factory};
use torsade_deferred::Failure;
use torsade_reactor::Reactor;

use crate::support::{Echo, Log, Script, drive, settle};
use crate::unix::{Folder, on_each_driver};

/// The other ends of a connection over two pipes.
struct Other {
    output: PipeWriter,
    input: PipeReader,
}

fn pair() -> (Adopted, Other) {
    let (ours, output) = pipe().unwrap();
    let (input, answers) = pipe().unwrap();
    let adopted = Adopted::pipes(Some(ours.into()), Some(answers.into()));
    (adopted, Other { output, input })
}

fn connect(reactor: &mut Reactor, adopted: Adopted, script: Script) -> Transport<Script> {
    let made = reactor.net().connect(adopted, script);
    reactor.run_until(made).unwrap().unwrap()
}

#[test]
fn two_pipes_are_one_connection() {
    on_each_driver(|reactor| {
        let (adopted, mut other) = pair();
        let log = Log::default();
        let script = Script::new("ours", &log).data(|t, data| {
            t.write(data);
        });
        let transport = connect(reactor, adopted.named("the pair"), script);
        let name = Address::Named("the pair".into());
        assert_eq!(transport.peer().remote(), &name);
        assert_eq!(transport.peer().local(), &name);
        other.output.write_all(b"hello").unwrap();
        let mut answer = [0; 5];
        settle(reactor);
        other.input.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello");
        drop(other.output);
        drive(reactor, || {
            log.has("ours lost: closed here") || log.has("ours eof")
        });
        let mut rest = Vec::new();
        drive(reactor, || reactor_closed(&log));
        other.input.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty());
    });
}

#[test]
fn the_end_of_output_is_not_the_end_of_input() {
    on_each_driver(|reactor| {
        let (adopted, mut other) = pair();
        let log = Log::default();
        let noted = log.clone();
        let script = Script::new("ours", &log)
            .data(move |_, data| noted.note(String::from_utf8_lossy(data)));
        let transport = connect(reactor, adopted, script);
        transport.write("the last line");
        transport.close_write();
        // If it were not told the end, it would wait for ever.
        rustix::io::ioctl_fionbio(&other.input, true).unwrap();
        let mut heard = Vec::new();
        drive(reactor, || other.input.read_to_end(&mut heard).is_ok());
        assert_eq!(heard, b"the last line");
        other.output.write_all(b"an answer").unwrap();
        drive(reactor, || log.has("an answer"));
        drop(other.output);
        drive(reactor, || reactor_closed(&log));
        assert_eq!(log.lines()[1..3], ["an answer", "ours eof"]);
    });
}

fn reactor_closed(log: &Log) -> bool {
    log.lines().iter().any(|line| line.contains("lost"))
}

#[test]
fn what_is_only_read_has_no_output_and_ends_with_its_input() {
    on_each_driver(|reactor| {
        let (input, mut theirs) = pipe().unwrap();
        let log = Log::default();
        let noted = log.clone();
        let script = Script::new("ours", &log)
            .data(move |t, data| {
                t.write("nobody reads this");
                noted.note(String::from_utf8_lossy(data));
            })
            .eof(|_| ());
        let transport = connect(reactor, Adopted::pipes(Some(input.into()), None), script);
        assert_eq!(transport.buffered(), 0);
        theirs.write_all(b"news").unwrap();
        drop(theirs);
        drive(reactor, || reactor_closed(&log));
        let lines = log.lines();
        assert_eq!(
            lines,
            [
                "ours made",
                "news",
                "ours eof",
                "ours lost: closed by the peer"
            ]
        );
    });
}

#[test]
fn what_is_only_written_notices_that_its_reader_went() {
    on_each_driver(|reactor| {
        let (theirs, output) = pipe().unwrap();
        let log = Log::default();
        let script = Script::new("ours", &log);
        connect(reactor, Adopted::pipes(None, Some(output.into())), script);
        settle(reactor);
        assert_eq!(log.lines(), ["ours made"]);
        drop(theirs);
        if cfg!(target_os = "linux") {
            drive(reactor, || reactor_closed(&log));
            assert_eq!(log.lines(), ["ours made", "ours lost: reset by the peer"]);
        }
    });
}

#[test]
fn the_end_of_what_is_only_written_is_the_end_of_all() {
    on_each_driver(|reactor| {
        let (mut theirs, output) = pipe().unwrap();
        let log = Log::default();
        // More than a pipe holds.
        let bytes = crate::support::pattern(0..300_000);
        let all = bytes.clone();
        let script = Script::new("ours", &log).made(move |t| {
            t.pause_reading();
            t.write(&all);
            t.close_write();
        });
        connect(reactor, Adopted::pipes(None, Some(output.into())), script);
        let mut received = Vec::new();
        rustix::io::ioctl_fionbio(&theirs, true).unwrap();
        drive(reactor, || {
            let mut buffer = vec![0; 64 * 1024];
            match theirs.read(&mut buffer) {
                Ok(n) => {
                    received.extend_from_slice(&buffer[..n]);
                    n == 0
                }
                Err(_) => false,
            }
        });
        assert_eq!(received, bytes);
        drive(reactor, || reactor_closed(&log));
        assert_eq!(log.lines(), ["ours made", "ours lost: closed here"]);
    });
}

#[test]
fn what_came_before_the_reader_went_is_received_and_nothing_else() {
    on_each_driver(|reactor| {
        let (adopted, other) = pair();
        let mut begin = other.output.try_clone().unwrap();
        let Other { mut output, input } = other;
        let log = Log::default();
        let noted = log.clone();
        let mut input = Some(input);
        let script = Script::new("ours", &log).data(move |t, data| {
            noted.note(String::from_utf8_lossy(data));
            // Their last words are in the pipe when our write fails; after those they go on for
            // ever.
            let words = match input.take() {
                Some(_) => "last words",
                None => "more",
            };
            output.write_all(words.as_bytes()).unwrap();
            t.write("too late");
        });
        connect(reactor, adopted, script);
        begin.write_all(b"a question").unwrap();
        drive(reactor, || reactor_closed(&log));
        assert_eq!(
            log.lines(),
            [
                "ours made",
                "a question",
                "last words",
                "ours lost: reset by the peer"
            ]
        );
    });
}

#[test]
fn a_silent_peer_that_reads_no_more_is_noticed_by_a_write() {
    on_each_driver(|reactor| {
        let (adopted, other) = pair();
        let log = Log::default();
        let transport = connect(reactor, adopted, Script::new("ours", &log));
        drop(other.input);
        transport.write("is anybody there?");
        drive(reactor, || reactor_closed(&log));
        assert_eq!(log.lines(), ["ours made", "ours lost: reset by the peer"]);
        drop(other.output);
    });
}

#[test]
fn what_cannot_be_a_pipe_is_refused() {
    on_each_driver(|reactor| {
        let (reader, writer) = pipe().unwrap();
        let folder = Folder::new();
        let file = File::create(folder.file("a")).unwrap();
        let swapped = Adopted::pipes(Some(writer.into()), Some(reader.into()));
        let nothing = Adopted::pipes(None, None);
        let regular = Adopted::pipes(None, Some(file.into()));
        for adopted in [swapped, nothing, regular] {
            let script = Script::new("none", &Log::default());
            let refused = reactor.net().connect(adopted, script);
            assert!(matches!(
                reactor.run_until(refused).unwrap(),
                Err(Failure::Error(ConnectError::Failed { .. }))
            ));
        }
        let (reader, _writer) = pipe().unwrap();
        let listened = Adopted::pipes(Some(reader.into()), None);
        assert!(reactor.net().listen(listened, factory(|_| Echo)).is_err());
    });
}

#[test]
fn a_fifo_has_many_writers_one_after_the_other() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let path = folder.file("fifo");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let fifo = File::options().read(true).write(true).open(&path).unwrap();
        let flags = fifo.try_clone().unwrap();
        // As a descriptor is that was passed on to this process.
        fcntl_setfd(&fifo, FdFlags::empty()).unwrap();
        let number = fifo.as_raw_fd();
        let log = Log::default();
        let noted = log.clone();
        let script = Script::new("ours", &log)
            .data(move |_, data| noted.note(String::from_utf8_lossy(data)));
        let adopted = Adopted::pipes(Some(fifo.into()), None);
        let transport = connect(reactor, adopted, script);
        assert!(
            fcntl_getfl(flags.as_fd())
                .unwrap()
                .contains(OFlags::NONBLOCK)
        );
        if cfg!(target_os = "linux") {
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
            let flags = u32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
            assert!(
                flags & OFlags::CLOEXEC.bits() != 0,
                "it goes on to children"
            );
        }
        for line in ["one", "two"] {
            let mut writer = File::options().write(true).open(&path).unwrap();
            writer.write_all(line.as_bytes()).unwrap();
            drop(writer);
            drive(reactor, || log.has(line));
        }
        Connection::abort(&transport);
        drive(reactor, || reactor_closed(&log));
        assert_eq!(log.lines().last().unwrap(), "ours lost: aborted here");
    });
}
