//! How operations begin. Why it is sound is said in the module above.
#![expect(unsafe_code, reason = "a part of the ring's module, see there")]

use std::ptr;

use io_uring::types::{DestinationSlot, Fd, Fixed};
use io_uring::{opcode, squeue};
use socket2::SockAddr;
use torsade_core::driver::{Chunk, Interest};

use super::super::file::{File, Name};
use super::super::tag::Tag;
use super::op::{Accepts, From, HEARD, Load, Op, OpId, Pieces};
use super::{GROUP, NOBODY, Ring};

/// What an operation is to be about, by either kind of name that files have.
macro_rules! on_file {
    ($file:expr, |$fd:ident| $entry:expr) => {
        match $file.to_name() {
            Name::Descriptor(number) => {
                let $fd = Fd(number);
                $entry
            }
            Name::Place(place) => {
                let $fd = Fixed(place);
                $entry
            }
        }
    };
}

/// Of sends: a peer that is gone is an error, not a signal; and one that is slow is no reason for
/// the kernel to wait, which it would do in a thread.
const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;

/// Operations. None of them fails here: what is wrong is said by its completion.
impl Ring {
    /// Receive until it is cancelled, the stream ends, or the buffers do.
    pub(crate) fn receive(&self, file: &File, tag: Tag) -> OpId {
        let entry = on_file!(file, |fd| opcode::RecvMulti::new(fd, GROUP).build());
        self.begin(tag, Load::Receiving, entry)
    }

    /// Send of a chunk what there is room for. It is over as soon as it is submitted.
    pub(crate) fn send(&self, file: &File, tag: Tag, chunk: Box<Chunk>) -> OpId {
        if let Some(bytes) = chunk.as_slice() {
            let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let entry = on_file!(file, |fd| opcode::Send::new(fd, bytes.as_ptr(), len)
                .flags(SEND_FLAGS)
                .build());
            return self.begin(tag, Load::Chunk(chunk), entry);
        }
        let pieces = Pieces::new(chunk);
        let message = &raw const pieces.message;
        let entry = on_file!(file, |fd| opcode::SendMsg::new(fd, message)
            .flags(SEND_FLAGS as u32)
            .build());
        self.begin(tag, Load::Pieces(pieces), entry)
    }

    /// The same with a copy of bytes for the stream at that place. `None` if there is no room for
    /// one now.
    #[inline(always)]
    pub(crate) fn send_copy(&self, file: &File, place: usize, bytes: &[u8]) -> Option<OpId> {
        let mut inner = self.inner.borrow_mut();
        let (number, copy) = inner.arena.copy(place, bytes)?;
        let id = OpId::of_copy(number);
        // There is no room for more than that.
        let len = bytes.len() as u32;
        let entry = on_file!(file, |fd| opcode::Send::new(fd, copy, len)
            .flags(SEND_FLAGS)
            .build());
        // SAFETY: the copy is in the arena until this is over.
        unsafe { inner.push(entry.user_data(id.to_bits())) };
        Some(id)
    }

    /// Have a place kept in the ring's own table for [`Accepts::Direct`], if there is one.
    pub(crate) fn reserve(&self) -> bool {
        self.inner.borrow().files.reserve()
    }

    /// Accept connections of a listener.
    pub(crate) fn accept(&self, file: &File, tag: Tag, accepts: Accepts) -> OpId {
        const CLOEXEC: i32 = libc::SOCK_CLOEXEC;
        match accepts {
            Accepts::All => {
                let entry = on_file!(file, |fd| opcode::AcceptMulti::new(fd)
                    .flags(CLOEXEC)
                    .build());
                self.begin(tag, Load::Accepting, entry)
            }
            Accepts::One => {
                let entry = on_file!(file, |fd| {
                    let accept = opcode::Accept::new(fd, ptr::null_mut(), ptr::null_mut());
                    accept.flags(CLOEXEC).build()
                });
                self.begin(tag, Load::Accepting, entry)
            }
            Accepts::Direct => {
                let mut from = Box::new(From::new());
                let (address, len) = (&raw mut from.address, &raw mut from.len);
                let slot = Some(DestinationSlot::auto_target());
                let entry = on_file!(file, |fd| {
                    let accept = opcode::Accept::new(fd, address.cast(), len);
                    accept.file_index(slot).build()
                });
                self.begin(tag, Load::AcceptingDirect(from), entry)
            }
        }
    }

