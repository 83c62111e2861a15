use std::cell::Cell;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::fcntl_dupfd_cloexec;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use torsade_core::{Net, Signal, SignalWatch, TerminalSize};

/// A terminal that somebody sits at: how large it is, and what it does with what is typed. On Unix.
///
/// Of a program that is an editor, a game or a client for a shell: it wants each key when it is
/// pressed and not each line when it is finished. The bytes themselves come and go through a
/// connection, which [`Stdio`](torsade_core::Stdio) is.
///
/// ```
/// use torsade_reactor::Terminal;
/// # // A pseudo-terminal, because a test has no other one.
/// # use rustix::pty::{OpenptFlags, openpt};
/// # let stdin = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
/// # #[cfg(any())]
/// let stdin = std::io::stdin();
/// let terminal = Terminal::new(&stdin)?;
/// let size = terminal.size()?;
/// println!("{} lines of {}", size.rows, size.columns);
/// {
///     let _raw = terminal.raw()?;
///     // ... net.connect(Stdio, ...), reactor.run() ...
/// } // as it was before
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Modes
/// | | as it is usually | [`no_echo`](Self::no_echo) | [`cbreak`](Self::cbreak) | [`raw`](Self::raw) |
/// |---|---|---|---|---|
/// | input comes | by lines, which can be edited | by lines | by keys | by keys |
/// | what is typed is shown | yes | no | no | no |
/// | Ctrl-C, Ctrl-Z | are signals | are signals | are signals | are the bytes 3 and 26 |
/// | Ctrl-D at a line's beginning | is the end of input | is the end of input | is the byte 4 | is the byte 4 |
/// | the key Enter | is `\n` | is `\n` | is `\n` | is `\r` |
/// | `\n` that is written | begins a line | begins a line | begins a line | goes down, and not left: write `\r\n` |
///
/// A mode is one of the terminal and not of a descriptor: it holds for standard output and error,
/// for children, and for everybody else who has that terminal. What was typed before stays to be
/// read.
///
/// A process in the background that sets a mode is stopped by the system until it is in the
/// foreground, as all programs are.
///
/// # What gives the mode back
/// The [`TerminalMode`] that is returned, when it is dropped: at the end of its block, when `?`
/// leaves it, and when a panic unwinds it. It is not dropped, and the terminal is left as it is, if
/// the process is killed (SIGKILL), ends by a signal that nobody heard (let the reactor
/// `stop_on_signals`, or hear SIGHUP and SIGTERM with [`Net::on_signal`]), aborts (which a panic
/// does too in a build with `panic = "abort"`), or is left through [`std::process::exit`]. The
/// command `stty sane` helps then.
#[doc(alias = "tcgetattr")]
#[doc(alias = "termios")]
#[doc(alias = "tty")]
#[derive(Debug)]
pub struct Terminal(OwnedFd);

impl Terminal {
    /// The terminal behind this descriptor, which is duplicated: it may be closed afterwards.
    ///
    /// ```
    /// use torsade_reactor::Terminal;
    ///
    /// let (reader, _writer) = std::io::pipe()?;
    /// assert!(Terminal::new(&reader).is_err()); // in a pipeline nobody presses keys
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's: that it is no terminal (ENOTTY), or that there are no descriptors left.
    #[doc(alias = "isatty")]
    pub fn new(descriptor: &impl AsFd) -> io::Result<Self> {
        tcgetattr(descriptor)?;
        Ok(Self(fcntl_dupfd_cloexec(descriptor, 0)?))
    }

    /// How large its window is now. One that does not know says 0 of both.
    ///
    /// ```
    /// # use rustix::pty::{OpenptFlags, openpt};
    /// # let stdout = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    /// # #[cfg(any())]
    /// let stdout = std::io::stdout();
    /// let size = torsade_reactor::Terminal::new(&stdout)?.size()?;
    /// let columns = if size.columns == 0 { 80 } else { size.columns };
    /// # assert_eq!(columns, 80);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's, when the terminal is gone.
    #[doc(alias = "TIOCGWINSZ")]
    pub fn size(&self) -> io::Result<TerminalSize> {
        let size = tcgetwinsize(&self.0)?;
        Ok(TerminalSize {
            rows: size.ws_row,
            columns: size.ws_col,
        })
    }

    /// Call `f` whenever the window has another size, until the returned watch is dropped. The
    /// system tells it with a signal ([`Signal::Winch`]), and only to processes in the foreground
    /// whose own (controlling) terminal this is.
    ///
    /// ```
    /// # use rustix::pty::{OpenptFlags, openpt};
    /// # let stdout = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    /// use torsade_reactor::{Reactor, Terminal};
    ///
    /// let reactor = Reactor::new()?;
    /// # #[cfg(any())]
    /// let stdout = std::io::stdout();
    /// let terminal = Terminal::new(&stdout)?;
    /// let watch = terminal.on_resize(reactor.net(), |_, size| {
    ///     println!("{} columns now", size.columns);
    /// })?;
    /// # drop(watch);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's, and those of [`Net::on_signal`].
    #[doc(alias = "SIGWINCH")]
    pub fn on_resize(
        &self,
        net: &Net,
        mut f: impl FnMut(&Net, TerminalSize) + 'static,
    ) -> io::Result<SignalWatch> {
        let terminal = Self(self.0.try_clone()?);
        let last = Cell::new(terminal.size()?);
        net.on_signal(Signal::Winch, move |net| {
            // A terminal that is gone has no size, and its connection says that it is gone.
            if let Ok(size) = terminal.size()
                && last.replace(size) != size
            {
                f(net, size);
            }
        })
    }

