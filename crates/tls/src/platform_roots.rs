//! The one place of this crate that looks outside: where a system keeps whom it trusts is in files,
//! or behind calls of its own.

use rustls::pki_types::CertificateDer;

use crate::TlsConfigError;

/// Whom the system trusts.
pub(crate) fn load() -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let found = rustls_native_certs::load_native_certs();
    match (found.certs.is_empty(), found.errors.first()) {
        (true, Some(error)) => Err(TlsConfigError::PlatformRoots(error.to_string())),
        (_, error) => {
            if let Some(error) = error {
                log::warn!("some of the system's authorities cannot be read: {error}");
            }
            Ok(found.certs)
        }
    }
}
