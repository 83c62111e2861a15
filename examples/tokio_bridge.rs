//! What needs a tokio runtime, used from a torsade program: a line server that fetches the address
//! on each line with reqwest and says what came.
//!
//! Run `cargo run --bin tokio_bridge`, and `http_server` beside it; then `nc 127.0.0.1 8007`, and
//! say `http://127.0.0.1:8080/hello`. Ctrl-C ends it.
//!
//! The bridge is a tokio runtime with a thread of its own. A future that is `Send` goes there;
//! what is awaited here is its handle, whose wake comes back by way of the reactor's mailbox. Who
//! gives up here ends it there.
#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};
use torsade::Reactor;
use torsade::futures::{ReadError, StreamReader, StreamWriter, start_server};

/// A tokio runtime beside the reactor. Dropping it ends what still runs there.
struct Bridge(Runtime);

impl Bridge {
    fn new() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        Ok(Self(builder.worker_threads(1).enable_all().build()?))
    }

    /// Run `future` over there.
    fn call<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Called<T> {
        Called(self.0.spawn(future))
    }
}

/// What runs over there. Dropping it ends that.
struct Called<T>(JoinHandle<T>);

impl<T> Future for Called<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for Called<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn fetch(client: reqwest::Client, url: String) -> Result<String, reqwest::Error> {
    let response = client.get(url).send().await?;
    let status = response.status();
    let body = response.bytes().await?;
    Ok(format!("{status}, {} bytes\n", body.len()))
}

async fn serve(
    bridge: &Bridge,
    client: &reqwest::Client,
    mut reader: StreamReader,
    writer: StreamWriter,
) -> Result<(), ReadError> {
    loop {
        let line = reader.read_line().await?;
        if line.is_empty() {
            return Ok(());
        }
        let url = String::from_utf8_lossy(line.trim_ascii()).into_owned();
        match bridge.call(fetch(client.clone(), url)).await {
            Ok(Ok(answer)) => writer.write(answer),
            Ok(Err(error)) => writer.write(format!("error: {error}\n")),
            Err(error) => writer.write(format!("error: {error}\n")),
        }
        writer.drain().await?;
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8007");
    let mut reactor = Reactor::new()?;
    let bridge = Bridge::new()?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let listener = start_server(reactor.net(), address, async move |reader, writer| {
        serve(&bridge, &client, reader, writer).await
    })?;
    reactor.stop_on_signals()?;
    println!("listening on {}", listener.address());
    Ok(reactor.run()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use torsade::futures::spawn;

    #[test]
    fn a_result_comes_back_and_a_panic_is_an_error() {
        let mut reactor = Reactor::new().unwrap();
        let bridge = Bridge::new().unwrap();
        let results = reactor.block_on(async move {
            let fine = bridge
                .call(async {
                    tokio::task::yield_now().await;
                    42
                })
                .await;
            let panicked = bridge.call(async { panic!("over there") }).await;
            (
                fine.unwrap(),
                panicked.map_err(|error: JoinError| error.is_panic()),
            )
        });
        assert_eq!(results.unwrap(), (42, Err::<(), bool>(true)));
    }

    #[test]
    fn who_gives_up_here_ends_it_there() {
        struct Told(mpsc::Sender<()>);
        impl Drop for Told {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let mut reactor = Reactor::new().unwrap();
        let bridge = Bridge::new().unwrap();
        let (sender, dropped) = mpsc::channel();
        let told = Told(sender);
        let called = bridge.call(async move {
            let _told = told;
            std::future::pending::<()>().await;
        });
        let net = reactor.net().clone();
        reactor
            .block_on(async move {
                let task = spawn(&net, called);
                task.cancel();
                assert!(task.await.is_err());
            })
            .unwrap();
        dropped.recv().unwrap();
    }
}
