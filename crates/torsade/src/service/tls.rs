//! `tls:` and `ssl:` in endpoints' texts.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use torsade_core::{Endpoint, ToEndpoint};
use torsade_service::{
    Arguments, Endpoints, TcpClientEndpoint, TcpServerEndpoint, TextError, Value,
};
use torsade_tls::{
    Identity, Roots, TlsClient, TlsConfigError, TlsServer, TlsServerBuilder, TlsVersion,
};

pub(super) fn with_tls(endpoints: Endpoints) -> Endpoints {
    endpoints
        .with_client("tls", |endpoints, arguments| {
            client(endpoints, arguments, ("certificate", "trustRoots"))
        })
        .with_client("ssl", |endpoints, arguments| {
            client(endpoints, arguments, ("certKey", "caCertsDir"))
        })
        .with_server("tls", tls_server)
        .with_server("ssl", ssl_server)
}

/// `tls:example.org:443`; what the certificate and the authorities are called differs.
fn client(
    endpoints: &Endpoints,
    arguments: &mut Arguments<'_>,
    (certificate, roots): (&str, &str),
) -> Result<Endpoint, TextError> {
    let (place, host) = reached(endpoints, arguments)?;
    let name = arguments.take_named("hostname")?.unwrap_or(host);
    let certificate = arguments.value(certificate, None)?;
    let key = arguments.value("privateKey", None)?;
    let roots = arguments.value(roots, None)?;
    let verifies = arguments.flag("verify")?.unwrap_or(true);
    let mut builder = TlsClient::builder();
    match roots {
        Some(roots) if verifies => builder = builder.roots(&authorities(arguments, &roots)?),
        Some(roots) => return Err(arguments.unusable(&roots, "nobody is checked (`verify=no`)")),
        None if verifies => {}
        None => builder = builder.dangerously_trust_every_server(),
    }
    if let Some(identity) = identity(arguments, certificate, key, None)? {
        builder = builder.identity(identity);
    }
    let refused = |error: TlsConfigError| arguments.no_endpoint(error);
    let connector = builder.build().and_then(|client| client.to(&name));
    let secure = connector.map_err(refused)?.endpoint(place);
    secure.map_err(|error| arguments.refused(error))
}

/// Where the server is, and what it is called.
fn reached(
    endpoints: &Endpoints,
    arguments: &mut Arguments<'_>,
) -> Result<(Endpoint, String), TextError> {
    if let Some(inner) = arguments.value("endpoint", None)? {
        let host = arguments.value("host", Some(0))?;
        let host = host.ok_or_else(|| arguments.missing("host"))?;
        // Twisted wants a port there, which means nothing then.
        let _ = arguments.value("port", Some(1))?;
        let place = endpoints.client_in(arguments, &inner)?;
        return Ok((place, host.as_str().to_owned()));
    }
    let tcp = TcpClientEndpoint::read(arguments)?;
    let place = tcp.to_endpoint();
    let place = place.map_err(|error| arguments.refused(error))?;
    Ok((place, tcp.host().to_owned()))
}

/// `ssl:443:privateKey=key.pem:certKey=cert.pem`
fn ssl_server(endpoints: &Endpoints, arguments: &mut Arguments<'_>) -> Result<Endpoint, TextError> {
    let place = listened(endpoints, arguments, |arguments| {
        arguments.parse("port", 0, PORT)
    })?;
    let key = arguments.value("privateKey", None)?;
    let key = key.ok_or_else(|| arguments.missing("privateKey"))?;
    let certificate = arguments.value("certKey", None)?;
    let chain = arguments.value("extraCertChain", None)?;
    let mut builder = TlsServer::builder();
    if let Some(identity) = identity(arguments, certificate, Some(key), chain)? {
        builder = builder.identity(identity);
    }
    if let Some(method) = arguments.value("sslmethod", None)? {
        builder = match method.as_str() {
            "TLS_METHOD" | "SSLv23_METHOD" => builder,
            "TLSv1_2_METHOD" => builder.only(TlsVersion::Tls12),
            "TLSv1_3_METHOD" => builder.only(TlsVersion::Tls13),
            _ => return Err(arguments.unusable(&method, "TLS 1.2 and 1.3 are spoken, no other")),
        };
    }
    if let Some(value) = arguments.value("dhParameters", None)? {
        let why = "keys are agreed upon over elliptic curves, which needs none";
        return Err(arguments.unusable(&value, why));
    }
    secured(arguments, builder, place)
}

/// `tls:/etc/certs:443`
fn tls_server(endpoints: &Endpoints, arguments: &mut Arguments<'_>) -> Result<Endpoint, TextError> {
    const HTTPS: u16 = 443;
    let path = arguments.value("path", Some(0))?;
    let path = path.ok_or_else(|| arguments.missing("path"))?;
    let place = listened(endpoints, arguments, |arguments| {
        match arguments.value("port", Some(1))? {
            None => Ok(HTTPS),
            Some(port) => {
                let number = port.as_str().parse();
                number.map_err(|_| arguments.invalid(&port, PORT))
            }
        }
    })?;
    let mut builder = TlsServer::builder();
    for pem in texts(arguments, &path)? {
        let identity = Identity::from_pem(&pem.text, &pem.text);
        let identity = identity.map_err(|error| arguments.unusable(&path, pem.wrong(&error)))?;
        builder = builder.identity(identity);
    }
    secured(arguments, builder, place)
}

const PORT: &str = "a number from 0 to 65535";

/// Where to listen: a port, or the endpoint in the argument of that name.
fn listened(
    endpoints: &Endpoints,
    arguments: &mut Arguments<'_>,
    port: impl FnOnce(&mut Arguments<'_>) -> Result<u16, TextError>,
) -> Result<Endpoint, TextError> {
    if let Some(inner) = arguments.value("endpoint", None)? {
        return endpoints.server_in(arguments, &inner);
    }
    let tcp = TcpServerEndpoint::new(port(arguments)?).reading(arguments)?;
    tcp.to_endpoint().map_err(|error| arguments.refused(error))
}

fn secured(
    arguments: &Arguments<'_>,
    builder: TlsServerBuilder,
    place: Endpoint,
) -> Result<Endpoint, TextError> {
    let server = builder.build();
    let server = server.map_err(|error| arguments.no_endpoint(error))?;
    let secure = server.endpoint(place);
    secure.map_err(|error| arguments.refused(error))
}

/// Who this end is, if it is said: certificates and a key, of which one file may have both.
fn identity(
    arguments: &Arguments<'_>,
    certificate: Option<Value>,
    key: Option<Value>,
    chain: Option<Value>,
) -> Result<Option<Identity>, TextError> {
    let (certificate, key) = match (certificate, key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(both), None) | (None, Some(both)) => (both.clone(), both),
        (None, None) => return Ok(None),
    };
    let mut certificates = file(arguments, &certificate)?;
    if let Some(chain) = chain {
        certificates.push(b'\n');
        certificates.extend(file(arguments, &chain)?);
    }
    let identity = Identity::from_pem(certificates, file(arguments, &key)?);
    let identity = identity.map_err(|error| match error {
        TlsConfigError::Key(_) => arguments.unusable(&key, error),
        error => arguments.unusable(&certificate, error),
    })?;
    Ok(Some(identity))
}

/// Whom to trust.
fn authorities(arguments: &Arguments<'_>, path: &Value) -> Result<Roots, TextError> {
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
