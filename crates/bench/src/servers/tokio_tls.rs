//! tokio's echo, with tokio-rustls: the rustls and the cryptography of ours, and a certificate of the
//! same kind.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use torsade::tls::throw_away::Authority;

pub(super) fn serve(addr: SocketAddr) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(config()?));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(addr).await?;
        super::announce(listener.local_addr()?);
        loop {
            let (socket, _) = listener.accept().await?;
            tokio::spawn(echo(acceptor.clone(), socket));
        }
    })
}

async fn echo(acceptor: TlsAcceptor, socket: TcpStream) -> io::Result<()> {
    let mut stream = acceptor.accept(socket).await?;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return stream.shutdown().await;
        }
        stream.write_all(&buffer[..n]).await?;
        // What was written may wait in the session otherwise.
        stream.flush().await?;
    }
}

fn config() -> io::Result<ServerConfig> {
    let made = Authority::new("Bench").issue(["localhost"]);
    let chain = made.chain_der().iter().cloned().map(CertificateDer::from);
    let key = PrivateKeyDer::from_pem_slice(made.key_pem().as_bytes()).map_err(io::Error::other)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain.collect(), key)
        .map_err(io::Error::other)?;
    // As ours: clients come back with tickets, not by what a server remembers of the last few.
    config.ticketer = ring::Ticketer::new().map_err(io::Error::other)?;
    Ok(config)
}
