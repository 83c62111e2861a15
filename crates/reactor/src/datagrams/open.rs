use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
#[cfg(unix)]
use torsade_core::UnixAddress;
use torsade_core::driver::PortSetting;
use torsade_core::{Address, DatagramOptions, Interface};

use crate::listener::Door;
#[cfg(unix)]
use crate::local;
#[cfg(unix)]
use crate::ports::Carries;
use crate::ports::{self, Prepare};

/// A socket for datagrams that does not block.
pub(super) fn open(wanted: &Address, options: &DatagramOptions) -> io::Result<Door> {
    match wanted {
        Address::Inet(inet) => {
            let bind = |address, prepare: Prepare| bind(address, options, prepare);
            let socket = ports::listen(*inet, bind)?;
            let local = socket.local_addr()?.as_socket().unwrap_or(*inet);
            Ok(Door::new(socket, local.into()))
        }
        #[cfg(unix)]
        Address::Unix(unix) => {
            let open = || local::bind(unix, options.file_options());
            match unix {
                UnixAddress::Unnamed => open(),
                _ => ports::share(wanted, Carries::Datagrams, open),
            }
        }
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn bind(address: SocketAddr, options: &DatagramOptions, prepare: Prepare) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    if options.reuses_address() {
        socket.set_reuse_address(true)?;
    }
    if options.reuses_port() {
        reuse_port(&socket)?;
    }
    if address.is_ipv6() {
        // Said either way, whatever the system's default is.
        socket.set_only_v6(options.is_only_v6())?;
    }
    if options.broadcasts() {
        socket.set_broadcast(true)?;
    }
    if let Some(bytes) = options.received_bytes() {
        socket.set_recv_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.sent_bytes() {
        socket.set_send_buffer_size(bytes)?;
    }
    // Otherwise a port hears every group that anybody on the machine has joined. An old kernel
    // that cannot be asked does that.
    #[cfg(target_os = "linux")]
    if address.is_ipv4() {
        let _ = socket.set_multicast_all_v4(false);
    } else {
        let _ = socket.set_multicast_all_v6(false);
    }
    prepare(&socket)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
fn reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos")))))]
fn reuse_port(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Fix whom a socket talks to. Returns its own address, if it says that.
pub(super) fn connect(socket: &Socket, peer: &Address) -> io::Result<Option<Address>> {
    match peer {
        Address::Inet(inet) => {
            socket.connect(&(*inet).into())?;
            Ok(socket.local_addr()?.as_socket().map(Address::from))
        }
        #[cfg(unix)]
        Address::Unix(unix) => {
            socket.connect(&local::system(unix)?)?;
            Ok(local::address(&socket.local_addr()?))
        }
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Change a socket.
pub(super) fn set(socket: &Socket, setting: &PortSetting) -> io::Result<()> {
    match *setting {
        PortSetting::Broadcast(on) => socket.set_broadcast(on),
        PortSetting::Ttl(hops) => match is_v4(socket)? {
            true => socket.set_ttl_v4(hops),
            false => socket.set_unicast_hops_v6(hops),
        },
        PortSetting::Join(IpAddr::V4(group), on) => {
            socket.join_multicast_v4_n(&group, &v4_interface(on))
        }
        PortSetting::Leave(IpAddr::V4(group), on) => {
            socket.leave_multicast_v4_n(&group, &v4_interface(on))
        }
        PortSetting::Join(IpAddr::V6(group), on) => socket.join_multicast_v6(&group, v6_index(on)?),
        PortSetting::Leave(IpAddr::V6(group), on) => {
            socket.leave_multicast_v6(&group, v6_index(on)?)
        }
        PortSetting::MulticastTtl(hops) => match is_v4(socket)? {
            true => socket.set_multicast_ttl_v4(hops),
            false => socket.set_multicast_hops_v6(hops),
        },
        PortSetting::MulticastLoopback(on) => match is_v4(socket)? {
            true => socket.set_multicast_loop_v4(on),
            false => socket.set_multicast_loop_v6(on),
        },
        PortSetting::MulticastInterface(on, SocketAddr::V6(_)) => {
            socket.set_multicast_if_v6(v6_index(on)?)
        }
        PortSetting::MulticastInterface(on, SocketAddr::V4(_)) => leave_by(socket, on),
        // The enum may grow; an engine that asks for more comes with a driver that can.
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn is_v4(socket: &Socket) -> io::Result<bool> {
    Ok(socket.local_addr()?.is_ipv4())
}

fn leave_by(socket: &Socket, interface: Interface) -> io::Result<()> {
    match interface {
        Interface::Any => socket.set_multicast_if_v4(&Ipv4Addr::UNSPECIFIED),
        Interface::Address(address) => socket.set_multicast_if_v4(&address),
        #[cfg(target_os = "linux")]
        Interface::Index(index) => {
            use rustix::net::sockopt::set_ip_multicast_if_with_ifindex;

            let any = Ipv4Addr::UNSPECIFIED;
            Ok(set_ip_multicast_if_with_ifindex(socket, &any, &any, index)?)
        }
        #[cfg(not(target_os = "linux"))]
        Interface::Index(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn v4_interface(interface: Interface) -> InterfaceIndexOrAddress {
    match interface {
        Interface::Any => InterfaceIndexOrAddress::Address(Ipv4Addr::UNSPECIFIED),
        Interface::Address(address) => InterfaceIndexOrAddress::Address(address),
        Interface::Index(index) => InterfaceIndexOrAddress::Index(index),
    }
}

fn v6_index(interface: Interface) -> io::Result<u32> {
    match interface {
        Interface::Any => Ok(0),
        Interface::Index(index) => Ok(index),
        Interface::Address(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "an interface for an IPv6 group is named by its number",
        )),
    }
}
