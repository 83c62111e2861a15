//! Linux's calls for several datagrams at once, and for one packet that the kernel cuts into
//! datagrams.
#![expect(
    unsafe_code,
    reason = "no crate has safe calls for recvmmsg, or for sendmmsg with segments"
)]

use std::ffi::{c_int, c_uint, c_void};
use std::fmt;
use std::io::{self, ErrorKind};
use std::iter;
use std::mem::{self, offset_of};
use std::os::fd::AsRawFd;
use std::ptr;

use libc::{iovec, mmsghdr, socklen_t};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::Socket;
use torsade_core::driver::{Arrived, Departures};
use torsade_core::{Address, Limits};

use super::asks_linux::Asks;
pub(crate) use super::name_linux::Family;
use super::name_linux::{self as name, Name};
use super::packet_linux::{Packet, Segment};

/// Messages handed to the kernel at once.
const MOST: usize = 64;

/// Several datagrams that were received at once, and the room for them.
#[derive(Debug)]
pub(crate) struct Receiver {
    /// Places for datagrams, one behind the other. Pages that nothing was received into are not
    /// there yet.
    room: Vec<u8>,
    /// How long a datagram may be.
    most: usize,
    /// How much room each has: as much, or what a packet of several datagrams takes.
    each: usize,
    /// From one place to the next. No power of two, or all of them fell into the same few lines of
    /// a processor's cache.
    stride: usize,
    places: usize,
    asks: Asks,
    /// Each names its place and its name once and for all.
    heads: Box<Heads>,
    /// How many places the last receive has filled.
    came: usize,
    /// How long the datagrams of each packet are, if the last receive was of a socket that is
    /// handed several as one. There once there is such a socket.
    segments: Vec<Segment>,
    coalesced: bool,
}

/// What the kernel is handed for several datagrams.
struct Heads {
    names: [Name; MOST],
    pieces: [iovec; MOST],
    heads: [mmsghdr; MOST],
}

impl Default for Heads {
    fn default() -> Self {
        // SAFETY: all of it is integers and pointers, for which zeros are a value. No pointer is
        // followed before it is set: the kernel sees those of one call only.
        unsafe { mem::zeroed() }
    }
}

impl fmt::Debug for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heads").finish_non_exhaustive()
    }
}

impl Receiver {
    pub(crate) fn new(limits: &Limits) -> Self {
        let most = limits.datagram.clamp(1, LONGEST_PACKET);
        let places = limits.turn_datagrams.clamp(1, MOST);
        Self {
            room: Vec::new(),
            most,
            each: most,
            stride: stride(most),
            places,
            asks: Asks::begin(places),
            heads: Box::default(),
            came: 0,
            segments: Vec::new(),
            coalesced: false,
        }
    }

    /// Receive what there is, as many as fit. Returns how many bytes that is.
    pub(crate) fn receive(&mut self, socket: &Socket, coalesced: bool) -> io::Result<usize> {
        self.came = 0;
        self.coalesced = coalesced;
        if coalesced {
            return self.receive_packets(socket);
        }
        if self.room.is_empty() {
            self.make_room();
        }
        self.came = match self.asks.datagrams {
            1 => self.receive_one(socket)?,
            _ => self.receive_several(socket)?,
        };
        self.asks.came(self.came, self.places);
        let heads = self.heads.heads[..self.came].iter();
        Ok(heads.map(|it| self.most.min(it.msg_len as usize)).sum())
    }

