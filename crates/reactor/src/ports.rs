use std::cell::RefCell;
#[cfg(unix)]
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use socket2::Socket;
use torsade_core::Address;

use crate::listener::{Door, shut};

thread_local! {
    /// The group that the reactor of this thread listens with, while it is set up.
    ///
    /// Not a field of the reactor: what a group's threads make them with is the user's.
    static MEMBER: RefCell<Option<Member>> = const { RefCell::new(None) };
}

/// The ports of several reactors that listen together.
///
/// Each thread is set up by the same function. The first time that one of them listens at an
/// address is the same as the first time that another does, and so on: they share a port. Who
/// comes first takes it, from the system if it is port 0; the others join.
///
/// On Linux each has a socket of its own (`SO_REUSEPORT`), and the kernel chooses between them by
/// a hash of the addresses. Elsewhere they have one socket in common, and who is quicker accepts.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    /// By address, and how often the thread had listened there before.
    taken: Mutex<BTreeMap<(SocketAddr, usize), Taken>>,
    /// The same of what is no port: there is one socket for all.
    doors: Mutex<HashMap<(Address, Carries, usize), Door>>,
}

#[cfg(target_os = "linux")]
type Taken = SocketAddr;
#[cfg(not(target_os = "linux"))]
type Taken = Socket;

#[derive(Debug)]
struct Member {
    ports: Arc<Ports>,
    /// How often this thread has listened at these addresses.
    times: BTreeMap<SocketAddr, usize>,
    doors: HashMap<(Address, Carries), usize>,
}

/// While it lives, listeners of this thread share their ports with those of the group.
#[derive(Debug)]
pub(crate) struct Sharing(());

impl Sharing {
    pub(crate) fn begin(ports: &Arc<Ports>) -> Self {
        let member = Member {
            ports: Arc::clone(ports),
            times: BTreeMap::new(),
            doors: HashMap::new(),
        };
        MEMBER.set(Some(member));
        Self(())
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        MEMBER.take();
    }
}

/// Listen there: `listen` makes the socket, does to it what it is told, and binds it.
pub(crate) fn listen(
    address: SocketAddr,
    listen: impl Fn(SocketAddr, Prepare) -> io::Result<Socket>,
) -> io::Result<Socket> {
    MEMBER.with_borrow_mut(|member| match member {
        Some(member) => member.listen(address, listen),
        None => listen(address, |_| Ok(())),
    })
}

/// Whether what this thread listens on is a socket of the others of its group, too.
pub(crate) fn have_it_in_common() -> bool {
    cfg!(not(target_os = "linux")) && MEMBER.with_borrow(Option::is_some)
}

/// What goes through a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Carries {
    Streams,
    #[cfg_attr(not(unix), expect(dead_code, reason = "those of UDP share a port"))]
    Datagrams,
}

/// Listen on what is no port, and what a group can share by having it in common.
#[cfg(unix)]
pub(crate) fn share(
    address: &Address,
    carries: Carries,
    open: impl FnOnce() -> io::Result<Door>,
) -> io::Result<Door> {
    MEMBER.with_borrow_mut(|member| match member {
        Some(member) => member.share(address, carries, open),
        None => open(),
    })
}

/// What is to be done to a socket before it is bound.
pub(crate) type Prepare = fn(&Socket) -> io::Result<()>;

impl Member {
    fn listen(
        &mut self,
        address: SocketAddr,
        listen: impl Fn(SocketAddr, Prepare) -> io::Result<Socket>,
    ) -> io::Result<Socket> {
        let times = self.times.entry(address).or_default();
        let socket = self.ports.listen((address, *times), listen)?;
        *times += 1;
        Ok(socket)
    }
}

#[cfg(unix)]
impl Member {
    fn share(
        &mut self,
        address: &Address,
        carries: Carries,
        open: impl FnOnce() -> io::Result<Door>,
    ) -> io::Result<Door> {
        let times = self.doors.entry((address.clone(), carries)).or_default();
        let wanted = (address.clone(), carries, *times);
        let mut doors = self.ports.doors();
        let door = match doors.entry(wanted) {
            Entry::Occupied(taken) => taken.into_mut().share()?,
            Entry::Vacant(free) => free.insert(open()?).share()?,
        };
        *times += 1;
        Ok(door)
    }
}

impl Ports {
    #[cfg(target_os = "linux")]
    fn listen(
        &self,
        wanted: (SocketAddr, usize),
        listen: impl Fn(SocketAddr, Prepare) -> io::Result<Socket>,
    ) -> io::Result<Socket> {
        let share: Prepare = |socket| Ok(rustix::net::sockopt::set_socket_reuseport(socket, true)?);
        // Locked until it listens: the others wait to know the port.
        let mut taken = self.taken();
        if let Some(address) = taken.get(&wanted) {
            return listen(*address, share);
        }
        let (address, _) = wanted;
        if address.port() != 0 {
            // With the option, another process of the same user that listens there, such as this
            // program started twice, would be no error: it would get half of the connections.
            shut(&listen(address, |_| Ok(()))?);
        }
        let socket = listen(address, share)?;
        let address = socket.local_addr()?.as_socket().unwrap_or(address);
        taken.insert(wanted, address);
        Ok(socket)
    }

    #[cfg(not(target_os = "linux"))]
    fn listen(
        &self,
        wanted: (SocketAddr, usize),
        listen: impl Fn(SocketAddr, Prepare) -> io::Result<Socket>,
    ) -> io::Result<Socket> {
        let mut taken = self.taken();
        if let Some(socket) = taken.get(&wanted) {
            return socket.try_clone();
        }
        let socket = listen(wanted.0, |_| Ok(()))?;
        taken.insert(wanted, socket.try_clone()?);
        Ok(socket)
    }

    /// Everybody has been set up: what is left of it here must not keep a port open.
    pub(crate) fn forget(&self) {
        self.taken().clear();
        let doors = std::mem::take(&mut *self.doors());
        drop(doors);
    }

    fn doors(&self) -> MutexGuard<'_, HashMap<(Address, Carries, usize), Door>> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is done under the lock leaves whole data, wherever it ends.
    fn taken(&self) -> MutexGuard<'_, BTreeMap<(SocketAddr, usize), Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
