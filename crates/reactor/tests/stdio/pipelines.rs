#![expect(
    clippy::unwrap_used,
    reason = "there is no test that is marked as one here"
)]

use std::fs;
use std::io::{Read, Write, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio as Streams};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl};
use torsade_core::{Disconnect, Net, Protocol, Stdio, Transport, factory};
use torsade_reactor::Reactor;

pub(crate) fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("filter") => filter(&arguments[2]),
        _ => check_all(&arguments[1..]),
    }
}

/// What the filter does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// Sends back what comes, in capitals.
    Shout,
    /// Writes a lot, and aborts when that is stuck.
    Abort,
    /// Closes after the first line.
    FirstLine,
    /// The same, and the process stays.
    Stay,
    /// Writes as fast as it may, whatever comes.
    Yes,
}

struct Filter {
    habit: Habit,
    is_paused: bool,
}

impl Protocol for Filter {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        match self.habit {
            Habit::Yes => self.resume_writing(transport),
            Habit::Abort => transport.write(vec![b'a'; 1 << 20]),
            Habit::Shout | Habit::FirstLine | Habit::Stay => {}
        }
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        if self.is_paused {
            eprintln!("read though nobody takes the output");
        }
        transport.write(data.to_ascii_uppercase());
        let ends = matches!(self.habit, Habit::FirstLine | Habit::Stay);
        if ends && data.contains(&b'\n') {
            transport.close();
        }
    }

    fn pause_writing(&mut self, transport: &Transport<Self>) {
        self.is_paused = true;
        let transport = transport.clone();
        let habit = self.habit;
        // What there is was moved by then as far as it goes.
        after_turns(&transport.net(), 3, move |_| match habit {
            Habit::Shout => eprintln!("paused"),
            Habit::Abort => transport.abort(),
            _ => {}
        });
    }

    fn resume_writing(&mut self, transport: &Transport<Self>) {
        self.is_paused = false;
        while self.habit == Habit::Yes && transport.wants_output() {
            transport.write([b'y'; 1024]);
        }
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        eprintln!("lost: {reason}");
        if self.habit != Habit::Stay {
            transport.net().stop();
        }
    }
}

fn after_turns(net: &Net, turns: usize, f: impl FnOnce(&Net) + 'static) {
    net.call_later(Duration::ZERO, move |net| match turns {
        0 => f(net),
        _ => after_turns(net, turns - 1, f),
    });
}

fn with(habit: Habit) -> Filter {
    Filter {
        habit,
        is_paused: false,
    }
}

fn filter(habit: &str) {
    let habit = match habit {
        "shout" => Habit::Shout,
        "abort" => Habit::Abort,
        "first-line" => Habit::FirstLine,
        "stay" => Habit::Stay,
        _ => Habit::Yes,
    };
    let mut reactor = Reactor::new().unwrap();
    // Both sides have it, and who listens is throttled without a word.
    if habit == Habit::Shout {
        let listened = reactor.net().listen(Stdio, factory(move |_| with(habit)));
        drop(listened.unwrap());
    } else {
        reactor.net().connect(Stdio, with(habit)).detach();
    }
    reactor.run().unwrap();
}

type Check = fn(&Bench);

const CHECKS: &[(&str, Check)] = &[
    ("a_pipeline", a_pipeline),
    ("files", files),
    ("much", much),
    ("the_reader_goes", the_reader_goes),
    ("the_reader_of_a_source_goes", the_reader_of_a_source_goes),
    ("nothing_to_read", nothing_to_read),
    ("streams_that_are_closed", streams_that_are_closed),
    ("a_full_device", a_full_device),
    (
        "a_named_pipe_whose_writer_went",
        a_named_pipe_whose_writer_went,
    ),
    ("a_terminal", a_terminal),
    (
        "the_mode_of_what_is_shared_stays",
        the_mode_of_what_is_shared_stays,
    ),
    (
        "a_slow_reader_bounds_the_memory",
        a_slow_reader_bounds_the_memory,
    ),
    ("an_abort_waits_for_nobody", an_abort_waits_for_nobody),
    ("input_goes_on_to_the_next", input_goes_on_to_the_next),
    ("who_closed_reads_no_more", who_closed_reads_no_more),
    ("a_stream_the_wrong_way", a_stream_the_wrong_way),
    (
        "a_reader_that_is_gone_kills_nobody",
        a_reader_that_is_gone_kills_nobody,
    ),
];