    /// Every key is a byte or some, and nothing is done with them; what is written goes out as it
    /// is. For programs that have the whole screen, and for those that pass keys on to a terminal
    /// somewhere else.
    ///
    /// ```
    /// # use rustix::pty::{OpenptFlags, openpt};
    /// # let stdin = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    /// # #[cfg(any())]
    /// let stdin = std::io::stdin();
    /// let raw = torsade_reactor::Terminal::new(&stdin)?.raw()?;
    /// print!("no line is begun\r\nwithout a carriage return\r\n");
    /// raw.restore()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's, when the terminal is gone.
    #[doc(alias = "setraw")]
    #[doc(alias = "cfmakeraw")]
    pub fn raw(&self) -> io::Result<TerminalMode> {
        self.change(|mode| {
            mode.make_raw();
            come_at_once(mode);
        })
    }

    /// Keys come when they are pressed and are not shown; Ctrl-C and Ctrl-Z go on to be signals,
    /// and what is written is written as ever.
    ///
    /// ```
    /// # use rustix::pty::{OpenptFlags, openpt};
    /// # let stdin = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    /// # #[cfg(any())]
    /// let stdin = std::io::stdin();
    /// let _keys = torsade_reactor::Terminal::new(&stdin)?.cbreak()?;
    /// println!("press any key");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's, when the terminal is gone.
    #[doc(alias = "setcbreak")]
    pub fn cbreak(&self) -> io::Result<TerminalMode> {
        self.change(|mode| {
            mode.local_modes -= LocalModes::ECHO | LocalModes::ICANON;
            come_at_once(mode);
        })
    }

    /// Lines that are not shown while they are typed: passwords.
    ///
    /// ```
    /// # use rustix::pty::{OpenptFlags, openpt};
    /// # let stdin = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    /// # #[cfg(any())]
    /// let stdin = std::io::stdin();
    /// print!("password: ");
    /// let hidden = torsade_reactor::Terminal::new(&stdin)?.no_echo()?;
    /// // ... when the line came:
    /// drop(hidden);
    /// println!(); // Enter was not shown either
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's, when the terminal is gone.
    #[doc(alias = "getpass")]
    pub fn no_echo(&self) -> io::Result<TerminalMode> {
        self.change(|mode| mode.local_modes -= LocalModes::ECHO)
    }

    fn change(&self, change: impl FnOnce(&mut Termios)) -> io::Result<TerminalMode> {
        let terminal = self.0.try_clone()?;
        let before = tcgetattr(&terminal)?;
        let mut during = before.clone();
        change(&mut during);
        let mode = TerminalMode {
            terminal,
            before,
            during,
        };
        mode.again()?;
        Ok(mode)
    }
}

/// A read has something as soon as there is one byte.
fn come_at_once(mode: &mut Termios) {
    mode.special_codes[SpecialCodeIndex::VMIN] = 1;
    mode.special_codes[SpecialCodeIndex::VTIME] = 0;
}

/// A mode that a [`Terminal`] has for as long as this lives; see there for what else ends it, and
/// what leaves it. Of several, drop the youngest first: each gives back what it found.
///
/// Keep it where `run` is called, or in the protocol at the terminal. A panic of a callback is
/// caught by the reactor (contract C8) and ends the connection, and with it what its protocol holds.
///
/// ```
/// # use rustix::pty::{OpenptFlags, openpt};
/// # let stdin = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
/// # #[cfg(any())]
/// let stdin = std::io::stdin();
/// let terminal = torsade_reactor::Terminal::new(&stdin)?;
/// let keys = terminal.cbreak()?;
/// drop(keys); // by lines again, and shown
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "the mode ends when this is dropped"]
pub struct TerminalMode {
    terminal: OwnedFd,
    before: Termios,
    during: Termios,
}

impl TerminalMode {
    /// Set the mode once more: after the process was stopped (Ctrl-Z) and goes on, because the
    /// shell, which had the terminal meanwhile, set another one.
    ///
    /// ```
    /// # use rustix::pty::{OpenptFlags, openpt};
    /// # let stdin = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    /// use torsade_core::Signal;
    /// use torsade_reactor::{Reactor, Terminal};
    ///
    /// # #[cfg(any())]
    /// let stdin = std::io::stdin();
    /// let reactor = Reactor::new()?;
    /// let keys = Terminal::new(&stdin)?.cbreak()?;
    /// let watch = reactor.net().on_signal(Signal::Cont, move |_| {
    ///     let _ = keys.again();
    /// })?; // has the mode now: what ends the watch ends the mode
    /// # drop(watch);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's, when the terminal is gone.
    pub fn again(&self) -> io::Result<()> {
        // At once: output that nobody takes would hold up what waits for it.
        Ok(tcsetattr(
            &self.terminal,
            OptionalActions::Now,
            &self.during,
        )?)
    }

    /// The same as dropping it, for who wants to know whether it was possible.
    ///
    /// ```
    /// # use rustix::pty::{OpenptFlags, openpt};
    /// # let stdin = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    /// # #[cfg(any())]
    /// let stdin = std::io::stdin();
    /// let terminal = torsade_reactor::Terminal::new(&stdin)?;
    /// terminal.raw()?.restore()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's, when the terminal is gone.
    pub fn restore(self) -> io::Result<()> {
        self.give_back()
    }

    fn give_back(&self) -> io::Result<()> {
        Ok(tcsetattr(
            &self.terminal,
            OptionalActions::Now,
            &self.before,
        )?)
    }
}

impl fmt::Debug for TerminalMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TerminalMode")
            .field("terminal", &self.terminal)
            .finish_non_exhaustive()
    }
}

impl Drop for TerminalMode {
    fn drop(&mut self) {
        // A terminal that is gone has no mode to give back.
        let _ = self.give_back();
    }
}
