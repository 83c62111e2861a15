//! Services: what a program is made of, started in order and stopped in reverse.

mod backoff;
mod client;
mod client_error;
mod multi;
mod room;
mod server;
mod service;
mod timer;

pub use self::backoff::Backoff;
pub use self::client::ClientService;
pub use self::client_error::{ClientError, ClientFailure};
pub use self::multi::MultiService;
pub use self::room::{Cut, Drained};
pub use self::server::ServerService;
pub use self::service::{Service, ServiceError};
pub use self::timer::TimerService;
