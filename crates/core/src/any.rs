use std::any::Any;
use std::fmt;

use crate::layer::Place;
use crate::stack::{Stack, Unplaced};
use crate::{Disconnect, Protocol, Transport};

/// A protocol of any type, chosen while the program runs.
///
/// A [`Factory`](crate::Factory) builds protocols of one type, so that everything on a connection
/// is checked when the program is compiled. Where the kind is known only later, that one type is
/// this: a box for any [`Protocol`], at the price of an allocation.
///
/// ```
/// use torsade_core::{AnyProtocol, Protocol, Transport, factory};
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
/// struct Closed;
/// impl Protocol for Closed {
///     fn connection_made(&mut self, transport: &Transport<Self>) {
///         transport.write("come back tomorrow");
///         transport.close();
///     }
///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// }
///
/// # let open = true;
/// let door = factory(move |_| match open {
///     true => AnyProtocol::new(Echo),
///     false => AnyProtocol::new(Closed),
/// });
/// # let _ = door;
/// let mut t = torsade_testing::StringTransport::serve(AnyProtocol::new(Closed));
/// assert_eq!(t.take_sent(), b"come back tomorrow");
/// assert!(t.lost().is_some());
/// ```
///
/// # Switching inside a wrapper
/// [`Transport::switch`] replaces the content of the nearest `AnyProtocol` around the protocol that
/// asks for it, so that what lies further out stays: a [`Wrapper`](crate::Wrapper) that counts,
/// times or logs goes on with the next protocol. Without one around it, everything is replaced.
///
/// ```
/// use torsade_core::{AnyProtocol, Layered, Pass, Protocol, Transport, Wrapper};
///
/// /// Counts the bytes of a connection, whatever protocol it speaks.
/// struct Counted(AnyProtocol, usize);
/// impl Layered for Counted {
///     type Inner = AnyProtocol;
///     fn inner_mut(&mut self) -> &mut AnyProtocol {
///         &mut self.0
///     }
/// }
/// impl Wrapper for Counted {
///     fn data(&mut self, _: &Transport<Self>, data: &[u8]) -> Pass {
///         self.1 += data.len();
///         Pass::On
///     }
/// }
///
/// struct Login;
/// impl Protocol for Login {
///     fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
///         transport.switch(Shell);
///     }
/// }
/// struct Shell;
/// impl Protocol for Shell {
///     fn connection_made(&mut self, transport: &Transport<Self>) {
///         transport.write("$ ");
///     }
///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// }
///
/// let mut t = torsade_testing::StringTransport::serve(Counted(AnyProtocol::new(Login), 0));
/// t.feed(b"ada");
/// assert_eq!(t.take_sent(), b"$ ");
/// t.feed(b"ls");
/// assert_eq!(t.protocol(|me| me.1), 5);
/// assert!(t.protocol(|me| me.0.is::<Shell>()));
/// ```
pub struct AnyProtocol(Content);

/// ```text
///         the first callback
///   Fresh -------------------> Placed (again and again, by switches)
/// ```
enum Content {
    /// It has no connection yet.
    Fresh(Box<dyn Unplaced>),
    Placed(Box<dyn Stack>),
    /// While it goes from one to the other.
    Moving,
}

impl AnyProtocol {
    /// Put a protocol into the box.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// # struct Echo;
    /// # impl Protocol for Echo {
    /// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    /// #         transport.write(data);
    /// #     }
    /// # }
    /// use torsade_core::AnyProtocol;
    ///
    /// let kinds = [AnyProtocol::new(Echo), AnyProtocol::new(AnyProtocol::new(Echo))];
    /// assert!(kinds[0].is::<Echo>() && !kinds[1].is::<Echo>());
    /// ```
    pub fn new(protocol: impl Protocol) -> Self {
        Self(Content::Fresh(Box::new(protocol)))
    }

