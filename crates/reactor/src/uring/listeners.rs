use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use socket2::Socket;
use torsade_core::driver::Interest;
use torsade_core::{Address, Limits, ListenOptions, ListenerId, WhenFull};

use super::file::{File, Files};
use super::ring::{Accepts, Brought, Completion, OpId, Ring, peer};
use super::tag::Tag;
use crate::accepting::Accept;
use crate::listener::{self, shut};
use crate::local::{self, Bound};
use crate::reserve::Reserve;

/// The listening sockets of a reactor. Programs reach it through `listen` and `close`, in the
/// middle of their callbacks, so it is never left borrowed.
///
/// While all goes well the kernel accepts by itself, and what it accepted waits here to be told.
/// When it cannot, because descriptors are short, it only says that somebody is there, and the
/// accepts are plain calls, one by one, as with any other driver (contract C12).
#[derive(Debug)]
pub(crate) struct Listeners {
    table: RefCell<HashMap<ListenerId, Listening>>,
    /// Listeners that have something to tell.
    due: RefCell<VecDeque<ListenerId>>,
    /// Not held: programs have this for as long as they have a handle of the reactor.
    ring: Weak<Ring>,
    files: Files,
    backlog: u32,
    sheds: bool,
    accepts: Accepts,
    /// Kept while there are listeners, if connections are to be shed.
    pub(crate) reserve: Reserve,
}

/// One listening socket.
#[derive(Debug)]
struct Listening {
    /// Goes before the socket does.
    #[expect(dead_code, reason = "its drop removes the file")]
    bound: Option<Arc<Bound>>,
    file: File,
    address: Address,
    /// Whether others may listen on the socket, too.
    is_shared: bool,
    /// What the kernel does about it. Nothing, while it rests or is told of.
    ops: Vec<OpId>,
    /// Accepted, and not told yet.
    arrived: VecDeque<(File, Option<SocketAddr>)>,
    /// Why the kernel accepts no more.
    failed: Option<io::Error>,
    is_due: bool,
    /// Whether the kernel accepts nothing by itself, so that others must.
    by_hand: bool,
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Whatever the kernel still has to do about it.
        if let Some(socket) = self.file.descriptor()
            && !self.is_shared
        {
            shut(socket);
        }
    }
}

/// Accepts that are under way at once where each is for one connection only.
const DIRECT: usize = 16;

impl Listeners {
    pub(crate) fn new(ring: &Rc<Ring>, limits: &Limits, direct: bool) -> Self {
        let waits = limits.when_full == WhenFull::Wait && limits.max_connections != usize::MAX;
        Self {
            table: RefCell::default(),
            due: RefCell::default(),
            ring: Rc::downgrade(ring),
            files: ring.files(),
            backlog: limits.backlog,
            sheds: limits.when_full == WhenFull::Shed,
            accepts: match (direct, waits) {
                (true, _) => Accepts::Direct,
                // Who must wait is left in the system's queue, but for one.
                (false, true) => Accepts::One,
                (false, false) => Accepts::All,
            },
            reserve: Reserve::default(),
        }
    }

    pub(crate) fn listen(
        &self,
        wanted: &Address,
        options: &ListenOptions,
        id: ListenerId,
    ) -> io::Result<Address> {
        let door = listener::open(wanted, options, self.backlog)?;
        let address = door.address;
        if self.sheds {
            // Without it, those who come when there are no descriptors wait.
            let _ = self.reserve.take();
        }
        let listening = Listening {
            bound: door.file,
            file: File::new(door.socket, &self.files),
            address: address.clone(),
            is_shared: door.is_shared,
            ops: Vec::new(),
            arrived: VecDeque::new(),
            failed: None,
            is_due: false,
            by_hand: false,
        };
        self.table.borrow_mut().insert(id, listening);
        self.resume(id);
        // At once, because nobody knows when there is a turn.
        self.submit();
        Ok(address)
    }

    pub(crate) fn close(&self, id: ListenerId) {
        let removed = self.table.borrow_mut().remove(&id);
        let Some(mut listening) = removed else {
            return;
        };
        let ops = mem::take(&mut listening.ops);
        drop(listening);
        self.cancel(&ops);
        self.submit();
        if self.table.borrow().is_empty() {
            self.reserve.release();
        }
    }

    fn submit(&self) {
        if let Some(ring) = self.ring.upgrade() {
            // What fails now is tried again by the next wait, which says so if it fails too.
            let _ = ring.flush();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.borrow().len()
    }

    /// Where a listener listens.
    pub(crate) fn address(&self, id: ListenerId) -> Option<Address> {
        Some(self.table.borrow().get(&id)?.address.clone())
    }
}

/// What the kernel does.
impl Listeners {
    /// An operation of a listener has something to say.
    pub(crate) fn came(&self, id: ListenerId, completion: Completion) {
        let mut table = self.table.borrow_mut();
        // Closed meanwhile, or not: what came is closed if nobody takes it here.
        let Some(listening) = table.get_mut(&id) else {
            return;
        };
        if completion.last {
            listening.ops.retain(|op| *op != completion.op);
        }
        match (completion.brought, completion.outcome.result()) {
            (Brought::Accepted(file, from), _) => listening.arrived.push_back((file, from)),
            (_, Err(error)) if error.raw_os_error() != Some(libc::ECANCELED) => {
                listening.failed = Some(error);
            }
            _ => {}
        }
        self.is_due(id, listening);
    }