/// Each on each driver that can be had.
fn check_all(wanted: &[String]) {
    let drivers = match cfg!(all(target_os = "linux", feature = "io-uring")) {
        true => &["epoll", "polling", "io_uring"][..],
        false if cfg!(target_os = "linux") => &["epoll", "polling"],
        false => &["polling"],
    };
    for driver in drivers {
        let bench = Bench::new(driver);
        for (name, check) in CHECKS {
            let part = |it: &String| !it.starts_with('-') && !name.contains(it.as_str());
            if wanted.iter().any(part) {
                continue;
            }
            check(&bench);
            println!("ok    {driver} {name}");
        }
    }
}

/// A folder for files, and the names of programs.
struct Bench {
    driver: &'static str,
    program: String,
    folder: PathBuf,
}

impl Bench {
    fn new(driver: &'static str) -> Self {
        let name = format!("torsade-stdio-{}-{driver}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        let program = std::env::current_exe().unwrap();
        Self {
            driver,
            program: program.to_str().unwrap().to_owned(),
            folder,
        }
    }

    /// A program with the filter as `$F`, in the folder.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("F", format!("{} filter", self.program))
            .env("TORSADE_DRIVER", self.driver)
            .current_dir(&self.folder);
        command
    }

    fn filter(&self, habit: &str) -> Command {
        let mut command = self.command(&self.program);
        command.args(["filter", habit]);
        command
    }

    fn shell(&self, script: &str) -> Output {
        self.command("sh").args(["-c", script]).output().unwrap()
    }

    /// What a script says, and what its filter says of its end.
    #[track_caller]
    fn check(&self, script: &str, out: &str, err: &str) {
        let output = self.shell(script);
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let (found, reason) = (said(&output.stdout), said(&output.stderr));
        let reason = reason.replace("paused\n", "");
        assert_eq!(found, out, "{script}: {reason}");
        assert_eq!(reason, err, "{script}");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

const ENDED: &str = "lost: closed by the peer";

fn a_pipeline(bench: &Bench) {
    bench.check("printf 'hello\\nthere\\n' | $F shout | wc -c", "12", ENDED);
    bench.check("printf hello | $F shout | cat", "HELLO", ENDED);
}

fn files(bench: &Bench) {
    fs::write(bench.folder.join("in"), "from a file").unwrap();
    bench.check("$F shout < in > out && cat out", "FROM A FILE", ENDED);
    bench.check("$F shout < in | cat", "FROM A FILE", ENDED);
    bench.check(
        "cat in | $F shout >> out && cat out",
        "FROM A FILEFROM A FILE",
        ENDED,
    );
}

fn much(bench: &Bench) {
    let count = "seq 200000 | $F shout | md5sum | cut -c1-32";
    let plain = bench.shell("seq 200000 | md5sum | cut -c1-32").stdout;
    let sum = String::from_utf8(plain).unwrap();
    bench.check(count, sum.trim(), ENDED);
    bench.check(
        "seq 200000 > many; $F shout < many > out; cmp many out",
        "",
        ENDED,
    );
}

fn the_reader_goes(bench: &Bench) {
    bench.check(
        "yes | $F shout | head -c 3",
        "Y\nY",
        "lost: reset by the peer",
    );
}

/// Its input is silent, so that only writing tells.
fn the_reader_of_a_source_goes(bench: &Bench) {
    let script = "mkfifo silent; exec 3<> silent; $F yes <&3 | head -c 3; rm silent";
    bench.check(script, "yyy", "lost: reset by the peer");
}

fn nothing_to_read(bench: &Bench) {
    bench.check("$F shout < /dev/null > /dev/null", "", ENDED);
    bench.check("true | $F shout | cat", "", ENDED);
}

fn streams_that_are_closed(bench: &Bench) {
    bench.check("$F shout <&-", "", ENDED);
    bench.check("printf hello | $F shout >&-", "", ENDED);
}

/// The reason is the system's own.
fn a_full_device(bench: &Bench) {
    let full = "yes | $F shout > /dev/full";
    let output = bench.shell(full);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("No space left on device"), "{said}");
}

fn a_named_pipe_whose_writer_went(bench: &Bench) {
    let script = "mkfifo fifo; { exec 3< fifo; $F shout <&3; } & printf hello > fifo; wait";
    bench.check(script, "HELLO", ENDED);
    // Nothing is left in it, and nobody is left to say so.
    let script = "printf hello > fifo & exec 3< fifo; head -c 5 <&3; wait; $F shout <&3; rm fifo";
    bench.check(script, "hello", ENDED);
}

/// A pseudo-terminal, with us at its other side.
fn a_terminal(bench: &Bench) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let script = "script -qec \"$F shout\" /dev/null";
    let mut child = bench
        .command("sh")
        .args(["-c", script])
        .stdin(Streams::piped())
        .stdout(Streams::piped())
        .spawn()
        .unwrap();
    // A line, and the character that is the end of input.
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"hello\n\x04")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("HELLO"), "{said:?}");
    assert!(said.contains(ENDED), "{said:?}");
}

