use std::any::Any;
use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;

use torsade_deferred::{Canceller, Failure};

use crate::Transport;
use crate::layer::Place;
use crate::link::Link;
use crate::slots::Key;

/// Something that will run later on a connection, with the `&mut self` of one of its layers.
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
/// While waiting it has a seat among the connection's `waits`, so that a lost connection can end
/// what it waits for.
pub(crate) trait Continuation {
    fn place(&self) -> Place;

    /// Where it sits among the connection's `waits`.
    fn seat(&self) -> &Cell<usize>;

    /// Whether it holds back the connection's input until it has run.
    fn holds_input(&self) -> bool;

    /// Run the closure on its layer. Runs at most once.
    fn run(&self, layer: &mut dyn Any, link: &Rc<Link>);

    /// Drop the closure and end what it waits for. Runs user code.
    fn cancel(&self, link: &Link);
}

/// Of `transport.then(..)` and `transport.hold(..)`.
pub(crate) struct Then<P, T, E, F> {
    place: Place,
    seat: Cell<usize>,
    holds_input: bool,
    function: Cell<Option<F>>,
    result: Cell<Option<Result<T, Failure<E>>>>,
    canceller: Cell<Option<Canceller>>,
    layer: PhantomData<fn(&mut P)>,
}

impl<P, T, E, F> Then<P, T, E, F> {
    pub(crate) fn new(place: Place, holds_input: bool, function: F, canceller: Canceller) -> Self {
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

    pub(crate) fn settle(&self, result: Result<T, Failure<E>>) {
        self.canceller.take();
        self.result.set(Some(result));
    }
}

impl<P, T, E, F> Continuation for Then<P, T, E, F>
where
    P: 'static,
    F: FnOnce(&mut P, &Transport<P>, Result<T, Failure<E>>),
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

    fn run(&self, layer: &mut dyn Any, link: &Rc<Link>) {
        if let Some(layer) = layer.downcast_mut()
            && let Some(result) = self.result.take()
            && let Some(function) = self.function.take()
        {
            function(layer, &Transport::new(Rc::clone(link), self.place), result);
        }
    }

    fn cancel(&self, _: &Link) {
        // First, because the drop of the closure may panic. The result goes with the rest.
        if let Some(canceller) = self.canceller.take() {
            canceller.cancel();
        }
        drop(self.function.take());
    }
}

/// Of `transport.call(..)` and `transport.call_later(..)`.
pub(crate) struct Call<P, F> {
    place: Place,
    seat: Cell<usize>,
    function: Cell<Option<F>>,
    timer: Cell<Option<Key>>,
    layer: PhantomData<fn(&mut P)>,
}

impl<P, F> Call<P, F> {
    pub(crate) fn new(place: Place, function: F) -> Self {
        Self {
            place,
            seat: Cell::new(usize::MAX),
            function: Cell::new(Some(function)),
            timer: Cell::new(None),
            layer: PhantomData,
        }
    }

    pub(crate) fn set_timer(&self, timer: Key) {
        self.timer.set(Some(timer));
    }
}

impl<P, F> Continuation for Call<P, F>
where
    P: 'static,
    F: FnOnce(&mut P, &Transport<P>),
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

    fn run(&self, layer: &mut dyn Any, link: &Rc<Link>) {
        if let Some(layer) = layer.downcast_mut()
            && let Some(function) = self.function.take()
        {
            function(layer, &Transport::new(Rc::clone(link), self.place));
        }
    }

    fn cancel(&self, link: &Link) {
        if let Some(timer) = self.timer.take() {
            let action = link.shared().timers.borrow_mut().remove(timer);
            // The other handle of it is the caller's: no user's value is dropped here.
            drop(action);
        }
        drop(self.function.take());
    }
}