    /// Whether the protocol in it is a `P`.
    ///
    /// ```
    /// # use torsade_core::{AnyProtocol, Protocol, Transport};
    /// # struct Echo;
    /// # impl Protocol for Echo {
    /// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    /// #         transport.write(data);
    /// #     }
    /// # }
    /// assert!(AnyProtocol::new(Echo).is::<Echo>());
    /// ```
    #[must_use]
    pub fn is<P: Protocol>(&self) -> bool {
        match &self.0 {
            Content::Fresh(fresh) => fresh.protocol().is::<P>(),
            Content::Placed(stack) => stack.protocol().is::<P>(),
            Content::Moving => false,
        }
    }

    /// The protocol in it, if it is a `P`.
    ///
    /// ```
    /// # use torsade_core::{AnyProtocol, Protocol, Transport};
    /// struct Counter(u32);
    /// # impl Protocol for Counter {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let mut any = AnyProtocol::new(Counter(1));
    /// any.downcast_mut::<Counter>().unwrap().0 += 1;
    /// assert_eq!(any.downcast_mut::<Counter>().map(|counter| counter.0), Some(2));
    /// ```
    pub fn downcast_mut<P: Protocol>(&mut self) -> Option<&mut P> {
        match &mut self.0 {
            Content::Fresh(fresh) => fresh.protocol_mut().downcast_mut(),
            Content::Placed(stack) => stack.outermost().downcast_mut(),
            Content::Moving => None,
        }
    }

    /// What a switch put in it, if anything is in its place yet.
    pub(crate) fn content(&mut self) -> Option<&mut dyn Stack> {
        match &mut self.0 {
            Content::Placed(stack) => Some(&mut **stack),
            Content::Fresh(_) | Content::Moving => None,
        }
    }

    /// Put another one in; returns the old one.
    pub(crate) fn replace(&mut self, new: Box<dyn Stack>) -> Option<Box<dyn Stack>> {
        match std::mem::replace(&mut self.0, Content::Placed(new)) {
            Content::Placed(old) => Some(old),
            Content::Fresh(_) | Content::Moving => None,
        }
    }

    /// Put the protocol into its place on a connection, if it is not there yet.
    #[inline]
    fn placed(&mut self, transport: &Transport<Self>) -> Option<&mut dyn Stack> {
        if !matches!(self.0, Content::Placed(_)) {
            self.place(transport);
        }
        self.content()
    }

    #[cold]
    fn place(&mut self, transport: &Transport<Self>) {
        let around = transport.place();
        let link = transport.link();
        if let Content::Fresh(fresh) = std::mem::replace(&mut self.0, Content::Moving) {
            link.layers.learn_open(around.depth, step);
            let inside = Place {
                depth: around.depth + 1,
                ..around
            };
            self.0 = Content::Placed(fresh.place(link, inside));
        }
    }
}

/// The way inward from one of these.
fn step(outer: &mut dyn Any) -> Option<&mut dyn Any> {
    let content = outer.downcast_mut::<AnyProtocol>()?.content()?;
    Some(content.outermost())
}

impl Protocol for AnyProtocol {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        if let Some(content) = self.placed(transport) {
            content.made();
        }
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        if let Some(content) = self.placed(transport) {
            content.data(data);
        }
    }

    fn eof_received(&mut self, transport: &Transport<Self>) {
        if let Some(content) = self.placed(transport) {
            content.eof();
        }
    }

    fn pause_writing(&mut self, transport: &Transport<Self>) {
        if let Some(content) = self.placed(transport) {
            content.pause();
        }
    }

    fn resume_writing(&mut self, transport: &Transport<Self>) {
        if let Some(content) = self.placed(transport) {
            content.resume();
        }
    }

    fn stopping(&mut self, transport: &Transport<Self>) {
        if let Some(content) = self.placed(transport) {
            content.stopping();
        }
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        if let Some(content) = self.placed(transport) {
            content.lost(reason);
        }
    }
}

impl fmt::Debug for AnyProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyProtocol").finish_non_exhaustive()
    }
}
