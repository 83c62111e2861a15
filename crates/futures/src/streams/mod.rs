//! Connections for coroutines: a reader and a writer instead of callbacks.

mod duplex;
mod error;
mod frames;
mod pipe;
mod reader;
#[cfg(any(feature = "hyper", feature = "tokio"))]
mod runtimes;
mod writer;

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use torsade_core::{
    ConnectError, Disconnect, ListenError, Listener, Net, Peer, ToEndpoint, Transport, factory,
};
use torsade_deferred::{Deferred, Failure};

use self::pipe::{Pipe, StreamProtocol};
use crate::guard;
use crate::task::spawn;

pub use self::duplex::Duplex;
pub use self::error::ReadError;
pub use self::frames::{FrameWriter, Frames, SendError};
pub use self::reader::StreamReader;
pub use self::writer::StreamWriter;

/// Connect to `to`, for coroutines.
///
/// The result is a Deferred, to be awaited or not. Cancelling it, or giving up the await, gives up
/// the attempt; nothing is left open. A pair that nobody took closes its connection.
///
/// ```
/// use torsade_futures::{open_connection, start_server};
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// start_server(reactor.net(), "127.0.0.1:8007", async |mut reader, writer| {
///     let line = reader.read_line().await.unwrap_or_default();
///     writer.write(line.to_ascii_uppercase());
/// })?;
/// reactor.join(); // connects go to listeners of this thread
/// let net = reactor.net().clone();
/// let answer = reactor.block_on(async move {
///     let (mut reader, writer) = open_connection(&net, "127.0.0.1:8007").await.unwrap();
///     writer.write("hello\n");
///     reader.read_line().await
/// });
/// assert_eq!(answer.unwrap(), b"HELLO\n");
/// # Ok::<(), torsade_core::ListenError>(())
/// ```
#[doc(alias = "create_connection")]
#[track_caller]
pub fn open_connection(
    net: &Net,
    to: impl ToEndpoint,
) -> Deferred<(StreamReader, StreamWriter), ConnectError> {
    let pipe = Pipe::new(net);
    let protocol = StreamProtocol::new(Rc::clone(&pipe), None);
    net.connect(to, protocol)
        .and_then(move |_| match pipe.ends() {
            Some(ends) => Deferred::succeed(ends),
            None => Deferred::settled(Err(Failure::Abandoned)),
        })
}

/// Accept connections at `at`, and run `handler` as a task for each.
///
/// The handler owns the reader and the writer. When it has ended, the writer is dropped, and so
/// the connection is closed, after what was written. An error of the handler is logged, and is the
/// reason of the loss; so is a panic, and the connection is aborted. A handler is not
/// cancelled when its connection is lost: its reads end, or fail, and it goes on as it likes.
///
/// ```
/// use torsade_futures::start_server;
///
/// let reactor = torsade_testing::MemoryReactor::new();
/// start_server(reactor.net(), "127.0.0.1:8007", async |mut reader, writer| {
///     let mut buffer = [0; 1024];
///     loop {
///         match reader.read_into(&mut buffer).await? {
///             0 => return Ok::<(), torsade_core::Disconnect>(()),
///             len => writer.write(&buffer[..len]),
///         }
///         writer.drain().await?;
///     }
/// })?;
/// let mut ann = reactor.dial("127.0.0.1:8007");
/// ann.feed("hello");
/// assert_eq!(ann.take_sent(), b"hello");
/// # Ok::<(), torsade_core::ListenError>(())
/// ```
///
/// # Errors
/// As [`Net::listen`]: `at` names no address, or the system refuses it.
#[doc(alias = "create_server")]
#[doc(alias = "client_connected_cb")]
pub fn start_server<H, R>(
    net: &Net,
    at: impl ToEndpoint,
    handler: H,
) -> Result<Listener, ListenError>
where
    H: AsyncFn(StreamReader, StreamWriter) -> R + 'static,
    R: Handled,
{
    let handler = Rc::new(handler);
    let served = net.clone();
    net.listen(
        at,
        factory(move |_: &Peer| {
            let handler = Rc::clone(&handler);
            let begin = move |transport: &Transport<_>, reader, writer| {
                serve(transport, async move { handler(reader, writer).await });
            };
            StreamProtocol::new(Pipe::new(&served), Some(Box::new(begin)))
        }),
    )
}

/// Go on with this connection in a coroutine: `handler` runs as a task, with a reader and a writer.
///
/// It is a [`switch`](Transport::switch): the protocol is gone after the current callback, without
/// a `connection_lost`, and what it left unread is the first that the reader gives. The handler is
/// treated as one of [`start_server`]. The way back is [`StreamReader::switch`].
///
/// ```
/// use torsade_core::{Protocol, Transport};
/// use torsade_futures::switch_to_streams;
/// use torsade_testing::StringTransport;
///
/// /// One byte chooses what is spoken.
/// struct Choice;
/// impl Protocol for Choice {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         transport.unread(data.len() - 1);
///         switch_to_streams(transport, async |mut reader, writer| {
///             let name = reader.read_line().await?;
///             writer.write_parts(&[b"hello, ", &*name]);
///             Ok::<(), torsade_futures::ReadError>(())
///         });
///     }
/// }
///
/// let mut t = StringTransport::serve(Choice);
/// t.feed("!ann\n");
/// assert_eq!(t.take_sent(), b"hello, ann\n");
/// assert!(t.lost().is_some()); // the handler has ended
/// ```
pub fn switch_to_streams<P, H, R>(transport: &Transport<P>, handler: H)
where
    P: 'static,
    H: AsyncFnOnce(StreamReader, StreamWriter) -> R + 'static,
    R: Handled,
{
    let begin = move |transport: &Transport<_>, reader, writer| {
        serve(transport, async move { handler(reader, writer).await });
    };
    let pipe = Pipe::new(&transport.net());
    transport.switch(StreamProtocol::new(pipe, Some(Box::new(begin))));
}

fn serve<R: Handled>(
    transport: &Transport<StreamProtocol>,
    handling: impl Future<Output = R> + 'static,
) {
    let connection = transport.connection();
    let task = spawn(&transport.net(), async move {
        let mut handling = pin!(handling);
        let handled = poll_fn(
            |context| match guard::catch(|| handling.as_mut().poll(context)) {
                Ok(polled) => polled.map(Ok),
                Err(panic) => Poll::Ready(Err(panic)),
            },
        );
        // The writer is dropped by now, but its close comes behind what is said here.
        match handled.await.map(Handled::into_result) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                log::warn!(
                    "connection {}: its handler failed: {error}",
                    connection.id()
                );
                connection.fail(Disconnect::application(error));
            }
            Err(panic) => {
                connection.abort_with(Disconnect::Panicked(panic.clone()));
                guard::resume(&panic);
            }
        }
    });
    // A panic is reported, as one in a callback is.
    task.detach();
}

/// What the handler of [`start_server`] may return: nothing, or a result whose error can be shown.
pub trait Handled: 'static {
    /// What went wrong, in words.
    ///
    /// # Errors
    /// The handler's error.
    fn into_result(self) -> Result<(), String>;
}

impl Handled for () {
    fn into_result(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: fmt::Display + 'static> Handled for Result<(), E> {
    fn into_result(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}
