//! Endpoints as text: how it is taken apart, who understands it, and what it can say wrong.

mod arguments;
mod error;
mod process;
mod registry;
mod syntax;
mod systemd;
mod tcp;
mod unix;

pub use self::arguments::{Arguments, Value};
pub use self::error::{TextError, TextFault};
pub use self::process::ProcessClientEndpoint;
pub use self::registry::{Endpoints, client, server};
pub use self::syntax::quote;
pub use self::systemd::PassedSocket;
pub use self::tcp::{TcpClientEndpoint, TcpServerEndpoint};
pub use self::unix::{UnixClientEndpoint, UnixServerEndpoint};