/// The streams are of open files that we have, too.
fn the_mode_of_what_is_shared_stays(bench: &Bench) {
    let (input, ours) = pipe().unwrap();
    let (theirs, output) = pipe().unwrap();
    stays(bench, [input.into(), output.into()], ours, theirs);
    // As a super-server starts its children.
    let (shared, ours) = UnixStream::pair().unwrap();
    let streams = [shared.try_clone().unwrap().into(), shared.into()];
    let theirs = ours.try_clone().unwrap();
    stays(bench, streams, ours, theirs);
}

fn stays(bench: &Bench, streams: [OwnedFd; 2], mut ours: impl Write, mut theirs: impl Read) {
    let copies = streams.each_ref().map(|end| end.try_clone().unwrap());
    let [input, output] = streams;
    let mut child = bench
        .filter("first-line")
        .stdin(input)
        .stdout(output)
        .stderr(Streams::null())
        .spawn()
        .unwrap();
    let are_unchanged = || {
        copies
            .iter()
            .all(|end| !fcntl_getfl(end).unwrap().contains(OFlags::NONBLOCK))
    };
    let mut exchange = |said: &[u8], expected: &[u8]| {
        ours.write_all(said).unwrap();
        let mut answer = vec![0; expected.len()];
        theirs.read_exact(&mut answer).unwrap();
        assert_eq!(answer, expected);
    };
    exchange(b"hello", b"HELLO");
    assert!(are_unchanged(), "while it runs");
    exchange(b"there\n", b"THERE\n");
    assert!(child.wait().unwrap().success());
    assert!(are_unchanged(), "when it is gone");
}

/// Nobody reads what it writes: it reads no more, and holds no more than its marks.
fn a_slow_reader_bounds_the_memory(bench: &Bench) {
    let (theirs, output) = pipe().unwrap();
    bounds(bench, output.into(), theirs);
    // What cannot be opened anew has a thread.
    let (output, theirs) = UnixStream::pair().unwrap();
    bounds(bench, output.into(), theirs);
}

