use std::net::SocketAddr;

use crate::{DatagramAddress, DatagramError, DatagramTransport};

/// What to do with the datagrams that come to one port.
///
/// Handed to [`Net::bind`](crate::Net::bind). Only [`datagram_received`](Self::datagram_received)
/// must be written. A datagram arrives whole, or not at all, perhaps twice, and perhaps after one
/// that was sent later. Nothing says when somebody stops sending, so a protocol that keeps state
/// for each peer forgets it by a timer.
///
/// # Unix sockets
/// A `DatagramProtocol` is one of UDP. One whose peers are Unix sockets is a
/// `DatagramProtocol<UnixAddress>`, and is handed to [`Net::bind_unix`](crate::Net::bind_unix): the
/// same callbacks, with other addresses. One type can be both.
///
/// # Order
/// `started` first, once; then datagrams and errors; `stopped` last, once, when the socket is
/// closed. No callback runs while another one does, on this port or anything else of the thread
/// (contract C1).
///
/// # Panics in callbacks
/// A panic is caught and logged, and costs the datagram that the callback was about. The port goes
/// on (contract C8).
///
/// ```
/// use std::net::SocketAddr;
/// use torsade_core::{DatagramProtocol, DatagramTransport};
///
/// struct Echo;
///
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
/// use torsade_testing::FakeDatagrams;
/// let mut port = FakeDatagrams::bind(Echo);
/// let ann = "192.0.2.1:4000".parse().unwrap();
/// port.feed(ann, b"hello");
/// assert_eq!(port.take_sent(), [(ann, b"hello".to_vec())]);
/// ```
#[doc(alias = "IReadDescriptor")]
pub trait DatagramProtocol<A: DatagramAddress = SocketAddr>: Sized + 'static {
    /// The port is there. The first callback.
    #[doc(alias = "startProtocol")]
    #[doc(alias = "connection_made")]
    fn started(&mut self, transport: &DatagramTransport<Self, A>) {
        let _ = transport;
    }

    /// One datagram, whole; it may be empty. `from` says who sent it, as far as that can be
    /// believed: anybody may write any address there.
    #[doc(alias = "datagramReceived")]
    fn datagram_received(&mut self, transport: &DatagramTransport<Self, A>, data: &[u8], from: &A);

    /// Something went wrong with one datagram, and the port lives: it was refused, was too long,
    /// could not be sent, or came truncated.
    #[doc(alias = "connectionRefused")]
    #[doc(alias = "errorReceived")]
    fn error_received(&mut self, transport: &DatagramTransport<Self, A>, error: &DatagramError) {
        let _ = (transport, error);
    }

    /// The reactor stops. By default the port is closed; one that does not do so is closed after
    /// `Limits::stop_timeout`.
    fn stopping(&mut self, transport: &DatagramTransport<Self, A>) {
        transport.close();
    }

    /// The socket is closed and its address is free. The last callback.
    #[doc(alias = "stopProtocol")]
    #[doc(alias = "connection_lost")]
    fn stopped(&mut self, transport: &DatagramTransport<Self, A>) {
        let _ = transport;
    }
}
