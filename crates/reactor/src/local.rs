//! Unix sockets: their addresses, their files, and who is at the other end.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{self, Path, PathBuf};
use std::sync::Arc;

use socket2::{Domain, SockAddr, Socket, Type};
use torsade_core::{Address, ListenOptions, Peer, UnixAddress};

use crate::listener::Door;
use crate::socket::credentials;

/// The address as the system takes it.
pub(crate) fn system(address: &UnixAddress) -> io::Result<SockAddr> {
    match address {
        UnixAddress::Path(path) => SockAddr::unix(path),
        UnixAddress::Abstract(name) if cfg!(any(target_os = "linux", target_os = "android")) => {
            let name = [&[0], &name[..]].concat();
            SockAddr::unix(Path::new(std::ffi::OsStr::from_bytes(&name)))
        }
        _ => Err(ErrorKind::Unsupported.into()),
    }
}

/// An address of the system's as programs see it.
pub(crate) fn address(from: &SockAddr) -> Option<Address> {
    if let Some(inet) = from.as_socket() {
        return Some(inet.into());
    }
    if !from.is_unix() {
        return None;
    }
    let unix = if let Some(path) = from.as_pathname() {
        UnixAddress::path(path)
    } else if let Some(name) = from.as_abstract_namespace() {
        UnixAddress::abstract_name(name)
    } else {
        UnixAddress::Unnamed
    };
    Some(unix.into())
}

/// Both ends of a Unix socket that is connected, and who is at the other one.
pub(crate) fn peer(socket: &Socket, local: Option<&Address>) -> io::Result<Peer> {
    let remote = address(&socket.peer_addr()?).ok_or(ErrorKind::Unsupported)?;
    let local = match local {
        Some(local) => local.clone(),
        None => address(&socket.local_addr()?).ok_or(ErrorKind::Unsupported)?,
    };
    let is_unix = remote.unix().is_some();
    let peer = Peer::new(remote, local);
    Ok(match credentials(socket).filter(|_| is_unix) {
        Some(credentials) => peer.with_credentials(credentials),
        None => peer,
    })
}

/// A connection to a listener there. It is made at once or not at all: one whose queue is full would
/// block, which the engine tries again.
pub(crate) fn connect(to: &UnixAddress) -> io::Result<Socket> {
    let socket = socket(Type::STREAM)?;
    let to = system(to)?;
    loop {
        match socket.connect(&to) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(socket),
        }
    }
}

fn socket(kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, kind, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Listen there.
pub(crate) fn listen(
    address: &UnixAddress,
    options: &ListenOptions,
    backlog: i32,
) -> io::Result<Door> {
    open(address, options, Type::STREAM, |socket| {
        socket.listen(backlog)
    })
}

/// Take datagrams there; without a name, only send them.
pub(crate) fn bind(address: &UnixAddress, options: &ListenOptions) -> io::Result<Door> {
    if *address == UnixAddress::Unnamed {
        return Ok(Door::new(socket(Type::DGRAM)?, address.clone().into()));
    }
    open(address, options, Type::DGRAM, |_| Ok(()))
}

fn open(
    address: &UnixAddress,
    options: &ListenOptions,
    kind: Type,
    listen: impl FnOnce(&Socket) -> io::Result<()>,
) -> io::Result<Door> {
    let place = system(address)?;
    let socket = socket(kind)?;
    let Some(path) = address.as_path() else {
        socket.bind(&place)?;
        listen(&socket)?;
        return Ok(Door::new(socket, address.clone().into()));
    };
    // Held from before the file is there until somebody answers: whoever starts at the same time
    // would take it for a dead one's.
    let lock = options.replace_stale.then(|| lock(path)).flatten();
    if let Some(mode) = options.mode {
        // On Linux the file has it from its beginning then, but for what the umask forbids. Others
        // refuse, and nobody gets in there either: until it listens.
        let _ = File::from(OwnedFd::from(socket.try_clone()?)).set_permissions(permissions(mode));
    }
    match socket.bind(&place) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && options.replace_stale => {
            remove_if_dead(path, kind)?;
            socket.bind(&place)?;
        }
        bound => bound?,
    }
    let file = Bound::find(path);
    if let Some(mode) = options.mode {
        set_mode(path, &file, mode)?;
    }
    listen(&socket)?;
    drop(lock);
    Ok(Door {
        file: Some(Arc::new(file)),
        ..Door::new(socket, address.clone().into())
    })
}

/// Nobody else looks after sockets in this folder meanwhile. Where that cannot be had, for want of
/// rights to read it, there are the other precautions.
fn lock(path: &Path) -> Option<File> {
    let folder = match path.parent()? {
        parent if parent.as_os_str().is_empty() => Path::new("."),
        parent => parent,
    };
    let folder = File::open(folder).ok()?;
    folder.lock().ok()?;
    Some(folder)
}

/// Remove a socket that nobody listens on. One of another kind that answers is none.
fn remove_if_dead(path: &Path, kind: Type) -> io::Result<()> {
    let before = fs::symlink_metadata(path)?;
    let answer = socket(kind)?.connect(&SockAddr::unix(path)?);
    let is_dead = matches!(&answer, Err(error) if error.kind() == ErrorKind::ConnectionRefused);
    let is_same = is_same(&before, &fs::symlink_metadata(path)?);
    if !before.file_type().is_socket() || !is_dead || !is_same {
        return Err(ErrorKind::AddrInUse.into());
    }
    fs::remove_file(path)
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn permissions(mode: u32) -> Permissions {
    Permissions::from_mode(mode & 0o7777)
}

/// Give the file the mode that the umask may have kept from it. It is the socket itself that gets
/// it, whatever the path has come to mean.
fn set_mode(path: &Path, file: &Bound, mode: u32) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if found.mode() & 0o7777 == mode & 0o7777 {
        return Ok(());
    }
    let Some(bound) = &file.metadata else {
        return Err(ErrorKind::NotFound.into());
    };
    #[cfg(target_os = "linux")]
    {
        let options = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_NOFOLLOW)
            .open(path)?;
        if !is_same(bound, &options.metadata()?) {
            return Err(ErrorKind::NotFound.into());
        }
        let this = format!("/proc/self/fd/{}", options.as_raw_fd());
        if fs::set_permissions(this, permissions(mode)).is_ok() {
            return Ok(());
        }
    }
    if !is_same(bound, &found) {
        return Err(ErrorKind::NotFound.into());
    }
    fs::set_permissions(path, permissions(mode))
}

/// The file of a listener. It goes with this, unless it is another one's by then.
#[derive(Debug)]
pub(crate) struct Bound {
    path: PathBuf,
    metadata: Option<Metadata>,
}

impl Bound {
    fn find(path: &Path) -> Self {
        Self {
            // The program may go to another folder.
            path: path::absolute(path).unwrap_or_else(|_| path.into()),
            metadata: fs::symlink_metadata(path).ok(),
        }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Some(ours) = &self.metadata
            && let Ok(found) = fs::symlink_metadata(&self.path)
            && is_same(ours, &found)
        {
            // At worst it stays, and is a dead one.
            let _ = fs::remove_file(&self.path);
        }
    }
}
