use std::fmt;
use std::mem;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, ServerConfig};
use torsade_core::{Disconnect, Filter, Sides, TlsFailure, WireEnd};

use crate::certificate::PeerCertificate;
use crate::failure::failure;
use crate::info::{TlsInfo, TlsVersion};
use crate::notes::Notes;
use crate::session::{RECORD, Session};

/// One end of TLS, on one connection: what [`TlsServer`](crate::TlsServer) and
/// [`TlsConnector`](crate::TlsConnector) put between a protocol and the wire.
///
/// Programs seldom name it: [`TlsEnd::tls_filter`](crate::TlsEnd::tls_filter) makes one where a
/// filter is wanted, for a [`StringTransport`] for instance.
///
/// [`StringTransport`]: https://docs.rs/torsade-testing
#[doc(alias = "TLSMemoryBIOProtocol")]
#[doc(alias = "SSLProtocol")]
pub struct TlsFilter {
    stage: Stage,
    /// Input that rustls has begun to look at and wants to see again in its place: a message of the
    /// handshake in several records, which is rare. Else input is left where it came from.
    held: Vec<u8>,
    /// What is known of the peer before the handshake is over.
    seen: Notes,
}

/// How far the filter is.
///
/// ```text
///            start                handshake over                 end
///   New ---------------> Shaking ----------------> Open ------------------> Ending
///                           | end                   ^  |                      |
///                           v       handshake over  |  | the peer's end       | the same
///                         Hasty --------------------+--|--> Ending            v
///                                                      v        end         Over
///                                                    Deaf -----------------> Over
/// ```
enum Stage {
    /// Not in its place yet.
    New(Role),
    Shaking(Session),
    /// The same; our side is to end as soon as that can be said.
    Hasty(Session),
    Open(Session),
    /// Our side has ended.
    Ending(Session),
    /// The peer's side has ended.
    Deaf(Session),
    /// Both have, or something went wrong.
    Over,
}

pub(crate) enum Role {
    Client(Arc<ClientConfig>, ServerName<'static>),
    Server(Arc<ServerConfig>),
}

impl TlsFilter {
    pub(crate) fn new(role: Role) -> Self {
        let mut seen = Notes::default();
        if let Role::Client(_, name) = &role {
            seen.server_name = Some(name.to_str().into());
        }
        Self {
            stage: Stage::New(role),
            held: Vec::new(),
            seen,
        }
    }

    /// Let the session take `input`, and see where that leads.
    fn advance(&mut self, input: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
        let Some(session) = self.stage.session() else {
            // Nothing that comes after the end means anything.
            return Ok(input.len());
        };
        // The sides are two buffers of the engine; a filter is lent one at a time.
        let mut plain = mem::take(sides.plain());
        let taken = session.take(input, sides.wire(), &mut plain, &mut self.seen);
        *sides.plain() = plain;
        let progress = match taken {
            Ok(progress) => progress,
            Err(reason) => {
                self.stage = Stage::Over;
                return Err(reason);
            }
        };
        self.settle(sides)?;
        if !progress.ended {
            return Ok(progress.used);
        }
        sides.end_plain();
        self.stage = match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Open(session) => Stage::Deaf(session),
            _ => Stage::Over,
        };
        Ok(input.len())
    }

    /// The handshake may be over.
    fn settle(&mut self, sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        let (Stage::Shaking(session) | Stage::Hasty(session)) = &mut self.stage else {
            return Ok(());
        };
        if session.state().is_handshaking() {
            return Ok(());
        }
        sides.publish(info(session, &mut self.seen));
        self.stage = match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Shaking(session) => Stage::Open(session),
            Stage::Hasty(mut session) => {
                session.end(&mut self.held, sides.wire())?;
                Stage::Ending(session)
            }
            other => other,
        };
        Ok(())
    }
}

impl Stage {
    fn session(&mut self) -> Option<&mut Session> {
        match self {
            Self::Shaking(session)
            | Self::Hasty(session)
            | Self::Open(session)
            | Self::Ending(session) => Some(session),
            Self::New(_) | Self::Deaf(_) | Self::Over => None,
        }
    }
}

