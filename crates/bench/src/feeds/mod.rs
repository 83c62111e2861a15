//! One long line, fed byte by byte: what a framing that searches from the
//! start again at each byte would make quadratic.
//!
//! There is no socket here; a feed is the framing and nothing else.

mod tokio_lines;
mod torsade_lines;

use std::io;

/// What a feed is told: how many bytes the line has before its end. It gives
/// the length of the line that came out.
pub type Feed = fn(usize) -> io::Result<usize>;

/// The names of all feeds.
pub const NAMES: &[&str] = &["tokio-lines", "torsade-lines"];

/// A feed by the name that the command line gives it.
#[must_use]
pub fn by_name(name: &str) -> Option<Feed> {
    match name {
        "tokio-lines" => Some(tokio_lines::feed),
        "torsade-lines" => Some(torsade_lines::feed),
        _ => None,
    }
}
