use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::place::check_name;
use crate::{
    Address, Adopted, Command, EndpointError, Filter, Limits, ListenOptions, Peer, Place,
    UnixAddress,
};

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
/// # assert_eq!(endpoint.places().len(), 1);
/// # Ok::<(), torsade_core::EndpointError>(())
/// ```
///
/// # Names
/// A place may be the name of a host: see [`host`](Self::host), and [`Place`] for the others.
/// [`Net::connect`](crate::Net::connect) looks it up and races its addresses; what is set here with
/// [`family`](Self::family), [`bind`](Self::bind), [`timeout`](Self::timeout) and
/// [`attempt_delay`](Self::attempt_delay) is for connects, and `listen` takes no notice.
#[doc(alias = "IStreamServerEndpoint")]
#[doc(alias = "IStreamClientEndpoint")]
#[derive(Clone, Default)]
pub struct Endpoint {
    places: Vec<Place>,
    filters: Vec<MakeFilter>,
    options: ListenOptions,
    family: Family,
    bind: Option<Address>,
    timeout: Option<Duration>,
    attempt_delay: Option<Duration>,
}

/// Makes one filter for each connection.
type MakeFilter = Arc<dyn Fn(&Peer) -> Box<dyn Filter> + Send + Sync>;

/// Which kinds of internet addresses are connected to.
///
/// ```
/// use torsade_core::{Endpoint, Family};
///
/// let modern = Endpoint::host("example.org", 443).family(Family::V6);
/// # drop(modern);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv6 and IPv4, whichever answers first.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Endpoint {
    /// These places, to be tried in this order.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use torsade_core::Endpoint;
    ///
    /// let here: SocketAddr = "127.0.0.1:8007".parse()?;
    /// assert_eq!(Endpoint::new([here]).places().len(), 1);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn new<P: Into<Place>>(places: impl IntoIterator<Item = P>) -> Self {
        Self::default().at(places)
    }

    /// This port of the host of this name, or at this numeric address.
    ///
    /// `localhost`, and every name under it, is the loopback addresses, without a look-up. Whether
    /// another name can be one at all is found out when it is connected to.
    ///
    /// ```
    /// use torsade_core::Endpoint;
    ///
    /// assert_eq!(Endpoint::host("example.org", 80).places()[0].to_string(), "example.org:80");
    /// assert_eq!(Endpoint::host("::1", 80).places()[0].to_string(), "[::1]:80");
    /// assert_eq!(Endpoint::host("localhost", 80).places().len(), 2);
    /// ```
    #[doc(alias = "HostnameEndpoint")]
    pub fn host(name: impl AsRef<str>, port: u16) -> Self {
        Self::new(Place::of_host(name.as_ref(), port))
    }

    /// The same filters and options, at these places.
    ///
    /// ```
    /// use torsade_core::{Endpoint, UnixAddress};
    ///
    /// let nowhere = Endpoint::default();
    /// assert!(nowhere.places().is_empty());
    /// assert_eq!(nowhere.at([UnixAddress::path("/run/a")]).places().len(), 1);
    /// ```
    #[must_use]
    pub fn at<P: Into<Place>>(self, places: impl IntoIterator<Item = P>) -> Self {
        Self {
            places: places.into_iter().map(Into::into).collect(),
            ..self
        }
    }

    /// The places, in the order in which to try them.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Connect to internet addresses of this family only; otherwise to any.
    #[must_use]
    #[doc(alias = "IPV6_V6ONLY")]
    pub fn family(mut self, family: Family) -> Self {
        self.family = family;
        self
    }

    /// Connect from this address, with port 0 from any port of it. Only places of its family can be
    /// reached then.
    #[must_use]
    #[doc(alias = "bindAddress")]
    #[doc(alias = "local_addr")]
    pub fn bind(mut self, local: impl Into<Address>) -> Self {
        self.bind = Some(local.into());
        self
    }

    /// A connect, its look-ups and all its attempts, has this long; otherwise
    /// `Limits::connect_timeout`.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// While an address does not answer, the next one is tried after this long; otherwise
    /// `Limits::connect_attempt_delay`. With [`Duration::MAX`] one is tried when the one before has
    /// failed.
    #[must_use]
    #[doc(alias = "happy_eyeballs_delay")]
    #[doc(alias = "attemptDelay")]
    pub fn attempt_delay(mut self, delay: Duration) -> Self {
        self.attempt_delay = Some(delay);
        self
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

    /// Whether a listener at an IPv6 address takes IPv6 only. On by default, whatever the system's
    /// default is, so that `0.0.0.0` and `[::]` can be listened on side by side.
    ///
    /// Off, a listener at `[::]` takes IPv4 as well, and its port is then taken for both. Peers that
    /// come by IPv4 are told with their IPv4 address, not as `::ffff:192.0.2.1`: lists of addresses
    /// and limits by peer see the same one as at any other listener.
    #[must_use]
    #[doc(alias = "IPV6_V6ONLY")]
    #[doc(alias = "dualstack_ipv6")]
    pub fn only_v6(mut self, on: bool) -> Self {
        self.options.dual_stack = !on;
        self
    }

    /// Let so many wait to be accepted by a listener there, instead of `Limits::backlog`. Systems
    /// have a bound of their own.
    #[must_use]
    pub fn backlog(mut self, connections: u32) -> Self {
        self.options.backlog = Some(connections);
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

    pub(crate) fn local(&self) -> Option<&Address> {
        self.bind.as_ref()
    }

    /// Whether a connect may go to this address.
    pub(crate) fn admits(&self, address: &Address) -> bool {
        let Some(ip) = address.ip() else {
            return true;
        };
        let fits = match self.family {
            Family::Any => true,
            Family::V4 => ip.is_ipv4(),
            Family::V6 => ip.is_ipv6(),
        };
        let bound = self.bind.as_ref().and_then(Address::ip);
        fits && bound.is_none_or(|bound| bound.is_ipv4() == ip.is_ipv4())
    }

    pub(crate) fn connect_timeout(&self, limits: &Limits) -> Duration {
        self.timeout.unwrap_or(limits.connect_timeout)
    }

    pub(crate) fn delay(&self, limits: &Limits) -> Duration {
        self.attempt_delay.unwrap_or(limits.connect_attempt_delay)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("places", &self.places)
            .field("filters", &self.filters.len())
            .finish_non_exhaustive()
    }
}

/// Something that `listen` and `connect` can go to.
///
/// Implemented for an [`Endpoint`], for addresses, for slices of them (tried in order), for a host
/// or an IP address with a port, `("example.org", 80)`, and for text like `"127.0.0.1:8007"`,
/// `"[::1]:8007"`, `"example.org:80"` or `"localhost:8007"`. `localhost` is the loopback addresses,
/// as RFC 6761 section 6.3 has it; other names are looked up when they are connected to.
///
/// ```
/// use std::net::{Ipv4Addr, Ipv6Addr};
///
/// use torsade_core::{EndpointError, ToEndpoint};
///
/// let both = "localhost:8007".to_endpoint()?;
/// assert_eq!(both.places()[0].to_string(), "127.0.0.1:8007");
/// assert_eq!(both.places()[1].to_string(), "[::1]:8007");
/// assert_eq!((Ipv4Addr::LOCALHOST, 8007).to_endpoint()?.places(), &both.places()[..1]);
/// assert_eq!((Ipv6Addr::LOCALHOST, 8007).to_endpoint()?.places(), &both.places()[1..]);
/// assert!(matches!("127.0.0.1".to_endpoint(), Err(EndpointError::Port { .. })));
/// assert!(matches!("exa mple.org:80".to_endpoint(), Err(EndpointError::Name { .. })));
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

impl ToEndpoint for Place {
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

/// The program, whose standard input and output are the connection. What it writes to its standard
/// error goes to the log, a line a record, unless the command says otherwise.
///
/// ```
/// use torsade_core::{Command, ExitStatus, Process, Protocol, Transport};
/// use torsade_testing::MemoryReactor;
///
/// struct Sort;
/// impl Protocol for Sort {
///     fn connection_made(&mut self, transport: &Transport<Self>) {
///         transport.write("pear\napple\n");
///         transport.close_write(); // `sort` answers when it has everything
///     }
///     fn data_received(&mut self, _: &Transport<Self>, sorted: &[u8]) {
///         assert_eq!(sorted, b"apple\npear\n");
///     }
/// }
///
/// let reactor = MemoryReactor::new();
/// let connecting = reactor.net().connect(Command::new("sort"), Sort);
/// let mut sort = reactor.next_process();
/// assert_eq!(sort.take_input(), b"pear\napple\n");
/// sort.feed("apple\npear\n");
/// sort.exit(ExitStatus::Code(0));
/// let transport = connecting.try_take().unwrap().unwrap();
/// let process = transport.fact::<Process>().unwrap(); // and to send it a signal
/// assert_eq!(process.status(), Some(ExitStatus::Code(0)));
/// ```
impl ToEndpoint for Command {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        Ok(Endpoint::new([self.clone()]))
    }
}

impl ToEndpoint for str {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        Ok(Endpoint::new(Place::of_text(self)?))
    }
}

/// A host with a port: a numeric address in brackets or without, or a name.
impl ToEndpoint for (&str, u16) {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        let (host, port) = self;
        let inside = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let places = Place::of_host(inside.unwrap_or(host), *port);
        if let [Place::Name { .. }] = &places[..] {
            check_name(host)?;
        }
        Ok(Endpoint::new(places))
    }
}

impl ToEndpoint for (String, u16) {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        (self.0.as_str(), self.1).to_endpoint()
    }
}

impl ToEndpoint for (IpAddr, u16) {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        SocketAddr::from(*self).to_endpoint()
    }
}

impl ToEndpoint for (Ipv4Addr, u16) {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        SocketAddr::from(*self).to_endpoint()
    }
}

impl ToEndpoint for (Ipv6Addr, u16) {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        SocketAddr::from(*self).to_endpoint()
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
