use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use torsade_service::{Arguments, TextError, Value};
use torsade_tls::{Identity, Roots, TlsConfigError};

/// Who this end is, if it is said: certificates and a key, of which one file may have both.
pub(super) fn identity(
    arguments: &Arguments<'_>,
    certificate: Option<&Value>,
    key: Option<&Value>,
    chain: Option<&Value>,
) -> Result<Option<Identity>, TextError> {
    let (certificate, key) = match (certificate, key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(both), None) | (None, Some(both)) => (both, both),
        (None, None) => return Ok(None),
    };
    let mut certificates = file(arguments, certificate)?;
    if let Some(chain) = chain {
        let more = file(arguments, chain)?;
        // Among the others nobody would miss one that cannot be read, or see whose fault it is.
        let readable = Roots::from_pem(&more);
        readable.map_err(|error| arguments.unusable(chain, error))?;
        certificates.push(b'\n');
        certificates.extend(more);
    }
    let identity = Identity::from_pem(certificates, file(arguments, key)?);
    let identity = identity.map_err(|error| match error {
        TlsConfigError::Key(_) | TlsConfigError::WrongKey => arguments.unusable(key, error),
        error => arguments.unusable(certificate, error),
    })?;
    Ok(Some(identity))
}

/// Those of a file, or of all files of a folder.
pub(super) fn identities(
    arguments: &Arguments<'_>,
    path: &Value,
) -> Result<Vec<Identity>, TextError> {
    let texts = texts(arguments, path)?.into_iter().map(|pem| {
        let identity = Identity::from_pem(&pem.text, &pem.text);
        identity.map_err(|error| arguments.unusable(path, pem.wrong(&error)))
    });
    texts.collect()
}

/// Whom to trust.
pub(super) fn authorities(arguments: &Arguments<'_>, path: &Value) -> Result<Roots, TextError> {
    let mut all: Option<Roots> = None;
    for pem in texts(arguments, path)? {
        let roots = Roots::from_pem(&pem.text);
        let roots = roots.map_err(|error| arguments.unusable(path, pem.wrong(&error)))?;
        all = Some(match all {
            Some(all) => all.and(&roots),
            None => roots,
        });
    }
    all.ok_or_else(|| arguments.unusable(path, "there is no .pem file in this folder"))
}

fn file(arguments: &Arguments<'_>, path: &Value) -> Result<Vec<u8>, TextError> {
    fs::read(path.as_str()).map_err(|error| arguments.unusable(path, error))
}

/// A file of certificates.
struct Pem {
    path: PathBuf,
    text: Vec<u8>,
}

impl Pem {
    fn wrong(&self, error: &TlsConfigError) -> String {
        format!("{}: {error}", self.path.display())
    }
}

/// The file there, or the `.pem` files of the folder, in the order of their names.
fn texts(arguments: &Arguments<'_>, path: &Value) -> Result<Vec<Pem>, TextError> {
    let read = |path: PathBuf| fs::read(&path).map(|text| Pem { path, text });
    let found = files(Path::new(path.as_str()));
    let texts = found.and_then(|found| found.into_iter().map(read).collect());
    texts.map_err(|error: io::Error| arguments.unusable(path, error))
}

fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path()));
    let mut files = entries.collect::<io::Result<Vec<PathBuf>>>()?;
    files.retain(|file| file.extension() == Some(OsStr::new("pem")) && file.is_file());
    files.sort();
    Ok(files)
}
