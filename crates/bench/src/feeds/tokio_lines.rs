//! tokio-util's codec over a buffer that grows by one byte at a time.

use std::io;

use tokio_util::bytes::BytesMut;
use tokio_util::codec::{Decoder, LinesCodec};

pub(super) fn feed(length: usize) -> io::Result<usize> {
    let mut codec = LinesCodec::new();
    let mut buffer = BytesMut::new();
    let mut line = None;
    for byte in std::iter::repeat_n(b'x', length).chain(*b"\r\n") {
        buffer.extend_from_slice(&[byte]);
        let decoded = codec.decode(&mut buffer).map_err(io::Error::other)?;
        line = line.or(decoded);
    }
    line.map(|line| line.len())
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
