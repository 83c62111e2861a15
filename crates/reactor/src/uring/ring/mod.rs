//! The ring, with everything that the kernel may touch: the one module of this driver with
//! `unsafe`.
//!
//! # Why it is sound
//! The kernel reads and writes memory of ours from the moment an operation is pushed until its
//! last completion is taken out of the ring. So all such memory belongs to this module for that
//! time, and to nobody else:
//!
//! - *What an operation points to* (a chunk that is sent, an address, the count of a doorbell)
//!   moves into its [`Op`], and comes out only with the last completion. It lies in boxes, so moving the `Op` does not move it. Nothing here looks into it
//!   meanwhile.
//! - *What is copied to be sent* lies in the [`Arena`], each copy in a piece of its own. Nobody writes
//!   to it before the completion of its send came; that has only one.
//! - *What is received into* lies in the [`Pool`]. A buffer is either the kernel's or a [`Filled`],
//!   never both: the kernel says by a completion that it gave one up, out of that one completion
//!   one `Filled` is made, and only its drop gives the buffer back.
//! - *A file* is named by a number, which must not come to mean another file before the kernel
//!   has looked it up. A [`File`] that is dropped is closed only after the submission of every entry
//!   that names it; those of the ring's own table are closed by entries behind those.
//! - *The end*: [`Ring::drain`] cancels every operation and takes completions until none is under
//!   way. A kernel that does not give all of them back in time keeps the memory: it is leaked, not
//!   freed. The `Pool` is also kept by each `Filled`, and the room of the
//!   `Arena` by each `Copied`, which may outlive the ring.
//!
//! Nothing is shared between threads: neither [`Ring`] nor `Pool` nor `Filled` can be sent.
#![expect(
    unsafe_code,
    reason = "the kernel reads and writes the memory of operations while they are under way; the \
              types of this module own it as long, so that nobody else has to promise that"
)]

mod arena;
mod begin;
mod op;
mod pool;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};
use std::rc::Rc;
use std::time::Duration;