    /// What has come, to a port of this family, if it is not [coalesced](Self::is_coalesced).
    pub(crate) fn arrived(&self, family: Family) -> impl Iterator<Item = Arrived<'_>> {
        (0..self.came).filter_map(move |place| self.in_place(place, family))
    }

    /// Whether what has come may be packets of several. They are told apart because to look costs
    /// some instructions for each datagram.
    pub(crate) fn is_coalesced(&self) -> bool {
        self.coalesced
    }

    /// What has come, if it may be packets of several.
    pub(crate) fn coalesced(&self, family: Family) -> impl Iterator<Item = Arrived<'_>> {
        let mut packet: Option<Packet<'_>> = None;
        let mut places = 0..self.came;
        iter::from_fn(move || {
            loop {
                if let Some(next) = packet.as_mut().and_then(|it| it.next(self.most)) {
                    return Some(next);
                }
                let place = places.next()?;
                packet = self.packet(place, family);
                if packet.is_none()
                    && let Some(single) = self.in_place(place, family)
                {
                    return Some(single);
                }
            }
        })
    }

    #[inline(always)]
    fn in_place(&self, place: usize, family: Family) -> Option<Arrived<'_>> {
        let head = &self.heads.heads[place];
        let whole = head.msg_len as usize;
        let length = whole.min(self.most);
        Some(Arrived {
            // What has no address is of nobody whom an answer could reach.
            from: name::read(&self.heads.names[place], head.msg_hdr.msg_namelen, family)?,
            data: &self.room[place * self.stride..][..length],
            whole: (whole > length).then_some(whole),
        })
    }

    /// What is at that place, if it is several.
    fn packet(&self, place: usize, family: Family) -> Option<Packet<'_>> {
        let length = self.segments[place].length()?;
        let head = &self.heads.heads[place];
        let bytes = (head.msg_len as usize).min(self.each);
        Some(Packet {
            from: name::read(&self.heads.names[place], head.msg_hdr.msg_namelen, family)?,
            rest: &self.room[place * self.stride..][..bytes],
            length,
        })
    }

    #[cold]
    fn make_room(&mut self) {
        self.room = vec![0; self.stride * self.places];
        let Heads {
            names,
            pieces,
            heads,
        } = &mut *self.heads;
        for (place, room) in self.room.chunks_exact_mut(self.stride).enumerate() {
            pieces[place] = iovec {
                iov_base: room.as_mut_ptr().cast(),
                iov_len: self.each,
            };
            let head = &mut heads[place].msg_hdr;
            head.msg_name = (&raw mut names[place]).cast();
            head.msg_namelen = NAME;
            head.msg_iov = &raw mut pieces[place];
            head.msg_iovlen = 1;
        }
    }

    /// Into the first place, as the call for several would.
    fn receive_one(&mut self, socket: &Socket) -> io::Result<usize> {
        let head = &mut self.heads.heads[0];
        head.msg_hdr.msg_namelen = NAME;
        // SAFETY: the first place has so much room, and its name as much as is said; both outlive
        // the call, and nothing else refers to them meanwhile.
        let whole = unsafe {
            libc::recvfrom(
                socket.as_raw_fd(),
                self.room.as_mut_ptr().cast(),
                self.each,
                RECEIVE,
                head.msg_hdr.msg_name.cast(),
                &raw mut head.msg_hdr.msg_namelen,
            )
        };
        head.msg_len = c_uint::try_from(whole).map_err(|_| io::Error::last_os_error())?;
        Ok(1)
    }

    fn receive_several(&mut self, socket: &Socket) -> io::Result<usize> {
        for head in &mut self.heads.heads[..self.asks.datagrams] {
            // The kernel has written how long the last name was.
            head.msg_hdr.msg_namelen = NAME;
        }
        self.receive_into_heads(socket)
    }

    /// The same of a socket that is handed several datagrams as one packet, which the call for one
    /// datagram would not say.
    #[inline(never)]
    fn receive_packets(&mut self, socket: &Socket) -> io::Result<usize> {
        if self.segments.is_empty() {
            // A packet that is cut would be datagrams lost.
            self.each = LONGEST_PACKET;
            self.stride = stride(self.each);
            self.make_room();
            self.segments = vec![Segment::EMPTY; self.places];
        }
        let asks = self.asks.datagrams;
        for (head, segment) in self.heads.heads[..asks].iter_mut().zip(&mut self.segments) {
            *segment = Segment::EMPTY;
            head.msg_hdr.msg_namelen = NAME;
            head.msg_hdr.msg_control = ptr::from_mut(segment).cast();
            head.msg_hdr.msg_controllen = size_of::<Segment>();
        }
        let received = self.receive_into_heads(socket);
        for head in &mut self.heads.heads[..asks] {
            head.msg_hdr.msg_controllen = 0;
        }
        self.came = received?;
        let (mut bytes, mut datagrams) = (0, 0);
        for place in 0..self.came {
            let length = self.heads.heads[place].msg_len as usize;
            bytes += length;
            datagrams += length
                .div_ceil(self.segments[place].length().unwrap_or(length).max(1))
                .max(1);
        }
        // As few packets as make a turn's datagrams, as long as they come so.
        let packets = (self.places * self.came / datagrams.max(1)).max(1);
        self.asks.came(self.came, packets);
        Ok(bytes)
    }

    fn receive_into_heads(&mut self, socket: &Socket) -> io::Result<usize> {
        let asks = self.asks.datagrams;
        // SAFETY: the first `asks` heads name one piece each, which lies in `room` with so much of
        // its own behind it, one name with room for an address, and no control data or one of
        // `segments` with its length. All of them live as long as `self` and stay where they are:
        // the room is made anew only together with all that points there, the others never. And
        // nothing else refers to them meanwhile.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.heads.heads.as_mut_ptr(),
                asks as c_uint,
                RECEIVE,
                ptr::null_mut(),
            )
        };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }
}

