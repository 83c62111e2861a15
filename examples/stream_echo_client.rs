//! A client of the echo as a coroutine: connects, says one thing, reads the answer, closes.
//!
//! Run `cargo run --bin stream_echo_server` in another terminal, then
//! `cargo run --bin stream_echo_client [ADDRESS [MESSAGE]]`.
#![forbid(unsafe_code)]

use std::error::Error;

use torsade::futures::open_connection;
use torsade::{Net, Reactor};

async fn ask(net: Net, address: String, message: String) -> Result<String, Box<dyn Error>> {
    let (mut reader, writer) = open_connection(&net, address.as_str()).await?;
    writer.write(&message);
    let answer = reader.read(100).await?;
    writer.close();
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8888".into());
    let message = arguments.next().unwrap_or_else(|| "Hello World!".into());
    println!("send: {message}");
    let mut reactor = Reactor::new()?;
    let asked = ask(reactor.net().clone(), address, message);
    println!("received: {}", reactor.block_on(asked)??);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use torsade::Disconnect;
    use torsade::futures::start_server;
    use torsade_testing::MemoryReactor;

    #[test]
    fn asks_and_hears_the_answer() {
        let mut reactor = MemoryReactor::new();
        let net = reactor.net().clone();
        start_server(&net, "127.0.0.1:8888", async |mut reader, writer| {
            let asked = reader.read(100).await?;
            writer.write_parts(&[b"you said ", &*asked]);
            // The client closes.
            reader.read(1).await?;
            Ok::<(), Disconnect>(())
        })
        .unwrap();
        reactor.join();
        let asked = ask(net, "127.0.0.1:8888".into(), "hi".into());
        assert_eq!(reactor.block_on(asked).unwrap(), "you said hi");
    }

    #[test]
    fn nobody_there_is_an_error() {
        let mut reactor = MemoryReactor::new();
        let net = reactor.net().clone();
        reactor.join();
        let asked = reactor.block_on(ask(net, "127.0.0.1:8888".into(), "hi".into()));
        assert!(asked.is_err());
    }
}
