use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::ListenOptions;

/// How a datagram port's socket is made, for [`Net::bind_with`](crate::Net::bind_with). What can
/// be changed later is a method of [`DatagramPort`](crate::DatagramPort).
///
/// ```
/// use torsade_core::DatagramOptions;
///
/// // Several programs on one machine hear what is sent to a group.
/// let options = DatagramOptions::new().reuse_address(true).reuse_port(true);
/// assert!(options.reuses_port());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "options do nothing until a port is bound with them"]
pub struct DatagramOptions {
    reuse_address: bool,
    reuse_port: bool,
    only_v6: bool,
    broadcast: bool,
    receive_buffer: Option<usize>,
    send_buffer: Option<usize>,
    coalesce: bool,
    file: ListenOptions,
}

impl Default for DatagramOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Choosing.
impl DatagramOptions {
    /// An address of its own, IPv6 without IPv4, no broadcasts, the system's buffers.
    pub const fn new() -> Self {
        Self {
            reuse_address: false,
            reuse_port: false,
            only_v6: true,
            broadcast: false,
            receive_buffer: None,
            send_buffer: None,
            coalesce: false,
            file: ListenOptions {
                mode: None,
                replace_stale: false,
                backlog: None,
                dual_stack: false,
            },
        }
    }

    /// `SO_REUSEADDR`. For datagrams it lets several sockets have one address, of which the last
    /// receives what is sent to it alone, and all receive what is sent to a group. Off by default.
    #[doc(alias = "listenMultiple")]
    pub const fn reuse_address(mut self, on: bool) -> Self {
        self.reuse_address = on;
        self
    }

    /// `SO_REUSEPORT`, on Unix: several sockets of one user have one address, and on Linux the
    /// kernel spreads datagrams over them by their sender. Off by default.
    pub const fn reuse_port(mut self, on: bool) -> Self {
        self.reuse_port = on;
        self
    }

    /// Whether a port at an IPv6 address takes IPv6 only. On by default, whatever the system's
    /// default is; off, `[::]` hears IPv4 as well, whose addresses look like `[::ffff:192.0.2.1]`.
    pub const fn only_v6(mut self, on: bool) -> Self {
        self.only_v6 = on;
        self
    }

    /// Whether broadcasts may be sent: see
    /// [`set_broadcast`](crate::DatagramPort::set_broadcast). Off by default.
    #[doc(alias = "allow_broadcast")]
    pub const fn broadcast(mut self, on: bool) -> Self {
        self.broadcast = on;
        self
    }

    /// `SO_RCVBUF`: how many bytes the kernel keeps that we have not read. It may grant less.
    pub const fn receive_buffer(mut self, bytes: usize) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// `SO_SNDBUF`: how many bytes the kernel keeps that have not left. It may grant less.
    pub const fn send_buffer(mut self, bytes: usize) -> Self {
        self.send_buffer = Some(bytes);
        self
    }

    /// `UDP_GRO`, on Linux: the kernel may hand over several datagrams of one sender as one packet,
    /// which is cut where they begin. Protocols are told of each by itself, in order, as ever. For
    /// ports that are flooded with long datagrams by a network card, or by a sender on the same
    /// machine that [sends several at once](crate::DatagramPort::send_to), for a third of the
    /// system's time. Off by default, and without effect elsewhere:
    ///
    /// - One that comes alone costs about a hundred instructions more.
    /// - A turn takes a packet whole, so it may take more of them than `Limits::turn_datagrams`: 64
    ///   KiB for the last packet, and for each of the first ones that come.
    /// - The room for a datagram is 64 KiB, however short `Limits::datagram` says that they are.
    /// - From the first such socket on, the kernel looks for the socket of every UDP packet that
    ///   comes from a network card, whoever it is for.
    #[doc(alias = "UDP_GRO")]
    pub const fn coalesce(mut self, on: bool) -> Self {
        self.coalesce = on;
        self
    }

    pub(crate) fn file(mut self, file: ListenOptions) -> Self {
        self.file = file;
        self
    }
}

/// What was chosen, for drivers.
impl DatagramOptions {
    /// See [`reuse_address`](Self::reuse_address).
    pub const fn reuses_address(&self) -> bool {
        self.reuse_address
    }

    /// See [`reuse_port`](Self::reuse_port).
    pub const fn reuses_port(&self) -> bool {
        self.reuse_port
    }

    /// See [`only_v6`](Self::only_v6).
    pub const fn is_only_v6(&self) -> bool {
        self.only_v6
    }

    /// See [`broadcast`](Self::broadcast).
    pub const fn broadcasts(&self) -> bool {
        self.broadcast
    }

    /// See [`receive_buffer`](Self::receive_buffer).
    pub const fn received_bytes(&self) -> Option<usize> {
        self.receive_buffer
    }

    /// Of a Unix socket's file: what [`UnixListen`](crate::UnixListen) says.
    pub const fn file_options(&self) -> &ListenOptions {
        &self.file
    }

    /// See [`coalesce`](Self::coalesce).
    pub const fn coalesces(&self) -> bool {
        self.coalesce
    }

    /// See [`send_buffer`](Self::send_buffer).
    pub const fn sent_bytes(&self) -> Option<usize> {
        self.send_buffer
    }
}

/// One of this machine's network interfaces, for multicast.
///
/// ```
/// use torsade_core::Interface;
///
/// assert_eq!(Interface::default(), Interface::Any);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Interface {
    /// Whichever the system takes: by its routes.
    #[default]
    Any,
    /// The one with this address. For IPv4 groups only: IPv6 has no such question.
    Address(Ipv4Addr),
    /// The one with this number, as `if_nametoindex` tells it.
    Index(u32),
}

/// Something to change about a port's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PortSetting {
    /// Whether broadcasts may be sent.
    Broadcast(bool),
    /// How many routers a datagram may pass.
    Ttl(u32),
    /// Join a group on an interface.
    Join(IpAddr, Interface),
    /// Leave it.
    Leave(IpAddr, Interface),
    /// How many routers a datagram to a group may pass.
    MulticastTtl(u32),
    /// Whether this machine hears what it sends to a group.
    MulticastLoopback(bool),
    /// Where datagrams to groups leave. The address is the port's own: it tells the family.
    MulticastInterface(Interface, SocketAddr),
}
