use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::num::NonZeroUsize;

/// A protocol that carries another one inside: a framing, a wrapper.
///
/// Implementing this is all it takes for `transport.inner()` to give the inner one a transport of
/// its own, whose continuations come back to the inner `self`.
///
/// ```
/// use torsade_core::{Layered, Protocol, Transport};
///
/// /// Hands every chunk inward as text.
/// struct AsText<T>(T);
///
/// trait TextProtocol: Sized + 'static {
///     fn text_received(&mut self, transport: &Transport<Self>, text: &str);
/// }
///
/// impl<T: TextProtocol> Layered for AsText<T> {
///     type Inner = T;
///     fn inner_mut(&mut self) -> &mut T {
///         &mut self.0
///     }
/// }
///
/// impl<T: TextProtocol> Protocol for AsText<T> {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         self.0.text_received(&transport.inner(), &String::from_utf8_lossy(data));
///     }
/// }
///
/// struct Loud;
/// impl TextProtocol for Loud {
///     fn text_received(&mut self, transport: &Transport<Self>, text: &str) {
///         transport.write(text.to_uppercase());
///     }
/// }
///
/// let mut t = torsade_testing::StringTransport::serve(AsText(Loud));
/// t.feed(b"hello");
/// assert_eq!(t.take_sent(), b"HELLO");
/// ```
pub trait Layered: 'static {
    /// What is inside.
    type Inner: 'static;

    /// The inner one. Must always be the same one.
    fn inner_mut(&mut self) -> &mut Self::Inner;
}

/// Where in a connection's stack of protocols something belongs: how many layers in, and how many
/// switches the connection had seen when it was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub(crate) struct Place {
    pub(crate) epoch: u32,
    pub(crate) depth: u16,
}

/// One step inward, type-erased: from a layer to the one inside it.
pub(crate) type Step = fn(&mut dyn Any) -> Option<&mut dyn Any>;

fn step<P: Layered>(outer: &mut dyn Any) -> Option<&mut dyn Any> {
    let outer: &mut P = outer.downcast_mut()?;
    Some(outer.inner_mut())
}

/// What a connection knows of the boundaries between its layers. The one of number `n` lies
/// between the layers of depth `n` and `n + 1`.
#[derive(Default)]
pub(crate) struct Layers {
    /// How many switches took effect.
    epoch: Cell<u32>,
    /// The boundaries up to this one, it not included, whose way inward is known.
    known: Cell<u16>,
    /// A bit for each layer that is an [`AnyProtocol`](crate::AnyProtocol).
    opens: Cell<u32>,
    /// Two are common enough not to pay an allocation for.
    near: [Boundary; 2],
    far: OnceCell<Box<RefCell<Far>>>,
    /// Whether a signal was sent that no layer has taken, nor the engine acted on.
    signalled: Cell<bool>,
    /// Whether there may be a signal at any boundary: the only look that a layer takes as a rule.
    any_signal: Cell<bool>,
}

/// What few connections have.
#[derive(Default)]
struct Far {
    boundaries: Vec<Boundary>,
    /// From which depth inward a switch put new layers, and which switch that was: the last one of
    /// each depth, unless one further out came after it. So both rise from entry to entry.
    switches: Vec<(u16, u32)>,
}

/// Between a layer and the one inside it.
#[derive(Default)]
struct Boundary {
    /// The way inward. Learnt when a transport takes it, because an inner transport does not know
    /// the types around it.
    step: Cell<Option<Step>>,
    /// What the inner layer told the outer one; 0 is nothing.
    signal: Cell<usize>,
}

