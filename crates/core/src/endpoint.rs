use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::{Address, Adopted, EndpointError, Filter, ListenOptions, Peer, UnixAddress};

/// Where to listen, or what to connect to, and through which filters.
///
/// Plain addresses need none of this: `listen` and `connect` take text. An endpoint is for
/// connections whose bytes pass through [filters](Filter) from their beginning.
///
/// ```
/// use torsade_core::{Disconnect, Endpoint, Filter, Sides, ToEndpoint};
///
/// # #[derive(Clone)]
/// struct Log;
/// impl Filter for Log {
///     fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
///         println!("<- {} bytes", wire.len());
///         sides.plain().extend_from_slice(wire);
///         Ok(wire.len())
///     }
///     fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
///         for piece in plain {
///             println!("-> {} bytes", piece.len());
///             sides.wire().extend_from_slice(piece);
///         }
///         Ok(())
///     }
/// }
///
/// let endpoint = "127.0.0.1:8007".to_endpoint()?.filter(|_| Log);
/// // net.listen(endpoint, factory(|_| Echo))?;
/// # assert_eq!(endpoint.addresses().len(), 1);
/// # Ok::<(), torsade_core::EndpointError>(())
/// ```
#[doc(alias = "IStreamServerEndpoint")]
#[doc(alias = "IStreamClientEndpoint")]
#[derive(Clone, Default)]
pub struct Endpoint {
    addresses: Vec<Address>,
    filters: Vec<MakeFilter>,
    options: ListenOptions,
}

/// Makes one filter for each connection.
type MakeFilter = Arc<dyn Fn(&Peer) -> Box<dyn Filter> + Send + Sync>;

impl Endpoint {
    /// These addresses, to be tried in this order.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use torsade_core::Endpoint;
    ///
    /// let here: SocketAddr = "127.0.0.1:8007".parse()?;
    /// assert_eq!(Endpoint::new([here]).addresses().len(), 1);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn new<A: Into<Address>>(addresses: impl IntoIterator<Item = A>) -> Self {
        Self {
            addresses: addresses.into_iter().map(Into::into).collect(),
            filters: Vec::new(),
            options: ListenOptions::default(),
        }
    }

    /// The same filters, at these addresses.
    ///
    /// ```
    /// use torsade_core::{Endpoint, UnixAddress};
    ///
    /// let nowhere = Endpoint::default();
    /// assert!(nowhere.addresses().is_empty());
    /// assert!(nowhere.at([UnixAddress::path("/run/a")]).addresses()[0].is_local());
    /// ```
    #[must_use]
    pub fn at<A: Into<Address>>(self, addresses: impl IntoIterator<Item = A>) -> Self {
        Self {
            addresses: addresses.into_iter().map(Into::into).collect(),
            ..self
        }
    }

    /// The addresses, in the order in which to try them.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Let the bytes of every connection pass through a filter that `make` makes for it, between
    /// the filters that were added before, which are nearer to the wire, and the protocol.
    ///
    /// A panic of `make` ends the connection before it is made.
    #[must_use]
    pub fn filter<F: Filter>(mut self, make: impl Fn(&Peer) -> F + Send + Sync + 'static) -> Self {
        self.filters
            .push(Arc::new(move |peer| Box::new(make(peer))));
        self
    }

    /// Listen with these options.
    #[must_use]
    pub fn with_options(mut self, options: ListenOptions) -> Self {
        self.options = options;
        self
    }

    /// What a listener there is asked for besides its address.
    pub fn options(&self) -> &ListenOptions {
        &self.options
    }

    /// Whether there are no filters.
    pub(crate) fn is_plain(&self) -> bool {
        self.filters.is_empty()
    }

    /// A connection's filters, the one next to the wire first. Runs user code.
    pub(crate) fn make_filters(&self, peer: &Peer) -> Vec<Box<dyn Filter>> {
        self.filters.iter().map(|make| make(peer)).collect()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("addresses", &self.addresses)
            .field("filters", &self.filters.len())
            .finish()
    }
}

/// Something that `listen` and `connect` can go to.
///
/// Implemented for an [`Endpoint`], for addresses, for slices of them (tried in order), and for
/// text like `"127.0.0.1:8007"`, `"[::1]:8007"` or `"localhost:8007"`. `localhost` is the loopback
/// addresses, as RFC 6761 section 6.3 has it; other names are refused rather than looked up.
///
/// ```
/// use torsade_core::{EndpointError, ToEndpoint};
///
/// let both = "localhost:8007".to_endpoint()?;
/// assert_eq!(both.addresses()[0].to_string(), "127.0.0.1:8007");
/// assert_eq!(both.addresses()[1].to_string(), "[::1]:8007");
/// assert!(matches!("127.0.0.1".to_endpoint(), Err(EndpointError::Port { .. })));
/// # Ok::<(), EndpointError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no place to listen on or connect to",
    note = "give text like \"127.0.0.1:8007\" or a `std::net::SocketAddr`"
)]
pub trait ToEndpoint {
    /// The endpoint that is meant, with its addresses in the order in which to try them.
    ///
    /// # Errors
    /// [`EndpointError`] when nothing is named, or nothing that can be understood.
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError>;
}

impl ToEndpoint for Endpoint {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        Ok(self.clone())
    }
}

impl ToEndpoint for SocketAddr {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        Ok(Endpoint::new([*self]))
    }
}

impl ToEndpoint for [SocketAddr] {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        if self.is_empty() {
            return Err(EndpointError::Empty);
        }
        Ok(Endpoint::new(self.iter().copied()))
    }
}

impl ToEndpoint for [Address] {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        if self.is_empty() {
            return Err(EndpointError::Empty);
        }
        Ok(Endpoint::new(self.iter().cloned()))
    }
}

impl ToEndpoint for Address {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        Ok(Endpoint::new([self.clone()]))
    }
}

impl ToEndpoint for UnixAddress {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        Ok(Endpoint::new([self.clone()]))
    }
}

impl ToEndpoint for Adopted {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        Ok(Endpoint::new([self.clone()]))
    }
}

impl ToEndpoint for str {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        if self.is_empty() {
            return Err(EndpointError::Empty);
        }
        if let Ok(address) = self.parse::<SocketAddr>() {
            return Ok(Endpoint::new([address]));
        }
        let no_port = || EndpointError::Port { text: self.into() };
        let (host, port) = self.rsplit_once(':').ok_or_else(no_port)?;
        let port: u16 = port.parse().map_err(|_| no_port())?;
        if host.eq_ignore_ascii_case("localhost") {
            return Ok(Endpoint::new([
                SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
                SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port),
            ]));
        }
        Err(EndpointError::Name {
            host: host.into(),
            port,
        })
    }
}

impl ToEndpoint for String {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        self.as_str().to_endpoint()
    }
}

impl<T: ToEndpoint + ?Sized> ToEndpoint for &T {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        (**self).to_endpoint()
    }
}
