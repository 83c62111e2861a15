//! Endpoints' texts that need more than bytes: files with certificates, and TLS.
#![cfg(feature = "tls-throw-away")]
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

use torsade::service::{ProxyHeader, TextFault, client, quote, server};
use torsade::testing::MemoryReactor;
use torsade::tls::throw_away::{Authority, ThrowAway};
use torsade::tls::{TlsClient, TlsExt, TlsServer, TlsVersion};
use torsade::{Endpoint, Protocol, Transport, factory};

/// A folder with certificates, which goes with the value.
struct Files {
    folder: PathBuf,
    authority: Authority,
}

impl Files {
    fn new(test: &str) -> Self {
        let name = format!("torsade-endpoints-{}-{test}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(folder.join("certs")).unwrap();
        let files = Self {
            folder,
            authority: Authority::new("Ours"),
        };
        files.write("ca.pem", &files.authority.certificate_pem());
        files.write(
            "stranger.pem",
            &Authority::new("Stranger").certificate_pem(),
        );
        let made = files.authority.issue(["localhost", "127.0.0.1"]);
        files.write("cert.pem", made.chain_pem());
        files.write("key.pem", made.key_pem());
        files.write("both.pem", &both(&made));
        let a = files.authority.issue(["a.example"]);
        files.write("certs/a.pem", &both(&a));
        files.write("certs/b.pem", &both(&made));
        files.write("certs/c.txt", "not a certificate");
        files
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    /// The path of a file, as it stands in a text.
    fn path(&self, name: &str) -> String {
        let path = self.folder.join(name);
        quote(path.to_str().unwrap()).into_owned()
    }

    /// The text with the paths in it: `{name}` is a file here.
    fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap();
            filled += before;
            filled += &self.path(name);
            rest = after;
        }
        filled + rest
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

fn both(made: &ThrowAway) -> String {
    [made.chain_pem(), made.key_pem()].concat()
}

/// What the ends say of one another.
type Said = Rc<RefCell<Vec<String>>>;

struct End(&'static str, Said);

impl Protocol for End {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let tls = transport.tls().unwrap();
        let version = tls.version();
        let shown = tls.certificates().iter().flat_map(|it| it.names());
        let shown: Vec<String> = shown.collect();
        let proxied = transport.fact::<ProxyHeader>().is_some();
        let said = format!("{} {version} {shown:?} {proxied}", self.0);
        self.1.borrow_mut().push(said);
    }

    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

/// Connect one text to another. What they said, or why it came to nothing.
fn meet(files: &Files, here: &str, there: &str) -> Result<Vec<String>, String> {
    join(server(&files.fill(here)).unwrap(), &files.fill(there))
}

fn join(here: Endpoint, there: &str) -> Result<Vec<String>, String> {
    joined(here, client(there).unwrap())
}

fn joined(here: Endpoint, there: Endpoint) -> Result<Vec<String>, String> {
    let said = Said::default();
    let reactor = MemoryReactor::new();
    let served = Rc::clone(&said);
    let factory = factory(move |_| End("server", Rc::clone(&served)));
    reactor.net().listen(here, factory).unwrap();
    reactor.join();
    let connecting = reactor
        .net()
        .connect(there, End("client", Rc::clone(&said)));
    reactor.settle();
    match connecting.try_take().unwrap() {
        Ok(_) => {
            let mut said = said.borrow().clone();
            said.sort();
            Ok(said)
        }
        Err(failure) => Err(failure.to_string()),
    }
}

const SSL: &str = "ssl:443:interface=127.0.0.1:privateKey={key.pem}:certKey={cert.pem}";

fn seen(version: TlsVersion, proxied: bool) -> Vec<String> {
    vec![
        format!("client {version} [\"localhost\", \"127.0.0.1\"] false"),
        format!("server {version} [] {proxied}"),
    ]
}

#[test]
fn both_sides_in_twisteds_words() {
    let files = Files::new("both");
    let tls13 = seen(TlsVersion::Tls13, false);
    for (here, there) in [
        (SSL, "tls:127.0.0.1:443:trustRoots={ca.pem}"),
        (
            SSL,
            "tls:host=localhost:port=443:trustRoots={ca.pem}:timeout=5",
        ),
        (SSL, "ssl:localhost:443:caCertsDir={ca.pem}"),
        (
            "ssl:443:privateKey={both.pem}",
            "tls:localhost:443:trustRoots={ca.pem}",
        ),
        ("tls:{certs}", "tls:localhost:443:trustRoots={ca.pem}"),
        (
            "tls:{both.pem}:443:interface=127.0.0.1",
            "tls:localhost:443:trustRoots={ca.pem}",
        ),
    ] {
        assert_eq!(
            meet(&files, here, there),
            Ok(tls13.clone()),
            "{here} {there}"
        );
    }
    let old = format!("{SSL}:sslmethod=TLSv1_2_METHOD");
    let there = "tls:localhost:443:trustRoots={ca.pem}";
    assert_eq!(
        meet(&files, &old, there),
        Ok(seen(TlsVersion::Tls12, false))
    );
    let any = format!("{SSL}:sslmethod=TLS_METHOD");
    assert_eq!(meet(&files, &any, there), Ok(tls13));
}

#[test]
fn a_folder_of_certificates_is_shown_by_name() {
    let files = Files::new("folder");
    let there = "tls:127.0.0.1:443:hostname=a.example:trustRoots={ca.pem}";
    let said = meet(&files, "tls:{certs}", there).unwrap();
    assert!(said[0].contains("a.example"), "{said:?}");
}

#[test]
fn a_client_believes_nobody_unless_told_to_in_so_many_words() {
    let files = Files::new("believes");
    let refused = |there: &str| meet(&files, SSL, there).unwrap_err();
    let stranger = refused("tls:localhost:443:trustRoots={stranger.pem}");
    assert!(
        stranger.contains("authority") || stranger.contains("trust"),
        "{stranger}"
    );
    let name = refused("tls:127.0.0.1:443:hostname=a.example:trustRoots={ca.pem}");
    assert!(name.contains("a.example"), "{name}");
    // Whom the system trusts did not make it.
    refused("tls:localhost:443");
    refused("tls:localhost:443:verify=yes");
    let said = meet(
        &files,
        SSL,
        "tls:127.0.0.1:443:hostname=a.example:verify=no",
    );
    assert_eq!(said, Ok(seen(TlsVersion::Tls13, false)));
}

#[test]
fn a_clients_certificate_is_shown_to_who_asks() {
    let files = Files::new("client");
    let asks = || {
        let tls = TlsServer::builder().identity(files.authority.issue(["localhost"]).identity());
        let tls = tls
            .require_clients(&files.authority.roots())
            .build()
            .unwrap();
        tls.endpoint("127.0.0.1:443").unwrap()
    };
    let there = files.fill("tls:localhost:443:trustRoots={ca.pem}");
    // In TLS 1.3 a client is ready before it can know that it is refused; the server never is.
    assert_eq!(join(asks(), &there).unwrap().len(), 1);
    for text in [
        "tls:localhost:443:trustRoots={ca.pem}:certificate={cert.pem}:privateKey={key.pem}",
        "ssl:localhost:443:caCertsDir={ca.pem}:certKey={cert.pem}:privateKey={key.pem}",
        "tls:localhost:443:trustRoots={ca.pem}:certificate={both.pem}",
    ] {
        let said = join(asks(), &files.fill(text)).unwrap();
        assert!(said[1].contains("127.0.0.1"), "{said:?}");
    }
}

#[test]
fn an_extra_chain_is_shown_behind_the_certificate() {
    let files = Files::new("chain");
    let there = "tls:localhost:443:trustRoots={ca.pem}";
    let said = meet(&files, SSL, there).unwrap();
    let longer = format!("{SSL}:extraCertChain={{certs/a.pem}}");
    let more = meet(&files, &longer, there).unwrap();
    assert!(
        !said[0].contains("a.example") && more[0].contains("a.example"),
        "{more:?}"
    );
}

#[test]
fn a_proxys_header_stands_inside_of_tls_or_in_front_of_it() {
    let files = Files::new("proxy");
    let proxied = seen(TlsVersion::Tls13, true);
    let inside = format!("haproxy:{SSL}");
    let there = "haproxy:tls:127.0.0.1:443:trustRoots={ca.pem}";
    assert_eq!(meet(&files, &inside, there), Ok(proxied.clone()));
    let front = r"ssl:privateKey={both.pem}:endpoint=haproxy\:tcp\:443";
    let there = r"tls:127.0.0.1:443:trustRoots={ca.pem}:endpoint=haproxy\:tcp\:127.0.0.1\:443";
    assert_eq!(meet(&files, front, there), Ok(proxied));
    // One does not understand the other.
    assert!(meet(&files, &inside, there).is_err());
}

#[test]
fn a_version_alone_is_spoken_and_no_other() {
    let files = Files::new("method");
    let speaks = |method: &str, client: TlsVersion| {
        let here = server(&files.fill(&format!("{SSL}{method}"))).unwrap();
        let tls = TlsClient::builder().only(client);
        let tls = tls.roots(&files.authority.roots()).build().unwrap();
        let there = tls.to("localhost").unwrap().endpoint("127.0.0.1:443");
        joined(here, there.unwrap()).is_ok()
    };
    let (old, new) = (TlsVersion::Tls12, TlsVersion::Tls13);
    for (method, takes_old, takes_new) in [
        ("", true, true),
        (":sslmethod=TLS_METHOD", true, true),
        (":sslmethod=SSLv23_METHOD", true, true),
        (":sslmethod=TLSv1_2_METHOD", true, false),
        (":sslmethod=TLSv1_3_METHOD", false, true),
    ] {
        assert_eq!(speaks(method, old), takes_old, "{method}");
        assert_eq!(speaks(method, new), takes_new, "{method}");
    }
}

#[test]
fn all_authorities_of_a_folder_are_trusted() {
    let files = Files::new("roots");
    // The one that is meant is the first, one in the middle, and the last.
    for (folder, ours) in [("first", 0), ("middle", 1), ("last", 2)] {
        fs::create_dir(files.folder.join(folder)).unwrap();
        for index in 0..3 {
            let stranger = Authority::new("Stranger");
            let authority = if index == ours {
                &files.authority
            } else {
                &stranger
            };
            let name = format!("{folder}/{index}.pem");
            files.write(&name, &authority.certificate_pem());
        }
        // Neither is one of a certificate.
        files.write(&format!("{folder}/readme.txt"), "not a certificate");
        fs::create_dir(files.folder.join(folder).join("old.pem")).unwrap();
        for words in [
            "tls:localhost:443:trustRoots",
            "ssl:localhost:443:caCertsDir",
        ] {
            let said = meet(&files, SSL, &format!("{words}={{{folder}}}"));
            assert_eq!(said, Ok(seen(TlsVersion::Tls13, false)), "{folder} {words}");
        }
    }
}

#[test]
fn files_of_a_folder_are_read_in_the_order_of_their_names() {
    let files = Files::new("order");
    fs::create_dir(files.folder.join("many")).unwrap();
    // No file system lists them in this order by itself, whether it goes by age or by a hash.
    for index in [7, 3, 9, 0, 5, 1, 8, 2, 6, 4, 11, 10] {
        let made = files.authority.issue([format!("n{index:02}.example")]);
        files.write(&format!("many/{index:02}.pem"), &both(&made));
    }
    // Who asks for no name is shown the first.
    let there = "tls:127.0.0.1:443:verify=no";
    let said = meet(&files, "tls:{many}", there).unwrap();
    assert!(said[0].contains("n00.example"), "{said:?}");
    // And it is the first of those that are wrong that is told.
    for index in [7, 2, 11, 5, 8, 1, 9] {
        files.write(&format!("many/{index:02}.pem"), "not a certificate");
    }
    for (text, listens) in [("tls:{many}", true), ("tls:a:443:trustRoots={many}", false)] {
        let (fault, _) = wrong(&files, text, listens);
        assert!(fault.to_string().contains("01.pem"), "{text}: {fault}");
    }
}

/// What is wrong with a text, and the part of it that is meant.
fn wrong(files: &Files, text: &str, listens: bool) -> (TextFault, String) {
    let text = files.fill(text);
    let read = if listens {
        server(&text)
    } else {
        client(&text)
    };
    let error = read.unwrap_err();
    (error.fault().clone(), text[error.range()].to_owned())
}

#[test]
fn errors_point_at_the_file_that_is_meant() {
    let files = Files::new("errors");
    for (text, named, part) in [
        ("ssl:443:privateKey={none.pem}", "privateKey", "{none.pem}"),
        ("ssl:443:privateKey={ca.pem}", "privateKey", "{ca.pem}"),
        ("ssl:443:privateKey={key.pem}", "privateKey", "{key.pem}"),
        (
            "ssl:443:privateKey={key.pem}:certKey={ca.pem}",
            "privateKey",
            "{key.pem}",
        ),
        (
            "ssl:443:privateKey={key.pem}:certKey={certs/c.txt}",
            "certKey",
            "{certs/c.txt}",
        ),
        (
            "ssl:443:privateKey={both.pem}:extraCertChain={no}",
            "extraCertChain",
            "{no}",
        ),
        (
            "ssl:443:privateKey={both.pem}:extraCertChain={key.pem}",
            "extraCertChain",
            "{key.pem}",
        ),
        // No key at all, and the key of another certificate.
        (
            "ssl:443:privateKey={ca.pem}:certKey={cert.pem}",
            "privateKey",
            "{ca.pem}",
        ),
        (
            "ssl:443:privateKey={certs/a.pem}:certKey={cert.pem}",
            "privateKey",
            "{certs/a.pem}",
        ),
        (
            "ssl:443:privateKey={both.pem}:sslmethod=SSLv3_METHOD",
            "sslmethod",
            "SSLv3_METHOD",
        ),
        (
            "ssl:443:privateKey={both.pem}:dhParameters={ca.pem}",
            "dhParameters",
            "{ca.pem}",
        ),
        ("tls:{none}", "path", "{none}"),
        ("tls:{ca.pem}", "path", "{ca.pem}"),
        (r"ssl:privateKey={both.pem}:endpoint=ftp\:1", "", r"ftp\:1"),
    ] {
        let (fault, pointed) = wrong(&files, text, true);
        assert_eq!(pointed, files.fill(part), "{text}");
        match fault {
            TextFault::Unusable { name, .. } => assert_eq!(name, named, "{text}"),
            TextFault::Prefix { .. } => assert_eq!(named, ""),
            other => panic!("{text}: {other}"),
        }
    }
    for (text, part) in [
        ("tls:a:443:trustRoots={none}", "{none}"),
        ("tls:a:443:trustRoots={key.pem}", "{key.pem}"),
        ("tls:a:443:trustRoots={ca.pem}:verify=no", "{ca.pem}"),
        ("tls:a:443:verify=maybe", "maybe"),
        ("tls:a:443:certificate={ca.pem}:verify=no", "{ca.pem}"),
        (
            "tls:a:443:certificate={cert.pem}:privateKey={ca.pem}",
            "{ca.pem}",
        ),
        (
            "ssl:a:443:certKey={cert.pem}:privateKey={certs/a.pem}",
            "{certs/a.pem}",
        ),
        (r"tls:a:443:verify=no:hostname=a\:b c", "tls"),
        (r"tls:a:443:verify=no:endpoint=tcp\:b", r"tcp\:b"),
        (
            r"tls:a:443:verify=no:timeout=3:endpoint=tcp\:b\:1",
            "timeout=3",
        ),
        (
            "ssl:a:443:verify=no:trustRoots={ca.pem}",
            "trustRoots={ca.pem}",
        ),
    ] {
        assert_eq!(wrong(&files, text, false).1, files.fill(part), "{text}");
    }
    fs::create_dir(files.folder.join("empty")).unwrap();
    assert_eq!(wrong(&files, "tls:{empty}", true).1, "tls");
    let (_, part) = wrong(&files, "tls:a:443:trustRoots={empty}", false);
    assert_eq!(part, files.path("empty"));
    let (fault, _) = wrong(&files, "ssl:443", true);
    let name = "privateKey".to_owned();
    assert_eq!(fault, TextFault::Missing { name });
}

#[cfg(unix)]
#[test]
fn a_process_that_no_manager_started_was_passed_no_sockets() {
    let text = "systemd:domain=INET:index=0";
    let error = server(text).unwrap_err();
    assert!(error.to_string().contains("passed 0 sockets"), "{error}");
    assert_eq!(&text[error.range()], "0");
}
