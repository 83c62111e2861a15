use std::fmt;
use std::str::FromStr;

use thiserror::Error;

macro_rules! signals {
    ($($(#[$doc:meta])* $variant:ident $name:literal,)*) => {
        /// What is sent to a process, or what ended it.
        ///
        /// By name, because the numbers differ between systems.
        ///
        /// ```
        /// use torsade_core::Signal;
        ///
        /// assert_eq!("TERM".parse(), Ok(Signal::Term));
        /// assert_eq!("SIGHUP".parse(), Ok(Signal::Hup));
        /// assert_eq!(Signal::Kill.to_string(), "SIGKILL");
        /// assert!("SIGNONSENSE".parse::<Signal>().is_err());
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Signal {
            $($(#[$doc])* $variant,)*
            /// One without a name here, by the system's number.
            Number(i32),
        }

        /// All that have names.
        const NAMED: &[(Signal, &str)] = &[$((Signal::$variant, $name),)*];
    };
}

signals! {
    /// The terminal is gone; for servers often: read the configuration again.
    Hup "HUP",
    /// An interrupt from the keyboard.
    Int "INT",
    /// As an interrupt, with a core dump.
    Quit "QUIT",
    /// An instruction that is none.
    Ill "ILL",
    /// A breakpoint.
    Trap "TRAP",
    /// The process gave up by itself.
    Abrt "ABRT",
    /// Memory that is not there.
    Bus "BUS",
    /// Arithmetic without a result.
    Fpe "FPE",
    /// The end, which no process can prevent.
    Kill "KILL",
    /// For the program to use.
    Usr1 "USR1",
    /// Memory that is not the process's.
    Segv "SEGV",
    /// For the program to use.
    Usr2 "USR2",
    /// A write to a pipe that nobody reads.
    Pipe "PIPE",
    /// A timer of the process.
    Alrm "ALRM",
    /// A polite request to come to an end.
    Term "TERM",
    /// A child ended, or stopped.
    Chld "CHLD",
    /// Go on after a stop.
    Cont "CONT",
    /// Stop, which no process can prevent.
    Stop "STOP",
    /// Stop, asked for at the keyboard.
    Tstp "TSTP",
    /// Input from the terminal in the background.
    Ttin "TTIN",
    /// Output to the terminal in the background.
    Ttou "TTOU",
    /// Urgent data on a socket.
    Urg "URG",
    /// More processor time than allowed.
    Xcpu "XCPU",
    /// A larger file than allowed.
    Xfsz "XFSZ",
    /// The terminal has another size.
    Winch "WINCH",
    /// A system call that is none, or forbidden.
    Sys "SYS",
}

/// As `SIGTERM`, or `signal 40`.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Number(number) = self {
            return write!(f, "signal {number}");
        }
        match NAMED.iter().find(|(signal, _)| signal == self) {
            Some((_, name)) => write!(f, "SIG{name}"),
            None => Ok(()),
        }
    }
}

/// From a name, with `SIG` in front or without.
impl FromStr for Signal {
    type Err = UnknownSignal;

    fn from_str(text: &str) -> Result<Self, UnknownSignal> {
        let name = text.strip_prefix("SIG").unwrap_or(text);
        let found = NAMED.iter().find(|(_, known)| *known == name);
        found.map(|(signal, _)| *signal).ok_or(UnknownSignal)
    }
}

/// No signal has that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there is no signal of that name: there are HUP, INT, KILL, TERM and others")]
#[non_exhaustive]
pub struct UnknownSignal;
