//! What became of every name of Twisted's networking core.
//!
//! A page to look things up on; how whole programs look in both is in
//! [`coming_from_twisted`](super::coming_from_twisted). Items that are linked here are found by
//! their old names in the search box, too: a test compares these tables with the aliases of the
//! documentation. Where there is no such item, a heading is linked that says what to do instead;
//! *later* is not there yet, and *never* says why not.
//!
//! # Protocols and factories
//! | Twisted | here | |
//! |---|---|---|
//! | `IProtocol`, `Protocol` | [`Protocol`](crate::Protocol) | |
//! | `makeConnection`, `connectionMade` | [`connection_made`](crate::Protocol::connection_made) | |
//! | `dataReceived` | [`data_received`](crate::Protocol::data_received) | |
//! | `connectionLost`, `clientConnectionLost` | [`connection_lost`](crate::Protocol::connection_lost) | others await [`closed`](crate::Connection::closed) |
//! | `Protocol.transport` | [an argument](super::differences#the-transport-is-an-argument) | |
//! | `Protocol.factory` | [captured](super::differences#a-factory-belongs-to-one-listener) | |
//! | `Protocol.connected` | [`is_open`](crate::Connection::is_open) | false from the close on |
//! | `Factory`, `ServerFactory`, `IProtocolFactory` | [`Factory`](crate::Factory) | usually a closure |
//! | `buildProtocol` | [`build`](crate::Factory::build) | |
//! | `forProtocol` | [`factory`](crate::factory()) | |
//! | `startFactory`, `doStart` | [`started`](crate::Factory::started) | once |
//! | `stopFactory`, `doStop` | [`stopped`](crate::Factory::stopped) | once |
//! | `ClientFactory`, `ClientCreator` | [`connect`](crate::Net::connect) | takes a protocol |
//! | `startedConnecting` | [a Deferred](super::differences#an-attempt-to-connect-is-a-deferred) | call it before `connect` |
//! | `clientConnectionFailed` | [`ConnectError`](crate::ConnectError) | |
//! | `IConnector`, `IConnector.stopConnecting`, `NotConnectingError` | [a Deferred](super::differences#an-attempt-to-connect-is-a-deferred) | |
//! | `IConnector.connect`, `IConnector.disconnect`, `IConnector.getDestination` | [connect again](super::differences#a-client-has-no-factory) | |
//! | `ReconnectingClientFactory`, `resetDelay`, `stopTrying` | [`ClientService`](crate::service::ClientService) | `resetDelay`: [`steady_after`](crate::service::ClientService::steady_after) |
//! | `DatagramProtocol` | [`DatagramProtocol`](crate::DatagramProtocol) | |
//! | `startProtocol` | [`started`](crate::DatagramProtocol::started) | |
//! | `stopProtocol` | [`stopped`](crate::DatagramProtocol::stopped) | |
//! | `datagramReceived` | [`datagram_received`](crate::DatagramProtocol::datagram_received) | |
//! | `connectionRefused` | [`error_received`](crate::DatagramProtocol::error_received) | [every error](super::differences#every-error-of-a-datagram-is-told) |
//! | `IProcessProtocol`, `ProcessProtocol` | [`ProcessProtocol`](crate::ProcessProtocol) | [`processes`](super::processes) |
//! | `outReceived` | [`out_received`](crate::ProcessProtocol::out_received) | |
//! | `errReceived` | [`err_received`](crate::ProcessProtocol::err_received) | |
//! | `childDataReceived` | [`child_data_received`](crate::ProcessProtocol::child_data_received) | |
//! | `inConnectionLost` | [`in_connection_lost`](crate::ProcessProtocol::in_connection_lost) | |
//! | `outConnectionLost` | [`out_connection_lost`](crate::ProcessProtocol::out_connection_lost) | |
//! | `errConnectionLost` | [`err_connection_lost`](crate::ProcessProtocol::err_connection_lost) | |
//! | `childConnectionLost` | [`child_connection_lost`](crate::ProcessProtocol::child_connection_lost) | |
//! | `processExited` | [`process_exited`](crate::ProcessProtocol::process_exited) | |
//! | `processEnded` | [`process_ended`](crate::ProcessProtocol::process_ended) | [a grandchild does not put it off](super::differences#the-end-of-a-process-waits-for-nobody-who-is-silent) |
//! | `IReactorProcess`, `spawnProcess` | [`spawn_process`](crate::Net::spawn_process) | [the environment is inherited](super::differences#a-process-inherits-the-environment) |
//! | `childFDs` | [`descriptor`](crate::Command::descriptor) | |
//! | `usePTY` | [`terminal`](crate::Command::terminal) | |
//! | `IProcessTransport` | [`Process`](crate::Process) | |
//! | `writeToChild` | [`write_to_child`](crate::Process::write_to_child) | |
//! | `closeStdin` | [`close_stdin`](crate::Process::close_stdin) | |
//! | `closeStdout` | [`close_stdout`](crate::Process::close_stdout) | |
//! | `closeStderr` | [`close_stderr`](crate::Process::close_stderr) | |
//! | `closeChildFD` | [`close_child_fd`](crate::Process::close_child_fd) | |
//! | `signalProcess` | [`signal_process`](crate::Process::signal_process) | |
//! | `ProcessExitedAlready` | [`Exited`](crate::SignalError::Exited) | |
//! | `ProcessDone`, `ProcessTerminated` | [`ExitStatus`](crate::ExitStatus) | |
//! | `getProcessOutput` | [`get_process_output`](crate::Net::get_process_output) | bounded in size and time |
//! | `getProcessOutputAndValue`, `getProcessValue` | [`get_process_output_and_value`](crate::Net::get_process_output_and_value) | |
//! | `ProcessEndpoint`, `StandardErrorBehavior` | [`ProcessClientEndpoint`](crate::service::ProcessClientEndpoint) | or a [`Command`](crate::Command) itself |
//! | `IHalfCloseableProtocol`, `readConnectionLost` | [`eof_received`](crate::Protocol::eof_received) | |
//! | `writeConnectionLost` | [`flushed`](crate::Connection::flushed) | [whoever asks](super::differences#a-half-close-tells-whoever-asks) |
//! | `IHandshakeListener`, `handshakeCompleted` | [`filters_ready`](crate::Connection::filters_ready) | of `start_tls`; else `connection_made` comes after the handshake |
//! | `IFileDescriptorReceiver`, `fileDescriptorReceived` | [`take_descriptors`](crate::Connection::take_descriptors) | [pulled](super::differences#descriptors-are-pulled), by who said [`receive_descriptors`](crate::Connection::receive_descriptors) |
//! | `ILoggingContext`, `logPrefix` | [`id`](crate::Connection::id) | names a connection in logs |
//! | `ProtocolToConsumerAdapter`, `ConsumerToProtocolAdapter` | never: what consumes is a protocol or has a [`Connection`](crate::Connection) to write to | |
//! | `FileWrapper` | never: [`testing`](super::testing) has transports that close and pause as sockets do | |
//! | `IProtocolNegotiationFactory`, `acceptableProtocols` | [`alpn`](crate::tls::TlsServerBuilder::alpn), [`connection_factory`](crate::connection_factory()) | what is offered, and who answers |
//!
//! # Transports
//! | Twisted | here | |
//! |---|---|---|
//! | `ITransport` | [`Transport`](crate::Transport) | untyped: [`Connection`](crate::Connection) |
//! | `write` | [`write`](crate::Connection::write) | |
//! | `writeSequence` | [`write_parts`](crate::Connection::write_parts) | |
//! | `loseConnection` | [`close`](crate::Connection::close) | [nothing is written after it](super::differences#nothing-is-written-after-the-close) |
//! | `abortConnection` | [`abort`](crate::Connection::abort) | |
//! | `getPeer`, `getHost` | [`peer`](crate::Connection::peer) | both addresses |
//! | `loseWriteConnection` | [`close_write`](crate::Connection::close_write) | |
//! | `registerProducer` | [`wants_output`](crate::Connection::wants_output), [`register_producer`](crate::wire::Consumer::register_producer) | [producers are loops](super::differences#producers-are-loops), those of ports may stay objects |
//! | `IConsumer` | [`Consumer`](crate::wire::Consumer) | |
//! | `IPushProducer` | [`PushProducer`](crate::wire::PushProducer) | |
//! | `IPullProducer` | [`PullProducer`](crate::wire::PullProducer) | |
//! | `unregisterProducer` | [`unregister_producer`](crate::wire::Consumer::unregister_producer) | |
//! | `pauseProducing` | [`pause_reading`](crate::Transport::pause_reading), [`pause_writing`](crate::Protocol::pause_writing) | of a transport, of a producer |
//! | `resumeProducing` | [`resume_reading`](crate::Transport::resume_reading), [`resume_writing`](crate::Protocol::resume_writing) | |
//! | `stopProducing`, `stopConsuming` | [`close`](crate::Connection::close), [`stop_producing`](crate::wire::PushProducer::stop_producing) | of a transport, of a producer |
//! | `setTcpNoDelay`, `getTcpNoDelay` | never: it is on, and what a callback writes leaves together | |
//! | `setTcpKeepAlive`, `getTcpKeepAlive`, `getHandle` | later: options of sockets | |
//! | `SEND_LIMIT`, `bufferSize` | [`Limits`](crate::Limits) | for each turn |
//! | `startTLS` | [`start_tls`](crate::tls::TlsExt::start_tls) | [`tls`](super::tls) |
//! | `negotiatedProtocol`, `getPeerCertificate` | [`TlsInfo`](crate::tls::TlsInfo) | [`tls`](crate::tls::TlsExt::tls) of a connection gives it |
//! | `optionsForClientTLS` | [`TlsClient`](crate::tls::TlsClient) | |
//! | `CertificateOptions`, `PrivateCertificate` | [`TlsServer`](crate::tls::TlsServer), [`Identity`](crate::tls::Identity) | |
//! | `trustRoot`, `platformTrust`, `trustRootFromCertificates` | [`Roots`](crate::tls::Roots) | |
//! | `listenSSL`, `connectSSL`, `wrapClientTLS`, `wrapServerTLS` | [`TlsServer::endpoint`](crate::tls::TlsServer::endpoint), [`TlsClient::endpoint`](crate::tls::TlsClient::endpoint) | an endpoint for `listen` and `connect` |
//! | `ConnectionDone`, `ConnectionLost`, `ConnectionAborted` | [`Disconnect`](crate::Disconnect) | [by blame](super::differences#reasons-say-who-is-to-blame) |
//!
//! # The reactor
//! | Twisted | here | |
//! |---|---|---|
//! | `reactor` | [`Net`](crate::Net), [`Reactor`](crate::Reactor) | what programs use, what runs them |
//! | `run`, `ReactorAlreadyRunning`, `ReactorNotRestartable` | [`run`](crate::Reactor::run) | again and again |
//! | `stop` | [`Net::stop`](crate::Net::stop), [`Reactor::stop`](crate::Reactor::stop) | |
//! | `ReactorNotRunning` | [a stop before the run](super::differences#a-reactor-is-a-value-and-can-be-run-again) | is carried out by the next run |
//! | `crash` | [`run_until`](crate::Reactor::run_until) | ends the run and no connection |
//! | `iterate` | [`turn`](crate::Reactor::turn) | |
//! | `reactor.running` | never: who runs it knows | |
//! | `callWhenRunning` | [before `run`](super::differences#a-reactor-is-a-value-and-can-be-run-again) | `listen`, `connect`, `call_later` work at once |
//! | `addSystemEventTrigger` | [`before_stop`](crate::Net::before_stop) | [three steps](super::differences#three-steps-of-a-stop) |
//! | `removeSystemEventTrigger`, `fireSystemEvent` | never: a hook that has nothing to do returns at once | |
//! | `IReactorFDSet` | [`Watcher`](crate::Watcher) | [of a duplicate](super::differences#descriptors-of-others-are-duplicated) |
//! | `addReader`, `doRead` | [`add_reader`](crate::Watcher::add_reader) | |
//! | `addWriter`, `doWrite` | [`add_writer`](crate::Watcher::add_writer) | |
//! | `removeReader`, `removeWriter` | [`remove`](crate::Watch::remove) | or drop the `Watch` |
//! | `getReaders`, `getWriters`, `removeAll` | never: who has a descriptor watched holds the `Watch` | |
//! | `installSignalHandlers` | [`stop_on_signals`](crate::Reactor::stop_on_signals) | |
//! | `installReactor` | [`builder`](crate::Reactor::builder) | a reactor is a value |
//! | `IReactorDaemonize`, `IReactorWin32Events` | never: daemons are the system's business, and events are its completion ports | |
//!
//! # Time
//! | Twisted | here | |
//! |---|---|---|
//! | `callLater` | [`Net::call_later`](crate::Net::call_later), [`Transport::call_later`](crate::Transport::call_later) | the latter ends with its connection |
//! | `DelayedCall`, `IDelayedCall` | [`Timer`](crate::Timer) | |
//! | `DelayedCall.cancel`, `AlreadyCalled`, `AlreadyCancelled` | [`cancel`](crate::Timer::cancel) | [too late is false](super::differences#too-late-is-false) |
//! | `DelayedCall.reset` | [`reset`](crate::Timer::reset) | |
//! | `DelayedCall.delay` | [`delay`](crate::Timer::delay) | |
//! | `DelayedCall.active` | [`is_active`](crate::Timer::is_active) | |
//! | `getTime` | never: a handle knows whether, not when; keep the [`Time`](crate::Time) | |
//! | `seconds` | [`now`](crate::Net::now) | of this turn |
//! | `getDelayedCalls` | [`free_timers`](crate::Net::free_timers) | where they were set |
//! | `LoopingCall` | [`LoopingCall`](crate::LoopingCall) | |
//! | `LoopingCall.start`, `LoopingCall.withCount` | [`start`](crate::LoopingCall::start) | or [`start_later`](crate::LoopingCall::start_later) |
//! | `LoopingCall.stop` | [`stop`](crate::LoopingCall::stop) | |
//! | `LoopingCall.reset` | [`reset`](crate::LoopingCall::reset) | |
//! | `LoopingCall.running` | [`is_running`](crate::LoopingCall::is_running) | |
//! | `deferLater` | [`defer_later`](crate::Net::defer_later) | or [`sleep`](crate::Net::sleep) and `map` |
//! | `react` | [`react`](crate::service::react) | [`main` returns its code](super::differences#a-programs-end-is-its-mains) |
//! | `Cooperator`, `cooperate`, `coiterate` | [`Cooperator`](crate::Cooperator), [`coiterate`](crate::Cooperator::coiterate) | |
//! | `CooperativeTask`, `TaskStopped`, `TaskDone`, `TaskFailed` | [`CooperativeTask`](crate::CooperativeTask) | its Deferred says how it ended |
//! | `SchedulerStopped` | [`Cooperator::stop`](crate::Cooperator::stop) | works end `Cancelled` |
//!
//! # Endpoints and services
//! | Twisted | here | |
//! |---|---|---|
//! | `serverFromString`, `IStreamServerEndpointStringParser` | [`server`](crate::service::server), [`Endpoints`](crate::service::Endpoints) | [strict](super::differences#endpoint-strings-are-strict) |
//! | `clientFromString`, `IStreamClientEndpointStringParserWithReactor` | [`client`](crate::service::client), [`Endpoints`](crate::service::Endpoints) | [strict](super::differences#endpoint-strings-are-strict) |
//! | `quoteStringArgument` | [`quote`](crate::service::quote) | |
//! | `IStreamServerEndpoint`, `IStreamClientEndpoint` | [`Endpoint`](crate::Endpoint) | [a place](super::differences#endpoints-are-places) |
//! | `TCP4ServerEndpoint`, `TCP6ServerEndpoint` | [`TcpServerEndpoint`](crate::service::TcpServerEndpoint) | |
//! | `TCP4ClientEndpoint`, `TCP6ClientEndpoint` | [`TcpClientEndpoint`](crate::service::TcpClientEndpoint) | or text like `"example.org:80"` |
//! | `UNIXServerEndpoint` | [`UnixServerEndpoint`](crate::service::UnixServerEndpoint) | |
//! | `UNIXClientEndpoint` | [`UnixClientEndpoint`](crate::service::UnixClientEndpoint) | |
//! | `StandardIO`, `StandardIOEndpoint` | [`Stdio`](crate::Stdio) | [modes stay](super::differences#standard-streams-keep-their-mode) |
//! | `HAProxyServerEndpoint`, `HAProxyWrappingFactory`, `proxyEndpoint` | [`ProxyProtocol`](crate::service::ProxyProtocol) | |
//! | `IService`, `startService`, `stopService`, `privilegedStartService` | [`Service`](crate::service::Service) | |
//! | `IServiceCollection` | [`MultiService`](crate::service::MultiService) | |
//! | `addService`, `setServiceParent` | [`add`](crate::service::MultiService::add) | |
//! | `removeService`, `disownServiceParent` | [`remove`](crate::service::MultiService::remove) | |
//! | `setName`, `getServiceNamed` | [`add_named`](crate::service::MultiService::add_named) | keep a clone of the service to ask it things |
//! | `StreamServerEndpointService`, `TCPServer`, `strports` | [`ServerService`](crate::service::ServerService) | drains |
//! | `ClientService` | [`ClientService`](crate::service::ClientService) | [counts otherwise](super::differences#a-client-service-counts-what-was-steady) |
//! | `whenConnected` | [`when_connected`](crate::service::ClientService::when_connected) | |
//! | `failAfterFailures` | [`when_connected_within`](crate::service::ClientService::when_connected_within) | |
//! | `prepareConnection` | [`prepare`](crate::service::ClientService::prepare) | |
//! | `backoffPolicy` | [`Backoff`](crate::service::Backoff) | |
//! | `TimerService`, `CooperatorService` | [`TimerService`](crate::service::TimerService) | |
//! | `twistd`, `tac` | [`run_service`](crate::service::run_service) | a program of its own |
//!
//! # Threads
//! | Twisted | here | |
//! |---|---|---|
//! | `callFromThread` | [`Remote::post`](crate::Remote::post) | an error when the reactor is gone |
//! | `deferToThread`, `callInThread`, `callMultipleInThread` | [`defer_to_thread`](crate::Net::defer_to_thread) | |
//! | `deferToThreadPool` | [`Executor::defer_to_thread`](crate::threads::Executor::defer_to_thread) | |
//! | `suggestThreadPoolSize` | [`Limits`](crate::Limits) | `max_threads` |
//! | `blockingCallFromThread` | [`block_on`](crate::threads::BlockOn::block_on) | with [`BlockOn`](crate::BlockOn) in scope |
//! | `isInIOThread` | [`is_in_reactor_thread`](crate::Remote::is_in_reactor_thread) | |
//! | `Team`, `IWorker` | [`Executor`](crate::threads::Executor) | |
//!
//! # TCP
//! | Twisted | here | |
//! |---|---|---|
//! | `listenTCP` | [`listen`](crate::Net::listen) | |
//! | `CannotListenError` | [`ListenError`](crate::ListenError) | |
//! | `IListeningPort` | [`Listener`](crate::Listener) | |
//! | `stopListening` | [`Listener::close`](crate::Listener::close) | [closed when it returns](super::differences#a-listener-is-closed-when-close-returns) |
//! | `startListening` | [`listen`](super::differences#a-listener-is-closed-when-close-returns) | again |
//! | `IListeningPort.getHost` | [`address`](crate::Listener::address) | |
//! | `connectTCP` | [`connect`](crate::Net::connect) | |
//! | `ConnectBindError`, `ConnectError`, `ConnectionRefusedError`, `TimeoutError` | [`ConnectError`](crate::ConnectError) | |
//! | `DNSLookupError` | [`ResolveError`](crate::ResolveError) | of one [attempt](crate::ConnectError::attempts) |
//! | `ServiceNameUnknownError` | [`EndpointError`](crate::EndpointError) | ports are numbers |
//! | `HostnameEndpoint` | [`Endpoint::host`](crate::Endpoint::host) | [races its addresses](super::differences#a-connect-goes-on-at-once-when-an-address-fails) |
//! | `attemptDelay` | [`attempt_delay`](crate::Endpoint::attempt_delay) | |
//! | `bindAddress` | [`bind`](crate::Endpoint::bind) | |
//! | `IReactorCore.resolve`, `IHostnameResolver.resolveHostName`, `nameResolver` | [`resolve`](crate::Net::resolve) | both families |
//! | `installNameResolver`, `installResolver` | [`set_resolver`](crate::Net::set_resolver) | |
//! | `backlog` | [`Limits::backlog`](crate::Limits::backlog), [`Endpoint::backlog`](crate::Endpoint::backlog) | of all listeners, of one |
//! | `adoptStreamPort`, `adoptStreamConnection` | [`Adopted`](crate::Adopted) | an address for `listen` or `connect`; [not a duplicate](super::differences#an-adopted-socket-is-given-away) |
//! | `makeBinding` | later: an address to connect from | |
//!
//! # Datagrams and multicast
//! | Twisted | here | |
//! |---|---|---|
//! | `listenUDP` | [`bind`](crate::Net::bind) | |
//! | `IUDPTransport` | [`DatagramTransport`](crate::DatagramTransport) | untyped: [`DatagramPort`](crate::DatagramPort) |
//! | `IUDPTransport.write` | [`send_to`](crate::DatagramPort::send_to), [`write`](crate::DatagramPort::write) | the second when connected |
//! | `IUDPTransport.connect` | [`connect`](crate::DatagramPort::connect) | |
//! | `InvalidAddressError` | [a type](super::differences#every-error-of-a-datagram-is-told) | a `SocketAddr` is one |
//! | `MessageLengthError` | [`DatagramError::Unsent`](crate::DatagramError::Unsent) | |
//! | `setBroadcastAllowed` | [`set_broadcast`](crate::DatagramPort::set_broadcast) | |
//! | `adoptDatagramPort` | later: sockets that were opened elsewhere | |
//! | `listenMulticast` | [`bind_with`](crate::Net::bind_with) | |
//! | `joinGroup` | [`join_group`](crate::DatagramPort::join_group) | [at once](super::differences#a-group-is-joined-when-the-call-returns) |
//! | `leaveGroup` | [`leave_group`](crate::DatagramPort::leave_group) | |
//! | `setTTL` | [`set_multicast_ttl`](crate::DatagramPort::set_multicast_ttl) | |
//! | `setLoopbackMode` | [`set_multicast_loopback`](crate::DatagramPort::set_multicast_loopback) | |
//! | `setOutgoingInterface` | [`set_multicast_interface`](crate::DatagramPort::set_multicast_interface) | |
//! | `MulticastJoinError` | [`join_group`](crate::DatagramPort::join_group) | an `io::Error` |
//!
//! # UNIX sockets
//! | Twisted | here | |
//! |---|---|---|
//! | `listenUNIX` | [`UnixListen`](crate::UnixListen) | an address for `listen`, [with its mode](super::differences#the-umask-says-who-may-connect) |
//! | `connectUNIX` | [`UnixAddress`](crate::UnixAddress) | an address for `connect` |
//! | `wantPID`, `checkPID`, `BadFileError` | [`replace_stale`](crate::UnixListen::replace_stale) | [no lock file](super::differences#a-dead-socket-is-found-out-by-asking-it) |
//! | `sendFileDescriptor` | [`write_with_descriptors`](crate::Connection::write_with_descriptors) | with its bytes in one call |
//! | `FileDescriptorOverrun` | [`DescriptorError`](crate::DescriptorError) | [told to who sends](super::differences#descriptors-are-pulled) |
//! | `listenUNIXDatagram`, `connectUNIXDatagram` | [`Net::bind_unix`](crate::Net::bind_unix), then [`DatagramPort::connect`](crate::DatagramPort::connect) | a full queue is waited for, or told; not dropped in silence |
//!
//! # Deferred
//! | Twisted | here | |
//! |---|---|---|
//! | `Deferred` | [`Deferred`](crate::Deferred) | |
//! | `callback` | [`resolve`](crate::Resolver::resolve) | |
//! | `errback` | [`reject`](crate::Resolver::reject) | |
//! | `AlreadyCalledError` | [`Resolver`](crate::Resolver) | is used up: twice does not compile |
//! | `addCallback` | [`map`](crate::Deferred::map), [`and_then`](crate::Deferred::and_then) | to a value, to a Deferred |
//! | `addErrback` | [`or_else`](crate::Deferred::or_else), [`map_err`](crate::Deferred::map_err) | |
//! | `addBoth`, `addCallbacks` | [`finish`](crate::Deferred::finish), [`Transport::then`](crate::Transport::then) | the latter with `&mut self` |
//! | `chainDeferred` | [`settle`](crate::Resolver::settle) | |
//! | `Deferred.cancel` | [`cancel`](crate::Deferred::cancel), [`canceller`](crate::Deferred::canceller) | |
//! | `canceller` | [`on_cancel`](crate::Resolver::on_cancel) | |
//! | `CancelledError` | [`Failure`](crate::Failure) | |
//! | `Deferred.pause`, `Deferred.unpause` | never: return the Deferred to wait for from [`and_then`](crate::Deferred::and_then) | |
//! | `addTimeout` | [`timeout`](crate::Net::timeout) | ends with `Failure::TimedOut` |
//! | `setDebugging`, `logError` | [`report`](crate::deferred::report::Report) | says where it was made and rejected, always |
//! | `succeed` | [`succeed`](crate::Deferred::succeed) | |
//! | `fail` | [`fail`](crate::Deferred::fail) | |
//! | `execute`, `maybeDeferred` | [`attempt`](crate::Deferred::attempt) | or [`settled`](crate::Deferred::settled) |
//! | `asFuture` | [`DeferredFuture`](crate::deferred::DeferredFuture) | what `.await` makes of it |
//! | `fromFuture`, `inlineCallbacks`, `ensureDeferred`, `fromCoroutine` | [`defer`](crate::futures::defer) | [coroutines](super::coroutines) |
//! | `returnValue` | never: a coroutine returns its value | |
//! | `DeferredList`, `gatherResults`, `race` | [`list`](crate::list()), [`gather`](crate::gather()), [`race`](crate::race()) | options: [`Group`](crate::Group) |
//! | `FirstError`, `FailureGroup` | [`FirstError`](crate::deferred::FirstError), [`AllFailed`](crate::deferred::AllFailed) | |
//! | `DeferredLock`, `DeferredSemaphore` | [`DeferredLock`](crate::DeferredLock), [`DeferredSemaphore`](crate::DeferredSemaphore) | a permit's drop releases |
//! | `DeferredQueue`, `QueueOverflow`, `QueueUnderflow` | [`DeferredQueue`](crate::DeferredQueue), [`QueueOverflow`](crate::deferred::QueueOverflow), [`QueueUnderflow`](crate::deferred::QueueUnderflow) | |
//! | `DeferredFilesystemLock` | never: it polls; lock a file with `std`, in a thread | |
//!
//! # Framings
//! | Twisted | here | |
//! |---|---|---|
//! | `LineReceiver`, `LineOnlyReceiver` | [`LineProtocol`](crate::wire::LineProtocol), [`Lines`](crate::wire::Lines) | |
//! | `lineReceived` | [`line_received`](crate::wire::LineProtocol::line_received) | |
//! | `rawDataReceived` | [`raw_data_received`](crate::wire::LineProtocol::raw_data_received) | |
//! | `lineLengthExceeded` | [`line_length_exceeded`](crate::wire::LineProtocol::line_length_exceeded) | |
//! | `delimiter` | [`DELIMITER`](crate::wire::LineProtocol::DELIMITER) | |
//! | `MAX_LENGTH` | [`max_length`](crate::wire::Lines::max_length) | |
//! | `sendLine` | [`send_line`](crate::wire::LineTransport::send_line) | |
//! | `setRawMode` | [`set_raw_mode`](crate::wire::LineTransport::set_raw_mode) | |
//! | `setLineMode` | [`set_line_mode`](crate::wire::LineTransport::set_line_mode) | |
//! | `clearLineBuffer` | never: nothing is buffered in the framing; whoever wants no more lines closes or switches | |
//! | `IntNStringReceiver`, `Int8StringReceiver`, `Int16StringReceiver`, `Int32StringReceiver` | [`MessageProtocol`](crate::wire::MessageProtocol), [`LengthPrefix`](crate::wire::LengthPrefix) | and little-endian |
//! | `NetstringReceiver`, `NetstringParseError` | [`Netstring`](crate::wire::Netstring) | |
//! | `stringReceived` | [`message_received`](crate::wire::MessageProtocol::message_received) | |
//! | `lengthLimitExceeded` | [`limit_exceeded`](crate::wire::MessageProtocol::limit_exceeded) | |
//! | `sendString` | [`send_message`](crate::wire::MessageTransport::send_message) | |
//! | `StringTooLongError` | [`TooLong`](crate::wire::TooLong) | |
//! | `recvd` | [`switch`](crate::Transport::switch) | the rest goes to the next protocol by itself |
//! | `StatefulStringProtocol` | [states in an enum](super::coming_from_twisted#a-chat-with-states) | |
//! | `StatefulProtocol` | [`StatefulProtocol`](crate::wire::StatefulProtocol) | |
//! | `FileSender` | [`FileSender`](crate::wire::FileSender) | or a [loop](super::flow_control#a-producer) |
//! | `beginFileTransfer` | [`begin_file_transfer`](crate::wire::FileSender::begin_file_transfer) | |
//!
//! # Policies
//! | Twisted | here | |
//! |---|---|---|
//! | `ProtocolWrapper`, `WrappingFactory` | [`Wrapper`](crate::Wrapper) | made in the factory's closure |
//! | `TimeoutMixin` | [`IdleTimer`](crate::wire::IdleTimer) | a field of the protocol |
//! | `setTimeout` | [`set_timeout`](crate::wire::IdleTimer::set_timeout) | |
//! | `resetTimeout` | [`reset_timeout`](crate::wire::IdleTimer::reset_timeout) | |
//! | `timeoutConnection` | [`set_timeout_with`](crate::wire::IdleTimer::set_timeout_with) | |
//! | `TimeoutFactory`, `TimeoutProtocol` | [`Timeouts`](crate::wire::Timeouts) | |
//! | `LimitTotalConnectionsFactory`, `LimitConnectionsByPeer` | [`LimitConnections`](crate::wire::LimitConnections) | [`Limits::max_connections`](crate::Limits::max_connections) is of the reactor |
//! | `overflowProtocol` | never: who is too many is closed at once; a factory of your own may say why |
//! | `ThrottlingFactory`, `ThrottlingProtocol`, `ShapedProtocolFactory` | [`Throttle`](crate::wire::Throttle) | |
//! | `TrafficLoggingFactory`, `TrafficLoggingProtocol`, `SpewingFactory`, `SpewingProtocol` | [`TrafficLog`](crate::wire::TrafficLog) | |
//! | `Bucket` | [`Bucket`](crate::wire::Bucket) | shared by its clones |
//! | `HierarchicalBucketFilter` | later: buckets inside buckets | |
//! | `BasicProducerConsumerProxy`, `ProducerConsumerProxy` | [a relay](super::flow_control#a-relay) | |
//!
//! # Tests
//! | Twisted | here | |
//! |---|---|---|
//! | `proto_helpers`, `StringTransport`, `StringTransportWithDisconnection` | [`StringTransport`][testing::StringTransport] | |
//! | `StringTransport.value`, `StringTransport.clear` | [`take_sent`][testing::FarEnd::take_sent] | |
//! | `StringTransport.disconnecting` | [`is_open`](crate::Connection::is_open) | of its `connection()` |
//! | `StringTransport.producerState` | [`is_reading`][testing::FarEnd::is_reading] | |
//! | `AccumulatingProtocol`, `NonStreamingProducer`, `LineSendingProtocol` | never: three lines of the test; [`protocol`](super::testing#state-rooms-and-work-that-comes-later) looks into it | |
//! | `FakeDatagramTransport` | [`FakeDatagrams`][testing::FakeDatagrams] | |
//! | `Clock` | [`Clock`][testing::Clock] | of the thread |
//! | `Clock.advance`, `Clock.pump` | [`advance`][testing::StringTransport::advance] | stops at every timer on the way |
//! | `Clock.callLater` | [`Net::call_later`](crate::Net::call_later) | of the fake's `net()` |
//! | `MemoryReactor`, `MemoryReactorClock` | [`MemoryReactor`][testing::MemoryReactor] | |
//! | `MemoryReactor.tcpServers` | [`listening`][testing::MemoryReactor::listening] | |
//! | `MemoryReactor.tcpClients` | [`pending_connects`][testing::MemoryReactor::pending_connects] | |
//! | `MemoryReactor.hasStopped` | [`has_stopped`][testing::MemoryReactor::has_stopped] | |
//! | `iosim`, `FakeTransport`, `IOPump`, `loopback` | [`Pump`][testing::Pump] | |
//! | `connectedServerAndClient` | [`new`][testing::Pump::new] | |
//! | `IOPump.pump` | [`step`][testing::Pump::step] | |
//! | `IOPump.flush` | [`run`][testing::Pump::run] | |
//! | `ConnectionCompleter`, `connectableEndpoint` | [`PendingConnect`][testing::PendingConnect] | |
//! | `succeedOnce` | [`succeed`][testing::PendingConnect::succeed] | |
//! | `failOnce`, `RaisingMemoryReactor` | [`fail`][testing::PendingConnect::fail] | |
//! | `successResultOf`, `failureResultOf`, `assertNoResult` | [`try_take`](crate::Deferred::try_take) | |
//! | `flushLoggedErrors` | [`expect_unhandled`][testing::StringTransport::expect_unhandled] | |
//! | `DirtyReactorAggregateError` | [`Leaks`][testing::Leaks] | [some of it](super::testing#what-fails-a-test-by-itself) fails by itself |
//! | `ReactorBuilder` | [`conformance`][testing::conformance::Harness] | one suite for every driver |
//!
#![cfg_attr(
    feature = "testing",
    doc = "[testing::Clock]: crate::testing::Clock
