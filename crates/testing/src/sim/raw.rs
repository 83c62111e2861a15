use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use torsade_core::driver::Close;
use torsade_core::{ListenOptions, ListenerId};

use super::kernel::{Kernel, Shared};
use super::simulation::Sim;
use super::slab::Key;

/// A connection of a host that no engine has: its kernel's side in the hands of a test.
#[derive(Debug)]
pub(crate) struct Raw {
    kernel: Shared,
    host: u32,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Listens for one connection.
    Waiting(ListenerId),
    Open(Key),
}

/// Listeners of raw ends have numbers that no engine gets to.
const FIRST: u64 = 1 << 30;

impl Raw {
    /// Connect to a listener of the same host.
    pub(crate) fn dial(sim: &Sim, host: &str, to: SocketAddr) -> Option<Self> {
        let (kernel, host) = (Rc::clone(sim.kernel()), sim.host(host).number());
        let key = kernel.borrow_mut().connect(host, None, (to, None))?;
        // A kernel connects on its own host at once; whether a program accepts is seen later.
        while kernel.borrow().is_due() {
            kernel.borrow_mut().happen();
        }
        let state = State::Open(key);
        Some(Self {
            kernel,
            host,
            state,
        })
    }

    /// Wait for one connection of the same host.
    pub(crate) fn door(sim: &Sim, host: &str) -> io::Result<(SocketAddr, Self)> {
        let (kernel, host) = (Rc::clone(sim.kernel()), sim.host(host).number());
        let number = kernel.borrow().nodes[host as usize].listening.len() as u64;
        let id = ListenerId::from_bits(FIRST + number);
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let address = kernel
            .borrow_mut()
            .listen(host, anywhere, &ListenOptions::default(), id)?;
        for listening in &mut kernel.borrow_mut().nodes[host as usize].listening {
            listening.raw |= listening.id == id;
        }
        let state = State::Waiting(id);
        let raw = Self {
            kernel,
            host,
            state,
        };
        Ok((address, raw))
    }

    /// Take the connection that was waited for. Returns whether that is news.
    pub(crate) fn accept(&mut self) -> bool {
        let State::Waiting(id) = self.state else {
            return false;
        };
        let mut kernel = self.kernel.borrow_mut();
        let Some((_, key)) = kernel.accept(self.host, Some(id)) else {
            return false;
        };
        self.state = State::Open(key);
        true
    }

    fn with<R>(&self, act: impl FnOnce(&mut Kernel, Key) -> R) -> Option<R> {
        match self.state {
            State::Waiting(_) => None,
            State::Open(key) => Some(act(&mut self.kernel.borrow_mut(), key)),
        }
    }

    /// How many of these bytes the kernel takes.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.with(|kernel, key| kernel.send(key, std::iter::once(bytes)));
        sent.unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    }

    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.with(|kernel, key| kernel.receive(key, buffer));
        read.unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    }

    pub(crate) fn shutdown(&self) {
        self.with(|kernel, key| kernel.shutdown(key));
    }

    pub(crate) fn reset(&self) {
        self.with(|kernel, key| kernel.close(key, Close::Reset));
    }

    /// How often the other side handed bytes to its kernel.
    pub(crate) fn sends_of_peer(&self) -> usize {
        let sends = self.with(|kernel, key| {
            let peer = kernel.ends.get(key)?.peer?;
            Some(kernel.ends.get(peer)?.sends)
        });
        sends.flatten().unwrap_or(0)
    }
}
