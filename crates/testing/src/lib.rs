//! placeholder front page
#![forbid(unsafe_code)]

mod clock;
mod end;
mod ledger;
mod pump;
mod string_transport;
mod world;

pub use self::clock::Clock;
pub use self::pump::Pump;
pub use self::string_transport::{Builder, StringTransport};
