//! Whom the system trusts.

use std::fs;
use std::process::Command;

use torsade_core::{Protocol, Transport, factory};
use torsade_testing::MemoryReactor;
use torsade_tls::{Roots, TlsClient, TlsConfigError, TlsServer};

use crate::peer::Files;

struct Quiet;
impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

const NAME: &str = "platform::who_the_system_trusts_is_trusted";
/// Says to this test that it is the process whose system is ours.
const CHAIN: &str = "TORSADE_TEST_CHAIN";

/// In a process for each system: it is told by the environment.
#[test]
fn who_the_system_trusts_is_trusted() {
    if let Some(chain) = std::env::var_os(CHAIN) {
        return be_in_a_system(chain.to_str().unwrap());
    }
    let files = Files::new("platform");
    fs::write(files.path("nobody.pem"), "nobody").unwrap();
    for trusted in ["ca.pem", "nobody.pem"] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(CHAIN, files.path("chain.pem"))
            .env("SSL_CERT_FILE", files.path(trusted))
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let wanted = match trusted {
            "ca.pem" => "the server is trusted",
            _ => "there is nobody",
        };
        assert!(output.status.success() && said.contains(wanted), "{said}");
    }
}

fn be_in_a_system(chain: &str) {
    let Ok(roots) = Roots::platform() else {
        let none = TlsClient::new().unwrap_err();
        assert!(matches!(none, TlsConfigError::PlatformRoots(_)), "{none}");
        println!("there is nobody");
        return;
    };
    assert_eq!(roots.len(), 1);
    let (chain, key) = (
        fs::read(chain).unwrap(),
        chain.replace("chain.pem", "key.pem"),
    );
    let identity = torsade_tls::Identity::from_pem(chain, fs::read(key).unwrap()).unwrap();
    let server = TlsServer::builder().identity(identity).build().unwrap();
    let reactor = MemoryReactor::new();
    let place = server.endpoint("127.0.0.1:8443").unwrap();
    reactor.net().listen(place, factory(|_| Quiet)).unwrap();
    reactor.join();
    let place = TlsClient::new()
        .unwrap()
        .endpoint("127.0.0.1:8443")
        .unwrap();
    let connecting = reactor.net().connect(place, Quiet);
    reactor.settle();
    assert!(connecting.try_take().unwrap().is_ok());
    println!("the server is trusted");
}
