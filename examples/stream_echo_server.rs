//! An echo server as a coroutine: a handler with a reader and a writer for each connection, which
//! says one thing back and closes.
//!
//! Run `cargo run --bin stream_echo_server`, then `cargo run --bin stream_echo_client` in another
//! terminal. Ctrl-C ends it.
#![forbid(unsafe_code)]

use std::io::{self, Write};

use torsade::futures::{StreamReader, StreamWriter, start_server};
use torsade::{Disconnect, Reactor};

async fn echo(mut reader: StreamReader, writer: StreamWriter) -> Result<(), Disconnect> {
    let data = reader.read(100).await?;
    let message = String::from_utf8_lossy(&data);
    // Nobody need be looking.
    let _ = writeln!(io::stdout(), "received {message:?} from {}", writer.peer());
    writer.write(&data);
    writer.drain().await?;
    writer.close();
    writer.wait_closed().await
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8888");
    let mut reactor = Reactor::new()?;
    let listener = start_server(reactor.net(), address, echo)?;
    reactor.stop_on_signals()?;
    println!("listening on {}", listener.address());
    Ok(reactor.run()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use torsade_testing::MemoryReactor;

    #[test]
    fn says_a_hundred_bytes_back_and_closes() {
        let reactor = MemoryReactor::new();
        start_server(reactor.net(), "127.0.0.1:8888", echo).unwrap();
        let mut ann = reactor.dial("127.0.0.1:8888");
        ann.feed([b'x'; 150]);
        assert_eq!(ann.take_sent(), [b'x'; 100]);
        assert!(ann.has_ended());
    }
}