[testing::FakeDatagrams]: crate::testing::FakeDatagrams
[testing::Leaks]: crate::testing::Leaks
[testing::MemoryReactor]: crate::testing::MemoryReactor
[testing::MemoryReactor::has_stopped]: crate::testing::MemoryReactor::has_stopped
[testing::MemoryReactor::listening]: crate::testing::MemoryReactor::listening
[testing::MemoryReactor::pending_connects]: crate::testing::MemoryReactor::pending_connects
[testing::PendingConnect]: crate::testing::PendingConnect
[testing::PendingConnect::fail]: crate::testing::PendingConnect::fail
[testing::PendingConnect::succeed]: crate::testing::PendingConnect::succeed
[testing::FarEnd::is_reading]: crate::testing::FarEnd::is_reading
[testing::FarEnd::take_sent]: crate::testing::FarEnd::take_sent
[testing::Pump]: crate::testing::Pump
[testing::Pump::new]: crate::testing::Pump::new
[testing::Pump::run]: crate::testing::Pump::run
[testing::Pump::step]: crate::testing::Pump::step
[testing::StringTransport]: crate::testing::StringTransport
[testing::StringTransport::advance]: crate::testing::StringTransport::advance
[testing::StringTransport::expect_unhandled]: crate::testing::StringTransport::expect_unhandled
[testing::conformance::Harness]: crate::testing::conformance::Harness"
)]
#![cfg_attr(
    not(feature = "testing"),
    doc = "[testing::Clock]: crate#features
[testing::FakeDatagrams]: crate#features
[testing::Leaks]: crate#features
[testing::MemoryReactor]: crate#features
[testing::MemoryReactor::has_stopped]: crate#features
[testing::MemoryReactor::listening]: crate#features
[testing::MemoryReactor::pending_connects]: crate#features
[testing::PendingConnect]: crate#features
[testing::PendingConnect::fail]: crate#features
[testing::PendingConnect::succeed]: crate#features
[testing::FarEnd::is_reading]: crate#features
[testing::FarEnd::take_sent]: crate#features
[testing::Pump]: crate#features
[testing::Pump::new]: crate#features
[testing::Pump::run]: crate#features
[testing::Pump::step]: crate#features
[testing::StringTransport]: crate#features
[testing::StringTransport::advance]: crate#features
[testing::StringTransport::expect_unhandled]: crate#features
[testing::conformance::Harness]: crate#features"
)]
