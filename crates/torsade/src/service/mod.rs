//! Endpoints from text, the PROXY protocol, services, and a `main` for them.
//!
//! [`manual::services`](crate::manual::services) teaches it.

mod endpoints;
#[cfg(feature = "tls")]
mod tls;

use std::fmt;
use std::process::{ExitCode, Termination};

use torsade_core::Net;
use torsade_deferred::{Deferred, Failure};
use torsade_reactor::Reactor;

pub use self::endpoints::{client, endpoints, server};
#[cfg(feature = "tls")]
pub use self::tls::{SslServerEndpoint, TlsClientEndpoint, TlsServerEndpoint};
pub use torsade_service::*;

/// Runs a whole program: what `main` returns when this is all it does.
///
/// Makes a reactor, calls `main` with its net, runs until what that returns has a result, and stops
/// the reactor in good order. The exit code is that of the value, as for what a `main` returns;
/// 1 for an error, which is said on the standard error; 0 if a signal, or somebody's
/// [`stop`](crate::Net::stop), ended it before. On Unix, Ctrl-C and SIGTERM stop it.
///
/// ```
/// use std::process::ExitCode;
/// use std::time::Duration;
///
/// fn main() -> ExitCode {
///     torsade::service::react(|net| net.sleep(Duration::from_millis(1)))
/// }
/// ```
#[doc(alias = "task.react")]
#[doc(alias = "asyncio.run")]
pub fn react<T, E>(main: impl FnOnce(&Net) -> Deferred<T, E>) -> ExitCode
where
    T: Termination + 'static,
    E: fmt::Display + 'static,
{
    run(|reactor| {
        let ended = main(reactor.net());
        let ended = reactor.run_until(ended)?;
        reactor.stop();
        reactor.run()?;
        Ok(match ended {
            Ok(value) => value.report(),
            // It was stopped, in good order.
            Err(Failure::Abandoned) => ExitCode::SUCCESS,
            Err(failure) => failed(&failure),
        })
    })
}

/// Runs a tree of services as a program: starts it, runs until a signal or
/// [`stop`](crate::Net::stop), and stops it before the reactor, which waits for that.
///
/// The exit code is 1 if it does not start, which is said on the standard error, else 0. How long
/// its stop may take is `Limits::before_stop_timeout`, 30 s; a second signal does not wait for it.
///
/// ```
/// use std::process::ExitCode;
/// use std::time::Duration;
/// use torsade::service::{MultiService, TimerService, run_service};
///
/// fn main() -> ExitCode {
///     let program = MultiService::new();
///     let mut left = 3;
///     program.add(TimerService::new(Duration::from_millis(1), move |net, _| {
///         left -= 1;
///         if left == 0 {
///             net.stop();
///         }
///     })).detach();
///     run_service(program)
/// }
/// ```
#[doc(alias = "twistd")]
#[doc(alias = "tac")]
pub fn run_service(service: impl Service + Clone) -> ExitCode {
    run(|reactor| {
        let started = service.start(reactor.net());
        let to_stop = service.clone();
        reactor.net().before_stop(move || to_stop.stop());
        match reactor.run_until(started)? {
            Ok(()) => {
                reactor.run()?;
                Ok(ExitCode::SUCCESS)
            }
            // It was stopped while it started, in good order.
            Err(Failure::Abandoned | Failure::Error(ServiceError::Stopped)) => {
                reactor.stop();
                reactor.run()?;
                Ok(ExitCode::SUCCESS)
            }
            Err(failure) => {
                reactor.stop();
                reactor.run()?;
                Ok(failed(&failure))
            }
        }
    })
}

fn run(program: impl FnOnce(&mut Reactor) -> std::io::Result<ExitCode>) -> ExitCode {
    let outcome = Reactor::new().and_then(|mut reactor| {
        #[cfg(unix)]
        reactor.stop_on_signals()?;
        program(&mut reactor)
    });
    outcome.unwrap_or_else(|error| failed(&error))
}

fn failed(error: &dyn fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
