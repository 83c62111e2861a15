use rustls::{AlertDescription, Error, PeerIncompatible};
use torsade_core::{Disconnect, TlsFailure};

use crate::notes::Notes;

/// Why TLS cannot go on, in our words.
pub(crate) fn failure(error: &Error, notes: Notes) -> Disconnect {
    if let Some(failure) = notes.failure {
        return failure.into();
    }
    Disconnect::from(match error {
        Error::AlertReceived(alert) => TlsFailure::Alert(alert_name(*alert).into()),
        Error::NoCertificatesPresented => TlsFailure::NoCertificate,
        Error::PeerIncompatible(what) => match what {
            PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon
            | PeerIncompatible::NoSignatureSchemesInCommon => {
                TlsFailure::NothingInCommon("no way to sign that both know".into())
            }
            PeerIncompatible::NoCipherSuitesInCommon => {
                TlsFailure::NothingInCommon("no way to encrypt that both know".into())
            }
            PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::Tls13RequiredForQuic => {
                TlsFailure::NothingInCommon("no version that both speak".into())
            }
            what => TlsFailure::NothingInCommon(format!("{what:?}").into()),
        },
        Error::NoApplicationProtocol => {
            TlsFailure::NothingInCommon("no application protocol that both speak".into())
        }
        Error::InvalidCertificate(what) => TlsFailure::Certificate {
            certificate: "unnamed".to_owned(),
            why: torsade_core::CertificateFault::Other(what.to_string().into()),
        },
        Error::PeerSentOversizedRecord => TlsFailure::Broken("it sent too large a record".into()),
        Error::DecryptError => TlsFailure::Broken("a record cannot be decrypted".into()),
        Error::InvalidMessage(what) => TlsFailure::Broken(format!("no TLS: {what:?}").into()),
        Error::PeerMisbehaved(what) => TlsFailure::Broken(format!("{what:?}").into()),
        Error::InappropriateMessage { got_type, .. } => {
            TlsFailure::Broken(format!("a message out of place: {got_type:?}").into())
        }
        Error::InappropriateHandshakeMessage { got_type, .. } => {
            TlsFailure::Broken(format!("a message out of place: {got_type:?}").into())
        }
        error => TlsFailure::Here(error.to_string().into()),
    })
}

/// The name that RFC 8446 section 6 has for it.
fn alert_name(alert: AlertDescription) -> String {
    // They are written in capitals there, `CertificateRequired`; the document joins small words.
    let Some(name) = alert.as_str() else {
        return format!("alert {}", u8::from(alert));
    };
    let mut words = String::new();
    let mut is_capital = true;
    for letter in name.chars() {
        let was_capital = std::mem::replace(&mut is_capital, letter.is_ascii_uppercase());
        if is_capital && !was_capital {
            words.push('_');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}
