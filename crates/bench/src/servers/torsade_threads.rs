//! torsade's echo on reactors that share a port, one or two of them; and one that has something to do
//! for each message.

use std::hint::black_box;
use std::io;
use std::net::SocketAddr;

use torsade::{Protocol, Reactors, Transport, factory};

#[derive(Clone, Copy)]
struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

pub(super) fn one(addr: SocketAddr) -> io::Result<()> {
    serve(addr, 1, Echo)
}

pub(super) fn two(addr: SocketAddr) -> io::Result<()> {
    serve(addr, 2, Echo)
}

pub(super) fn one_that_works(addr: SocketAddr) -> io::Result<()> {
    serve(addr, 1, Work)
}

pub(super) fn two_that_work(addr: SocketAddr) -> io::Result<()> {
    serve(addr, 2, Work)
}

/// Some microseconds of arithmetic, of which each step waits for the last.
#[derive(Clone, Copy)]
struct Work;

impl Work {
    const STEPS: u32 = 30_000;
}

impl Protocol for Work {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        for message in data.chunks(64) {
            let mut number = u64::from(message[0]);
            for _ in 0..Self::STEPS {
                number = black_box(number)
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    .rotate_left(7);
            }
            black_box(number);
            transport.write(message);
        }
    }
}

fn serve<P>(addr: SocketAddr, threads: usize, protocol: P) -> io::Result<()>
where
    P: Protocol + Copy + Send + Sync,
{
    let reactors = Reactors::new(threads)
        .start(move |net| Ok(net.listen(addr, factory(move |_| protocol))?.address()))
        .map_err(io::Error::other)?;
    super::announce(&reactors.results()[0]);
    reactors.join().map_err(io::Error::other)
}
