use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use crate::{Address, UnixAddress};

/// The addresses of one kind of datagram port: [`SocketAddr`], for UDP, or [`UnixAddress`].
///
/// It is the second parameter of [`DatagramProtocol`](crate::DatagramProtocol) and of what goes
/// with it, and UDP's if it is left out. No other types can be one.
///
/// ```
/// use torsade_core::{Address, DatagramAddress, UnixAddress};
///
/// fn is_local<A: DatagramAddress>(address: &A) -> bool {
///     let address: Address = address.clone().into();
///     address.is_local()
/// }
/// assert!(is_local(&UnixAddress::path("/run/log.socket")));
/// assert!(!is_local(&std::net::SocketAddr::from(([192, 0, 2, 1], 9))));
/// ```
pub trait DatagramAddress: Clone + Into<Address> + sealed::Kind + 'static {
    /// An address of this kind, if it is one.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use torsade_core::{Address, DatagramAddress, UnixAddress};
    ///
    /// let address = Address::from(UnixAddress::Unnamed);
    /// assert_eq!(UnixAddress::of(&address), Some(&UnixAddress::Unnamed));
    /// assert_eq!(SocketAddr::of(&address), None);
    /// ```
    fn of(address: &Address) -> Option<&Self>;
}

impl DatagramAddress for SocketAddr {
    #[inline]
    fn of(address: &Address) -> Option<&Self> {
        match address {
            Address::Inet(address) => Some(address),
            _ => None,
        }
    }
}

impl DatagramAddress for UnixAddress {
    fn of(address: &Address) -> Option<&Self> {
        address.unix()
    }
}

mod sealed {
    /// What is the address of nobody.
    #[expect(unnameable_types, reason = "that is what seals the trait")]
    pub trait Kind: Sized {
        fn nobody() -> &'static Self;
    }
}

/// What an address is on a port of this kind. Drivers give a port no other.
#[inline]
pub(super) fn typed<A: DatagramAddress>(address: &Address) -> &A {
    A::of(address).unwrap_or_else(|| A::nobody())
}

impl sealed::Kind for SocketAddr {
    fn nobody() -> &'static Self {
        static NOBODY: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
        &NOBODY
    }
}

impl sealed::Kind for UnixAddress {
    fn nobody() -> &'static Self {
        static NOBODY: UnixAddress = UnixAddress::Unnamed;
        &NOBODY
    }
}
