//! A program that may open what others may not, and hands it out: whoever connects to its Unix
//! socket and names a file of its folder gets the open file, and not its bytes. A client of it, in
//! the same program, prints a file that it has been handed.
//!
//! Run `cargo run --bin unix_fd_pass serve /run/files.socket /usr/share/doc`, then
//! `cargo run --bin unix_fd_pass get /run/files.socket README` in another terminal.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use torsade::wire::{LineProtocol, LineTransport, Lines};
use torsade::{
    Deferred, Disconnect, Peer, Protocol, Reactor, Resolver, Transport, UnixAddress, UnixListen,
    factory,
};

/// The one who opens. A line is a file's name.
struct Opens {
    folder: PathBuf,
}

impl LineProtocol for Opens {
    const DELIMITER: &'static [u8] = b"\n";

    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        match self.open(line) {
            // The file goes with the first byte of the line, so that who has read the line has it.
            Ok(file) => {
                if let Err(error) = transport.write_with_descriptors("here\n", [file]) {
                    transport.send_line(format!("sorry: {error}"));
                }
            }
            Err(error) => transport.send_line(format!("sorry: {error}")),
        }
    }
}

impl Opens {
    fn open(&self, name: &[u8]) -> io::Result<File> {
        let refused = || io::Error::new(io::ErrorKind::InvalidInput, "that is not a file's name");
        let name = std::str::from_utf8(name).map_err(|_| refused())?;
        // One plain name, no way out of the folder.
        if Path::new(name).file_name() != Some(name.as_ref()) {
            return Err(refused());
        }
        File::open(self.folder.join(name))
    }
}

fn opens(folder: &Path) -> impl Protocol + use<> {
    Lines::new(Opens {
        folder: folder.to_owned(),
    })
}

/// The one who is handed a file.
struct Gets {
    name: String,
    got: Option<Resolver<OwnedFd, io::Error>>,
}

impl LineProtocol for Gets {
    const DELIMITER: &'static [u8] = b"\n";

    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.receive_descriptors(true);
        transport.send_line(&self.name);
    }

    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        if let Some(got) = self.got.take() {
            match transport.take_descriptors().pop() {
                Some(file) => got.resolve(file),
                None => got.reject(io::Error::other(String::from_utf8_lossy(line))),
            }
        }
        transport.close();
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        if let Some(got) = self.got.take() {
            got.reject(io::Error::other(reason.clone()));
        }
    }
}

fn gets(name: &str) -> (Lines<Gets>, Deferred<OwnedFd, io::Error>) {
    let (resolver, file) = Deferred::new();
    let protocol = Lines::new(Gets {
        name: name.to_owned(),
        got: Some(resolver),
    });
    (protocol, file)
}

fn serve(socket: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut reactor = Reactor::new()?;
    // Everybody of this group; what a server that was killed has left is no obstacle.
    let at = UnixListen::at(socket).mode(0o660).replace_stale();
    let folder = folder.to_owned();
    let factory = factory(move |peer: &Peer| {
        match peer.credentials() {
            Some(who) => println!("user {} has come", who.uid),
            None => println!("somebody has come"),
        }
        opens(&folder)
    });
    let listener = reactor.net().listen(at, factory)?;
    reactor.stop_on_signals()?;
    println!("listening on {}", listener.address());
    Ok(reactor.run()?)
}

fn get(socket: &str, name: &str) -> Result<(), Box<dyn Error>> {
    let mut reactor = Reactor::new()?;
    let (protocol, file) = gets(name);
    let connected = reactor.net().connect(UnixAddress::path(socket), protocol);
    reactor.run_until(connected)??;
    let mut file = File::from(reactor.run_until(file)??);
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    print!("{text}");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", socket, folder] => serve(socket, folder.as_ref()),
        ["get", socket, name] => get(socket, name),
        _ => Err("unix_fd_pass serve SOCKET FOLDER | unix_fd_pass get SOCKET NAME".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use torsade_testing::{MemoryReactor, StringTransport};

    fn peer() -> Peer {
        Peer::new(UnixAddress::Unnamed, UnixAddress::path("/run/files"))
    }

    /// This file's own folder.
    fn here() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn hands_out_an_open_file() {
        let mut t = StringTransport::builder().peer(peer()).serve(opens(here()));
        t.feed("echo.rs\n");
        assert_eq!(t.take_sent(), b"here\n");
        let mut files = t.take_sent_descriptors();
        let mut text = String::new();
        let mut file = File::from(files.remove(0));
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, include_str!("echo.rs"));
    }

    #[test]
    fn hands_out_nothing_from_elsewhere() {
        let mut t = StringTransport::builder().peer(peer()).serve(opens(here()));
        for name in ["../Cargo.toml", "/etc/passwd", "..", "", "no such file"] {
            t.feed(format!("{name}\n"));
            assert!(t.take_sent().starts_with(b"sorry: "), "{name}");
            assert_eq!(t.take_sent_descriptors().len(), 0, "{name}");
        }
    }

    #[test]
    fn both_ends_in_one_memory_reactor() {
        let mut reactor = MemoryReactor::new();
        reactor.join();
        let at = UnixAddress::path("/run/files");
        let factory = factory(|_| opens(here()));
        reactor.net().listen(&at, factory).unwrap();
        for (name, is_there) in [("finger.rs", true), ("none.rs", false)] {
            let (protocol, file) = gets(name);
            reactor.net().connect(&at, protocol).detach();
            assert_eq!(reactor.run_until(file).is_ok(), is_there);
        }
    }
}