impl Filter for TlsFilter {
    fn start(&mut self, sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        let Stage::New(role) = mem::replace(&mut self.stage, Stage::Over) else {
            return Ok(());
        };
        let session = match role {
            Role::Client(config, name) => {
                UnbufferedClientConnection::new(config, name).map(|it| Session::Client(it.into()))
            }
            Role::Server(config) => {
                UnbufferedServerConnection::new(config).map(|it| Session::Server(it.into()))
            }
        };
        let session = session.map_err(|error| failure(&error, Notes::default()))?;
        self.stage = Stage::Shaking(session);
        // A client speaks first.
        self.advance(&mut [], sides).map(drop)
    }

    fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
        if self.held.is_empty() {
            let used = self.advance(wire, sides)?;
            let rest = wire.get(used..).unwrap_or_default();
            if !begins_with_a_record(rest) {
                return Ok(used);
            }
            self.held.extend_from_slice(rest);
            return Ok(wire.len());
        }
        let mut held = mem::take(&mut self.held);
        held.extend_from_slice(wire);
        let used = self.advance(&mut held, sides)?;
        held.drain(..used.min(held.len()));
        if held.len() > HELD {
            return Err(TlsFailure::Broken("a message in too many pieces".into()).into());
        }
        if !held.is_empty() {
            self.held = held;
        }
        Ok(wire.len())
    }

    fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        let (Stage::Open(session) | Stage::Deaf(session)) = &mut self.stage else {
            return Ok(());
        };
        match plain {
            [one] => session.encrypt(one, &mut self.held, sides.wire()),
            // In one record, not in one for each.
            pieces => session.encrypt(&pieces.concat(), &mut self.held, sides.wire()),
        }
    }

    /// Without the peer's own word for it, an end may be somebody else's doing.
    fn wire_ended(&mut self, _: &[u8], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        match self.stage {
            Stage::Deaf(_) | Stage::Over => {
                sides.end_plain();
                Ok(())
            }
            _ => Err(Disconnect::TruncatedTls),
        }
    }

    fn end(&mut self, sides: &mut Sides<'_>) -> Result<WireEnd, Disconnect> {
        self.stage = match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Shaking(session) => Stage::Hasty(session),
            Stage::Open(mut session) => {
                session.end(&mut self.held, sides.wire())?;
                Stage::Ending(session)
            }
            Stage::Deaf(mut session) => {
                session.end(&mut self.held, sides.wire())?;
                Stage::Over
            }
            other => other,
        };
        Ok(WireEnd::Stays)
    }

    fn is_ready(&self) -> bool {
        !matches!(
            self.stage,
            Stage::New(_) | Stage::Shaking(_) | Stage::Hasty(_)
        )
    }

    /// A few records at a time, so that a large write is not there twice, in clear and encrypted.
    fn most_plain(&self) -> usize {
        3 * RECORD
    }
}

/// Whether what is left of the input begins with a whole record: one that the session has looked at
/// and that holds the beginning of a message.
fn begins_with_a_record(rest: &[u8]) -> bool {
    const HEADER: usize = 5;
    match rest {
        [_, _, _, high, low, ..] => {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            rest.len() >= HEADER + len
        }
        _ => false,
    }
}

/// Messages of a handshake have at most 64 KiB; this is with the records around their pieces, and
/// one record more.
const HELD: usize = 256 * 1024;

fn info(session: &Session, seen: &mut Notes) -> TlsInfo {
    let state = session.state();
    let certificates = state.peer_certificates().unwrap_or_default();
    let suite = state.negotiated_cipher_suite();
    TlsInfo {
        version: match state.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
            _ => TlsVersion::Tls13,
        },
        cipher: suite
            .and_then(|it| it.suite().as_str())
            .unwrap_or("unknown"),
        alpn: state.alpn_protocol().map(Box::from),
        server_name: seen.server_name.take(),
        certificates: certificates.iter().map(PeerCertificate::new).collect(),
        resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
    }
}

impl fmt::Debug for TlsFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::New(_) => "new",
            Stage::Shaking(_) | Stage::Hasty(_) => "shaking hands",
            Stage::Open(_) => "open",
            Stage::Ending(_) => "ended here",
            Stage::Deaf(_) => "ended there",
            Stage::Over => "over",
        };
        write!(f, "TlsFilter({stage})")
    }
}
