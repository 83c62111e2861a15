use std::any::Any;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use torsade_deferred::{Canceller, Deferred, Failure, queue};

use crate::Timer;
use crate::layer::Place;
use crate::shared::Shared;
use crate::slots::Key;
use crate::timers::Action;

/// What continuations run on: a connection, with its layers, or a datagram port.
pub(crate) trait Owner: Sized + 'static {
    /// What a continuation is given beside its `&mut self`.
    type Transport<P>;

    fn transport<P>(self: &Rc<Self>, place: Place) -> Self::Transport<P>;

    fn shared(&self) -> &Rc<Shared>;

    /// What waits on it.
    fn seats(&self) -> &Seats<Self>;

    /// Whether nothing will ever run in this place again. Says so in the log.
    fn is_over(&self, place: Place) -> bool;

    /// One more waits: it has its seat.
    fn waits(self: &Rc<Self>, continuation: &dyn Continuation<Self>);

    /// What was waited for is there: run the continuation when its turn comes.
    fn ready(self: &Rc<Self>, continuation: Rc<dyn Continuation<Self>>);

    /// What a timer does that has such a continuation.
    fn action(self: &Rc<Self>, continuation: Rc<dyn Continuation<Self>>) -> Action;
}

/// Run `f` when the result is there.
pub(crate) fn then<O: Owner, P: 'static, T: 'static, E: 'static>(
    owner: &Rc<O>,
    place: Place,
    deferred: Deferred<T, E>,
    hold: bool,
    f: impl FnOnce(&mut P, &O::Transport<P>, Result<T, Failure<E>>) + 'static,
) {
    if owner.is_over(place) {
        drop(f);
        deferred.cancel();
        return;
    }
    let then = Rc::new(Then::new(place, hold, f, deferred.canceller()));
    owner.seats().sit(Rc::<Then<_, _, _, _>>::clone(&then));
    owner.waits(&*then);
    let owner = Rc::clone(owner);
    queue::hand_on(deferred, move |result| {
        // If it no longer waits, its owner is gone and so is the closure.
        if owner.seats().leave(&*then) {
            then.settle(result);
            owner.ready(then);
        }
    });
}

/// Run `f` when the current callback has returned.
pub(crate) fn call<O: Owner, P: 'static>(
    owner: &Rc<O>,
    place: Place,
    f: impl FnOnce(&mut P, &O::Transport<P>) + 'static,
) {
    if owner.is_over(place) {
        drop(f);
        return;
    }
    owner.ready(Rc::new(Call::new(place, f)));
}

/// Run `f` after so long.
pub(crate) fn call_later<O: Owner, P: 'static>(
    owner: &Rc<O>,
    place: Place,
    after: Duration,
    f: impl FnOnce(&mut P, &O::Transport<P>) + 'static,
) -> Timer {
    let call = Rc::new(Call::new(place, f));
    let shared = owner.shared();
    let key = shared.set_timer(after, owner.action(Rc::<Call<_, _>>::clone(&call)));
    let timer = Timer::new(shared, key);
    call.set_timer(key);
    if owner.is_over(place) {
        timer.cancel();
    } else {
        owner.seats().sit(call);
    }
    timer
}

/// What waits on an owner. In a box, since on most nothing ever does.
pub(crate) struct Seats<O>(RefCell<Option<Box<Seated<O>>>>);

/// The continuations, each where its seat says.
struct Seated<O>(Vec<Rc<dyn Continuation<O>>>);

impl<O> Default for Seats<O> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<O> Seats<O> {
    pub(crate) fn sit(&self, continuation: Rc<dyn Continuation<O>>) {
        let mut seated = self.0.borrow_mut();
        let Seated(seats) = &mut **seated.get_or_insert_with(|| Box::new(Seated(Vec::new())));
        continuation.seat().set(seats.len());
        seats.push(continuation);
    }

    /// It is not waited for any more. Returns whether it was.
    pub(crate) fn leave(&self, continuation: &dyn Continuation<O>) -> bool {
        let mut seated = self.0.borrow_mut();
        let Some(Seated(seats)) = seated.as_deref_mut() else {
            return false;
        };
        let seat = continuation.seat().replace(usize::MAX);
        if seat >= seats.len() {
            return false;
        }
        // The handle that goes is one of several, so nothing of the user's is dropped here.
        let _ = seats.swap_remove(seat);
        if let Some(moved) = seats.get(seat) {
            moved.seat().set(seat);
        }
        true
    }

