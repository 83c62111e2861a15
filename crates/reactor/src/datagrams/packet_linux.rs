//! Several datagrams that the kernel hands over as one packet.

use std::ffi::c_int;

use torsade_core::Address;
use torsade_core::driver::Arrived;

/// Datagrams that came as one packet: of one length, only the last may be shorter.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    pub(super) from: Address,
    pub(super) rest: &'a [u8],
    pub(super) length: usize,
}

impl<'a> Packet<'a> {
    /// The next datagram, with at most so much of it.
    pub(super) fn next(&mut self, most: usize) -> Option<Arrived<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let (whole, rest) = self.rest.split_at(self.length.min(self.rest.len()));
        self.rest = rest;
        let data = &whole[..whole.len().min(most)];
        Some(Arrived {
            from: self.from.clone(),
            data,
            whole: (whole.len() > data.len()).then_some(whole.len()),
        })
    }
}

/// Control data with which the kernel says how long a packet's datagrams are.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    head: libc::cmsghdr,
    length: c_int,
}

impl Segment {
    pub(super) const EMPTY: Self = Self {
        head: libc::cmsghdr {
            cmsg_len: 0,
            cmsg_level: 0,
            cmsg_type: 0,
        },
        length: 0,
    };

    /// How long the datagrams are, if the kernel has said that there are several.
    pub(super) fn length(&self) -> Option<usize> {
        let is_said = self.head.cmsg_level == libc::SOL_UDP && self.head.cmsg_type == libc::UDP_GRO;
        let length = usize::try_from(self.length).ok()?;
        (is_said && length > 0).then_some(length)
    }
}
