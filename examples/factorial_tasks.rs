//! Three tasks compute factorials side by side, a step a second: their steps interleave.
//!
//! Run `cargo run --bin factorial_tasks`. It ends by itself.
#![forbid(unsafe_code)]

use std::rc::Rc;
use std::time::Duration;

use torsade::futures::{gather, sleep, spawn};
use torsade::{Net, Reactor};

/// Where steps are said.
type Say = Rc<dyn Fn(String)>;

async fn factorial(net: Net, name: &'static str, number: u64, say: Say) -> u64 {
    let mut product = 1;
    for step in 2..=number {
        say(format!("task {name}: computing factorial({step})..."));
        sleep(&net, Duration::from_secs(1)).await;
        product *= step;
    }
    say(format!("task {name}: factorial({number}) = {product}"));
    product
}

/// All three, until the last has ended.
async fn all(net: Net, say: Say) -> Vec<u64> {
    let tasks = [("A", 2), ("B", 3), ("C", 4)].map(|(name, number)| {
        let task = factorial(net.clone(), name, number, Rc::clone(&say));
        spawn(&net, task)
    });
    // None of them fails, so there is nothing to be missing.
    gather(&net, tasks).await.unwrap_or_default()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let mut reactor = Reactor::new()?;
    let net = reactor.net().clone();
    let products = reactor.block_on(all(net, Rc::new(|line| println!("{line}"))))?;
    println!("{products:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use torsade_testing::MemoryReactor;

    #[test]
    fn the_steps_interleave_and_take_three_seconds() {
        let mut reactor = MemoryReactor::new();
        let net = reactor.net().clone();
        let begin = net.now();
        let said = Rc::new(RefCell::new(Vec::new()));
        let lines = Rc::clone(&said);
        let products = reactor.block_on(all(
            net.clone(),
            Rc::new(move |line| lines.borrow_mut().push(line)),
        ));
        assert_eq!(products, [2, 6, 24]);
        assert_eq!(net.now() - begin, Duration::from_secs(3));
        let said = said.borrow();
        let order: Vec<_> = said.iter().map(|line| &line[5..6]).collect();
        assert_eq!(order.concat(), "ABCABCBCC");
        assert_eq!(said[8], "task C: factorial(4) = 24");
    }
}
