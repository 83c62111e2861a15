mod connecting;
mod doorbell;
mod file;
mod host;
mod listeners;
mod port;
mod probe;
mod registrar;
mod ring;
mod ring_loop;
mod stream;
mod streams;
mod system;
mod tag;

pub(crate) use self::ring_loop::{RingLoop, Rings};
