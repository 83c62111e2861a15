//! The reactor as a guest in a tokio runtime: an echo server of callbacks, beside async tasks in
//! the same thread, that may use its handles directly.
//!
//! Run `cargo run --bin guest_tokio`, then `nc 127.0.0.1 8007` in another terminal. A task counts
//! the connections every ten seconds. Ctrl-C ends it.
#![forbid(unsafe_code)]

use std::future;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use torsade::{Net, Protocol, Reactor, Transport, factory};

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

/// Runs a reactor until a stop is complete.
///
/// The future stays in the thread of the reactor: give it to `block_on` or `spawn_local`, joined
/// or beside others.
async fn host(mut reactor: Reactor) -> io::Result<()> {
    // A duplicate, because the reactor is to be used meanwhile.
    let descriptor = reactor.as_fd().try_clone_to_owned()?;
    #[expect(
        deprecated,
        reason = "its successor is `unsafe`, for descriptors that others may close; this one is \
                  owned"
    )]
    let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE)?;
    loop {
        tokio::select! {
            ready = descriptor.readable() => {
                let mut ready = ready?;
                // tokio hears of changes only. What it heard may be forgotten when there really is
                // nothing left, not after each turn: a turn is bounded and may leave some over.
                if !is_readable(&reactor)? {
                    ready.clear_ready();
                    continue;
                }
            }
            () = deadline(&reactor) => {}
        }
        if !reactor.turn(Some(Duration::ZERO))? {
            return Ok(());
        }
        // The tasks of the host have their turn, too.
        tokio::task::yield_now().await;
    }
}

/// Whether the reactor has something to do.
fn is_readable(reactor: &Reactor) -> io::Result<bool> {
    let mut fds = [PollFd::new(reactor, PollFlags::IN)];
    Ok(poll(&mut fds, Some(&Timespec::default()))? > 0)
}

/// Ends when the reactor's next timer is due.
async fn deadline(reactor: &Reactor) {
    match reactor.next_deadline() {
        Some(at) => tokio::time::sleep(at - reactor.net().now()).await,
        None => future::pending().await,
    }
}

/// A task of the host.
async fn count(net: Net) {
    loop {
        tokio::time::sleep(Duration::from_secs(10)).await;
        println!("{} connections", net.connections());
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8007");
    let mut reactor = Reactor::new()?;
    let listener = reactor.net().listen(address, factory(|_| Echo))?;
    println!("listening on {}", listener.address());
    reactor.stop_on_signals()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let counting = count(reactor.net().clone());
        tokio::select! {
            ended = host(reactor) => Ok(ended?),
            () = counting => Ok(()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    /// Runs a reactor and a task beside each other, until the task has stopped the reactor.
    fn with_task<T, F: Future<Output = T>>(task: impl FnOnce(Net) -> F) -> T {
        let reactor = Reactor::new().unwrap();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let task = task(reactor.net().clone());
        let both = async {
            let (hosted, done) = tokio::join!(host(reactor), task);
            hosted.unwrap();
            done
        };
        runtime.enable_all().build().unwrap().block_on(both)
    }

    #[test]
    fn a_task_talks_to_a_protocol_of_the_same_thread() {
        let heard = with_task(async |net| {
            let listener = net.listen("127.0.0.1:0", factory(|_| Echo)).unwrap();
            let mut stream = TcpStream::connect(listener.address().inet().unwrap())
                .await
                .unwrap();
            // More than a turn, and more than the kernel's queues.
            let (mut reader, mut writer) = stream.split();
            let much = vec![7; 5_000_000];
            let mut back = vec![0; much.len()];
            let (wrote, read) = tokio::join!(writer.write_all(&much), reader.read_exact(&mut back));
            wrote.unwrap();
            read.unwrap();
            net.stop(); // outside a turn: the reactor's descriptor tells the host
            back == much
        });
        assert!(heard);
    }

    #[test]
    fn timers_and_results_come_across() {
        let rang = Rc::new(Cell::new(0));
        let bell = Rc::clone(&rang);
        let answer = with_task(async move |net| {
            let (resolver, answer) = torsade::Deferred::<_, ()>::new();
            net.call_later(Duration::from_millis(1), move |net| {
                bell.set(bell.get() + 1);
                resolver.resolve("tea");
                net.call_later(Duration::from_millis(1), Net::stop);
            });
            answer.await // a Deferred is a future
        });
        assert_eq!((answer, rang.get()), (Ok("tea"), 1));
    }
}
