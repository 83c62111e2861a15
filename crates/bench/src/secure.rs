//! What is sent to a server of TLS: rounds of messages of 16 KiB, connections one after the other,
//! and connections that fall silent when hands are shaken, or before.
//!
//! As in [`load`](crate::load) in each round all is sent first, and then every answer is waited for.
//! What a server's certificate says is not checked: that is the client's work, and servers are
//! measured.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, ProtocolVersion,
    SignatureScheme, StreamOwned,
};

use crate::load::{QUEUE, check, connect};

/// As much as a record holds.
const MESSAGE: usize = 16 * 1024;
/// What is said on a visit.
const WORD: &[u8; 64] = b"sixty-four bytes that an echo server has to send back unchanged.";

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Connections that stay open and send rounds of messages of 16 KiB.
#[derive(Debug)]
pub struct SecureSession {
    streams: Vec<Stream>,
    message: Vec<u8>,
    answer: Vec<u8>,
    in_flight: usize,
}

impl SecureSession {
    /// Opens the connections. In a round each of them will send `in_flight` messages before it
    /// waits for their answers.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn open(server: SocketAddr, connections: usize, in_flight: usize) -> io::Result<Self> {
        let config = config(Greeting::Stranger)?;
        let streams = (0..connections).map(|_| greet(server, &config));
        Ok(Self {
            streams: streams.collect::<io::Result<_>>()?,
            message: (0..MESSAGE).map(|place| (place % 251) as u8).collect(),
            answer: vec![0; MESSAGE],
            in_flight,
        })
    }

    /// Plays that many rounds.
    ///
    /// # Errors
    /// When the server ends, or answers something else.
    pub fn play(&mut self, rounds: usize) -> io::Result<()> {
        for _ in 0..rounds {
            for stream in &mut self.streams {
                for _ in 0..self.in_flight {
                    stream.write_all(&self.message)?;
                    stream.flush()?;
                }
            }
            for stream in &mut self.streams {
                for _ in 0..self.in_flight {
                    stream.read_exact(&mut self.answer)?;
                    check(&self.answer, &self.message)?;
                }
            }
        }
        Ok(())
    }
}

/// How a client comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// Unknown to the server each time.
    Stranger,
    /// With the ticket of its last visit.
    Acquaintance,
}

/// Opens one connection after the other: a handshake of TLS 1.3, one message, answered, and then
/// the end from both sides.
///
/// # Errors
/// When the server refuses, does not end, answers something else, or knows the client where it
/// should not, or the other way round.
pub fn visits(server: SocketAddr, greeting: Greeting, connections: usize) -> io::Result<()> {
    let config = config(greeting)?;
    for number in 0..connections {
        let mut stream = greet(server, &config)?;
        let wanted = match greeting {
            Greeting::Acquaintance if number > 0 => HandshakeKind::Resumed,
            _ => HandshakeKind::Full,
        };
        if stream.conn.handshake_kind() != Some(wanted)
            || stream.conn.protocol_version() != Some(ProtocolVersion::TLSv1_3)
        {
            return Err(invalid("a handshake of another kind"));
        }
        stream.conn.send_close_notify();
        stream.flush()?;
        stream.sock.shutdown(Shutdown::Write)?;
        // Without the server's word for its end this is an error.
        if stream.read(&mut [0])? > 0 {
            return Err(invalid("the server said more than it was asked"));
        }
    }
    Ok(())
}

/// Opens connections that exchange one message each and then stay silent.
///
/// # Errors
/// When the server refuses, ends, or answers something else.
pub fn idle(server: SocketAddr, connections: usize) -> io::Result<Vec<TcpStream>> {
    let config = config(Greeting::Stranger)?;
    let mut sockets = Vec::new();
    // Some at a time, so that not every step of each waits for the other program's turn.
    while sockets.len() < connections {
        let some = (connections - sockets.len()).min(QUEUE);
        let greeted = (0..some).map(|_| greeted(server, &config));
        let mut streams = greeted.collect::<io::Result<Vec<_>>>()?;
        for stream in &mut streams {
            stream.write_all(WORD)?;
            stream.flush()?;
        }
        for mut stream in streams {
            expect_word(&mut stream)?;
            sockets.push(stream.sock);
        }
    }
    Ok(sockets)
}

/// Opens connections that greet and stay silent when the server has answered the greeting.
///
/// # Errors
/// When the server refuses or ends.
pub fn stalled(server: SocketAddr, connections: usize) -> io::Result<Vec<TcpStream>> {
    let config = config(Greeting::Stranger)?;
    let open = |_| {
        let mut stream = greeted(server, &config)?;
        match stream.sock.read(&mut [0; 8])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(stream.sock),
        }
    };
    (0..connections).map(open).collect()
}

fn greet(server: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Stream> {
    let mut stream = stranger(server, config)?;
    stream.write_all(WORD)?;
    stream.flush()?;
    expect_word(&mut stream)?;
    Ok(stream)
}

fn expect_word(stream: &mut Stream) -> io::Result<()> {
    let mut answer = [0; WORD.len()];
    stream.read_exact(&mut answer)?;
    check(&answer, WORD)
}

/// The greeting has been sent, and nothing read.
fn greeted(server: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Stream> {
    let mut stream = stranger(server, config)?;
    while stream.conn.wants_write() {
        stream.conn.write_tls(&mut stream.sock)?;
    }
    Ok(stream)
}

fn stranger(server: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Stream> {
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let client = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(client, connect(server)?))
}

fn config(greeting: Greeting) -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    if greeting == Greeting::Stranger {
        config.resumption = Resumption::disabled();
    }
    Ok(Arc::new(config))
}

fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

/// Checks nothing.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