/// No packet is longer, of one datagram or of several.
const LONGEST_PACKET: usize = u16::MAX as usize;

const fn stride(each: usize) -> usize {
    each.next_multiple_of(64) + 3 * 64
}

/// Let the kernel hand over several datagrams of one sender as one packet (UDP_GRO, from Linux 5.0
/// on). Returns whether it will.
pub(super) fn coalesce(socket: &Socket) -> bool {
    let on: c_int = 1;
    // SAFETY: the kernel reads one number of that length.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_GRO,
            (&raw const on).cast(),
            size_of::<c_int>() as socklen_t,
        )
    };
    set == 0
}

/// How much room there is for a name.
const NAME: socklen_t = size_of::<Name>() as socklen_t;

/// Without a wait, and told of a datagram's length also if it is cut.
const RECEIVE: c_int = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
const SEND: c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// How many datagrams of one socket go to the kernel at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Eagerness {
    /// Whether it is of UDP. Unix sockets tell at once what becomes of a datagram.
    is_udp: bool,
    /// Whether those of one length to one address go as one packet, which it cuts (UDP_SEGMENT,
    /// from Linux 4.18 on). A kernel that does not know that would send it whole, so it is asked
    /// first; a network card that cannot do it refuses.
    segments: bool,
    /// Packets in one call. After the first, a call does not tell what went wrong, and forgets it:
    /// so on a connected socket, which learns that nobody is there, it is one.
    messages: usize,
}

impl Eagerness {
    pub(crate) fn of(socket: &Socket, local: &Address) -> Self {
        let is_udp = Family::of(local) == Family::Inet;
        let mut size: c_int = 0;
        let mut length = size_of::<c_int>() as socklen_t;
        // SAFETY: the kernel writes at most `length` bytes to `size`, and how many to `length`.
        let known = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_UDP,
                libc::UDP_SEGMENT,
                (&raw mut size).cast(),
                &raw mut length,
            )
        };
        Self {
            is_udp,
            segments: known == 0,
            messages: MOST,
        }
    }

    pub(crate) fn is_connected(&mut self) {
        if self.is_udp {
            self.messages = 1;
        }
    }
}

/// The longest segments: what every path of IPv6 carries whole (RFC 8200 section 5), without the
/// headers, so that the kernel never has to refuse one.
const LONGEST: usize = 1280 - 40 - 8;
/// Segments of one packet: what kernels before 6.9 take. With the longest they are below 64 KiB
/// only up to `PACKET`.
const SEGMENTS: usize = 64;
const PACKET: usize = 65_000;

/// Control data with the length of a segment.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Control {
    head: libc::cmsghdr,
    length: u16,
}

/// Sends, from room that is there once for all ports.
#[derive(Debug)]
pub(crate) struct Sender {
    heads: Box<Heads>,
    controls: [Control; MOST],
    /// How many datagrams each message is.
    counts: [usize; MOST],
}

impl Default for Sender {
    fn default() -> Self {
        let control = Control {
            head: libc::cmsghdr {
                // What `CMSG_LEN` of two bytes is: they follow the head, which is aligned.
                cmsg_len: offset_of!(Control, length) + size_of::<u16>(),
                cmsg_level: libc::SOL_UDP,
                cmsg_type: libc::UDP_SEGMENT,
            },
            length: 0,
        };
        Self {
            heads: Box::default(),
            controls: [control; MOST],
            counts: [0; MOST],
        }
    }
}

impl Sender {
    /// Send what the kernel takes: all, or until it has no room.
    pub(crate) fn send(
        &mut self,
        socket: &Socket,
        departures: &mut Departures,
        eagerness: &mut Eagerness,
    ) {
        // So many are sent one by one, because as a packet they were refused.
        let mut single = 0;
        let mut retried = false;
        while !departures.is_empty() {
            if !eagerness.segments {
                single = usize::MAX;
            }
            let messages = self.fill(departures, eagerness.messages, single);
            match self.hand_over(socket, messages) {
                Ok(taken) => {
                    let datagrams = self.counts[..taken].iter().sum();
                    departures.sent(datagrams);
                    single = single.saturating_sub(datagrams);
                    retried = false;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if is_told_of_room(socket, departures, eagerness.is_udp) {
                        departures.no_room();
                        return;
                    }
                    departures.failed(error);
                }
                Err(error) if self.counts[0] > 1 => {
                    single = self.counts[0];
                    // What a card says that does not compute checksums.
                    if matches!(error.raw_os_error(), Some(libc::EIO | libc::EOPNOTSUPP)) {
                        eagerness.segments = false;
                    }
                }
                // It may be news of an earlier one, and be told only once.
                Err(error)
                    if error.kind() == ErrorKind::ConnectionRefused
                        && eagerness.is_udp
                        && !retried =>
                {
                    departures.reported(error);
                    retried = true;
                }
                Err(error) => {
                    departures.failed(error);
                    single = single.saturating_sub(1);
                    retried = false;
                }
            }
        }
    }

