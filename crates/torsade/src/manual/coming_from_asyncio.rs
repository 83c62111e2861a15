//! Coming from asyncio: its protocol pair beside the port, and what became of every name.
//!
//! asyncio's protocols and transports are Twisted's with other spellings, so nearly every callback
//! has the name you know. At the end of this page you have seen an echo server and its client in
//! both languages, and can look up the rest. Rules that differ are on the page of
//! [`differences`](super::differences#coming-from-asyncio).
//!
//! # A server and a client
//! ```python
//! import asyncio
//!
//! class EchoServer(asyncio.Protocol):
//!     def connection_made(self, transport):
//!         self.transport = transport                                     # 1
//!
//!     def data_received(self, data):
//!         self.transport.write(data)
//!         self.transport.close()                                         # 2
//!
//! class EchoClient(asyncio.Protocol):
//!     def __init__(self, message, done):
//!         self.message, self.done, self.echo = message, done, b""
//!
//!     def connection_made(self, transport):
//!         transport.write(self.message.encode())                         # 3
//!
//!     def data_received(self, data):
//!         self.echo += data
//!
//!     def connection_lost(self, exc):                                    # 4
//!         if exc is None:
//!             self.done.set_result(self.echo)                            # 5
//!         else:
//!             self.done.set_exception(exc)
//!
//! async def main():
//!     loop = asyncio.get_running_loop()                                  # 6
//!     server = await loop.create_server(EchoServer, "127.0.0.1", 0)      # 7
//!     address = server.sockets[0].getsockname()
//!     done = loop.create_future()
//!     client = lambda: EchoClient("hello", done)
//!     await loop.create_connection(client, *address)                     # 8
//!     assert await done == b"hello"                                      # 9
//!     server.close()
//!     await server.wait_closed()                                         # 10
//!
//! asyncio.run(main())
//! ```
//! The same here:
//! ```
//! use torsade::{Deferred, Disconnect, Protocol, Reactor, Resolver, Transport, factory};
//!
//! struct EchoServer;
//! impl Protocol for EchoServer {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) { // 1
//!         transport.write(data);
//!         transport.close();                                             // 2
//!     }
//! }
//!
//! struct EchoClient {
//!     message: String,
//!     done: Option<Resolver<Vec<u8>, Disconnect>>,
//!     echo: Vec<u8>,
//! }
//! impl Protocol for EchoClient {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.write(&self.message);                                // 3
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
//!         self.echo.extend(data);
//!     }
//!     fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) { // 4
//!         let Some(done) = self.done.take() else { return };
//!         if reason.is_clean() {
//!             done.resolve(std::mem::take(&mut self.echo));              // 5
//!         } else {
//!             done.reject(reason.clone());
//!         }
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut reactor = Reactor::new()?;
//! let net = reactor.net().clone();                                       // 6
//! let server = net.listen("127.0.0.1:0", factory(|_| EchoServer))?;      // 7
//! let (resolver, done) = Deferred::new();
//! let message = "hello".to_owned();
//! let client = EchoClient { message, done: Some(resolver), echo: vec![] };
//! net.connect(server.address(), client).detach();                        // 8
//! assert_eq!(reactor.run_until(done)?, Ok(b"hello".to_vec()));           // 9
//! server.close();                                                        // 10
//! # Ok(())
//! # }
//! ```
//! | | what changed |
//! |---|---|
//! | 1 | Nobody needs to store the transport: every callback is given it. A server without state is a unit struct. |
//! | 2 | Both flush first. Here nothing is written after it, and no input is delivered; and if the peer goes on sending, the reply is not destroyed by a reset. |
//! | 3 | Whatever is bytes already is written, and `str` is its UTF-8. |
//! | 4 | `None` or an exception is one enum that says who ended it. |
//! | 5 | A future has two ends of two types: the [`Resolver`](crate::Resolver) brings the result, once. `InvalidStateError` does not compile. |
//! | 6 | There is no current loop. The [`Net`](crate::Net) is passed to who needs it. |
//! | 7 | Nothing needs to be awaited: a port is listened on when `listen` returns. |
//! | 8 | A protocol instead of a factory for one. The Deferred of the attempt brings the transport, and after a failure its error: here `detach` leaves it, and a failure shows at 9 as `Abandoned`, because the protocol and its resolver are dropped. |
//! | 9 | The reactor runs until this is known, and can be run again. |
//! | 10 | The port is free when it returns. |
//!
//! # Every name
//! Whatever is linked below is found by its asyncio name in the search box, too: a test compares
//! these tables with the names of the items and the aliases of the documentation. *later* is not
//! there yet, *never* says why not.
//!
//! ## Protocols
//! | asyncio | here | |
//! |---|---|---|
//! | `BaseProtocol`, `Protocol` | [`Protocol`](crate::Protocol) | |
//! | `connection_made` | [`connection_made`](crate::Protocol::connection_made) | |
//! | `data_received` | [`data_received`](crate::Protocol::data_received) | |
//! | `eof_received` | [`eof_received`](crate::Protocol::eof_received) | closes unless it is overridden |
//! | `connection_lost` | [`connection_lost`](crate::Protocol::connection_lost) | |
//! | `pause_writing` | [`pause_writing`](crate::Protocol::pause_writing) | |
//! | `resume_writing` | [`resume_writing`](crate::Protocol::resume_writing) | |
//! | `BufferedProtocol`, `get_buffer`, `buffer_updated` | never: `data_received` is lent the bytes where the reactor has them | |
//! | `DatagramProtocol` | [`DatagramProtocol`](crate::DatagramProtocol) | |
//! | `datagram_received` | [`datagram_received`](crate::DatagramProtocol::datagram_received) | |
//! | `error_received` | [`error_received`](crate::DatagramProtocol::error_received) | |
//! | `SubprocessProtocol` | [`ProcessProtocol`](crate::ProcessProtocol) | [`processes`](super::processes) |
//! | `pipe_data_received` | [`child_data_received`](crate::ProcessProtocol::child_data_received) | |
//! | `pipe_connection_lost` | [`child_connection_lost`](crate::ProcessProtocol::child_connection_lost) | |
//! | `process_exited` | [`process_exited`](crate::ProcessProtocol::process_exited) | `connection_lost` is [`process_ended`](crate::ProcessProtocol::process_ended) |
//!
//! ## Transports
//! | asyncio | here | |
//! |---|---|---|
//! | `Transport`, `BaseTransport`, `ReadTransport`, `WriteTransport` | [`Transport`](crate::Transport) | untyped: [`Connection`](crate::Connection) |
//! | `write` | [`write`](crate::Connection::write) | |
//! | `writelines` | [`write_parts`](crate::Connection::write_parts) | |
//! | `write_eof` | [`close_write`](crate::Connection::close_write) | |
//! | `can_write_eof` | never: every stream can | |
//! | `close` | [`close`](crate::Connection::close) | |
//! | `abort` | [`abort`](crate::Connection::abort) | |
//! | `is_closing` | [`is_open`](crate::Connection::is_open) | its opposite |
//! | `get_extra_info` | [`peer`](crate::Connection::peer) | |
//! | `pause_reading` | [`pause_reading`](crate::Transport::pause_reading) | |
//! | `resume_reading` | [`resume_reading`](crate::Transport::resume_reading) | |
//! | `is_reading` | [`wants_input`](crate::Connection::wants_input) | |
//! | `get_write_buffer_size` | [`buffered`](crate::Connection::buffered) | |
//! | `set_write_buffer_limits` | [`set_write_limits`](crate::Connection::set_write_limits) | |
//! | `get_write_buffer_limits` | [`Limits`](crate::Limits) | those in force at the start |
//! | `set_protocol` | [`switch`](crate::Transport::switch) | the new one is told, and gets the rest |
//! | `get_protocol` | never: a protocol is reached by [`Transport::call`](crate::Transport::call), when nobody else is in it | |
//! | `DatagramTransport` | [`DatagramTransport`](crate::DatagramTransport) | |
//! | `sendto` | [`send_to`](crate::DatagramPort::send_to), [`write`](crate::DatagramPort::write) | the second when connected |
//! | `SubprocessTransport` | [`Process`](crate::Process) | |
//! | `get_pid` | [`pid`](crate::Process::pid) | |
//! | `get_returncode` | [`status`](crate::Process::status) | |
//! | `get_pipe_transport` | [`write_to_child`](crate::Process::write_to_child), [`pipe`](crate::Process::pipe) | |
//! | `send_signal` | [`signal_process`](crate::Process::signal_process) | |
//! | `terminate` | [`terminate`](crate::Process::terminate) | |
//! | `kill` | [`kill`](crate::Process::kill) | |
//!
//! ## The loop
//! | asyncio | here | |
//! |---|---|---|
//! | `AbstractEventLoop`, `EventLoop` | [`Reactor`](crate::Reactor), [`Net`](crate::Net) | what runs, what programs use |
//! | `get_running_loop`, `get_event_loop`, `set_event_loop` | [a `Net` is passed](super::differences#coming-from-asyncio) | |
//! | `new_event_loop` | [`new`](crate::Reactor::new) | |
//! | `run_forever` | [`run`](crate::Reactor::run) | |
//! | `run_until_complete` | [`run_until`](crate::Reactor::run_until) | |
//! | `stop` | [`stop`](crate::Net::stop) | [closes everything](super::differences#coming-from-asyncio) |
//! | `loop.close`, `is_closed`, `is_running` | [a value](super::differences#a-reactor-is-a-value-and-can-be-run-again) | it is closed when it is dropped |
//! | `call_soon` | [`Transport::call`](crate::Transport::call) | |
//! | `call_soon_threadsafe` | [`Remote::post`](crate::Remote::post) | |
//! | `call_later`, `call_at` | [`Net::call_later`](crate::Net::call_later), [`Transport::call_later`](crate::Transport::call_later) | |
//! | `time` | [`now`](crate::Net::now) | of this turn |
//! | `TimerHandle`, `Handle` | [`Timer`](crate::Timer) | |
//! | `Handle.cancel` | [`cancel`](crate::Timer::cancel) | |
//! | `Handle.cancelled` | [`is_active`](crate::Timer::is_active) | its opposite |
//! | `TimerHandle.when` | never: a handle knows whether, not when; keep the [`Time`](crate::Time) | |
//! | `create_server` | [`listen`](crate::Net::listen) | |
//! | `create_connection` | [`connect`](crate::Net::connect) | |
//! | `Server`, `AbstractServer` | [`Listener`](crate::Listener) | |
//! | `Server.close`, `Server.wait_closed` | [`close`](crate::Listener::close) | [closed when it returns](super::differences#a-listener-is-closed-when-close-returns) |
//! | `Server.is_serving` | [`is_open`](crate::Listener::is_open) | |
//! | `Server.sockets` | [`address`](crate::Listener::address) | |
//! | `start_serving`, `serve_forever` | [`listen`](crate::Net::listen) | it serves from the start |
//! | `start_tls` | [`start_tls`](crate::tls::TlsExt::start_tls) | [`tls`](super::tls) |
//! | `add_signal_handler`, `remove_signal_handler` | [`on_signal`](crate::Net::on_signal), [`SignalWatch::remove`](crate::SignalWatch::remove) | several may hear one; for a stop there is [`stop_on_signals`](crate::Reactor::stop_on_signals) |
//! | `add_reader` | [`add_reader`](crate::Watcher::add_reader) | [of a duplicate](super::differences#descriptors-of-others-are-duplicated) |
//! | `add_writer` | [`add_writer`](crate::Watcher::add_writer) | |
//! | `remove_reader`, `remove_writer` | [`remove`](crate::Watch::remove) | or drop the `Watch` |
//! | `set_exception_handler`, `get_exception_handler`, `call_exception_handler`, `default_exception_handler` | [`set_sink`](crate::deferred::report::set_sink) | for Deferreds; panics of callbacks go to the log |
//! | `set_debug`, `get_debug` | never: where a Deferred or a timer was made is always known | |
//! | `slow_callback_duration` | [`Limits::slow_callback`](crate::Limits) | off unless set; names the callback |
//! | `create_datagram_endpoint` | [`bind`](crate::Net::bind), [`bind_with`](crate::Net::bind_with) | |
//! | `create_unix_server` | [`UnixListen`](crate::UnixListen) | an address for `listen`; [a dead one is replaced if you say so](super::differences#a-dead-socket-is-found-out-by-asking-it) |
//! | `create_unix_connection` | [`UnixAddress`](crate::UnixAddress) | an address for `connect` |
//! | `connect_accepted_socket` | [`Adopted`](crate::Adopted) | an address for `connect` |
//! | `connect_read_pipe`, `connect_write_pipe` | [`Adopted::pipes`](crate::Adopted::pipes), [`Stdio`](crate::Stdio) | one connection for both |
//! | `subprocess_exec`, `subprocess_shell` | [`spawn_process`](crate::Net::spawn_process) | [`Command::shell`](crate::Command::shell) |
//! | `run_in_executor` | [`defer_to_thread`](crate::Net::defer_to_thread), [`Executor`](crate::threads::Executor) | |
//! | `set_default_executor`, `shutdown_default_executor` | never: each reactor has a pool of its own, which ends with it | |
//! | `getaddrinfo` | [`resolve`](crate::Net::resolve) | |
//! | `getnameinfo` | never: what an address is called is nobody's proof | |
//! | `happy_eyeballs_delay` | [`attempt_delay`](crate::Endpoint::attempt_delay) | on by default |
//! | `interleave` | [`connect`](crate::Net::connect) | the families by turns, always |
//! | `local_addr` | [`bind`](crate::Endpoint::bind) | |
//! | `sendfile` | [`FileSender`](crate::wire::FileSender) | copies through the process |
//! | `sock_recv`, `sock_recv_into`, `sock_recvfrom`, `sock_recvfrom_into`, `sock_sendall`, `sock_sendto`, `sock_connect`, `sock_accept`, `sock_sendfile` | never: bytes come to protocols | |
//! | `create_task`, `ensure_future` | [`spawn`](crate::futures::spawn) | [what a task is](super::coroutines) |
//! | `set_task_factory`, `get_task_factory`, `shutdown_asyncgens` | never: tasks are of one kind, and what they hold is dropped with them | |
//!
//! ## Futures and streams
//! | asyncio | here | |
//! |---|---|---|
//! | `Future`, `create_future` | [`Deferred`](crate::Deferred) | |
//! | `set_result` | [`resolve`](crate::Resolver::resolve) | |
//! | `set_exception` | [`reject`](crate::Resolver::reject) | |
//! | `InvalidStateError` | [`Resolver`](crate::Resolver) | is used up |
//! | `add_done_callback` | [`finish`](crate::Deferred::finish) | or [`Transport::then`](crate::Transport::then) |
//! | `remove_done_callback` | [`canceller`](crate::Deferred::canceller) | |
//! | `result`, `Future.exception` | [`try_take`](crate::Deferred::try_take) | |
//! | `done` | [`is_settled`](crate::Deferred::is_settled) | |
//! | `Future.cancel` | [`cancel`](crate::Deferred::cancel) | |
//! | `Future.cancelled` | [`is_cancelled`](crate::Failure::is_cancelled), [`Resolver::is_cancelled`](crate::Resolver::is_cancelled) | for who waits, for who works |
//! | `get_loop` | never: a Deferred belongs to its thread, not to a loop | |
//! | `CancelledError` | [`Failure`](crate::Failure) | |
//! | `StreamWriter.drain` | [`flushed`](crate::Connection::flushed) | |
//! | `StreamWriter.wait_closed` | [`closed`](crate::Connection::closed) | |
//! | `StreamReader` | [`StreamReader`](crate::futures::StreamReader) | |
//! | `StreamReader.at_eof` | [`is_at_end`](crate::futures::StreamReader::is_at_end) | |
//! | `readexactly` | [`read_exactly`](crate::futures::StreamReader::read_exactly) | loses nothing when cancelled |
//! | `readuntil` | [`read_until`](crate::futures::StreamReader::read_until) | |
//! | `readline` | [`read_line`](crate::futures::StreamReader::read_line) | |
//! | `IncompleteReadError`, `LimitOverrunError` | [`ReadError`](crate::futures::ReadError) | |
//! | `StreamWriter` | [`StreamWriter`](crate::futures::StreamWriter) | dropping it closes |
//! | `open_connection` | [`open_connection`](crate::futures::open_connection) | |
//! | `start_server` | [`start_server`](crate::futures::start_server) | |
//! | `Task` | [`Task`](crate::futures::Task) | |
//! | `Task.cancel` | [`cancel`](crate::futures::Task::cancel) | drops it at its await point |
//! | `Task.uncancel`, `Task.cancelling` | never: a cancelled future is dropped, so there is nothing to take back | |
//! | `all_tasks` | [`task_count`](crate::futures::task_count) | |
//! | `current_task` | never: a task has no handle of itself | |
//! | `sleep` | [`sleep`](crate::futures::sleep) | |
//! | `gather` | [`gather`](crate::futures::gather) | the first error cancels the others |
//! | `wait` | [`wait`](crate::futures::wait) | |
//! | `FIRST_COMPLETED` | [`FirstCompleted`](crate::futures::FirstCompleted) | |
//! | `FIRST_EXCEPTION` | [`FirstException`](crate::futures::FirstException) | |
//! | `ALL_COMPLETED` | [`AllCompleted`](crate::futures::AllCompleted) | |
//! | `wait_for`, `timeout`, `timeout_at` | [`timeout`](crate::futures::timeout) | |
//! | `as_completed` | [`as_completed`](crate::futures::as_completed) | |
//! | `shield` | [`shield`](crate::futures::shield) | |
//! | `TaskGroup` | [`task_group`](crate::futures::task_group) | |
//! | `wrap_future` | [`wrap`](crate::futures::asyncio::Future::wrap) | |
//! | `Lock` | [`Lock`](crate::futures::sync::Lock) | |
//! | `Event` | [`Event`](crate::futures::sync::Event) | |
//! | `Condition` | [`Condition`](crate::futures::sync::Condition) | |
//! | `Semaphore` | [`Semaphore`](crate::futures::sync::Semaphore) | |
//! | `BoundedSemaphore` | [`BoundedSemaphore`](crate::futures::sync::BoundedSemaphore) | |
//! | `Barrier`, `BrokenBarrierError` | [`Barrier`](crate::futures::sync::Barrier), [`BrokenBarrier`](crate::futures::sync::BrokenBarrier) | |
//! | `Queue` | [`Queue`](crate::futures::sync::Queue) | |
//! | `LifoQueue` | [`LifoQueue`](crate::futures::sync::LifoQueue) | |
//! | `PriorityQueue` | [`PriorityQueue`](crate::futures::sync::PriorityQueue) | |
//! | `QueueEmpty` | [`GetError`](crate::futures::sync::GetError) | |
//! | `QueueFull` | [`PutError`](crate::futures::sync::PutError) | |
//! | `QueueShutDown` | [`ShutDown`](crate::futures::sync::ShutDown) | |
//! | `to_thread` | [`defer_to_thread`](crate::Net::defer_to_thread) | |
