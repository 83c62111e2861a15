use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::rc::{Rc, Weak};

use socket2::Socket;
use torsade_core::driver::Interest;

use super::file::File;
use super::ring::{Completion, OpId, Ring};
use super::stream::ROOM;
use super::tag::Tag;
use crate::event_loop;
use crate::token::Token;

/// Descriptors that are not the reactor's own: those of a [`Watcher`](crate::Watcher), and the
/// pipe of the signals. Polled once at a time, and again when they were told.
///
/// A poll is also over when the peer has ended its side, whatever was asked. To who waits for room
/// only, that is no news, and one poll after the other would say it again and again; so then there
/// is one that goes on until there is room.
///
/// ```text
///            ready: told
///          +-----------+
///          v           |    the peer's end, and no room
///        once ---------+------------------------------> until there is room
///          ^                                               |
///          +-----------------------------------------------+
///                            there is room: told
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Registrar(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    ring: Weak<Ring>,
    /// By the number of the watch; the signals have a number of their own.
    table: RefCell<HashMap<u64, Polled>>,
}

#[derive(Debug)]
struct Polled {
    file: Rc<File>,
    interest: Interest,
    op: OpId,
}

const SIGNALS: u64 = u64::MAX;

impl Registrar {
    pub(crate) fn new(ring: &Rc<Ring>) -> Self {
        Self(Rc::new(Shared {
            ring: Rc::downgrade(ring),
            table: RefCell::default(),
        }))
    }

    /// A poll says something. Returns whether it is what somebody wants to know.
    pub(crate) fn came(&self, said: &Completion) -> bool {
        let mut table = self.0.table.borrow_mut();
        let polled = table.get_mut(&number(said.tag));
        let (Some(polled), Some(ring)) = (polled, self.0.ring.upgrade()) else {
            return false;
        };
        if polled.op != said.op {
            return false;
        }
        let is_ready = polled.is_ready(said);
        if is_ready || said.last {
            polled.poll_again(&ring, said, !is_ready);
        }
        is_ready
    }
}

impl Polled {
    /// What is wrong with a poll is told like news: whoever was told finds out.
    fn is_ready(&self, said: &Completion) -> bool {
        let events = said.outcome.amount().unwrap_or(ROOM);
        self.interest.readable || events & ROOM != 0
    }

    /// If it is still ready when it was told, that is the next news.
    fn poll_again(&mut self, ring: &Ring, said: &Completion, goes_on: bool) {
        if !said.last {
            ring.cancel(self.op);
        }
        self.op = if goes_on {
            ring.poll_for_room(&self.file, said.tag)
        } else {
            ring.poll(&self.file, said.tag, self.interest)
        };
    }
}

impl event_loop::Registrar for Registrar {
    fn register(
        &self,
        own: OwnedFd,
        token: Token,
        interest: Interest,
    ) -> io::Result<Box<dyn event_loop::Registration>> {
        refuse_files(&own)?;
        let tag = match token {
            Token::Watched(number) => Tag::Watched(number),
            _ => Tag::Signals,
        };
        let ring = self.0.ring.upgrade().ok_or(io::ErrorKind::NotConnected)?;
        let file = Rc::new(File::new(own.into(), &ring.files()));
        let polled = Polled {
            op: ring.poll(&file, tag, interest),
            file: Rc::clone(&file),
            interest,
        };
        self.0.table.borrow_mut().insert(number(tag), polled);
        ring.submit()?;
        Ok(Box::new(Registered {
            file,
            tag,
            shared: Rc::clone(&self.0),
        }))
    }
}

/// The kernel would say of a regular file that it is always ready.
fn refuse_files(own: &OwnedFd) -> io::Result<()> {
    let kind = fs::File::from(own.as_fd().try_clone_to_owned()?)
        .metadata()?
        .file_type();
    if kind.is_file() || kind.is_dir() || kind.is_block_device() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(())
}

fn number(tag: Tag) -> u64 {
    match tag {
        Tag::Watched(number) => number,
        _ => SIGNALS,
    }
}

#[derive(Debug)]
struct Registered {
    file: Rc<File>,
    tag: Tag,
    shared: Rc<Shared>,
}

impl event_loop::Registration for Registered {
    fn socket(&self) -> &Socket {
        match self.file.descriptor() {
            Some(socket) => socket,
            None => unreachable!("what is watched is a descriptor"),
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let removed = self.shared.table.borrow_mut().remove(&number(self.tag));
        if let (Some(polled), Some(ring)) = (removed, self.shared.ring.upgrade()) {
            ring.cancel(polled.op);
            drop(polled);
            // At once, because others may wait for it to be closed. If it fails now, then later.
            let _ = ring.flush();
        }
    }
}
