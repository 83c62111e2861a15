use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use rustls::{KeyLog, SupportedProtocolVersion};

use crate::{TlsConfigError, TlsVersion};

/// The cryptography of all of them.
pub(crate) fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider()))
}

/// Settings that servers and clients share.
#[derive(Clone, Default)]
pub(crate) struct Common {
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) only: Option<TlsVersion>,
    key_log: Option<Arc<Lines>>,
    clock: Option<Arc<Clock>>,
}

impl Common {
    pub(crate) fn log_keys(&mut self, sink: impl Fn(&str) + Send + Sync + 'static) {
        self.key_log = Some(Arc::new(Lines(Box::new(sink))));
    }

    pub(crate) fn set_clock(&mut self, now: impl Fn() -> Duration + Send + Sync + 'static) {
        self.clock = Some(Arc::new(Clock(Box::new(now))));
    }

    pub(crate) fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        static TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
        static TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
        match self.only {
            None => rustls::ALL_VERSIONS,
            Some(TlsVersion::Tls12) => TLS12,
            Some(TlsVersion::Tls13) => TLS13,
        }
    }

    pub(crate) fn key_log(&self) -> Option<Arc<dyn KeyLog>> {
        let lines = self.key_log.clone()?;
        Some(lines)
    }

    /// Without one of the program's own, the system's: the one thing here that reads it, through
    /// rustls, because without it every certificate would be as good as new.
    pub(crate) fn clock(&self) -> Arc<dyn TimeProvider> {
        match self.clock.clone() {
            Some(clock) => clock,
            None => Arc::new(rustls::time_provider::DefaultTimeProvider),
        }
    }

    pub(crate) fn check_alpn(&self) -> Result<(), TlsConfigError> {
        match self.alpn.iter().all(|name| (1..=255).contains(&name.len())) {
            true => Ok(()),
            false => Err(TlsConfigError::Alpn),
        }
    }
}

/// A program's own clock.
struct Clock(Box<dyn Fn() -> Duration + Send + Sync>);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch((self.0)()))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Writes secrets as NSS does, so that Wireshark and others can read them.
struct Lines(Box<dyn Fn(&str) + Send + Sync>);

impl KeyLog for Lines {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        (self.0)(&format!("{label} {} {}", Hex(client_random), Hex(secret)));
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lines")
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