    /// What waits for such places leaves.
    pub(crate) fn take(&self, which: impl Fn(Place) -> bool) -> Vec<Rc<dyn Continuation<O>>> {
        let mut seated = self.0.borrow_mut();
        let Some(Seated(seats)) = seated.as_deref_mut() else {
            return Vec::new();
        };
        let (taken, left) = mem::take(seats)
            .into_iter()
            .partition::<Vec<_>, _>(|continuation| which(continuation.place()));
        *seats = left;
        for (seat, continuation) in seats.iter().enumerate() {
            continuation.seat().set(seat);
        }
        drop(seated);
        for continuation in &taken {
            continuation.seat().set(usize::MAX);
        }
        taken
    }
}

/// Something that will run later on a connection, with the `&mut self` of one of its layers, or on
/// a datagram port.
///
/// ```text
///            result / time is there               the engine's turn comes
///   waiting ------------------------> queued -------------------------------> run
///      |                                |
///      | loss, cancel                   | loss, layer switched away
///      v                                v
///   dropped unrun <---------------------+
/// ```
///
/// While waiting it has a seat among those of its owner, so that a lost connection can end what it
/// waits for.
pub(crate) trait Continuation<O> {
    fn place(&self) -> Place;

    /// Where it sits.
    fn seat(&self) -> &Cell<usize>;

    /// Whether it holds back its connection's input until it has run.
    fn holds_input(&self) -> bool;

    /// Run the closure on its layer. Runs at most once.
    fn run(&self, layer: &mut dyn Any, owner: &Rc<O>);

    /// Drop the closure and end what it waits for. Runs user code.
    fn cancel(&self, owner: &O);
}

/// Of `transport.then(..)` and `transport.hold(..)`.
struct Then<P, T, E, F> {
    place: Place,
    seat: Cell<usize>,
    holds_input: bool,
    function: Cell<Option<F>>,
    result: Cell<Option<Result<T, Failure<E>>>>,
    canceller: Cell<Option<Canceller>>,
    layer: PhantomData<fn(&mut P)>,
}

impl<P, T, E, F> Then<P, T, E, F> {
    fn new(place: Place, holds_input: bool, function: F, canceller: Canceller) -> Self {
        Self {
            place,
            seat: Cell::new(usize::MAX),
            holds_input,
            function: Cell::new(Some(function)),
            result: Cell::new(None),
            canceller: Cell::new(Some(canceller)),
            layer: PhantomData,
        }
    }

    fn settle(&self, result: Result<T, Failure<E>>) {
        self.canceller.take();
        self.result.set(Some(result));
    }
}

impl<O, P, T, E, F> Continuation<O> for Then<P, T, E, F>
where
    O: Owner,
    P: 'static,
    F: FnOnce(&mut P, &O::Transport<P>, Result<T, Failure<E>>),
{
    fn place(&self) -> Place {
        self.place
    }

    fn seat(&self) -> &Cell<usize> {
        &self.seat
    }

    fn holds_input(&self) -> bool {
        self.holds_input
    }

    fn run(&self, layer: &mut dyn Any, owner: &Rc<O>) {
        if let Some(layer) = layer.downcast_mut()
            && let Some(result) = self.result.take()
            && let Some(function) = self.function.take()
        {
            function(layer, &owner.transport(self.place), result);
        }
    }

    fn cancel(&self, _: &O) {
        // First, because the drop of the closure may panic. The result goes with the rest.
        if let Some(canceller) = self.canceller.take() {
            canceller.cancel();
        }
        drop(self.function.take());
    }
}

/// Of `transport.call(..)` and `transport.call_later(..)`.
struct Call<P, F> {
    place: Place,
    seat: Cell<usize>,
    function: Cell<Option<F>>,
    timer: Cell<Option<Key>>,
    layer: PhantomData<fn(&mut P)>,
}

impl<P, F> Call<P, F> {
    fn new(place: Place, function: F) -> Self {
        Self {
            place,
            seat: Cell::new(usize::MAX),
            function: Cell::new(Some(function)),
            timer: Cell::new(None),
            layer: PhantomData,
        }
    }

    fn set_timer(&self, timer: Key) {
        self.timer.set(Some(timer));
    }
}

impl<O, P, F> Continuation<O> for Call<P, F>
where
    O: Owner,
    P: 'static,
    F: FnOnce(&mut P, &O::Transport<P>),
{
    fn place(&self) -> Place {
        self.place
    }

    fn seat(&self) -> &Cell<usize> {
        &self.seat
    }

    fn holds_input(&self) -> bool {
        false
    }

    fn run(&self, layer: &mut dyn Any, owner: &Rc<O>) {
        if let Some(layer) = layer.downcast_mut()
            && let Some(function) = self.function.take()
        {
            function(layer, &owner.transport(self.place));
        }
    }

    fn cancel(&self, owner: &O) {
        if let Some(timer) = self.timer.take() {
            let action = owner.shared().timers.borrow_mut().remove(timer);
            // The other handle of it is the caller's: no user's value is dropped here.
            drop(action);
        }
        drop(self.function.take());
    }
}
