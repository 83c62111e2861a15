use std::cell::{Cell, OnceCell, RefCell};
use std::mem;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use torsade_core::driver::Extension;
use torsade_core::{Disconnect, Net, Protocol, Transport};
use torsade_deferred::queue;

use super::{StreamReader, StreamWriter};
use crate::executor::{Executor, Key};
use crate::sync::Waiters;

/// What reader, writer and protocol of one connection share.
pub(super) struct Pipe {
    transport: OnceCell<Transport<StreamProtocol>>,
    executor: Rc<Executor>,
    spares: Rc<Spares>,
    /// What came and is not in the reader's hands yet.
    arrived: RefCell<Vec<u8>>,
    /// How much the reader has in its hands.
    held: Cell<usize>,
    /// How much may be held altogether.
    limit: Cell<usize>,
    input: RefCell<Input>,
    reader: Cell<Reader>,
    flow: Cell<Flow>,
    /// Whether output held input back before we were here.
    throttled: Cell<bool>,
    /// Those who wait until output is welcome again.
    pub(super) drains: Waiters,
}

/// ```text
///   Open -- the peer ends --> Ended ---+
///     +------- the loss ---------------+--> Lost(reason)
/// ```
enum Input {
    Open,
    Ended,
    Lost(Disconnect),
}

/// What becomes of what comes.
///
/// ```text
///            the limit is full
///   Read <-----------------------> Paused
///    |    it was read, or raised     |
///    +---- the reader is dropped ----+--> Ignored
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Read,
    Paused,
    Ignored,
}

/// Who waits for input.
#[derive(Default)]
enum Reader {
    #[default]
    Nobody,
    /// The task that runs the reader, which is the usual case.
    Task(Key),
    /// Something inside or outside of a task that has a waker of its own.
    Other(Waker),
}

/// What a reader may find when it has nothing in its hands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum More {
    Bytes,
    End,
}

/// How much is read ahead, unless it was set otherwise.
pub(super) const LIMIT: usize = 64 * 1024;

impl Pipe {
    pub(super) fn new(net: &Net) -> Rc<Self> {
        Rc::new(Self {
            transport: OnceCell::new(),
            executor: Executor::of(net),
            spares: net.extension(|_| Rc::default()),
            arrived: RefCell::default(),
            held: Cell::new(0),
            limit: Cell::new(LIMIT),
            input: RefCell::new(Input::Open),
            reader: Cell::default(),
            flow: Cell::new(Flow::Read),
            throttled: Cell::new(false),
            drains: Waiters::default(),
        })
    }

    /// The two ends, once the connection is made.
    pub(super) fn ends(self: &Rc<Self>) -> Option<(StreamReader, StreamWriter)> {
        let connection = self.transport.get()?.connection();
        let writer = StreamWriter::new(Rc::clone(self), connection);
        Some((StreamReader::new(Rc::clone(self)), writer))
    }

    /// Hand what arrived to a reader that has consumed all but `held[start..]`, or say that nothing
    /// more will come; else wake it when that changes.
    pub(super) fn poll_more(
        &self,
        held: &mut Vec<u8>,
        start: &mut usize,
        context: &Context<'_>,
    ) -> Poll<Result<More, Disconnect>> {
        if self.absorb(held, start) {
            return Poll::Ready(Ok(More::Bytes));
        }
        match &*self.input.borrow() {
            Input::Ended => return Poll::Ready(Ok(More::End)),
            Input::Lost(reason) if reason.is_clean() => return Poll::Ready(Ok(More::End)),
            Input::Lost(reason) => return Poll::Ready(Err(reason.clone())),
            Input::Open => {}
        }
        // Cloning and dropping a waker is user code: nothing is borrowed.
        self.reader
            .set(match self.executor.running(context.waker()) {
                Some(task) => Reader::Task(task),
                None => Reader::Other(context.waker().clone()),
            });
        self.go_on();
        Poll::Pending
    }

    fn absorb(&self, held: &mut Vec<u8>, start: &mut usize) -> bool {
        let mut arrived = self.arrived.borrow_mut();
        if arrived.is_empty() {
            return false;
        }
        self.held.set(self.held.get() + arrived.len());
        if *start == held.len() {
            *start = 0;
            held.clear();
            mem::swap(held, &mut arrived);
            if arrived.capacity() > 0 {
                self.spares.give(mem::take(&mut arrived));
            }
        } else {
            // Moved away only when it is the larger part, so that bit by bit stays linear.
            if *start > held.len() / 2 {
                held.drain(..*start);
                *start = 0;
            }
            held.append(&mut arrived);
        }
        true
    }

    /// The reader has consumed so much of what it had in its hands.
    pub(super) fn consumed(&self, len: usize, held: &mut Vec<u8>, start: &mut usize) {
        *start += len;
        self.held.set(self.held.get() - len);
        if *start == held.len() {
            *start = 0;
            self.spares.give(mem::take(held));
        }
        if self.is_paused() && self.buffered() <= self.limit.get() / 2 {
            self.go_on();
        }
    }

    /// How much has come and was not consumed.
    pub(super) fn buffered(&self) -> usize {
        self.held.get() + self.arrived.borrow().len()
    }

    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.set(limit.max(1));
        if self.is_paused() && self.buffered() < limit {
            self.go_on();
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.get()
    }

    /// Whether everything that will ever come was consumed.
    pub(super) fn is_at_end(&self) -> bool {
        self.buffered() == 0 && !matches!(&*self.input.borrow(), Input::Open)
    }

    /// Why the connection ended; `None` while it lives.
    pub(super) fn lost(&self) -> Option<Disconnect> {
        match &*self.input.borrow() {
            Input::Lost(reason) => Some(reason.clone()),
            Input::Open | Input::Ended => None,
        }
    }

