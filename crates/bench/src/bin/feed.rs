//! Feeds one line byte by byte to a framing: `feed NAME LENGTH`.
#![forbid(unsafe_code)]

use std::io;

fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    let length = words.next().unwrap_or_default();
    let feed = torsade_bench::feeds::by_name(&name)
        .ok_or_else(|| io::Error::other(format!("there is no feed {name:?}")))?;
    let length = length.parse().map_err(io::Error::other)?;
    if feed(length)? == length {
        Ok(())
    } else {
        Err(io::Error::other("another line came out"))
    }
}
