/// What is asked of a listener besides its address.
///
/// ```
/// use torsade_core::{ListenOptions, ToEndpoint};
///
/// let everybody = "[::]:8007".to_endpoint()?.only_v6(false).backlog(16);
/// let mut options = ListenOptions::default();
/// options.dual_stack = true;
/// options.backlog = Some(16);
/// assert_eq!(everybody.options(), &options);
/// # Ok::<(), torsade_core::EndpointError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ListenOptions {
    /// The mode of a Unix socket's file; see [`UnixListen::mode`](crate::UnixListen::mode).
    pub mode: Option<u32>,
    /// Whether a socket that nobody listens on is replaced; see
    /// [`UnixListen::replace_stale`](crate::UnixListen::replace_stale).
    pub replace_stale: bool,
    /// How many may wait to be accepted; otherwise `Limits::backlog`. See
    /// [`Endpoint::backlog`](crate::Endpoint::backlog).
    pub backlog: Option<u32>,
    /// Whether `[::]` takes IPv4 as well; see [`Endpoint::only_v6`](crate::Endpoint::only_v6).
    pub dual_stack: bool,
}
