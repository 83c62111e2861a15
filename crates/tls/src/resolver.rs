use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use torsade_core::TlsFailure;

use crate::notes::note;
use crate::{Identity, TlsConfigError};

/// Chooses a server's identity by the name that a client asks for.
pub(crate) struct Resolver {
    /// Exchanged as a whole, while connections come.
    identities: RwLock<Arc<[Identity]>>,
    /// Refuse who asks for a name that none of them has.
    strict: bool,
}

impl Resolver {
    pub(crate) fn new(identities: Vec<Identity>, strict: bool) -> Result<Self, TlsConfigError> {
        let resolver = Self {
            identities: RwLock::new(Arc::new([])),
            strict,
        };
        resolver.set(identities)?;
        Ok(resolver)
    }

    pub(crate) fn set(&self, identities: Vec<Identity>) -> Result<(), TlsConfigError> {
        if identities.is_empty() {
            return Err(TlsConfigError::NoIdentity);
        }
        // A lock is poisoned by a panic while it is held: no code of others runs then.
        let mut place = self
            .identities
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *place = identities.into();
        Ok(())
    }

    fn identities(&self) -> Arc<[Identity]> {
        let place = self
            .identities
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&place)
    }

    fn choose(&self, name: Option<&str>, hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let identities = self.identities();
        // Of several for a name, one whose signatures the client can check.
        let usable = |identity: &&Identity| {
            let signer = &identity.key().key;
            signer.choose_scheme(hello.signature_schemes()).is_some()
        };
        let named = name.and_then(|name| {
            let mut named = identities.iter().filter(|it| it.is_for(name));
            named.find(usable)
        });
        let found = match self.strict {
            true => named,
            false => named.or_else(|| identities.iter().find(usable)),
        };
        found.map(|identity| Arc::clone(identity.key()))
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let found = self.choose(name.as_deref(), &hello);
        note(|notes| {
            if found.is_none() {
                notes.failure = Some(TlsFailure::UnknownName(name.clone()));
            }
            notes.server_name = name.map(String::into_boxed_str);
        });
        found
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.identities().iter()).finish()
    }
}