    /// Nobody will read any more. What came, and what will come, is thrown away: so the peer is not
    /// held up, and its end is noticed whatever came before.
    pub(super) fn reader_gone(&self) {
        self.held.set(0);
        self.spares.give(self.arrived.take());
        drop(self.reader.take());
        self.go_on();
        self.flow.set(Flow::Ignored);
    }

    /// A protocol takes the connection over, with what the reader has in its hands and what came
    /// behind that.
    ///
    /// The ends are dropped after this. What they ask for then comes behind the switch, and so too
    /// late to mean anything.
    pub(super) fn hand_over(&self, held: &[u8], protocol: impl Protocol) {
        if let Some(transport) = self.transport.get() {
            let ahead = [held, &self.arrived.borrow()].concat();
            transport.switch_with(protocol, ahead);
            transport.throttle_input(self.throttled.get());
        }
    }

    /// Nobody will write any more. The close waits for the end of the callback, so that a handler
    /// which ends with an error can still give that as the reason.
    pub(super) fn writer_gone(&self) {
        if let Some(transport) = self.transport.get()
            && transport.is_open()
        {
            transport.call(|_, transport| transport.close());
        }
    }

    fn is_paused(&self) -> bool {
        self.flow.get() == Flow::Paused
    }

    fn hold(&self) {
        if let Some(transport) = self.transport.get() {
            self.flow.set(Flow::Paused);
            transport.pause_reading();
        }
    }

    fn go_on(&self) {
        if self.is_paused()
            && let Some(transport) = self.transport.get()
        {
            self.flow.set(Flow::Read);
            transport.resume_reading();
        }
    }

    fn wake_reader(&self) {
        match self.reader.take() {
            Reader::Nobody => {}
            Reader::Task(task) => self.executor.wake(task),
            Reader::Other(waker) => queue::wake(waker),
        }
    }

    /// The same as the last thing that a callback does: the task that reads runs at once if it
    /// would be next, and what it writes leaves with the callback.
    fn wake_reader_last(&self) {
        match self.reader.take() {
            Reader::Task(task) => self.executor.wake_last(task),
            other => {
                self.reader.set(other);
                self.wake_reader();
            }
        }
    }

    fn end(&self, input: Input) {
        *self.input.borrow_mut() = input;
        self.wake_reader();
    }
}

/// Buffers between two uses, so that a message costs no allocation and an idle connection holds no
/// buffer. One for each reactor.
#[derive(Default)]
struct Spares {
    /// The one that was given back last, so that the usual case touches no list.
    last: Cell<Vec<u8>>,
    others: RefCell<Vec<Vec<u8>>>,
}

impl Spares {
    const KEPT: usize = 64;
    const KEPT_BYTES: usize = 2 * LIMIT;

    fn take(&self) -> Vec<u8> {
        let last = self.last.take();
        if last.capacity() > 0 {
            return last;
        }
        self.others.borrow_mut().pop().unwrap_or_default()
    }

    fn give(&self, mut bytes: Vec<u8>) {
        if !(1..=Self::KEPT_BYTES).contains(&bytes.capacity()) {
            return;
        }
        bytes.clear();
        let before = self.last.replace(bytes);
        if before.capacity() > 0 {
            let mut others = self.others.borrow_mut();
            if others.len() < Self::KEPT {
                others.push(before);
            }
        }
    }
}

impl Extension for Spares {
    fn ended(self: Rc<Self>) {}
}

/// What is run when the connection is made: the reader and the writer are its.
pub(super) type Begin = Box<dyn FnOnce(&Transport<StreamProtocol>, StreamReader, StreamWriter)>;

/// The callbacks of a connection that is used by coroutines.
pub(super) struct StreamProtocol {
    pipe: Rc<Pipe>,
    begin: Option<Begin>,
}

impl StreamProtocol {
    pub(super) fn new(pipe: Rc<Pipe>, begin: Option<Begin>) -> Self {
        Self { pipe, begin }
    }
}

impl Protocol for StreamProtocol {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        // Coroutines wait for their output themselves, by `drain` (contract C7).
        self.pipe.throttled.set(transport.throttle_input(false));
        if self.pipe.transport.set(transport.clone()).is_ok()
            && let Some(begin) = self.begin.take()
            && let Some((reader, writer)) = self.pipe.ends()
        {
            begin(transport, reader, writer);
        }
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        let pipe = &self.pipe;
        if pipe.flow.get() == Flow::Ignored {
            return;
        }
        let room = pipe.limit.get().saturating_sub(pipe.buffered());
        let (taken, left) = data.split_at(room.min(data.len()));
        if taken.len() == room {
            pipe.hold();
            transport.unread(left.len());
        }
        if taken.is_empty() {
            return;
        }
        let mut arrived = pipe.arrived.borrow_mut();
        if arrived.capacity() == 0 {
            *arrived = pipe.spares.take();
        }
        arrived.extend_from_slice(taken);
        drop(arrived);
        // A task that reads at once would let go of the pause, and then what is left would be
        // taken for the beginning of something longer.
        match left.is_empty() {
            true => pipe.wake_reader_last(),
            false => pipe.wake_reader(),
        }
    }

    fn eof_received(&mut self, _: &Transport<Self>) {
        // Our side stays open until the writer closes it.
        self.pipe.end(Input::Ended);
    }

    fn resume_writing(&mut self, _: &Transport<Self>) {
        self.pipe.drains.grant_all();
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.pipe.end(Input::Lost(reason.clone()));
        self.pipe.drains.grant_all();
    }
}
