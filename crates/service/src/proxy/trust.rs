use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// Addresses that begin alike: `10.0.0.0/8`, `2001:db8::/32`, or one address.
///
/// ```
/// use torsade_service::Network;
///
/// let inside: Network = "10.0.0.0/8".parse()?;
/// assert!(inside.contains("10.1.2.3".parse()?));
/// assert!(inside.contains("::ffff:10.1.2.3".parse()?)); // the same one, mapped into IPv6
/// assert!(!inside.contains("11.0.0.0".parse()?));
/// assert_eq!("192.0.2.1".parse::<Network>()?.to_string(), "192.0.2.1/32");
/// assert!("10.0.0.1/8".parse::<Network>().is_err()); // which is meant?
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

/// A text that names no [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("neither an IP address nor a network like 10.0.0.0/8")]
pub struct NetworkError;

impl Network {
    /// The addresses whose first `bits` bits are those of `first`.
    ///
    /// # Errors
    /// [`NetworkError`] if an address has not so many bits, or `first` has others set.
    pub fn new(first: IpAddr, bits: u8) -> Result<Self, NetworkError> {
        let all = if first.is_ipv4() { 32 } else { 128 };
        let network = Self { first, bits };
        let rest = number(first) & !network.mask().ok_or(NetworkError)?;
        // Of an IPv4 address, the bits in front of it are no part.
        if bits > all || rest != 0 {
            return Err(NetworkError);
        }
        Ok(network)
    }

    /// Whether this address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let same_kind = address.is_ipv4() == self.first.is_ipv4();
        let mask = self.mask().unwrap_or(u128::MAX);
        same_kind && number(address) & mask == number(self.first) & mask
    }

    /// The bits that count, of an address as 128 bits.
    fn mask(&self) -> Option<u128> {
        let all: u8 = if self.first.is_ipv4() { 32 } else { 128 };
        let left = u32::from(all.checked_sub(self.bits)?);
        Some(u128::MAX.checked_shl(left).unwrap_or(0))
    }
}

/// An address as a number; IPv4 mapped into IPv6.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => Ipv6Addr::to_bits(four.to_ipv6_mapped()),
        IpAddr::V6(six) => six.to_bits(),
    }
}

/// One address.
impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let first = address.to_canonical();
        let bits = if first.is_ipv4() { 32 } else { 128 };
        Self { first, bits }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let Some((first, bits)) = text.split_once('/') else {
            let address: IpAddr = text.parse().map_err(|_| NetworkError)?;
            return Ok(address.into());
        };
        let is_plain = bits.bytes().all(|digit| digit.is_ascii_digit());
        match (first.parse(), bits.parse()) {
            (Ok(first), Ok(bits)) if is_plain => Self::new(first, bits),
            _ => Err(NetworkError),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}
