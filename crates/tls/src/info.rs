use std::fmt;

use crate::PeerCertificate;

/// What the two ends of a connection agreed upon, and who the other one is.
///
/// It is known when `connection_made` is called, and to a
/// [factory](torsade_core::Factory::build_for): [`TlsExt::tls`](crate::TlsExt::tls) gives it.
#[doc(alias = "negotiatedProtocol")]
#[doc(alias = "getPeerCertificate")]
#[doc(alias = "ssl_object")]
#[derive(Clone, PartialEq, Eq)]
pub struct TlsInfo {
    pub(crate) version: TlsVersion,
    pub(crate) cipher: &'static str,
    pub(crate) alpn: Option<Box<[u8]>>,
    pub(crate) server_name: Option<Box<str>>,
    pub(crate) certificates: Box<[PeerCertificate]>,
    pub(crate) resumed: bool,
}

/// A version of TLS. Those before 1.2 are not spoken (RFC 8996).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2: RFC 5246.
    Tls12,
    /// TLS 1.3: RFC 8446.
    Tls13,
}

impl TlsInfo {
    /// The version that is spoken.
    pub fn version(&self) -> TlsVersion {
        self.version
    }

    /// How it is encrypted, by the name that the registry of such suites has for it, for example
    /// `TLS13_AES_256_GCM_SHA384`.
    pub fn cipher(&self) -> &'static str {
        self.cipher
    }

    /// The application protocol that was agreed upon, `b"h2"` for instance; none if one end did not
    /// offer any.
    #[doc(alias = "negotiatedProtocol")]
    #[doc(alias = "selected_alpn_protocol")]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }

    /// The name that the client asked for: on a server the one it was sent, if any, in small
    /// letters; on a client the one it checks.
    #[doc(alias = "server_hostname")]
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// The certificates that the peer showed, its own first; on a server, empty unless it
    /// [asked](crate::TlsServerBuilder::require_clients) for some.
    pub fn certificates(&self) -> &[PeerCertificate] {
        &self.certificates
    }

    /// Whether the ends knew each other from an earlier connection, which saves most of the work.
    #[doc(alias = "session_reused")]
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

impl fmt::Debug for TlsInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alpn = self.alpn().map(|name| name.escape_ascii().to_string());
        f.debug_struct("TlsInfo")
            .field("version", &self.version)
            .field("cipher", &self.cipher)
            .field("alpn", &alpn)
            .field("server_name", &self.server_name)
            .field("certificates", &self.certificates)
            .field("resumed", &self.resumed)
            .finish()
    }
}
