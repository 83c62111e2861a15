//! Lines out of chunks, for the loops that come without a framing.

use std::io;

/// The beginning of a line whose end has not come yet.
#[derive(Debug, Default)]
pub(super) struct Unfinished(Vec<u8>);

impl Unfinished {
    /// Cuts a chunk into lines, their ends included, and keeps what is left.
    pub(super) fn lines(
        &mut self,
        chunk: &[u8],
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            if !piece.ends_with(b"\n") {
                self.0.extend_from_slice(piece);
            } else if self.0.is_empty() {
                each(piece)?;
            } else {
                self.0.extend_from_slice(piece);
                each(&self.0)?;
                self.0.clear();
            }
        }
        Ok(())
    }
}
