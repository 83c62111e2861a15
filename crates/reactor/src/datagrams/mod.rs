//! Sockets for datagrams.

#[cfg(target_os = "linux")]
mod asks_linux;
#[cfg(target_os = "linux")]
#[path = "batch_linux.rs"]
mod batch;
#[cfg(not(target_os = "linux"))]
#[path = "batch_portable.rs"]
mod batch;
#[cfg(target_os = "linux")]
mod name_linux;
mod open;
#[cfg(target_os = "linux")]
mod packet_linux;
mod ports;

pub(crate) use self::ports::{PortSocket, Ports, Receiver};