    fn is_due(&self, id: ListenerId, listening: &mut Listening) {
        if !mem::replace(&mut listening.is_due, true) {
            self.due.borrow_mut().push_back(id);
        }
    }

    /// How many listeners have something to tell.
    pub(crate) fn due(&self) -> usize {
        self.due.borrow().len()
    }

    pub(crate) fn next_due(&self) -> Option<ListenerId> {
        let id = self.due.borrow_mut().pop_front()?;
        if let Some(listening) = self.table.borrow_mut().get_mut(&id) {
            listening.is_due = false;
        }
        Some(id)
    }

    /// A turn's share of accepts is used up, and there may be more.
    pub(crate) fn put_off(&self, id: ListenerId) {
        if let Some(listening) = self.table.borrow_mut().get_mut(&id) {
            self.is_due(id, listening);
        }
    }

    /// All that came was told: on with it. While descriptors are short, the kernel is only to say
    /// that somebody comes.
    pub(crate) fn go_on(&self, id: ListenerId, short: bool) {
        let mut table = self.table.borrow_mut();
        let (Some(listening), Some(ring)) = (table.get_mut(&id), self.ring.upgrade()) else {
            return;
        };
        let tag = Tag::Listener(id);
        listening.by_hand = short;
        if short {
            if listening.ops.is_empty() {
                let readable = Interest {
                    readable: true,
                    writable: false,
                };
                listening
                    .ops
                    .push(ring.poll(&listening.file, tag, readable));
            }
            return;
        }
        let accepts = match self.accepts {
            // Nobody but the ring could ask such a socket for credentials and descriptors.
            Accepts::Direct if listening.address.inet().is_none() => Accepts::One,
            accepts => accepts,
        };
        let most = match accepts {
            Accepts::One | Accepts::All => 1,
            Accepts::Direct => DIRECT,
        };
        while listening.ops.len() < most {
            let accepts = match accepts {
                Accepts::Direct if ring.reserve() => Accepts::Direct,
                // Whoever comes gets a descriptor; for the next there may be a place again.
                Accepts::Direct if listening.ops.is_empty() => Accepts::One,
                Accepts::Direct => return,
                plain => plain,
            };
            let op = ring.accept(&listening.file, tag, accepts);
            listening.ops.push(op);
            if accepts == Accepts::One {
                return;
            }
        }
    }

    /// Accept no more for now. What was accepted is kept.
    pub(crate) fn rest(&self, id: ListenerId) {
        let mut table = self.table.borrow_mut();
        if let Some(listening) = table.get_mut(&id) {
            listening.by_hand = true;
            // What they still bring is taken, see `came`.
            self.cancel(&mem::take(&mut listening.ops));
        }
    }

    fn cancel(&self, ops: &[OpId]) {
        if let Some(ring) = self.ring.upgrade() {
            for op in ops {
                ring.cancel(*op);
            }
        }
    }

    /// On with accepting.
    pub(crate) fn resume(&self, id: ListenerId) {
        let mut table = self.table.borrow_mut();
        let Some(listening) = table.get_mut(&id) else {
            return;
        };
        if listening.arrived.is_empty() && listening.failed.is_none() {
            drop(table);
            self.go_on(id, false);
        } else {
            self.is_due(id, listening);
        }
    }
}

/// Connections.
impl Listeners {
    /// The next connection: one that the kernel accepted by itself, or, if it does not, one that
    /// waits for it.
    pub(crate) fn accept(&self, id: ListenerId) -> Accept<File> {
        let mut table = self.table.borrow_mut();
        let Some(listening) = table.get_mut(&id) else {
            return Accept::Empty;
        };
        if let Some((file, from)) = listening.arrived.pop_front() {
            return prepare(file, from, &listening.address);
        }
        if let Some(error) = listening.failed.take() {
            listening.by_hand = true;
            return Accept::refused(error);
        }
        if !listening.by_hand {
            return Accept::Empty;
        }
        let Some(socket) = listening.file.descriptor() else {
            return Accept::Empty;
        };
        match socket.accept() {
            Ok((socket, from)) => prepare(
                File::new(socket, &self.files),
                from.as_socket(),
                &listening.address,
            ),
            Err(error) => Accept::refused(error),
        }
    }
}

fn prepare(file: File, from: Option<SocketAddr>, listening: &Address) -> Accept<File> {
    let socket = file.descriptor();
    let Some(listening) = listening.inet() else {
        let peer = socket.and_then(|socket| local::peer(socket, Some(listening)).ok());
        return peer.map_or(Accept::Broken, |peer| Accept::Made(file, peer));
    };
    let remote = from.or_else(|| peer(socket?, listening));
    let Some(remote) = remote else {
        return Accept::Broken;
    };
    let local = match socket {
        Some(socket) if listening.ip().is_unspecified() => own_address(socket),
        _ => None,
    };
    Accept::Made(file, listener::peer(remote, local.unwrap_or(listening)))
}

fn own_address(socket: &Socket) -> Option<SocketAddr> {
    socket.local_addr().ok()?.as_socket()
}
