//! tokio's tasks on its current_thread runtime: the same work as torsade's.

use std::io;

use tokio::sync::mpsc;
use tokio::task::yield_now;

/// Two tasks yield to each other, so often together.
pub(super) fn switch(times: usize) -> io::Result<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let half = times / 2;
    let own = times - half;
    runtime.block_on(async move {
        let yields = |count: usize| async move {
            for _ in 0..count {
                yield_now().await;
            }
            count
        };
        // Both spawned: the runtime's main future is polled otherwise than a task.
        let (one, other) = (tokio::spawn(yields(own)), tokio::spawn(yields(half)));
        Ok(one.await.unwrap_or(0) + other.await.unwrap_or(0))
    })
}

/// One task sends numbers into a channel with one place, another takes them out.
pub(super) fn hand_over(times: usize) -> io::Result<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async move {
        let (sender, mut receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            for number in 0..times {
                if sender.send(number).await.is_err() {
                    return;
                }
            }
        });
        let taking = tokio::spawn(async move {
            let mut right = 0;
            while receiver.recv().await == Some(right) {
                right += 1;
            }
            right
        });
        taking.await.map_err(io::Error::other)
    })
}
