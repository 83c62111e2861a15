use std::collections::VecDeque;
use std::fmt;
use std::mem;

use torsade_core::Disconnect;
use torsade_deferred::{Deferred, Resolver};

/// Replies that are awaited, in the order of their requests: for a client that sends several
/// requests before the first is answered.
///
/// [`expect`](Self::expect) one for each request that is sent. Each reply then goes to the first
/// that waits: [`resolve`](Self::resolve), [`reject`](Self::reject). Tell it of the loss with
/// [`lost`](Self::lost), and everything that still waits ends with the reason, once; what is
/// expected after that ends at once.
///
/// One whose consumer has cancelled keeps its place, because the peer answers it all the same:
/// its reply is swallowed, and the one after it goes to the next.
///
/// ```
/// use torsade_core::{Disconnect, Transport};
/// use torsade_deferred::{Deferred, Failure};
/// use torsade_testing::StringTransport;
/// use torsade_wire::{LineProtocol, LineTransport, Lines, Replies};
///
/// /// Asks for the values of keys, a line each.
/// #[derive(Default)]
/// struct Client {
///     replies: Replies<String, Disconnect>,
/// }
///
/// impl Client {
///     fn get(&mut self, transport: &Transport<Self>, key: &str) -> Deferred<String, Disconnect> {
///         transport.send_line(key);
///         self.replies.expect()
///     }
/// }
///
/// impl LineProtocol for Client {
///     fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
///         let value = String::from_utf8_lossy(line).into_owned();
///         if self.replies.resolve(value).is_err() {
///             transport.fail(Disconnect::protocol("an answer that nobody asked for"));
///         }
///     }
///
///     fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
///         self.replies.lost(reason);
///     }
/// }
///
/// let mut t = StringTransport::connect(Lines::new(Client::default()));
/// let get = |t: &mut StringTransport<Lines<Client>>, key| {
///     t.with_protocol(|lines, transport| lines.get_mut().get(&transport.inner(), key))
/// };
/// let (a, b, c) = (get(&mut t, "a"), get(&mut t, "b"), get(&mut t, "c"));
/// assert_eq!(t.take_sent(), b"a\r\nb\r\nc\r\n");
/// a.cancel();
/// t.feed(b"1\r\n2\r\n");
/// assert_eq!(b.try_take().unwrap(), Ok("2".to_owned()));
/// t.reset();
/// assert_eq!(c.try_take().unwrap(), Err(Failure::Error(Disconnect::Reset)));
/// ```
///
/// # When it is dropped
/// What still waits ends as [`Failure::Abandoned`](torsade_deferred::Failure::Abandoned). That is
/// what happens to the requests of a protocol that is switched away.
pub struct Replies<T: 'static, E: 'static = Disconnect> {
    state: State<T, E>,
}

/// ```text
///          lost
///   Open --------> Lost
/// ```
enum State<T: 'static, E: 'static> {
    /// Those that wait, the oldest first.
    Open(VecDeque<Resolver<T, E>>),
    Lost(Disconnect),
}

impl<T, E> Replies<T, E> {
    /// Nothing is awaited yet.
    pub fn new() -> Self {
        Self {
            state: State::Open(VecDeque::new()),
        }
    }

    /// How many replies are to come, those included whose consumers have cancelled.
    ///
    /// ```
    /// use torsade_wire::Replies;
    ///
    /// let mut replies = Replies::<u32>::new();
    /// let (first, _second) = (replies.expect(), replies.expect());
    /// first.cancel();
    /// assert_eq!(replies.len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        match &self.state {
            State::Open(waiting) => waiting.len(),
            State::Lost(_) => 0,
        }
    }

    /// Whether no reply is to come. A client that wants to close in good order waits for this.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The reply that was awaited longest is there.
    ///
    /// # Errors
    /// Hands `reply` back if nothing was awaited: the peer answered what nobody asked.
    pub fn resolve(&mut self, reply: T) -> Result<(), T> {
        match self.first() {
            Some(resolver) => {
                resolver.resolve(reply);
                Ok(())
            }
            None => Err(reply),
        }
    }

    /// The reply that was awaited longest is there, and is an error.
    ///
    /// # Errors
    /// Hands `error` back if nothing was awaited.
    ///
    /// ```
    /// use torsade_core::Disconnect;
    /// use torsade_deferred::Failure;
    /// use torsade_wire::Replies;
    ///
    /// #[derive(Debug, PartialEq)]
    /// enum Error {
    ///     NoSuchKey,
    ///     Lost(Disconnect),
    /// }
    /// impl From<Disconnect> for Error {
    ///     fn from(reason: Disconnect) -> Self {
    ///         Self::Lost(reason)
    ///     }
    /// }
    ///
    /// let mut replies = Replies::<u32, Error>::new();
    /// let (first, second) = (replies.expect(), replies.expect());
    /// assert_eq!(replies.reject(Error::NoSuchKey), Ok(()));
    /// replies.lost(&Disconnect::Reset);
    /// assert_eq!(first.try_take().unwrap(), Err(Failure::Error(Error::NoSuchKey)));
    /// assert_eq!(second.try_take().unwrap(), Err(Failure::Error(Error::Lost(Disconnect::Reset))));
    /// assert_eq!(replies.reject(Error::NoSuchKey), Err(Error::NoSuchKey));
    /// ```
    pub fn reject(&mut self, error: E) -> Result<(), E> {
        match self.first() {
            Some(resolver) => {
                resolver.reject(error);
                Ok(())
            }
            None => Err(error),
        }
    }

    fn first(&mut self) -> Option<Resolver<T, E>> {
        match &mut self.state {
            State::Open(waiting) => {
                if planted!("reply_shift") {
                    waiting.retain(|resolver| !resolver.is_cancelled());
                }
                waiting.pop_front()
            }
            State::Lost(_) => None,
        }
    }
}

impl<T, E: From<Disconnect>> Replies<T, E> {
    /// One more reply is to come, after those that are awaited already.
    ///
    /// After [`lost`](Self::lost) it is rejected at once, with that reason.
    #[must_use = "what is dropped cannot be waited for; the reply is swallowed then"]
    pub fn expect(&mut self) -> Deferred<T, E> {
        match &mut self.state {
            State::Open(waiting) => {
                let (resolver, reply) = Deferred::new();
                waiting.push_back(resolver);
                reply
            }
            State::Lost(reason) => Deferred::fail(E::from(reason.clone())),
        }
    }

    /// No more replies will come: what is awaited is rejected with this reason, in order. For
    /// `connection_lost`. The first reason counts.
    pub fn lost(&mut self, reason: &Disconnect) {
        if let State::Open(waiting) = &mut self.state {
            let waiting = mem::take(waiting);
            self.state = State::Lost(reason.clone());
            for resolver in waiting {
                resolver.reject(E::from(reason.clone()));
            }
        }
    }
}

impl<T, E> Default for Replies<T, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, E> fmt::Debug for Replies<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Open(waiting) => write!(f, "Replies({} awaited)", waiting.len()),
            State::Lost(reason) => write!(f, "Replies(lost: {reason})"),
        }
    }
}