    pub(crate) fn connect(&self, file: &File, tag: Tag, address: SockAddr) -> OpId {
        let address = Box::new(address);
        let (pointer, len) = (address.as_ptr().cast(), address.len());
        let entry = on_file!(file, |fd| opcode::Connect::new(fd, pointer, len).build());
        self.begin(tag, Load::Address(address), entry)
    }

    /// Say once when a descriptor is ready.
    pub(crate) fn poll(&self, file: &File, tag: Tag, interest: Interest) -> OpId {
        let mut events = 0;
        if interest.readable {
            events |= libc::POLLIN;
        }
        if interest.writable {
            events |= libc::POLLOUT;
        }
        let entry = on_file!(file, |fd| opcode::PollAdd::new(fd, events as u32).build());
        self.begin(tag, Load::Nothing, entry)
    }

    /// Say each time that a socket comes to have room, until it is cancelled.
    pub(crate) fn poll_for_room(&self, file: &File, tag: Tag) -> OpId {
        // Not once at a time: a poll is also over when the peer has ended its side, so that one
        // after the other would spin.
        let events = libc::POLLOUT as u32;
        let entry = on_file!(file, |fd| opcode::PollAdd::new(fd, events)
            .multi(true)
            .build());
        self.begin(tag, Load::Nothing, entry)
    }

    /// Say once that a pipe was written to.
    pub(crate) fn hear(&self, pipe: &File, tag: Tag) -> OpId {
        let mut heard = Box::new([0; HEARD]);
        let pointer = (&raw mut *heard).cast();
        let entry = on_file!(pipe, |fd| opcode::Read::new(fd, pointer, HEARD as u32)
            .build());
        self.begin(tag, Load::Heard(heard), entry)
    }

    /// End our side of a stream, once what was sent before is sent.
    pub(crate) fn shutdown(&self, file: &File, tag: Tag) -> OpId {
        let entry = on_file!(file, |fd| opcode::Shutdown::new(fd, libc::SHUT_WR).build());
        self.begin(tag, Load::Nothing, entry)
    }

    /// Have the end of a socket of the ring's own be a reset: nothing that waits to be sent is. The
    /// kernel can do so from Linux 6.7 on; before, it is an end like any other.
    pub(crate) fn will_reset(&self, file: &File) {
        static NOW: libc::linger = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        let (level, name) = (libc::SOL_SOCKET as u32, libc::SO_LINGER as u32);
        let len = size_of::<libc::linger>() as u32;
        let now = (&raw const NOW).cast();
        let entry = on_file!(file, |fd| opcode::SetSockOpt::new(
            fd, level, name, now, len
        )
        .build());
        let entry = entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(NOBODY);
        // SAFETY: what it points to is there for ever.
        unsafe { self.inner.borrow_mut().push(entry) };
    }

    /// End an operation early. Its last completion comes all the same.
    pub(crate) fn cancel(&self, op: OpId) {
        if op.copy().is_some() {
            // Over as soon as it is submitted, which it is before this would be.
            return;
        }
        let entry = opcode::AsyncCancel::new(op.to_bits())
            .build()
            .flags(squeue::Flags::SKIP_SUCCESS)
            .user_data(NOBODY);
        let mut inner = self.inner.borrow_mut();
        // SAFETY: it points to nothing.
        unsafe { inner.push(entry) };
    }

    fn begin(&self, tag: Tag, load: Load, entry: squeue::Entry) -> OpId {
        let mut inner = self.inner.borrow_mut();
        let generation = OpId::after(inner.generation);
        inner.generation = generation;
        let place = inner.ops.insert(Op {
            tag,
            generation,
            load,
        });
        let id = OpId::new(place, generation);
        // SAFETY: what it points to is in the table now.
        unsafe { inner.push(entry.user_data(id.to_bits())) };
        id
    }
}
