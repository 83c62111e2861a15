use crate::{Address, Endpoint, EndpointError, Place, ToEndpoint};

/// The standard streams of the process as one connection: what comes from its input is received,
/// what is written goes to its output. So a protocol is a filter in a shell's pipeline.
///
/// Whatever they are: pipes, terminals, files, sockets, `/dev/null`. Where the reactor runs on
/// Unix, `net.connect(Stdio, protocol)` makes the connection, and all that holds for pipes holds for
/// it, see [`Adopted::pipes`](crate::Adopted::pipes). The memory reactor and the simulator connect
/// it to who listens at [`Address::Stdio`].
///
/// ```no_run
/// # // Needs a reactor; it is tested in pipelines.
/// use torsade_core::{Net, Protocol, Stdio, Transport};
///
/// /// `printf hello | shout | ...`
/// struct Shout;
/// impl Protocol for Shout {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         transport.write(data.to_ascii_uppercase());
///     }
///     fn connection_lost(&mut self, transport: &Transport<Self>, _: &torsade_core::Disconnect) {
///         transport.net().stop();
///     }
/// }
///
/// fn filter(net: &Net) {
///     net.connect(Stdio, Shout).detach();
/// }
/// ```
///
/// # Modes stay as they are
/// Non-blocking mode belongs to the open file, which the shell and the neighbours in the pipeline
/// have too; it is never set there, and neither is anything else. On Linux pipes and terminals are
/// opened anew, if their permissions allow it, which makes open files of our own. For everything
/// else, and elsewhere, there is a thread for each direction, which moves bytes between the stream
/// and a pipe; so files, which no system waits for, do not hold up the reactor either.
///
/// # The end
/// - The end of standard input is `eof_received`, as of any connection. By default that closes, and
///   what was written is flushed.
/// - When nobody reads standard output any more, or it cannot be written for another reason, the
///   connection is lost, with the reason that the system gave.
/// - What was written before a close is written when `Reactor::run` returns after a stop, or when
///   the reactor is dropped: both wait for the thread, if there is one, for as long as the reader
///   takes. An abort waits for nobody and drops what was not written.
/// - The descriptors 0 and 1 themselves stay open until the process ends. Before that a reader of
///   our output sees no end, whatever the connection does.
/// - Input that was not read yet stays for who reads the streams next, but for at most one pipe (64
///   KiB on Linux) where a thread reads them.
///
/// Do not print to standard output and write to the connection at once: both lie in buffers of
/// their own. Standard error is not touched.
#[doc(alias = "StandardIO")]
#[doc(alias = "StandardIOEndpoint")]
#[doc(alias = "connect_read_pipe")]
#[doc(alias = "connect_write_pipe")]
#[doc(alias = "stdin")]
#[doc(alias = "stdout")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stdio;

impl ToEndpoint for Stdio {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        Ok(Endpoint::new([*self]))
    }
}

impl From<Stdio> for Address {
    fn from(_: Stdio) -> Self {
        Self::Stdio
    }
}

impl From<Stdio> for Place {
    fn from(stdio: Stdio) -> Self {
        Self::Address(stdio.into())
    }
}
