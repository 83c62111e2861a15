use crate::{Endpoint, EndpointError, ListenOptions, ToEndpoint, UnixAddress};

/// A Unix socket to listen on, and who may connect to it.
///
/// A [`UnixAddress`] alone listens as well: the process's umask says then who may connect, and a
/// file that is there already is an address in use. The file goes when the listener is closed, and
/// with the reactor, if it is still the listener's own.
///
/// ```
/// use torsade_core::{ToEndpoint, UnixListen};
///
/// // The group may connect, and what a killed server has left is replaced.
/// let at = UnixListen::at("/run/app/app.socket").mode(0o660).replace_stale();
/// // net.listen(at, factory(|_| Echo))?;
/// assert_eq!(at.to_endpoint()?.places()[0].to_string(), "unix:/run/app/app.socket");
/// assert_eq!(at.to_endpoint()?.options().mode, Some(0o660));
/// # Ok::<(), torsade_core::EndpointError>(())
/// ```
#[doc(alias = "listenUNIX")]
#[doc(alias = "UNIXServerEndpoint")]
#[doc(alias = "create_unix_server")]
#[doc(alias = "start_unix_server")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct UnixListen {
    address: UnixAddress,
    options: ListenOptions,
}

impl UnixListen {
    /// There, as the system has it.
    pub fn at(address: impl Into<UnixAddress>) -> Self {
        Self {
            address: address.into(),
            options: ListenOptions::default(),
        }
    }

    /// The mode of the file, like `0o660`: who may write to it may connect, on Linux and most other
    /// systems. Whatever the umask is, and before anybody can connect. An abstract name has none.
    pub fn mode(mut self, mode: u32) -> Self {
        self.options.mode = Some(mode);
        self
    }

    /// If there is a socket already and nobody listens on it, as a server that was killed leaves
    /// one behind, replace it. A file that is no socket stays, and so does a socket that answers:
    /// that is an address in use. Of several servers that start at once in this way, one does.
    #[doc(alias = "wantPID")]
    #[doc(alias = "checkPID")]
    #[doc(alias = "BadFileError")]
    pub fn replace_stale(mut self) -> Self {
        self.options.replace_stale = true;
        self
    }

    /// So many may wait to be accepted, instead of `Limits::backlog`.
    pub fn backlog(mut self, connections: u32) -> Self {
        self.options.backlog = Some(connections);
        self
    }
}

/// There, as the system has it.
impl<T: Into<UnixAddress>> From<T> for UnixListen {
    fn from(address: T) -> Self {
        Self::at(address)
    }
}

impl UnixListen {
    pub(crate) fn into_parts(self) -> (UnixAddress, ListenOptions) {
        (self.address, self.options)
    }
}

impl ToEndpoint for UnixListen {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        let endpoint = self.address.to_endpoint()?;
        Ok(endpoint.with_options(self.options.clone()))
    }
}

/// Who is at the other end of a Unix socket, as the system knows it: whoever connected, or made the
/// listener or the pair. What it is afterwards does not matter.
///
/// ```
/// use torsade_core::{Credentials, Peer, UnixAddress};
///
/// let peer = Peer::new(UnixAddress::Unnamed, UnixAddress::path("/run/a"));
/// assert_eq!(peer.credentials(), None); // nobody said
/// let peer = peer.with_credentials(Credentials::new(1000, 1000, Some(4321)));
/// assert_eq!(peer.credentials().unwrap().uid, 1000);
/// // factory(|peer: &Peer| peer.credentials().is_some_and(|who| who.uid == 0).then_some(Root))
/// ```
#[doc(alias = "SO_PEERCRED")]
#[doc(alias = "peer_cred")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Credentials {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The process, where the system says. It may have ended, and another may have its number.
    pub pid: Option<u32>,
}

impl Credentials {
    /// These.
    pub fn new(uid: u32, gid: u32, pid: Option<u32>) -> Self {
        Self { uid, gid, pid }
    }
}
