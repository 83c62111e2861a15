//! Datagrams: whole messages, each with an address, none of them certain to arrive.

mod address;
mod departures;
mod error;
mod options;
mod port;
mod protocol;
mod talk;
mod transport;

pub use self::address::DatagramAddress;
pub use self::departures::{Arrived, Departure, Departures};
pub use self::error::DatagramError;
pub use self::options::{DatagramOptions, Interface, PortSetting};
pub use self::port::DatagramPort;
pub(crate) use self::port::{Phase, Port, Queued, bind};
pub use self::protocol::DatagramProtocol;
pub use self::transport::DatagramTransport;
