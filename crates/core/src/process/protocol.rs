use super::{ExitStatus, ProcessEnd, ProcessTransport};
use crate::Disconnect;

/// What to do with the output of one child process, and when it ends.
///
/// Handed to [`Net::spawn_process`](crate::Net::spawn_process). Nothing must be written: a protocol
/// that says nothing drops all output.
///
/// # Order
/// [`connection_made`](Self::connection_made) first, once. Then output of each descriptor, in its
/// order, and at its end [`child_connection_lost`](Self::child_connection_lost), once for each.
/// Between those, whenever it happens, [`process_exited`](Self::process_exited): its last output may
/// come before or after it. [`process_ended`](Self::process_ended) last, once, when the process has
/// exited *and* every descriptor is lost. No callback runs while another one does, on this process
/// or anything else of the thread (contract C1).
///
/// # Panics in callbacks
/// A panic is caught and logged; the process is killed, its descriptors are closed, and it still
/// gets the rest of these callbacks (contract C8).
///
/// ```
/// use torsade_core::{Command, ExitStatus, ProcessEnd, ProcessProtocol, ProcessTransport};
/// use torsade_testing::MemoryReactor;
///
/// /// Has some words sorted.
/// struct Sorted(Vec<u8>);
/// impl ProcessProtocol for Sorted {
///     fn connection_made(&mut self, transport: &ProcessTransport<Self>) {
///         transport.write("pear\napple\n");
///         transport.close_stdin();
///     }
///     fn out_received(&mut self, _: &ProcessTransport<Self>, data: &[u8]) {
///         self.0.extend_from_slice(data);
///     }
///     fn process_ended(&mut self, _: &ProcessTransport<Self>, end: ProcessEnd) {
///         assert!(end.is_success());
///         assert_eq!(self.0, b"apple\npear\n");
///     }
/// }
///
/// let reactor = MemoryReactor::new();
/// reactor.net().spawn_process(&Command::new("sort"), Sorted(Vec::new()))?;
/// let mut sort = reactor.next_process(); // the test is the program
/// assert_eq!(sort.take_input(), b"pear\napple\n");
/// sort.feed("apple\npear\n");
/// sort.exit(ExitStatus::Code(0));
/// # Ok::<(), torsade_core::SpawnError>(())
/// ```
#[doc(alias = "IProcessProtocol")]
#[doc(alias = "SubprocessProtocol")]
pub trait ProcessProtocol: Sized + 'static {
    /// The process runs, and its pipes are there. The first callback.
    #[doc(alias = "connectionMade")]
    fn connection_made(&mut self, transport: &ProcessTransport<Self>) {
        let _ = transport;
    }

    /// Bytes that the process wrote to its standard output, cut anywhere.
    #[doc(alias = "outReceived")]
    fn out_received(&mut self, transport: &ProcessTransport<Self>, data: &[u8]) {
        let _ = (transport, data);
    }

    /// Bytes that the process wrote to its standard error, cut anywhere.
    #[doc(alias = "errReceived")]
    fn err_received(&mut self, transport: &ProcessTransport<Self>, data: &[u8]) {
        let _ = (transport, data);
    }

    /// Bytes that the process wrote to the descriptor of this number. By default those of 1 and 2
    /// go to [`out_received`](Self::out_received) and [`err_received`](Self::err_received), and
    /// others are dropped.
    #[doc(alias = "childDataReceived")]
    #[doc(alias = "pipe_data_received")]
    fn child_data_received(&mut self, transport: &ProcessTransport<Self>, fd: u32, data: &[u8]) {
        match fd {
            1 => self.out_received(transport, data),
            2 => self.err_received(transport, data),
            _ => {}
        }
    }

    /// The process, or we, have closed its standard input: nothing more can be written to it.
    #[doc(alias = "inConnectionLost")]
    fn in_connection_lost(&mut self, transport: &ProcessTransport<Self>, reason: &Disconnect) {
        let _ = (transport, reason);
    }

    /// Its standard output is at its end.
    #[doc(alias = "outConnectionLost")]
    fn out_connection_lost(&mut self, transport: &ProcessTransport<Self>, reason: &Disconnect) {
        let _ = (transport, reason);
    }

    /// Its standard error is at its end.
    #[doc(alias = "errConnectionLost")]
    fn err_connection_lost(&mut self, transport: &ProcessTransport<Self>, reason: &Disconnect) {
        let _ = (transport, reason);
    }

    /// The descriptor of this number is closed, once for each. By default 0, 1 and 2 have
    /// callbacks of their own.
    ///
    /// The reason is as of any connection: [`PeerClosed`](Disconnect::PeerClosed) at the end of an
    /// output, [`Reset`](Disconnect::Reset) for an input that the process would not read,
    /// [`TimedOut(Timeout::AfterExit)`](crate::Timeout::AfterExit) if it was held by others after
    /// the exit.
    #[doc(alias = "childConnectionLost")]
    #[doc(alias = "pipe_connection_lost")]
    fn child_connection_lost(
        &mut self,
        transport: &ProcessTransport<Self>,
        fd: u32,
        reason: &Disconnect,
    ) {
        match fd {
            0 => self.in_connection_lost(transport, reason),
            1 => self.out_connection_lost(transport, reason),
            2 => self.err_connection_lost(transport, reason),
            _ => {}
        }
    }

    /// More waits for this descriptor than the high mark allows: stop producing. As of a
    /// [`Protocol`](crate::Protocol::pause_writing).
    fn pause_writing(&mut self, transport: &ProcessTransport<Self>, fd: u32) {
        let _ = (transport, fd);
    }

    /// What waited has drained to the low mark: go on producing.
    fn resume_writing(&mut self, transport: &ProcessTransport<Self>, fd: u32) {
        let _ = (transport, fd);
    }

    /// The reactor stops. By default the descriptors are closed, at which most programs end; what
    /// has not ended after `Limits::stop_timeout` is let go.
    fn stopping(&mut self, transport: &ProcessTransport<Self>) {
        transport.close();
    }

    /// The process has exited. Output that it wrote may still come, also from processes that it
    /// started and that have its descriptors.
    #[doc(alias = "processExited")]
    fn process_exited(&mut self, transport: &ProcessTransport<Self>, status: ExitStatus) {
        let _ = (transport, status);
    }

    /// The process has exited and all of its descriptors are closed. The last callback.
    #[doc(alias = "processEnded")]
    #[doc(alias = "connection_lost")]
    fn process_ended(&mut self, transport: &ProcessTransport<Self>, end: ProcessEnd) {
        let _ = (transport, end);
    }
}
