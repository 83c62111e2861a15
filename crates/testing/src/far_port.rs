use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

use torsade_core::{DatagramOptions, ToEndpoint};

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
pub struct FarPort {
    socket: Rc<DatagramSocket>,
}

impl FarPort {
    /// Open one, at a free port if that is 0.
    ///
    /// # Panics
    /// If the address is in use, or is none.
    #[track_caller]
    pub fn open(at: impl ToEndpoint) -> Self {
        world::settle();
        let at = address(&at);
        match DatagramSocket::open(at, &DatagramOptions::new(), None, None) {
            Ok(socket) => Self { socket },
            Err(error) => panic!("{at} cannot be had: {error}"),
        }
    }

    /// Its address.
    pub fn local(&self) -> SocketAddr {
        self.socket.local()
    }

    /// Send one datagram.
    ///
    /// # Panics
    /// If it cannot be sent: it is longer than 65,507 bytes, or the address is of another family.
    #[track_caller]
    pub fn send_to(&self, data: impl AsRef<[u8]>, to: impl ToEndpoint) {
        world::settle();
        let to = address(&to);
        if let Err(error) = self.socket.send_one(Some(to), data.as_ref()) {
            panic!("a datagram to {to} cannot be sent: {error}");
        }
        world::settle();
    }

    /// Send one, and let nothing come of it yet.
    pub(crate) fn throw(&self, to: SocketAddr, data: &[u8]) {
        if let Err(error) = self.socket.send_one(Some(to), data) {
            panic!("a datagram to {to} cannot be sent: {error}");
        }
    }

    /// What has come, and from whom, since this was asked last.
    pub fn take(&self) -> Vec<(SocketAddr, Vec<u8>)> {
        world::settle();
        self.socket.take(usize::MAX)
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

impl fmt::Debug for FarPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FarPort")
            .field("local", &self.local())
            .finish()
    }
}
