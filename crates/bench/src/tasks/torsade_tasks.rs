//! torsade's tasks: switching between two, and handing something from one to the other.

use std::io;

use torsade::Reactor;
use torsade::futures::sync::Queue;
use torsade::futures::{spawn, yield_now};

/// Two tasks yield to each other, so often together.
pub(super) fn switch(times: usize) -> io::Result<usize> {
    let mut reactor = Reactor::new()?;
    let half = times / 2;
    let other = spawn(reactor.net(), async move {
        for _ in 0..half {
            yield_now().await;
        }
        half
    });
    let own = times - half;
    reactor.block_on(async move {
        for _ in 0..own {
            yield_now().await;
        }
        other.await.map_or(0, |others| own + others)
    })
}

/// One task puts numbers into a queue with one place, another takes them out.
pub(super) fn hand_over(times: usize) -> io::Result<usize> {
    let mut reactor = Reactor::new()?;
    let queue = Queue::bounded(1);
    let numbers = queue.clone();
    let putting = spawn(reactor.net(), async move {
        for number in 0..times {
            if numbers.put(number).await.is_err() {
                return;
            }
        }
        numbers.shutdown();
    });
    putting.detach();
    reactor.block_on(async move {
        let mut right = 0;
        while queue.get().await == Ok(right) {
            right += 1;
        }
        right
    })
}
