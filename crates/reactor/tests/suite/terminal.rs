//! Terminals: their modes, their size, and connections over them.

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write, pipe};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{
    LocalModes, OutputModes, SpecialCodeIndex, Termios, Winsize, tcgetattr, tcsetwinsize,
};
use signal_hook::consts::SIGWINCH;
use signal_hook::low_level::raise;
use torsade_core::{Adopted, TerminalSize, Transport};
use torsade_reactor::{Reactor, Terminal, TerminalMode};

use crate::support::{Log, Script, drive, settle};
use crate::unix::on_each_driver;

/// A pseudo-terminal: the test is its screen and its keyboard.
struct Screen(OwnedFd);

impl Screen {
    fn new() -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        rustix::io::ioctl_fionbio(&ours, true).unwrap();
        Self(ours)
    }

    /// What a program has for its standard streams.
    fn terminal(&self) -> OwnedFd {
        let name = ptsname(&self.0, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        open(&*name, flags, Mode::empty()).unwrap()
    }

    fn press(&self, keys: &str) {
        let mut keyboard = std::fs::File::from(self.0.try_clone().unwrap());
        keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Turn the reactor until it shows this, and nothing else. The system moves what is written to
    /// a screen, and what is typed, in its own time.
    fn comes_to_show(&self, reactor: &mut Reactor, expected: &str) {
        let mut shown = String::new();
        drive(reactor, || {
            shown.push_str(&self.shows());
            shown.len() >= expected.len()
        });
        assert_eq!(shown, expected);
    }

    /// What it shows that was not looked at.
    fn shows(&self) -> String {
        let mut screen = std::fs::File::from(self.0.try_clone().unwrap());
        let mut shown = [0; 1000];
        match screen.read(&mut shown) {
            Ok(n) => String::from_utf8_lossy(&shown[..n]).into_owned(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => String::new(),
            Err(error) => panic!("{error}"),
        }
    }

    fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.0, size).unwrap();
    }
}

fn wait_for_input(terminal: &OwnedFd) {
    let mut awaited = [PollFd::new(terminal, PollFlags::IN)];
    poll(&mut awaited, None).unwrap();
}

/// All that makes a mode.
fn mode(terminal: &OwnedFd) -> (String, u8, u8) {
    let mode: Termios = tcgetattr(terminal).unwrap();
    let flags = format!(
        "{:?} {:?} {:?} {:?}",
        mode.input_modes, mode.output_modes, mode.control_modes, mode.local_modes
    );
    let codes = &mode.special_codes;
    (
        flags,
        codes[SpecialCodeIndex::VMIN],
        codes[SpecialCodeIndex::VTIME],
    )
}

type Set = fn(&Terminal) -> std::io::Result<TerminalMode>;
const MODES: [Set; 3] = [Terminal::raw, Terminal::cbreak, Terminal::no_echo];

#[test]
fn a_mode_lasts_as_long_as_its_value() {
    let screen = Screen::new();
    let theirs = screen.terminal();
    let terminal = Terminal::new(&theirs).unwrap();
    let before = mode(&theirs);
    for set in MODES {
        let during = set(&terminal).unwrap();
        assert_ne!(mode(&theirs), before);
        drop(during);
        assert_eq!(mode(&theirs), before);
        set(&terminal).unwrap().restore().unwrap();
        assert_eq!(mode(&theirs), before);
    }
}

#[test]
fn each_mode_changes_what_it_says() {
    let screen = Screen::new();
    let theirs = screen.terminal();
    let terminal = Terminal::new(&theirs).unwrap();
    let local = |flags: LocalModes| tcgetattr(&theirs).unwrap().local_modes.contains(flags);
    let hidden = terminal.no_echo().unwrap();
    assert!(!local(LocalModes::ECHO));
    assert!(local(LocalModes::ICANON) && local(LocalModes::ISIG));
    drop(hidden);
    let keys = terminal.cbreak().unwrap();
    assert!(!local(LocalModes::ECHO) && !local(LocalModes::ICANON));
    assert!(local(LocalModes::ISIG));
    assert_eq!((mode(&theirs).1, mode(&theirs).2), (1, 0));
    drop(keys);
    let _raw = terminal.raw().unwrap();
    for flag in [LocalModes::ECHO, LocalModes::ICANON, LocalModes::ISIG] {
        assert!(!local(flag), "{flag:?}");
    }
    let output = tcgetattr(&theirs).unwrap().output_modes;
    assert!(!output.contains(OutputModes::OPOST));
    assert_eq!((mode(&theirs).1, mode(&theirs).2), (1, 0));
}

#[test]
fn a_panic_gives_the_mode_back() {
    let screen = Screen::new();
    let theirs = screen.terminal();
    let before = mode(&theirs);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _raw = Terminal::new(&theirs).unwrap().raw().unwrap();
        assert_eq!(mode(&theirs), before, "it is another one");
    }));
    assert!(panicked.is_err());
    assert_eq!(mode(&theirs), before);
}

/// As a protocol does which is at the terminal and has its mode.
#[test]
fn a_callback_that_panics_gives_the_mode_back() {
    on_each_driver(|reactor| {
        let screen = Screen::new();
        let theirs = screen.terminal();
        let before = mode(&theirs);
        let raw = Terminal::new(&theirs).unwrap().raw().unwrap();
        let log = Log::default();
        let script = Script::new("ours", &log).data(move |_, _| panic!("{raw:?}"));
        // Held by the connection only, which lets go of it.
        drop(connect(reactor, &theirs, script));
        assert_ne!(mode(&theirs), before);
        screen.press("q");
        drive(reactor, || mode(&theirs) == before);
    });
}

