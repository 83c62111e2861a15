use std::net::SocketAddr;
use std::rc::Rc;

use torsade_core::driver::Interest;
use torsade_core::{DatagramOptions, PortId};

use super::kernel::Shared;
use super::simulation::Sim;

/// A socket for datagrams that no engine has.
#[derive(Debug)]
pub(crate) struct RawPort {
    kernel: Shared,
    host: u32,
    id: PortId,
    local: SocketAddr,
}

/// The first of the numbers that no engine gives to a port.
const FIRST: u64 = 1 << 63;

impl RawPort {
    pub(crate) fn of(sim: &Sim, host: &str) -> Self {
        let (kernel, host) = (sim.kernel(), sim.host(host).number());
        let options = DatagramOptions::new();
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let inner = &mut *kernel.borrow_mut();
        let id = PortId::from_bits(FIRST + inner.nodes[host as usize].ports.len() as u64);
        let local = match inner.bind(host, anywhere, &options, id) {
            Ok(local) => local,
            Err(error) => panic!("a raw socket cannot be had: {error}"),
        };
        // Nobody is told of what comes.
        inner.want_of_port(host, id, Interest::default());
        Self {
            kernel: Rc::clone(kernel),
            host,
            id,
            local,
        }
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn send_to(&self, to: SocketAddr, data: &[u8]) {
        let kernel = &mut *self.kernel.borrow_mut();
        if let Err(error) = kernel.send_datagram(self.host, self.id, Some(to), data) {
            panic!("a datagram to {to} cannot be sent: {error}");
        }
    }

    pub(crate) fn take(&self) -> Vec<(SocketAddr, Vec<u8>)> {
        let kernel = &mut *self.kernel.borrow_mut();
        let taken = kernel.take_datagrams(self.host, self.id, usize::MAX);
        let datagrams = taken.datagrams.into_iter();
        datagrams
            .filter_map(|(from, data)| Some((from.inet()?, data.into_vec())))
            .collect()
    }
}

impl Drop for RawPort {
    fn drop(&mut self) {
        self.kernel.borrow_mut().close_port(self.host, self.id);
    }
}