    /// Fill so many messages with the first datagrams, of which so many are to go one by one. Returns how
    /// many messages that is. They point into `departures` and into `self`.
    fn fill(&mut self, departures: &Departures, messages: usize, single: usize) -> usize {
        let mut waiting = departures.iter().peekable();
        let mut taken = 0;
        for message in 0..messages {
            let Some(first) = waiting.next() else {
                return message;
            };
            let each = first.data.len();
            let (mut count, mut bytes) = (1, each);
            if each > 0 && each <= LONGEST && taken >= single {
                // Only the last may be shorter.
                while count < SEGMENTS
                    && let Some(next) = waiting.next_if(|next| {
                        next.to == first.to
                            && (1..=each).contains(&next.data.len())
                            && bytes + each <= PACKET
                            && bytes == count * each
                    })
                {
                    count += 1;
                    bytes += next.data.len();
                }
            }
            taken += count;
            self.heads.pieces[message] = iovec {
                iov_base: first.data.as_ptr().cast_mut().cast(),
                iov_len: bytes,
            };
            self.counts[message] = count;
            self.head(message, first.to, (count > 1).then_some(each));
        }
        messages
    }

    fn head(&mut self, message: usize, to: Option<&Address>, segment: Option<usize>) {
        let head = &mut self.heads.heads[message].msg_hdr;
        (head.msg_name, head.msg_namelen) = match to {
            Some(to) => {
                let name = &mut self.heads.names[message];
                let length = name::write(name, to);
                (ptr::from_mut(name).cast(), length)
            }
            None => (ptr::null_mut(), 0),
        };
        head.msg_iov = &raw mut self.heads.pieces[message];
        head.msg_iovlen = 1;
        (head.msg_control, head.msg_controllen) = match segment {
            Some(length) => {
                let control = &mut self.controls[message];
                control.length = length as u16;
                (
                    ptr::from_mut(control).cast::<c_void>(),
                    size_of::<Control>(),
                )
            }
            None => (ptr::null_mut(), 0),
        };
    }

    /// Returns how many messages the kernel has taken.
    fn hand_over(&mut self, socket: &Socket, messages: usize) -> io::Result<usize> {
        if messages == 1 && self.counts[0] == 1 {
            // The call for one costs the kernel less.
            return self.hand_over_one(socket);
        }
        // SAFETY: the first so many heads were filled just now. Each names one piece, with bytes
        // that lie one behind the other in the departures, which are borrowed all the while and
        // which the kernel only reads; and perhaps a name and control data, which lie in `self`,
        // with their lengths.
        let taken = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                self.heads.heads.as_mut_ptr(),
                messages as c_uint,
                SEND,
            )
        };
        usize::try_from(taken).map_err(|_| io::Error::last_os_error())
    }

    fn hand_over_one(&self, socket: &Socket) -> io::Result<usize> {
        let head = &self.heads.heads[0].msg_hdr;
        let piece = &self.heads.pieces[0];
        // SAFETY: as where several are handed over.
        let taken = unsafe {
            libc::sendto(
                socket.as_raw_fd(),
                piece.iov_base,
                piece.iov_len,
                SEND,
                head.msg_name.cast(),
                head.msg_namelen,
            )
        };
        usize::try_from(taken).map_or_else(|_| Err(io::Error::last_os_error()), |_| Ok(1))
    }
}

/// Whether a poller says so when there is room again for the first datagram.
///
/// Of a Unix socket it says that there is room in the socket itself, and, if that is connected, in
/// its peer's queue; but not in the queue of whoever else was sent to.
#[cold]
fn is_told_of_room(socket: &Socket, departures: &Departures, is_udp: bool) -> bool {
    let is_for_peer = departures.first().is_none_or(|first| first.to.is_none());
    if is_udp || is_for_peer {
        return true;
    }
    let mut room = [PollFd::new(socket, PollFlags::OUT)];
    // An error says nothing of room: it is waited for.
    !matches!(poll(&mut room, Some(&Timespec::default())), Ok(1..))
}
