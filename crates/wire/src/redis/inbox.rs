use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem;
use std::rc::Rc;

use torsade_deferred::{Deferred, Resolver};

use super::{Message, RedisError};

/// Where the messages of one subscription go.
pub(super) struct Inbox {
    state: RefCell<State>,
    /// Whether so many messages wait that the connection is not to be read.
    pub(super) is_full: Cell<bool>,
    limit: usize,
}

pub(super) type Callback = Box<dyn FnMut(Message)>;
type Waiting = Resolver<Option<Message>, RedisError>;

/// ```text
///           on_message                 end
///   Queue ------------> Callback -------------> Ended
///     |                                           ^
///     +-------------------- end ------------------+
/// ```
enum State {
    /// Messages that nobody has taken, or consumers for whom there is none; never both.
    Queue(VecDeque<Message>, VecDeque<Waiting>),
    /// `None` while the callback runs. What came before it was set goes to it first.
    Callback(Option<Callback>, VecDeque<Message>),
    /// What was not taken can still be; behind it comes the error, or nothing if it was our wish.
    Ended(VecDeque<Message>, Option<RedisError>),
}

impl Inbox {
    pub(super) fn new(limit: usize) -> Rc<Self> {
        Rc::new(Self {
            state: RefCell::new(State::Queue(VecDeque::new(), VecDeque::new())),
            is_full: Cell::new(false),
            limit: limit.max(1),
        })
    }

    /// A message for the consumer. Says whether so many wait now that no more should come.
    pub(super) fn deliver(&self, message: Message) -> bool {
        let mut state = self.state.borrow_mut();
        match &mut *state {
            State::Queue(messages, waiting) => {
                // One that was cancelled is passed over; the message is the next one's.
                while let Some(resolver) = waiting.pop_front() {
                    if !resolver.is_cancelled() {
                        drop(state);
                        resolver.resolve(Some(message));
                        return false;
                    }
                }
                messages.push_back(message);
                messages.len() >= self.limit
            }
            State::Callback(callback, backlog) => {
                backlog.push_back(message);
                if callback.is_some() && backlog.len() == 1 {
                    drop(state);
                    self.call();
                }
                false
            }
            State::Ended(..) => false,
        }
    }

    pub(super) fn next(&self) -> Deferred<Option<Message>, RedisError> {
        match &mut *self.state.borrow_mut() {
            State::Queue(messages, waiting) => match messages.pop_front() {
                Some(message) => Deferred::succeed(Some(message)),
                None => {
                    let (resolver, message) = Deferred::new();
                    waiting.push_back(resolver);
                    message
                }
            },
            State::Callback(..) => Deferred::fail(RedisError::Refused(
                "the messages of this subscription go to its callback",
            )),
            State::Ended(messages, error) => match (messages.pop_front(), error) {
                (Some(message), _) => Deferred::succeed(Some(message)),
                (None, Some(error)) => Deferred::fail(error.clone()),
                (None, None) => Deferred::succeed(None),
            },
        }
    }

    /// From now on messages go to `callback`, those that wait first. They are delivered from the
    /// queue of callbacks, not inside this call.
    pub(super) fn set_callback(self: &Rc<Self>, mut callback: Callback) {
        let mut state = self.state.borrow_mut();
        let ready = Deferred::<(), RedisError>::succeed(());
        if let State::Ended(messages, _) = &mut *state {
            let messages = mem::take(messages);
            drop(state);
            ready.finish(move |_| messages.into_iter().for_each(&mut *callback));
            return;
        }
        let backlog = match &mut *state {
            State::Queue(messages, _)
            | State::Callback(_, messages)
            | State::Ended(messages, _) => mem::take(messages),
        };
        let before = mem::replace(&mut *state, State::Callback(Some(callback), backlog));
        drop(state);
        // Consumers that waited are told that they wait in vain: `Abandoned`.
        drop(before);
        let inbox = Rc::clone(self);
        ready.finish(move |_| inbox.call());
    }

    pub(super) fn has_callback(&self) -> bool {
        matches!(*self.state.borrow(), State::Callback(..))
    }

    /// Whether few enough messages wait to read on.
    pub(super) fn has_room(&self) -> bool {
        match &*self.state.borrow() {
            State::Queue(messages, _) => messages.len() <= self.limit / 2,
            State::Callback(..) | State::Ended(..) => true,
        }
    }

    /// No more messages come. The first end counts.
    pub(super) fn end(&self, error: Option<RedisError>) {
        let before = {
            let mut state = self.state.borrow_mut();
            let messages = match &mut *state {
                State::Queue(messages, _) | State::Callback(_, messages) => mem::take(messages),
                State::Ended(..) => return,
            };
            mem::replace(&mut *state, State::Ended(messages, error.clone()))
        };
        if let State::Queue(_, waiting) = before {
            for resolver in waiting {
                match &error {
                    Some(error) => resolver.reject(error.clone()),
                    None => resolver.resolve(None),
                }
            }
        }
    }

    /// Hand the callback all that waits. Nothing is borrowed while it runs, so it may do anything,
    /// also set another callback or end the subscription.
    fn call(&self) {
        while let Some((callback, message)) = self.take_callback() {
            let mut running = Running {
                inbox: self,
                callback: Some(callback),
            };
            if let Some(callback) = &mut running.callback {
                callback(message);
            }
        }
    }

    fn take_callback(&self) -> Option<(Callback, Message)> {
        match &mut *self.state.borrow_mut() {
            State::Callback(callback @ Some(_), backlog) if !backlog.is_empty() => {
                callback.take().zip(backlog.pop_front())
            }
            _ => None,
        }
    }
}

/// Puts a callback back after it ran, also when it panicked, unless another has its place.
struct Running<'a> {
    inbox: &'a Inbox,
    callback: Option<Callback>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let State::Callback(slot @ None, _) = &mut *self.inbox.state.borrow_mut() {
            *slot = self.callback.take();
        }
        // What was not put back is dropped with `self`, when nothing is borrowed.
    }
}