fn connect(reactor: &mut Reactor, terminal: &OwnedFd, script: Script) -> Transport<Script> {
    let copy = || terminal.try_clone().unwrap();
    let adopted = Adopted::pipes(Some(copy()), Some(copy()));
    let made = reactor.net().connect(adopted, script);
    reactor.run_until(made).unwrap().unwrap()
}

#[test]
fn a_mode_is_set_again_after_somebody_else_set_one() {
    let screen = Screen::new();
    let theirs = screen.terminal();
    let terminal = Terminal::new(&theirs).unwrap();
    let before = mode(&theirs);
    let keys = terminal.cbreak().unwrap();
    let during = mode(&theirs);
    // A shell, while this is stopped.
    let shell = terminal.raw().unwrap();
    keys.again().unwrap();
    assert_eq!(mode(&theirs), during);
    drop(shell);
    drop(keys);
    assert_eq!(mode(&theirs), before);
}

#[test]
fn keys_come_one_by_one_and_are_not_shown() {
    on_each_driver(|reactor| {
        let screen = Screen::new();
        let theirs = screen.terminal();
        let terminal = Terminal::new(&theirs).unwrap();
        let raw = terminal.raw().unwrap();
        let log = Log::default();
        let noted = log.clone();
        let script = Script::new("ours", &log)
            .data(move |_, data| noted.note(format!("{:?}", String::from_utf8_lossy(data))));
        let transport = connect(reactor, &theirs, script);
        // Ctrl-C and Ctrl-D are keys as all the others.
        for key in ["q", "\u{3}", "\u{4}", "\r"] {
            screen.press(key);
            drive(reactor, || log.has(&format!("{key:?}")));
        }
        // It goes out as it is, and the keys were not shown before it.
        transport.write("a\nb");
        screen.comes_to_show(reactor, "a\nb");
        drop(raw);
        // By lines again, and shown.
        screen.press("hell");
        screen.press("o\r");
        drive(reactor, || log.has("\"hello\\n\""));
        screen.comes_to_show(reactor, "hello\r\n");
    });
}

#[test]
fn what_was_typed_before_a_mode_is_not_lost() {
    on_each_driver(|reactor| {
        let screen = Screen::new();
        let theirs = screen.terminal();
        screen.press("typed ahead\r");
        wait_for_input(&theirs);
        let _raw = Terminal::new(&theirs).unwrap().raw().unwrap();
        let log = Log::default();
        let noted = log.clone();
        let script = Script::new("ours", &log)
            .data(move |_, data| noted.note(String::from_utf8_lossy(data)));
        connect(reactor, &theirs, script);
        drive(reactor, || log.has("typed ahead\n"));
    });
}

/// Typing there is not for who only writes: it would be an input that nobody reads.
#[test]
fn a_terminal_that_is_only_written_to_is_not_read() {
    on_each_driver(|reactor| {
        let screen = Screen::new();
        let theirs = screen.terminal();
        let log = Log::default();
        let adopted = Adopted::pipes(None, Some(theirs.try_clone().unwrap()));
        let made = reactor.net().connect(adopted, Script::new("ours", &log));
        let transport = reactor.run_until(made).unwrap().unwrap();
        screen.press("is anybody there?\r");
        wait_for_input(&theirs);
        settle(reactor);
        transport.write("no");
        screen.comes_to_show(reactor, "is anybody there?\r\nno");
        assert_eq!(log.lines(), ["ours made"]);
    });
}

/// The program at a pseudo-terminal went, which its other side finds out by an error.
#[test]
fn the_end_of_a_terminal_is_an_end() {
    on_each_driver(|reactor| {
        let screen = Screen::new();
        let theirs = screen.terminal();
        let log = Log::default();
        connect(reactor, &screen.0, Script::new("ours", &log));
        drop(theirs);
        drive(reactor, || log.lines().len() == 3);
        assert_eq!(log.lines()[1], "ours eof");
    });
}

#[test]
fn a_window_has_a_size_and_changes_it() {
    let screen = Screen::new();
    let theirs = screen.terminal();
    let terminal = Terminal::new(&theirs).unwrap();
    let unknown = terminal.size().unwrap();
    assert_eq!((unknown.rows, unknown.columns), (0, 0));
    screen.resize(24, 80);
    on_each_driver(|reactor| {
        let told = Rc::new(Cell::new(None));
        let tell = Rc::clone(&told);
        let watch = terminal.on_resize(reactor.net(), move |_, size| tell.set(Some(size)));
        let watch = watch.unwrap();
        // Of another terminal, or of a size that was told.
        raise(SIGWINCH).unwrap();
        settle(reactor);
        assert_eq!(told.get(), None);
        screen.resize(50, 132);
        raise(SIGWINCH).unwrap();
        drive(reactor, || told.get().is_some());
        let (rows, columns) = (50, 132);
        assert_eq!(told.get(), Some(TerminalSize { rows, columns }));
        assert_eq!(terminal.size().unwrap(), TerminalSize { rows, columns });
        drop(watch);
        told.set(None);
        screen.resize(24, 80);
        raise(SIGWINCH).unwrap();
        settle(reactor);
        assert_eq!(told.get(), None);
    });
}

#[test]
fn what_is_no_terminal_is_refused() {
    let (reader, _writer) = pipe().unwrap();
    let refused = Terminal::new(&reader).unwrap_err();
    assert_eq!(
        refused.raw_os_error(),
        Some(rustix::io::Errno::NOTTY.raw_os_error())
    );
}
