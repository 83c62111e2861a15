//! Addresses as the kernel reads and writes them.
#![expect(
    unsafe_code,
    reason = "the kernel's room for an address is of no type until its family is known"
)]

use std::ffi::c_int;
use std::mem::offset_of;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::ptr;

use libc::{sockaddr_in, sockaddr_in6, sockaddr_un, socklen_t};
use socket2::{SockAddr, SockAddrStorage};
use torsade_core::{Address, UnixAddress};

use crate::local;

/// Room for an address of any family.
pub(super) type Name = libc::sockaddr_storage;

const fn fits<T>() -> bool {
    size_of::<T>() <= size_of::<Name>() && align_of::<T>() <= align_of::<Name>()
}

const _: () = assert!(
    fits::<sockaddr_in>()
        && fits::<sockaddr_in6>()
        && fits::<sockaddr_un>()
        && offset_of!(sockaddr_in, sin_family) == offset_of!(Name, ss_family)
        && offset_of!(sockaddr_in6, sin6_family) == offset_of!(Name, ss_family)
);

/// Of what kind a port's addresses are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Inet,
    Unix,
}

impl Family {
    pub(crate) fn of(address: &Address) -> Self {
        match address.unix() {
            Some(_) => Self::Unix,
            None => Self::Inet,
        }
    }
}

/// An address as the kernel has written it for a port of that family.
#[inline]
pub(super) fn read(name: &Name, length: socklen_t, family: Family) -> Option<Address> {
    if family == Family::Unix {
        return Some(read_unix(name, length));
    }
    match c_int::from(name.ss_family) {
        libc::AF_INET if length as usize >= size_of::<sockaddr_in>() => {
            // SAFETY: it is smaller, needs no stricter alignment, and is of integers, for which all
            // bytes are a value.
            let name = unsafe { &*ptr::from_ref(name).cast::<sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            let inet = SocketAddrV4::new(ip, u16::from_be(name.sin_port));
            Some(Address::Inet(inet.into()))
        }
        libc::AF_INET6 if length as usize >= size_of::<sockaddr_in6>() => {
            // SAFETY: as above.
            let name = unsafe { &*ptr::from_ref(name).cast::<sockaddr_in6>() };
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            let port = u16::from_be(name.sin6_port);
            let inet = SocketAddrV6::new(ip, port, name.sin6_flowinfo, name.sin6_scope_id);
            Some(Address::Inet(inet.into()))
        }
        _ => None,
    }
}

/// Who has no name is not even said to be of the family.
fn read_unix(name: &Name, length: socklen_t) -> Address {
    if length as usize <= offset_of!(sockaddr_un, sun_path) {
        return UnixAddress::Unnamed.into();
    }
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: it is the same type under a name of its own, as its documentation has it.
    unsafe { *storage.view_as::<Name>() = *name };
    // SAFETY: the kernel has written an address there that is so long.
    let address = unsafe { SockAddr::new(storage, length) };
    local::address(&address).unwrap_or_else(|| UnixAddress::Unnamed.into())
}

/// The same, the other way. Returns how much of the room it takes.
#[inline]
pub(super) fn write(name: &mut Name, address: &Address) -> socklen_t {
    match address {
        Address::Inet(std::net::SocketAddr::V4(address)) => {
            // SAFETY: as where it is read.
            let name = unsafe { &mut *ptr::from_mut(name).cast::<sockaddr_in>() };
            name.sin_family = libc::AF_INET as libc::sa_family_t;
            name.sin_port = address.port().to_be();
            name.sin_addr.s_addr = u32::from(*address.ip()).to_be();
            name.sin_zero = [0; 8];
            size_of::<sockaddr_in>() as socklen_t
        }
        Address::Inet(std::net::SocketAddr::V6(address)) => {
            // SAFETY: as where it is read.
            let name = unsafe { &mut *ptr::from_mut(name).cast::<sockaddr_in6>() };
            name.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            name.sin6_port = address.port().to_be();
            name.sin6_flowinfo = address.flowinfo();
            name.sin6_addr.s6_addr = address.ip().octets();
            name.sin6_scope_id = address.scope_id();
            size_of::<sockaddr_in6>() as socklen_t
        }
        Address::Unix(unix) => write_unix(name, unix),
        _ => NOBODY,
    }
}

/// What is so long is no address, and the kernel says so.
const NOBODY: socklen_t = 1;

fn write_unix(name: &mut Name, address: &UnixAddress) -> socklen_t {
    let Ok(address) = local::system(address) else {
        return NOBODY;
    };
    // SAFETY: both are room for any address, of which so much is one.
    unsafe {
        ptr::copy_nonoverlapping(
            address.as_ptr().cast::<u8>(),
            ptr::from_mut(name).cast::<u8>(),
            address.len() as usize,
        );
    }
    address.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel never tells a flow label, nor sends one that is not asked for: so only here is it
    /// seen that all of an address is kept.
    #[test]
    fn an_address_of_ipv6_keeps_its_flow_label_and_its_scope() {
        // SAFETY: as where rooms for names are made, all of it is integers.
        let mut name: Name = unsafe { std::mem::zeroed() };
        let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7);
        let address = Address::Inet(SocketAddrV6::new(ip, 0x1234, 0xa_bcde, 0x0102_0304).into());
        let length = write(&mut name, &address);
        assert_eq!(read(&name, length, Family::Inet), Some(address));
        // What is cut is none.
        assert_eq!(read(&name, length - 1, Family::Inet), None);
    }
}
