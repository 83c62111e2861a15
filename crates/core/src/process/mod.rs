//! Child processes: what is asked for, what is told, and the state between them.

mod channel;
mod child;
mod command;
mod complaints;
mod error;
mod handle;
mod output;
mod owner;
mod passed;
mod protocol;
mod signal;
mod spawn;
mod status;
mod talk;
mod transport;

pub(crate) use self::child::{Child, spawn, stream};
pub use self::command::{ChildFd, Command, TerminalSize};
pub use self::error::{OutputError, SignalError, SpawnError};
pub use self::handle::Process;
pub(crate) use self::handle::{handle, streams_through};
pub use self::output::ProcessOutput;
pub use self::protocol::ProcessProtocol;
pub use self::signal::{Signal, UnknownSignal};
pub use self::spawn::{ChildControl, Spawned};
pub use self::status::{ExitStatus, ProcessEnd};
pub use self::transport::ProcessTransport;
