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

/// Where in a connection's stack of protocols something belongs: how many layers in, and of
/// which stack, counting switches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub(crate) struct Place {
    pub(crate) epoch: u32,
    pub(crate) depth: u16,
}

/// One step inward, type-erased: from a layer to the one inside it.
type Step = fn(&mut dyn Any) -> Option<&mut dyn Any>;

fn step<P: Layered>(outer: &mut dyn Any) -> Option<&mut dyn Any> {
    let outer: &mut P = outer.downcast_mut()?;
    Some(outer.inner_mut())
}

/// What a connection knows of the boundaries between its layers. The one of number `n` lies
/// between the layers of depth `n` and `n + 1`.
#[derive(Default)]
pub(crate) struct Layers {
    /// Two are common enough not to pay an allocation for.
    near: [Boundary; 2],
    far: OnceCell<Box<RefCell<Vec<Boundary>>>>,
    /// Whether a signal was sent that no layer has taken, nor the engine acted on.
    signalled: Cell<bool>,
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

impl Layers {
    /// Remember how to go inward from `depth`, whose layer is a `P`.
    pub(crate) fn learn<P: Layered>(&self, depth: u16) {
        let depth = usize::from(depth);
        match self.near.get(depth) {
            Some(near) => near.step.set(Some(step::<P>)),
            None => {
                let mut far = self.far.get_or_init(Box::default).borrow_mut();
                if far.len() == depth - self.near.len() {
                    far.push(Boundary {
                        step: Cell::new(Some(step::<P>)),
                        signal: Cell::new(0),
                    });
                }
            }
        }
    }

    pub(crate) fn forget(&self) {
        for near in &self.near {
            near.step.set(None);
            near.signal.set(0);
        }
        if let Some(far) = self.far.get() {
            far.borrow_mut().clear();
        }
        self.signalled.set(false);
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
                    far.get(depth - self.near.len())?.step.get()
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
        }
    }

    /// What the layer of this depth was told from inside.
    #[inline]
    pub(crate) fn take_signal(&self, depth: u16) -> Option<NonZeroUsize> {
        let signal = match self.near.get(usize::from(depth)) {
            Some(near) => NonZeroUsize::new(near.signal.get()),
            None => self.boundary(depth, |far| NonZeroUsize::new(far.signal.get()))?,
        }?;
        self.boundary(depth, |boundary| boundary.signal.set(0));
        self.signalled.set(false);
        Some(signal)
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
                far.get(number - self.near.len()).map(look)
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
    fn the_outermost_layer_signals_nobody_and_another_stack_hears_nothing() {
        let layers = Layers::default();
        layers.signal(0, ONE);
        assert!(!layers.take_signalled());
        layers.signal(1, ONE);
        layers.forget();
        assert_eq!(layers.take_signal(0), None);
        assert!(!layers.take_signalled());
    }
}