fn bounds(bench: &Bench, output: OwnedFd, mut theirs: impl Read) {
    let mut child = bench
        .filter("shout")
        .stdin(Streams::piped())
        .stdout(output)
        .stderr(Streams::piped())
        .spawn()
        .unwrap();
    let (mut stdin, mut stderr) = (child.stdin.take().unwrap(), child.stderr.take().unwrap());
    rustix::io::ioctl_fionbio(&stdin, true).unwrap();
    let piece = vec![b'a'; 64 * 1024];
    let (mut taken, mut is_paused) = (0, false);
    loop {
        match stdin.write(&piece) {
            Ok(n) => taken += n,
            Err(_) if is_paused => break,
            Err(_) => {
                let mut awaited = [
                    PollFd::new(&stdin, PollFlags::OUT),
                    PollFd::new(&stderr, PollFlags::IN),
                ];
                poll(&mut awaited, None).unwrap();
                // It says so when it has as much as it may.
                is_paused = awaited[1].revents().contains(PollFlags::IN);
            }
        }
    }
    assert!(taken < 2 << 20, "{taken} bytes");
    drop(stdin);
    let mut all = Vec::new();
    theirs.read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), taken);
    assert!(child.wait().unwrap().success());
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert!(!said.contains("read though"), "{said}");
}

/// Nobody reads, and it ends all the same.
fn an_abort_waits_for_nobody(bench: &Bench) {
    for kind in ["pipe", "socket"] {
        let (output, _held): (OwnedFd, Box<dyn Read>) = match kind {
            "pipe" => {
                let (theirs, output) = pipe().unwrap();
                (output.into(), Box::new(theirs))
            }
            // What cannot be opened anew has a thread.
            _ => {
                let (output, theirs) = UnixStream::pair().unwrap();
                (output.into(), Box::new(theirs))
            }
        };
        let mut filter = bench.filter("abort");
        let mut child = filter
            .stdout(output)
            .stderr(Streams::null())
            .spawn()
            .unwrap();
        assert!(child.wait().unwrap().success());
    }
}

/// What the filter did not read is there for who reads the stream next.
fn input_goes_on_to_the_next(bench: &Bench) {
    let one = "{ printf 'one\\n'; read x < go; printf 'two\\n'; }";
    let script = format!("mkfifo go; {one} | {{ $F first-line; echo x > go; cat; }}");
    bench.check(&script, "ONE\ntwo", "lost: closed here");
}

/// Another process has the same stream, and reads on when the connection is over; the thread that
/// read it, because it cannot be opened anew, is told.
fn who_closed_reads_no_more(bench: &Bench) {
    let (stdin, mut ours) = UnixStream::pair().unwrap();
    let mut next = stdin.try_clone().unwrap();
    let mut filter = bench.filter("stay");
    let mut child = filter
        .stdin(OwnedFd::from(stdin))
        .stdout(Streams::null())
        .stderr(Streams::piped())
        .spawn()
        .unwrap();
    ours.write_all(b"one\n").unwrap();
    let mut said = [0; "lost: closed here".len()];
    let stderr = child.stderr.as_mut().unwrap();
    stderr.read_exact(&mut said).unwrap();
    // Only so that a broken one fails the test instead of hanging it.
    next.set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    for _ in 0..100 {
        ours.write_all(b"two\n").unwrap();
        let mut line = [0; 4];
        next.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"two\n");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Its permissions would allow both, but what was passed on to us does not.
fn a_stream_the_wrong_way(bench: &Bench) {
    let output = "{ printf hello; read x < go; } | { $F shout 1<&0; echo x > go; }";
    let output = bench.shell(&format!("mkfifo go; {output}"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("lost: input/output error: Bad file"),
        "{said:?}"
    );
    let input = "{ $F shout 0>&1; echo x > go; } | { read x < go; cat; }";
    bench.check(&format!("{input}; rm go"), "", ENDED);
}

/// By no signal: Rust's programs ignore the one for writes that nobody reads.
fn a_reader_that_is_gone_kills_nobody(bench: &Bench) {
    for kind in ["pipe", "socket"] {
        let output: OwnedFd = match kind {
            "pipe" => pipe().unwrap().1.into(),
            _ => UnixStream::pair().unwrap().0.into(),
        };
        // Silent, and open.
        let (input, _held) = pipe().unwrap();
        let mut filter = bench.filter("yes");
        let ended = filter.stdin(input).stdout(output).output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success(), "{kind}: {:?}", ended.status);
        assert_eq!(said.trim(), "lost: reset by the peer", "{kind}");
    }
}
