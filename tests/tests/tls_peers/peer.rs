//! What both roles need: files for other programs, and those programs.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use torsade_tls::throw_away::{Authority, ThrowAway};

/// Certificates, for our ends and in files for theirs. The files go with the value.
pub(crate) struct Files {
    pub(crate) authority: Authority,
    pub(crate) made: ThrowAway,
    folder: PathBuf,
}

impl Files {
    pub(crate) fn new(test: &str) -> Self {
        let folder = format!("torsade-tls-{}-{test}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let authority = Authority::new("Peers");
        let made = authority.issue(["localhost", "127.0.0.1"]);
        let files = Self {
            authority,
            made,
            folder,
        };
        fs::write(files.path("ca.pem"), files.authority.certificate_pem()).unwrap();
        fs::write(files.path("chain.pem"), files.made.chain_pem()).unwrap();
        fs::write(files.path("key.pem"), files.made.key_pem()).unwrap();
        files
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

/// Start a program, which has a minute. `None` where it is missing, which is said.
pub(crate) fn start(program: &str, arguments: &[&str]) -> Option<Child> {
    if !is_here(program) {
        assert!(std::env::var_os("CI").is_none(), "there is no {program}");
        // Not through `eprintln!`, which a test that passes keeps to itself.
        let said = writeln!(std::io::stderr(), "SKIPPED: there is no {program} here");
        said.unwrap();
        return None;
    }
    let child = Command::new("timeout")
        .args(["60", program])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Some(child.unwrap())
}

fn is_here(program: &str) -> bool {
    static LOOKED: OnceLock<Vec<(&str, bool)>> = OnceLock::new();
    let looked = LOOKED.get_or_init(|| {
        let programs = ["openssl", "gnutls-cli", "curl", "python3"];
        let look = |program| match Command::new(program)
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
        {
            Ok(_) => (program, true),
            Err(error) if error.kind() == ErrorKind::NotFound => (program, false),
            Err(error) => panic!("{program}: {error}"),
        };
        programs.map(look).to_vec()
    });
    looked
        .iter()
        .any(|(name, is_here)| *name == program && *is_here)
}
