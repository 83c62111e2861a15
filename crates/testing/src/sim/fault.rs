use std::cell::RefCell;
use std::fmt;
use std::rc::{Rc, Weak};

use super::host::Host;
use super::kernel::{Kernel, Shared};

/// Something that is wrong as long as this exists: dropping it heals.
///
/// ```
/// let mut net = torsade_testing::sim::Sim::new(1);
/// let cut = net.partition("ann", ["bob", "carl"]);
/// net.advance(std::time::Duration::from_secs(5));
/// drop(cut);
/// ```
#[must_use = "the fault is over when this is dropped"]
pub struct Fault {
    kernel: Weak<RefCell<Kernel>>,
    number: u64,
}

impl Fault {
    pub(super) fn new(kernel: &Shared, number: u64) -> Self {
        Self {
            kernel: Rc::downgrade(kernel),
            number,
        }
    }

    /// It is over: what dropping does, in a word.
    pub fn heal(self) {}

    /// It is never over.
    ///
    /// ```
    /// let net = torsade_testing::sim::Sim::new(1);
    /// net.refuse("server").stays();
    /// ```
    pub fn stays(self) {
        let mut this = self;
        this.kernel = Weak::new();
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        if let Some(kernel) = self.kernel.upgrade() {
            kernel.borrow_mut().end_fault(self.number);
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("number", &self.number)
            .finish()
    }
}

/// Hosts that a fault is about: a name, several names, or a [`Host`].
///
/// ```
/// use torsade_testing::sim::{Sim, ToHosts};
///
/// let net = Sim::new(1);
/// assert_eq!(["ann", "bob"].names(), ["ann", "bob"]);
/// assert_eq!(net.host("ann").names(), ["ann"]);
/// ```
pub trait ToHosts {
    /// Their names.
    fn names(&self) -> Vec<String>;
}

impl ToHosts for str {
    fn names(&self) -> Vec<String> {
        vec![self.to_owned()]
    }
}

impl ToHosts for String {
    fn names(&self) -> Vec<String> {
        vec![self.clone()]
    }
}

impl ToHosts for Host {
    fn names(&self) -> Vec<String> {
        vec![self.name()]
    }
}

impl<T: ToHosts> ToHosts for [T] {
    fn names(&self) -> Vec<String> {
        self.iter().flat_map(ToHosts::names).collect()
    }
}

impl<T: ToHosts, const N: usize> ToHosts for [T; N] {
    fn names(&self) -> Vec<String> {
        self.as_slice().names()
    }
}

impl<T: ToHosts> ToHosts for Vec<T> {
    fn names(&self) -> Vec<String> {
        self.as_slice().names()
    }
}

impl<T: ToHosts + ?Sized> ToHosts for &T {
    fn names(&self) -> Vec<String> {
        (**self).names()
    }
}
