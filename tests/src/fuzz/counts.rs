use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

/// A contract by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "their texts are the contracts' own page")]
pub enum Contract {
    C1,
    C2,
    C3,
    C4,
    C5,
    C6,
    C7,
    C8,
    C9,
    C10,
    C11,
    C12,
    C13,
    C14,
    C15,
    C16,
    C17,
}

/// How much was done and checked.
#[derive(Debug, Default)]
pub struct Counts {
    checks: [Cell<u64>; 17],
    kinds: RefCell<BTreeMap<&'static str, u64>>,
}

impl Counts {
    pub(super) fn checked(&self, contract: Contract) {
        let count = &self.checks[contract as usize];
        count.set(count.get() + 1);
    }

    pub(super) fn did(&self, kind: &'static str) {
        *self.kinds.borrow_mut().entry(kind).or_default() += 1;
    }

    /// How many invariants were checked.
    pub fn checks(&self) -> u64 {
        self.checks.iter().map(Cell::get).sum()
    }

    /// How often something of this kind was done.
    pub fn of(&self, kind: &str) -> u64 {
        self.kinds.borrow().get(kind).copied().unwrap_or(0)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, count) in &*self.kinds.borrow() {
            writeln!(f, "{count:>12}  {kind}")?;
        }
        for (index, count) in self.checks.iter().enumerate() {
            if count.get() > 0 {
                writeln!(f, "{:>12}  checks of C{}", count.get(), index + 1)?;
            }
        }
        Ok(())
    }
}
