use std::rc::Rc;

use torsade_core::Connection;

use crate::{TlsFilter, TlsInfo};

/// One end of TLS, as a program sets it up: a [`TlsServer`](crate::TlsServer), or a
/// [`TlsConnector`](crate::TlsConnector).
pub trait TlsEnd {
    /// This end, for one connection.
    fn tls_filter(&self) -> TlsFilter;
}

impl<E: TlsEnd + ?Sized> TlsEnd for &E {
    fn tls_filter(&self) -> TlsFilter {
        (**self).tls_filter()
    }
}

/// TLS on connections, and so on transports.
pub trait TlsExt {
    /// From here on the stream is encrypted, as a STARTTLS command wants it.
    ///
    /// What was written before leaves in clear; what is written from now on waits for the handshake
    /// and is encrypted. What the peer sent in clear behind its command, which may be somebody
    /// else's, is never delivered: it is no handshake, and ends the connection. The protocol stays,
    /// and is told nothing; who wants to know when the handshake is over asks for
    /// [`filters_ready`](Connection::filters_ready), and who is talking for [`tls`](Self::tls).
    ///
    /// ```
    /// use torsade_core::{Protocol, Transport};
    /// use torsade_tls::{TlsExt, TlsServer};
    ///
    /// struct Mail {
    ///     tls: TlsServer,
    /// }
    /// impl Protocol for Mail {
    ///     fn data_received(&mut self, transport: &Transport<Self>, command: &[u8]) {
    ///         if command == b"STARTTLS\r\n" {
    ///             transport.write("220 go ahead\r\n"); // in clear
    ///             transport.start_tls(&self.tls);
    ///             transport.then(transport.filters_ready(), |_, transport, result| {
    ///                 let secure = result.is_ok() && transport.tls().is_some();
    ///                 println!("secure: {secure}");
    ///             });
    ///         }
    ///     }
    /// }
    /// ```
    #[doc(alias = "startTLS")]
    fn start_tls(&self, end: impl TlsEnd);

    /// What was agreed upon, when the handshake is over; none where there is no TLS.
    #[doc(alias = "negotiatedProtocol")]
    #[doc(alias = "getPeerCertificate")]
    #[doc(alias = "get_extra_info")]
    fn tls(&self) -> Option<Rc<TlsInfo>>;
}

impl TlsExt for Connection {
    fn start_tls(&self, end: impl TlsEnd) {
        self.push_filter(end.tls_filter());
    }

    fn tls(&self) -> Option<Rc<TlsInfo>> {
        self.fact()
    }
}
