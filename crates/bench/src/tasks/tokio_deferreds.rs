//! tokio's one-shot channel, and futures that wait for it and for each other.

use std::io;

use tokio::sync::oneshot;

/// Makes a channel, puts two futures behind it and sends.
pub(super) fn through_two_maps(times: usize) -> io::Result<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(async {
        let mut right = 0;
        for number in 0..times {
            let (sender, receiver) = oneshot::channel::<usize>();
            let later = async move { receiver.await.map(|value| value + 1) };
            let later = async move { later.await.map(|value| value * 2) };
            if sender.send(number).is_ok() && later.await == Ok((number + 1) * 2) {
                right += 1;
            }
        }
        right
    }))
}
