//! TLS on the string transport, with the test as the wire: no socket, no clock.

mod certificates;
mod ends;
mod handshakes;
mod hostile;
mod start;
mod support;
