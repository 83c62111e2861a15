//! torsade's line framing on the string transport: the engine and the framing
//! without a socket.

use std::io;

use torsade_core::Transport;
use torsade_testing::StringTransport;
use torsade_wire::{LineProtocol, Lines};

/// Remembers how long the line was.
#[derive(Default)]
struct Measure {
    length: Option<usize>,
}

impl LineProtocol for Measure {
    fn line_received(&mut self, _: &Transport<Self>, line: &[u8]) {
        self.length = Some(line.len());
    }
}

pub(super) fn feed(length: usize) -> io::Result<usize> {
    let lines = Lines::new(Measure::default()).max_length(length);
    let mut transport = StringTransport::serve(lines);
    for byte in std::iter::repeat_n(b'x', length).chain(*b"\r\n") {
        transport.feed([byte]);
    }
    transport
        .protocol(|lines| lines.get_ref().length)
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
