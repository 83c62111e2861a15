use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::rc::Rc;

use torsade_core::{Address, DatagramAddress, DatagramOptions, ToEndpoint, UnixAddress};

use crate::sockets::DatagramSocket;
use crate::world;

/// A socket for datagrams in the test's hands, on the machine of the thread's
/// [memory reactors](crate::MemoryReactor).
///
/// ```
/// use std::net::SocketAddr;
/// use torsade_core::{DatagramProtocol, DatagramTransport};
/// use torsade_testing::{FarPort, MemoryReactor};
///
/// struct Echo;
/// impl DatagramProtocol for Echo {
///     fn datagram_received(
///         &mut self,
///         transport: &DatagramTransport<Self>,
///         data: &[u8],
///         from: &SocketAddr,
///     ) {
///         transport.send_to(data, from);
///     }
/// }
///
/// let reactor = MemoryReactor::new();
/// reactor.net().bind("0.0.0.0:7", Echo)?;
/// let ann = FarPort::open("127.0.0.1:4000");
/// ann.send_to(b"hello", "127.0.0.1:7");
/// assert_eq!(ann.take(), [("127.0.0.1:7".parse().unwrap(), b"hello".to_vec())]);
/// # Ok::<(), torsade_core::ListenError>(())
/// ```
pub struct FarPort<A = SocketAddr> {
    socket: Rc<DatagramSocket>,
    addresses: PhantomData<fn(A)>,
}

impl FarPort {
    /// Open one, at a free port if that is 0.
    ///
    /// # Panics
    /// If the address is in use, or is none.
    #[track_caller]
    pub fn open(at: impl ToEndpoint) -> Self {
        world::settle();
        Self::of(&address(&at).into())
    }

    /// Send one datagram.
    ///
    /// # Panics
    /// If it cannot be sent: it is longer than 65,507 bytes, or the address is of another family.
    #[track_caller]
    pub fn send_to(&self, data: impl AsRef<[u8]>, to: impl ToEndpoint) {
        world::settle();
        let to = address(&to);
        self.throw(to, data.as_ref());
        world::settle();
    }

    /// Send one, and let nothing come of it yet.
    pub(crate) fn throw(&self, to: SocketAddr, data: &[u8]) {
        if let Err(error) = self.socket.send_one(Some(&to.into()), data) {
            panic!("a datagram to {to} cannot be sent: {error}");
        }
    }
}

impl FarPort<UnixAddress> {
    /// Open a Unix socket; without a name, one that nobody can answer to.
    ///
    /// What it has not taken fills its queue, after 10 datagrams as on Linux.
    ///
    /// # Panics
    /// If the address is in use.
    #[track_caller]
    pub fn open_unix(at: impl Into<UnixAddress>) -> Self {
        world::settle();
        Self::of(&at.into().into())
    }

    /// Send one datagram to a Unix socket.
    ///
    /// # Panics
    /// If it cannot be sent: nobody is there, or its queue is full.
    #[track_caller]
    pub fn send_to_unix(&self, data: impl AsRef<[u8]>, to: impl Into<UnixAddress>) {
        world::settle();
        let to = to.into().into();
        if let Err(error) = self.socket.send_one(Some(&to), data.as_ref()) {
            panic!("a datagram to {to} cannot be sent: {error}");
        }
        world::settle();
    }
}

impl<A: DatagramAddress> FarPort<A> {
    #[track_caller]
    fn of(at: &Address) -> Self {
        match DatagramSocket::open(at, &DatagramOptions::new(), None, None) {
            Ok(socket) => Self {
                socket,
                addresses: PhantomData,
            },
            Err(error) => panic!("{at} cannot be had: {error}"),
        }
    }

    /// Its address.
    ///
    /// # Panics
    /// Never: it is of its own kind.
    #[track_caller]
    pub fn local(&self) -> A {
        match A::of(self.socket.local()) {
            Some(local) => local.clone(),
            None => unreachable!("a port has addresses of one kind"),
        }
    }

    /// What has come, and from whom, since this was asked last. What waited for room comes with it.
    pub fn take(&self) -> Vec<(A, Vec<u8>)> {
        let mut all = Vec::new();
        loop {
            world::settle();
            let taken = self.socket.take(usize::MAX);
            if taken.is_empty() {
                return all;
            }
            let typed = |(from, data)| Some((A::of(&from)?.clone(), data));
            all.extend(taken.into_iter().filter_map(typed));
        }
    }

    /// At most so many of them, so that a Unix socket's queue has room for so many more.
    pub fn take_some(&self, most: usize) -> Vec<(A, Vec<u8>)> {
        world::settle();
        let taken = self.socket.take(most).into_iter();
        let typed = |(from, data)| Some((A::of(&from)?.clone(), data));
        let taken = taken.filter_map(typed).collect();
        world::settle();
        taken
    }
}

#[track_caller]
fn address(meant: &impl ToEndpoint) -> SocketAddr {
    let endpoint = meant.to_endpoint();
    match endpoint.map(|endpoint| endpoint.places().iter().find_map(|it| it.address()?.inet())) {
        Ok(Some(address)) => address,
        Ok(None) => panic!("no internet address was given"),
        Err(error) => panic!("{error}"),
    }
}

impl<A> fmt::Debug for FarPort<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FarPort")
            .field("local", self.socket.local())
            .finish()
    }
}
