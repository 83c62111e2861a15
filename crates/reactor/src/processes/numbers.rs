use std::io;

use rustix::io::Errno;
use rustix::process::{Signal as Number, WaitIdStatus};
use torsade_core::{ExitStatus, Signal, SignalError};

/// What the system calls the signals that have names.
const NAMED: &[(Signal, Number)] = &[
    (Signal::Hup, Number::HUP),
    (Signal::Int, Number::INT),
    (Signal::Quit, Number::QUIT),
    (Signal::Ill, Number::ILL),
    (Signal::Trap, Number::TRAP),
    (Signal::Abrt, Number::ABORT),
    (Signal::Bus, Number::BUS),
    (Signal::Fpe, Number::FPE),
    (Signal::Kill, Number::KILL),
    (Signal::Usr1, Number::USR1),
    (Signal::Segv, Number::SEGV),
    (Signal::Usr2, Number::USR2),
    (Signal::Pipe, Number::PIPE),
    (Signal::Alrm, Number::ALARM),
    (Signal::Term, Number::TERM),
    (Signal::Chld, Number::CHILD),
    (Signal::Cont, Number::CONT),
    (Signal::Stop, Number::STOP),
    (Signal::Tstp, Number::TSTP),
    (Signal::Ttin, Number::TTIN),
    (Signal::Ttou, Number::TTOU),
    (Signal::Urg, Number::URG),
    (Signal::Xcpu, Number::XCPU),
    (Signal::Xfsz, Number::XFSZ),
    (Signal::Winch, Number::WINCH),
    (Signal::Sys, Number::SYS),
];

/// What to send.
pub(crate) fn number(signal: Signal) -> io::Result<Number> {
    let found = match signal {
        Signal::Number(raw) => Number::from_named_raw(raw),
        _ => {
            let mut named = NAMED.iter();
            named
                .find(|(known, _)| *known == signal)
                .map(|(_, number)| *number)
        }
    };
    found.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// How a process ended, as the system tells it. Nobody but its reaper can be told: if there is
/// nothing to be told, it went to somebody else.
pub(super) fn status(told: Result<Option<WaitIdStatus>, Errno>) -> Option<ExitStatus> {
    let told = match told {
        Ok(told) => told?,
        Err(_) => return Some(ExitStatus::Unknown),
    };
    let signal = told.terminating_signal().map(|raw| {
        let mut named = NAMED.iter();
        let found = named.find(|(_, number)| number.as_raw() == raw);
        found.map_or(Signal::Number(raw), |(signal, _)| *signal)
    });
    Some(match (told.exit_status(), signal) {
        (Some(code), _) => ExitStatus::Code(code),
        (None, Some(signal)) => ExitStatus::Signal {
            signal,
            core_dumped: told.dumped(),
        },
        (None, None) => ExitStatus::Unknown,
    })
}

/// What sending a signal said.
pub(super) fn sent(result: Result<(), Errno>) -> Result<(), SignalError> {
    match result {
        Ok(()) => Ok(()),
        Err(Errno::SRCH) => Err(SignalError::Exited),
        Err(error) => Err(SignalError::System(error.into())),
    }
}
