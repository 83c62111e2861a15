use crate::{Disconnect, Layered, Protocol, Transport};

/// A protocol around another one, which sees every callback before it.
///
/// Implement [`Layered`], so that the inner protocol can be reached, and the hooks you need; the
/// wrapper is then a [`Protocol`] itself. Each hook runs in front of the inner protocol's callback;
/// `data` and `eof` say whether that is made at all. The hooks have names of their own, so that in
/// a stack of wrappers it is always clear whose method is meant.
///
/// The wrapper has its own [`Transport`], whose continuations and timers come back to it, and its
/// own pause: reading goes on when no layer holds it. The inner protocol writes to the connection
/// directly, so a wrapper cannot see or change output; who does that, or changes input, is a
/// filter.
///
/// ```
/// use std::time::Duration;
/// use torsade_core::{Disconnect, Layered, Pass, Protocol, Timer, Transport, Wrapper};
///
/// /// Closes a connection on which nothing was received for a minute.
/// struct Awake<P> {
///     inner: P,
///     timer: Option<Timer>,
/// }
///
/// impl<P: Protocol> Layered for Awake<P> {
///     type Inner = P;
///     fn inner_mut(&mut self) -> &mut P {
///         &mut self.inner
///     }
/// }
///
/// impl<P: Protocol> Wrapper for Awake<P> {
///     fn made(&mut self, transport: &Transport<Self>) {
///         let minute = Duration::from_secs(60);
///         self.timer = Some(transport.call_later(minute, |_, transport| transport.close()));
///     }
///     fn data(&mut self, _: &Transport<Self>, _: &[u8]) -> Pass {
///         if let Some(timer) = &self.timer {
///             timer.reset(Duration::from_secs(60));
///         }
///         Pass::On
///     }
/// }
///
/// # struct Echo;
/// # impl Protocol for Echo {
/// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
/// #         transport.write(data);
/// #     }
/// # }
/// let awake = Awake { inner: Echo, timer: None };
/// let mut t = torsade_testing::StringTransport::serve(awake);
/// t.advance(Duration::from_secs(59));
/// t.feed(b"still there");
/// t.advance(Duration::from_secs(59));
/// assert!(t.lost().is_none());
/// t.advance(Duration::from_secs(1));
/// assert!(matches!(t.lost(), Some(Disconnect::Closed)));
/// ```
#[doc(alias = "ProtocolWrapper")]
#[doc(alias = "WrappingFactory")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Protocol`",
    note = "if it handles messages of a framing, put it into that framing: `Lines::new(..)` for a `LineProtocol`",
    note = "if it wraps another protocol, implement `Wrapper` for it"
)]
pub trait Wrapper: Layered<Inner: Protocol> + Sized {
    /// The connection is there.
    fn made(&mut self, transport: &Transport<Self>) {
        let _ = transport;
    }

    /// Bytes arrived. [`Pass::On`] hands them on, with what this hook said of `unread` forgotten:
    /// that is then the inner protocol's to say. After a close nothing is handed on.
    fn data(&mut self, transport: &Transport<Self>, data: &[u8]) -> Pass {
        let _ = (transport, data);
        Pass::On
    }

    /// The peer ended its side. Who keeps this to itself closes the connection when it is time.
    fn eof(&mut self, transport: &Transport<Self>) -> Pass {
        let _ = transport;
        Pass::On
    }

    /// Output waits above its high mark.
    fn paused(&mut self, transport: &Transport<Self>) {
        let _ = transport;
    }

    /// Output has drained.
    fn resumed(&mut self, transport: &Transport<Self>) {
        let _ = transport;
    }

    /// The reactor stops. Closing is left to the inner protocol.
    fn stop(&mut self, transport: &Transport<Self>) {
        let _ = transport;
    }

    /// The connection is gone.
    fn lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        let _ = (transport, reason);
    }
}

/// Whether a [`Wrapper`] hands something on to the protocol inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// The inner protocol is told.
    On,
    /// The wrapper keeps it to itself.
    Keep,
}

impl<W: Wrapper> Protocol for W {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.made(transport);
        self.inner_mut().connection_made(&transport.inner());
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        if self.data(transport, data) == Pass::On && transport.is_open() {
            transport.link().take_unread();
            self.inner_mut().data_received(&transport.inner(), data);
        }
    }

    fn eof_received(&mut self, transport: &Transport<Self>) {
        if self.eof(transport) == Pass::On && transport.is_open() {
            self.inner_mut().eof_received(&transport.inner());
        }
    }

    fn pause_writing(&mut self, transport: &Transport<Self>) {
        self.paused(transport);
        self.inner_mut().pause_writing(&transport.inner());
    }

    fn resume_writing(&mut self, transport: &Transport<Self>) {
        self.resumed(transport);
        self.inner_mut().resume_writing(&transport.inner());
    }

    fn stopping(&mut self, transport: &Transport<Self>) {
        self.stop(transport);
        self.inner_mut().stopping(&transport.inner());
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        self.lost(transport, reason);
        self.inner_mut().connection_lost(&transport.inner(), reason);
    }
}
