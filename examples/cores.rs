//! Numbers the lines it gets, on every core: several reactors share a port, and a counter.
//!
//! Run `cargo run --bin cores`, then `nc 127.0.0.1 8007` in other terminals. Ctrl-C ends it.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use torsade::wire::{LineProtocol, LineTransport, Lines};
use torsade::{Reactors, Transport, factory};

/// All threads have their own protocols and factories. What they share is made to be shared.
struct Counting {
    lines: Arc<AtomicU64>,
}

impl LineProtocol for Counting {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let thread = std::thread::current();
        transport.send_line(thread.name().unwrap_or("nobody"));
    }

    fn line_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
        let number = self.lines.fetch_add(1, Ordering::Relaxed) + 1;
        transport.send_line(number.to_string());
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8007".to_owned());
    let lines = Arc::new(AtomicU64::new(0));
    // Called once in each thread.
    let reactors = Reactors::per_core().stop_on_signals().start(move |net| {
        let lines = Arc::clone(&lines);
        let counting = move |_: &_| {
            let lines = Arc::clone(&lines);
            Lines::new(Counting { lines })
        };
        Ok(net.listen(address.as_str(), factory(counting))?.address())
    })?;
    println!("listening on {}", reactors.results()[0]);
    Ok(reactors.join()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use torsade_testing::StringTransport;

    #[test]
    fn numbers_go_on_from_one_connection_to_the_next() {
        let lines = Arc::new(AtomicU64::new(0));
        let serve = || {
            let lines = Arc::clone(&lines);
            let mut t = StringTransport::serve(Lines::new(Counting { lines }));
            t.take_sent();
            t
        };
        let (mut one, mut two) = (serve(), serve());
        one.feed(b"a\r\nb\r\n");
        assert_eq!(one.take_sent(), b"1\r\n2\r\n");
        two.feed(b"c\r\n");
        assert_eq!(two.take_sent(), b"3\r\n");
    }
}