/// Switches.
impl Layers {
    #[inline]
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch.get()
    }

    /// Whether what was taken in this place still belongs there.
    #[inline]
    pub(crate) fn is_current(&self, place: Place) -> bool {
        place.epoch == self.epoch.get() || self.outlived(place)
    }

    /// Whether every switch since then was further in.
    #[cold]
    fn outlived(&self, place: Place) -> bool {
        self.far.get().is_some_and(|far| {
            let far = far.borrow();
            let mut outside = far.switches.iter().rev();
            let last = outside.find(|(depth, _)| *depth <= place.depth);
            last.is_none_or(|(_, epoch)| *epoch <= place.epoch)
        })
    }

    /// New layers are put in place from this depth inward. Returns their epoch.
    pub(crate) fn switch(&self, depth: u16) -> u32 {
        let epoch = self.epoch.get() + 1;
        self.epoch.set(epoch);
        let mut far = self.far.get_or_init(Box::default).borrow_mut();
        far.switches.retain(|(other, _)| *other < depth);
        far.switches.push((depth, epoch));
        self.opens
            .set(self.opens.get() & !(u32::MAX << depth.min(31)));
        self.known.set(self.known.get().min(depth));
        let first = usize::from(depth);
        for near in self.near.iter().skip(first) {
            near.step.set(None);
            near.signal.set(0);
        }
        far.boundaries
            .truncate(first.saturating_sub(self.near.len()));
        self.signalled.set(false);
        epoch
    }

    /// The layer of this depth is one whose content can be switched.
    pub(crate) fn learn_open(&self, depth: u16, step: Step) {
        self.learn_step(depth, step);
        if depth < 32 {
            self.opens.set(self.opens.get() | 1 << depth);
        }
    }

    /// The depth that a switch asked for by the layer of `depth` replaces, from there inward: the
    /// content of the nearest layer around it that is open for that, or everything.
    pub(crate) fn switchable(&self, depth: u16) -> u16 {
        let around = self.opens.get() & !(u32::MAX.checked_shl(u32::from(depth)).unwrap_or(0));
        32_u16 - around.leading_zeros() as u16
    }
}

impl Layers {
    /// Whether it is known how to go inward from `depth`.
    #[inline]
    pub(crate) fn knows(&self, depth: u16) -> bool {
        depth < self.known.get()
    }

    /// Remember how to go inward from `depth`, whose layer is a `P`.
    pub(crate) fn learn<P: Layered>(&self, depth: u16) {
        self.learn_step(depth, step::<P>);
    }

    fn learn_step(&self, depth: u16, step: Step) {
        if depth == self.known.get() {
            self.known.set(depth + 1);
        }
        match self.near.get(usize::from(depth)) {
            Some(near) => near.step.set(Some(step)),
            None => self.learn_far(usize::from(depth) - self.near.len(), step),
        }
    }

    fn learn_far(&self, number: usize, step: Step) {
        let mut far = self.far.get_or_init(Box::default).borrow_mut();
        if far.boundaries.len() == number {
            far.boundaries.push(Boundary {
                step: Cell::new(Some(step)),
                signal: Cell::new(0),
            });
        }
    }