use io_uring::types::{CancelBuilder, Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use slab::Slab;
use socket2::{SockAddr, Socket};

use self::arena::Arena;
pub(crate) use self::arena::Copied;
pub(crate) use self::op::{Accepts, Brought, Completion, Event, OpId, Outcome};
use self::op::{From, Load, Op};
pub(crate) use self::pool::Filled;
use self::pool::Pool;
use super::file::{File, Files};
use super::probe;
use super::tag::Tag;

/// One ring of the kernel's.
#[derive(Debug)]
pub(crate) struct Ring {
    inner: RefCell<Inner>,
    pool: Rc<Pool>,
}

struct Inner {
    uring: IoUring,
    ops: Slab<Op>,
    arena: Arena,
    /// Entries that found the submission queue full and could not be submitted either.
    backlog: VecDeque<squeue::Entry>,
    /// Told apart by it are operations that had the same place one after the other.
    generation: NonZeroU32,
    /// Whether the last submission was refused for want of memory, or because completions wait.
    refused: bool,
    has_min_wait: bool,
    /// Completions that were taken out of the ring before their time.
    reaped: VecDeque<Event>,
    files: Files,
}

/// Entries of the submission queue; more than that are submitted in several calls.
const ENTRIES: u32 = 256;
/// Completions for which there is room. The kernel keeps what is beyond it, at a price.
const COMPLETIONS: u32 = 4096;
/// Completions of operations that nobody asks about.
const NOBODY: u64 = u64::MAX;
/// Where multishot receives find the pool.
const GROUP: u16 = 0;
/// How long a wait goes on when nothing but ends of sends came.
const MIN_WAIT_MICROS: u32 = 50;
/// How long a wait is at most after the kernel refused a submission, which is then tried again.
const REFUSED_WAIT: Duration = Duration::from_millis(5);
/// How often `drain` waits for completions, and how long each time: a second in all.
const DRAIN_ROUNDS: usize = 100;
const DRAIN_WAIT: Duration = Duration::from_millis(10);

impl Ring {
    /// A ring with so many buffers of so many bytes to receive into, and a table of its own for so
    /// many sockets.
    ///
    /// It never asks for a kernel thread (SQPOLL): completions are worked on when the reactor
    /// waits, in its own thread.
    pub(crate) fn new(buffers: u16, size: usize, slots: u32) -> io::Result<Self> {
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_cqsize(COMPLETIONS)
            .build(ENTRIES)
            .map_err(probe::explain)?;
        probe::check(&uring)?;
        let has_min_wait = uring.params().is_feature_min_timeout();
        let pool = Rc::new(Pool::new(buffers, size));
        // SAFETY: the entries are aligned to a page and stay where they are until the pool is
        // freed, which it is after the ring is closed and drained, or never.
        unsafe {
            uring.submitter().register_buf_ring_with_flags(
                pool.entries.addr() as u64,
                buffers,
                GROUP,
                0,
            )?;
        }
        if slots > 0 {
            let made = uring.submitter().register_files_sparse(slots);
            made.map_err(|error| probe::explain_table(error, slots))?;
        }
        let inner = RefCell::new(Inner {
            uring,
            ops: Slab::new(),
            arena: Arena::new(),
            backlog: VecDeque::new(),
            generation: NonZeroU32::MIN,
            refused: false,
            has_min_wait,
            reaped: VecDeque::new(),
            files: Files::new(slots),
        });
        Ok(Self { inner, pool })
    }

    /// Have the kernel write to an eventfd whenever there is something to do. Returns whether there
    /// is.
    pub(crate) fn alarm(&self, eventfd: BorrowedFd<'_>) -> io::Result<bool> {
        let inner = self.inner.borrow_mut();
        inner
            .uring
            .submitter()
            .register_eventfd(eventfd.as_raw_fd())?;
        drop(inner);
        Ok(self.has_news())
    }

    /// Whether there is something to do, here or in the kernel.
    pub(crate) fn has_news(&self) -> bool {
        let mut inner = self.inner.borrow_mut();
        !inner.has_nothing_to_say() || !inner.uring.completion().is_empty()
    }

    /// What the ring's files have in common.
    pub(crate) fn files(&self) -> Files {
        self.inner.borrow().files.clone()
    }

    /// Operations that are not over.
    pub(crate) fn under_way(&self) -> usize {
        let inner = self.inner.borrow();
        inner.ops.len() + inner.arena.in_use()
    }
}

/// Submitting, waiting, and what comes of it.
impl Ring {
    /// Submit what was begun, without waiting.
    pub(crate) fn submit(&self) -> io::Result<()> {
        self.inner.borrow_mut().enter(0, Some(Duration::ZERO))
    }

    /// Have files closed that wait to be until what was begun is submitted. If that fails, they are
    /// closed with the next wait.
    pub(crate) fn close_files(&self) {
        let waits = self.inner.borrow().files.wait();
        if waits {
            let _ = self.submit();
        }
    }

    /// Submit what was begun, and let the kernel do what it has put off.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.inner.borrow_mut().enter(1, Some(Duration::ZERO))
    }

    /// Submit what was begun and wait for a completion, at most so long. `swift` of them come of
    /// sends, at once, and are not what is waited for; but if there are no others for a moment,
    /// they end the wait.
    pub(crate) fn wait(&self, timeout: Option<Duration>, swift: usize) -> io::Result<()> {
        let mut inner = self.inner.borrow_mut();
        let zero = timeout == Some(Duration::ZERO);
        let want = match (zero, inner.has_min_wait) {
            (true, _) => 0,
            (false, true) => 1 + swift,
            (false, false) => 1,
        };
        inner.enter(want, timeout)
    }

    /// The next completion that has come.
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<Event> {
        let mut inner = self.inner.borrow_mut();
        match inner.reaped.pop_front() {
            Some(event) => Some(event),
            None => inner.take(&self.pool),
        }
    }

    /// The completions that have come for a tag, before their time.
    pub(crate) fn take_out(
        &self,
        is_meant: impl Fn(Tag) -> bool,
        mut each: impl FnMut(Completion),
    ) {
        let mut found = Vec::new();
        {
            let mut inner = self.inner.borrow_mut();
            let mut all = mem::take(&mut inner.reaped);
            while let Some(event) = inner.take(&self.pool) {
                all.push_back(event);
            }
            for event in all {
                match event {
                    Event::Other(completion) if is_meant(completion.tag) => found.push(completion),
                    other => inner.reaped.push_back(other),
                }
            }
        }
        found.into_iter().for_each(&mut each);
    }

    /// How many completions were taken out of the ring before their time.
    pub(crate) fn reaped(&self) -> usize {
        self.inner.borrow().reaped.len()
    }

    /// How many completions have come.
    pub(crate) fn ready(&self) -> usize {
        let mut inner = self.inner.borrow_mut();
        inner.reaped.len() + inner.uring.completion().len()
    }

    /// Cancel everything and wait until the kernel has let go of it, but for a second at most.
    /// `each` is given what comes back; what it does must not begin anything. Returns whether the
    /// kernel has.
    pub(crate) fn drain(&self, mut each: impl FnMut(Event)) -> bool {
        for _ in 0..DRAIN_ROUNDS {
            while let Some(event) = self.pop() {
                each(event);
            }
            let mut inner = self.inner.borrow_mut();
            if inner.is_idle() {
                return true;
            }
            let entry = opcode::AsyncCancel2::new(CancelBuilder::any()).build();
            let entry = entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(NOBODY);
            // SAFETY: it points to nothing.
            unsafe { inner.push(entry) };
            if inner.enter(1, Some(DRAIN_WAIT)).is_err() {
                return false;
            }
        }
        self.under_way() == 0
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if !self.drain(drop) {
            let ops = mem::take(&mut self.inner.borrow_mut().ops);
            log::error!(
                "the kernel keeps {} operations of a ring that is gone, so their memory is leaked",
                ops.len()
            );
            mem::forget(ops);
            mem::forget(Rc::clone(&self.pool));
            self.inner.borrow_mut().arena.leak();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        debug_assert!(self.ops.is_empty(), "memory is freed that the kernel has");
    }
}

impl Inner {
    /// # Safety
    /// What the entry points to must stay until its last completion.
    #[inline]
    unsafe fn push(&mut self, entry: squeue::Entry) {
        if self.backlog.is_empty() {
            // SAFETY: the caller's promise.
            if unsafe { self.uring.submission().push(&entry) }.is_ok() {
                return;
            }
            // Full: make room. If that fails, the backlog has it, and the next call tries again.
            let _ = self.enter(0, Some(Duration::ZERO));
        }
        // SAFETY: the caller's promise.
        unsafe { self.push_back(entry) };
    }

    /// The same without making room.
    ///
    /// # Safety
    /// As for `push`.
    unsafe fn push_back(&mut self, entry: squeue::Entry) {
        // SAFETY: the caller's promise.
        if !self.backlog.is_empty() || unsafe { self.uring.submission().push(&entry) }.is_err() {
            self.backlog.push_back(entry);
        }
    }

    /// Submit and wait. Errors that only say that there is nothing yet are none.
    fn enter(&mut self, want: usize, timeout: Option<Duration>) -> io::Result<()> {
        self.close_slots();
        while !self.backlog.is_empty() && self.refill() {
            self.call(0, Some(Duration::ZERO))?;
            if self.refused {
                break;
            }
        }
        if mem::take(&mut self.refused) && want > 0 {
            let timeout = timeout.map_or(REFUSED_WAIT, |timeout| timeout.min(REFUSED_WAIT));
            return self.call(1, Some(timeout));
        }
        self.call(want, timeout)
    }

    /// Give back the slots that nobody has any more. Operations on them were pushed before.
    fn close_slots(&mut self) {
        while let Some(slot) = self.files.close_next() {
            let entry = opcode::Close::new(Fixed(slot)).build();
            let entry = entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(NOBODY);
            // SAFETY: it points to nothing, and whoever had the slot has dropped it.
            unsafe { self.push_back(entry) };
        }
    }

    /// Move the backlog to the submission queue. Returns whether some of it found no room.
    fn refill(&mut self) -> bool {
        let mut queue = self.uring.submission();
        while let Some(entry) = self.backlog.pop_front() {
            // SAFETY: whoever put it into the backlog promised what is needed.
            if unsafe { queue.push(&entry) }.is_err() {
                self.backlog.push_front(entry);
                return true;
            }
        }
        false
    }

    fn call(&mut self, want: usize, timeout: Option<Duration>) -> io::Result<()> {
        if want == 0 && self.has_nothing_to_say() {
            return Ok(());
        }
        let submitter = self.uring.submitter();
        let timespec = timeout.map(Timespec::from);
        let mut args = SubmitArgs::new();
        if want > 1 {
            args = args.min_wait_usec(MIN_WAIT_MICROS);
        }
        let entered = match &timespec {
            Some(timespec) if want > 0 => {
                submitter.submit_with_args(want, &args.timespec(timespec))
            }
            _ => submitter.submit_with_args(want, &args),
        };
        if self.backlog.is_empty() && self.uring.submission().is_empty() {
            self.files.submitted();
        }
        match entered.map_err(|error| (error.raw_os_error(), error)) {
            Ok(_) | Err((Some(libc::EINTR | libc::ETIME), _)) => Ok(()),
            Err((Some(libc::EAGAIN | libc::EBUSY | libc::ENOMEM), _)) => {
                self.refused = true;
                Ok(())
            }
            Err((_, error)) => Err(error),
        }
    }

    /// Whether the kernel has nothing of ours.
    fn is_idle(&self) -> bool {
        self.ops.is_empty() && self.arena.in_use() == 0
    }

    /// Whether the kernel and we have no news for each other.
    fn has_nothing_to_say(&mut self) -> bool {
        let queue = self.uring.submission();
        queue.is_empty() && !queue.taskrun() && !queue.cq_overflow()
    }

    /// Take the next completion out of the ring. Those that nobody asks about are passed over.
    #[inline(always)]
    fn take(&mut self, pool: &Rc<Pool>) -> Option<Event> {
        loop {
            let entry = self.uring.completion().next()?;
            let Some(id) = OpId::from_bits(entry.user_data()) else {
                continue;
            };
            let outcome = Outcome(entry.result());
            let last = !cqueue::more(entry.flags());
            if let Some(number) = id.copy() {
                let Some((place, copied)) = self.arena.over(number) else {
                    // It is nobody's.
                    continue;
                };
                return Some(Event::Sent(place, copied, outcome));
            }
            let Some(op) = self.ops.get(id.place()) else {
                continue;
            };
            debug_assert_eq!(op.generation, id.generation());
            if let (Load::Receiving, Tag::Receive(place)) = (&op.load, op.tag)
                && let Some(buffer) = cqueue::buffer_select(entry.flags())
            {
                // SAFETY: the kernel gives the buffer up by this completion, which is taken once.
                let filled = unsafe { Filled::new(pool, buffer, outcome) };
                if !filled.is_empty() {
                    if last {
                        self.ops.remove(id.place());
                    }
                    return Some(Event::Received(place, filled, last));
                }
            }
            if outcome == Outcome::NO_BUFFERS {
                pool.give_more();
            }
            return Some(Event::Other(self.complete(id, outcome, last)?));
        }
    }

    #[inline(never)]
    fn complete(&mut self, id: OpId, outcome: Outcome, last: bool) -> Option<Completion> {
        let op = self.ops.get(id.place())?;
        let tag = op.tag;
        let mut brought = match op.load {
            Load::Accepting if outcome.0 >= 0 => {
                // SAFETY: the kernel made the descriptor for this completion, which is taken once.
                let socket = unsafe { Socket::from_raw_fd(outcome.0) };
                Brought::Accepted(File::new(socket, &self.files), None)
            }
            _ => Brought::Nothing,
        };
        if last {
            match self.ops.remove(id.place()).load {
                Load::Chunk(chunk) => brought = Brought::Chunk(chunk),
                Load::Pieces(pieces) => brought = Brought::Chunk(pieces.chunk),
                Load::AcceptingDirect(from) if outcome.0 >= 0 => {
                    let file = File::at_place(outcome.0.unsigned_abs(), &self.files);
                    brought = Brought::Accepted(file, from.address());
                }
                Load::AcceptingDirect(_) => self.files.give_back(),
                _ => {}
            }
        }
        Some(Completion {
            tag,
            op: id,
            last,
            outcome,
            brought,
        })
    }
}

/// Who is at the other end of a socket, also when that end is gone already.
/// `like` is an address of the same family: the system refuses to fill more room than it needs.
pub(crate) fn peer(socket: &Socket, like: SocketAddr) -> Option<SocketAddr> {
    let mut from = From::new();
    from.len = SockAddr::from(like).len();
    // SAFETY: there is room for what it writes, and it is told how much.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERNAME,
            (&raw mut from.address).cast(),
            &raw mut from.len,
        )
    };
    if result == 0 { from.address() } else { None }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("ops", &self.ops.len())
            .field("backlog", &self.backlog.len())
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}
