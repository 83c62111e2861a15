//! Two ends of TLS, and the test as the wire between them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::OnceLock;

use torsade_core::{Disconnect, Protocol, Transport};
use torsade_testing::StringTransport;
use torsade_tls::throw_away::Authority;
use torsade_tls::{TlsClient, TlsClientBuilder, TlsEnd, TlsServer, TlsServerBuilder, TlsVersion};

pub(crate) const VERSIONS: [TlsVersion; 2] = [TlsVersion::Tls12, TlsVersion::Tls13];

/// Whom the ends of most tests trust. Keys take time to make.
pub(crate) fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new("Test"))
}

/// A server for `localhost`, to be changed.
pub(crate) fn server() -> TlsServerBuilder {
    static IDENTITY: OnceLock<torsade_tls::Identity> = OnceLock::new();
    let identity =
        IDENTITY.get_or_init(|| authority().issue(["localhost", "127.0.0.1"]).identity());
    TlsServer::builder().identity(identity.clone())
}

/// A client that trusts it, to be changed.
pub(crate) fn client() -> TlsClientBuilder {
    TlsClient::builder().roots(&authority().roots())
}

/// What a [`Talker`] was told; readable when it is gone.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<(Vec<String>, Vec<u8>)>>);

impl Log {
    fn note(&self, what: &str) {
        self.0.borrow_mut().0.push(what.to_owned());
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.0.borrow().0.clone()
    }

    /// What was received since this was last asked.
    pub(crate) fn received(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.borrow_mut().1)
    }
}

/// A protocol that notes what it is told, and answers what starts with `?`.
pub(crate) struct Talker(pub(crate) Log);

impl Protocol for Talker {
    fn connection_made(&mut self, _: &Transport<Self>) {
        self.0.note("made");
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.0.0.borrow_mut().1.extend_from_slice(data);
        if let Some(question) = data.strip_prefix(b"?") {
            transport.write_parts(&[b"!", question]);
        }
    }

    fn eof_received(&mut self, _: &Transport<Self>) {
        self.0.note("eof");
    }

    fn pause_writing(&mut self, _: &Transport<Self>) {
        self.0.note("pause");
    }

    fn resume_writing(&mut self, _: &Transport<Self>) {
        self.0.note("resume");
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.0.note(&reason.to_string());
    }
}

/// A client and a server.
pub(crate) struct Pair {
    pub(crate) client: StringTransport<Talker>,
    pub(crate) server: StringTransport<Talker>,
    pub(crate) at_client: Log,
    pub(crate) at_server: Log,
    /// What passed so far, by who sent it.
    pub(crate) from_client: Vec<u8>,
    pub(crate) from_server: Vec<u8>,
    /// At most so many bytes at once.
    pub(crate) segment: usize,
}

impl Pair {
    pub(crate) fn new(client: TlsClientBuilder, server: TlsServerBuilder) -> Self {
        Self::of(&client.build().unwrap(), &server.build().unwrap())
    }

    pub(crate) fn of(client: &TlsClient, server: &TlsServer) -> Self {
        Self::to("localhost", client, server)
    }

    pub(crate) fn to(name: &str, client: &TlsClient, server: &TlsServer) -> Self {
        let client = client.to(name).unwrap();
        let server = server.clone();
        let [at_client, at_server] = [Log::default(), Log::default()];
        Self {
            client: StringTransport::builder()
                .filter(move |_| client.tls_filter())
                .connect(Talker(at_client.clone())),
            server: StringTransport::builder()
                .filter(move |_| server.tls_filter())
                .serve(Talker(at_server.clone())),
            at_client,
            at_server,
            from_client: Vec::new(),
            from_server: Vec::new(),
            segment: usize::MAX,
        }
    }

    /// Like [`new`](Self::new), and shake hands.
    pub(crate) fn shaken(client: TlsClientBuilder, server: TlsServerBuilder) -> Self {
        let mut pair = Self::new(client, server);
        pair.run();
        pair.expect_open();
        pair
    }

    /// Carry bytes until there are none, and an end to the other side.
    pub(crate) fn run(&mut self) {
        loop {
            let there = self.client.take_sent();
            let back = self.server.take_sent();
            if there.is_empty() && back.is_empty() {
                break;
            }
            for piece in there.chunks(self.segment) {
                self.server.feed(piece);
            }
            for piece in back.chunks(self.segment) {
                self.client.feed(piece);
            }
            self.from_client.extend(there);
            self.from_server.extend(back);
        }
    }

    #[track_caller]
    pub(crate) fn expect_open(&self) {
        assert_eq!((self.client.lost(), self.server.lost()), (None, None));
        assert_eq!(self.at_client.notes(), ["made"]);
        assert_eq!(self.at_server.notes(), ["made"]);
    }

    /// Both sides are heard by the other.
    #[track_caller]
    pub(crate) fn expect_talk(&mut self) {
        self.client.connection().write("?there");
        self.run();
        self.server.connection().write("?back");
        self.run();
        assert_eq!(self.at_server.received(), b"?there!back");
        assert_eq!(self.at_client.received(), b"!there?back");
    }

    /// Why both ends lost a connection whose handshake failed.
    #[track_caller]
    pub(crate) fn reasons(&mut self) -> [String; 2] {
        self.run();
        if self.client.lost().is_none() {
            self.client.end();
        }
        if self.server.lost().is_none() {
            self.server.end();
        }
        if self.at_client.notes().is_empty() {
            // The one who wanted to connect is told; here that is nobody.
            self.client.expect_unhandled("cannot connect");
        }
        let reasons = [self.client.lost(), self.server.lost()];
        reasons.map(|reason| reason.unwrap().to_string())
    }
}