    /// Go inward `depth` times. Runs the user's `inner_mut`, so nothing is borrowed meanwhile.
    pub(crate) fn reach<'a>(
        &self,
        depth: u16,
        outermost: &'a mut dyn Any,
    ) -> Option<&'a mut dyn Any> {
        let mut layer = outermost;
        for depth in 0..usize::from(depth) {
            let step = match self.near.get(depth) {
                Some(near) => near.step.get(),
                None => self.far.get().and_then(|far| {
                    let far = far.borrow();
                    far.boundaries.get(depth - self.near.len())?.step.get()
                }),
            };
            layer = step?(layer)?;
        }
        Some(layer)
    }

    /// The layer of this depth tells the one around it something. The outermost tells nobody.
    pub(crate) fn signal(&self, depth: u16, signal: NonZeroUsize) {
        if let Some(boundary) = depth.checked_sub(1) {
            self.boundary(boundary, |boundary| boundary.signal.set(signal.get()));
            self.signalled.set(true);
            self.any_signal.set(true);
        }
    }

    /// What the layer of this depth was told from inside.
    #[inline]
    pub(crate) fn take_signal(&self, depth: u16) -> Option<NonZeroUsize> {
        if !self.any_signal.get() {
            return None;
        }
        self.take_some_signal(depth)
    }

    #[cold]
    fn take_some_signal(&self, depth: u16) -> Option<NonZeroUsize> {
        let signal = self.boundary(depth, |boundary| boundary.signal.take());
        self.any_signal.set(self.has_signals());
        let signal = NonZeroUsize::new(signal?)?;
        self.signalled.set(false);
        Some(signal)
    }

    fn has_signals(&self) -> bool {
        let has_one = |boundary: &Boundary| boundary.signal.get() != 0;
        let in_far = |far: &RefCell<Far>| far.borrow().boundaries.iter().any(has_one);
        self.near.iter().any(has_one) || self.far.get().is_some_and(|far| in_far(far))
    }

    /// Whether a layer was told something since the engine last asked, and has not looked.
    pub(crate) fn take_signalled(&self) -> bool {
        self.signalled.replace(false)
    }

    fn boundary<R>(&self, number: u16, look: impl FnOnce(&Boundary) -> R) -> Option<R> {
        let number = usize::from(number);
        match self.near.get(number) {
            Some(near) => Some(look(near)),
            None => {
                let far = self.far.get()?.borrow();
                far.boundaries.get(number - self.near.len()).map(look)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Outer(u8);

    impl Layered for Outer {
        type Inner = u8;

        fn inner_mut(&mut self) -> &mut u8 {
            &mut self.0
        }
    }

    const ONE: NonZeroUsize = NonZeroUsize::MIN;
    const MANY: NonZeroUsize = NonZeroUsize::MAX;

    #[test]
    fn a_signal_reaches_the_layer_around_the_one_that_sent_it_once() {
        let layers = Layers::default();
        for depth in 0..5 {
            layers.learn::<Outer>(depth);
        }
        for depth in 0..5 {
            layers.signal(depth + 1, MANY);
            layers.signal(depth + 1, ONE);
            for other in (0..5).filter(|other| *other != depth) {
                assert_eq!(layers.take_signal(other), None, "{other} for {depth}");
            }
            assert_eq!(layers.take_signal(depth), Some(ONE), "the last one counts");
            assert_eq!(layers.take_signal(depth), None);
            assert!(!layers.take_signalled());
        }
    }

    #[test]
    fn a_switch_outdates_what_is_in_its_depth_and_further_in() {
        let layers = Layers::default();
        let place = |epoch, depth| Place { epoch, depth };
        assert_eq!(layers.switch(2), 1);
        assert_eq!(layers.switch(4), 2);
        let current = |epoch| {
            let depths = 0..6;
            let current = depths.filter(|depth| layers.is_current(place(epoch, *depth)));
            current.collect::<Vec<u16>>()
        };
        assert_eq!(current(0), [0, 1]);
        assert_eq!(current(1), [0, 1, 2, 3]);
        assert_eq!(current(2), [0, 1, 2, 3, 4, 5]);
        assert_eq!(layers.switch(3), 3);
        assert_eq!(current(2), [0, 1, 2]);
        assert_eq!(layers.switch(0), 4);
        assert!(current(3).is_empty());
    }

    #[test]
    fn a_switch_replaces_what_the_nearest_open_layer_around_holds() {
        let layers = Layers::default();
        assert_eq!(layers.switchable(3), 0);
        layers.learn_open(0, step::<Outer>);
        layers.learn_open(2, step::<Outer>);
        let replaced: Vec<u16> = (0..5).map(|depth| layers.switchable(depth)).collect();
        assert_eq!(replaced, [0, 1, 1, 3, 3]);
        layers.switch(1);
        assert_eq!(layers.switchable(4), 1);
        layers.learn_open(31, step::<Outer>);
        assert_eq!((layers.switchable(31), layers.switchable(40)), (1, 32));
    }

    #[test]
    fn the_outermost_layer_signals_nobody_and_another_stack_hears_nothing() {
        let layers = Layers::default();
        layers.signal(0, ONE);
        assert!(!layers.take_signalled());
        layers.signal(1, ONE);
        layers.switch(0);
        assert_eq!(layers.take_signal(0), None);
        assert!(!layers.take_signalled());
    }
}
