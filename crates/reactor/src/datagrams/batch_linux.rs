//! Linux's calls for several datagrams at once, and for one packet that the kernel cuts into
//! datagrams.
#![expect(
    unsafe_code,
    reason = "no crate has safe calls for recvmmsg, or for sendmmsg with segments"
)]

use std::ffi::{c_int, c_uint, c_void};
use std::fmt;
use std::io::{self, ErrorKind};
use std::mem::{self, offset_of};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::ptr;

use libc::{iovec, mmsghdr, msghdr, sockaddr_in, sockaddr_in6, socklen_t};
use socket2::Socket;
use torsade_core::Limits;
use torsade_core::driver::{Arrived, Departures};

/// Messages handed to the kernel at once.
const MOST: usize = 64;

/// Room for an address of either family: the larger one has it.
type Name = sockaddr_in6;

/// Several datagrams that were received at once, and the room for them.
#[derive(Debug)]
pub(crate) struct Receiver {
    /// Places for datagrams, one behind the other. Pages that nothing was received into are not
    /// there yet.
    room: Vec<u8>,
    /// How long a datagram may be.
    most: usize,
    /// From one place to the next. No power of two, or all of them fell into the same few lines of
    /// a processor's cache.
    stride: usize,
    places: usize,
    /// How many datagrams to ask for: as many as came lately, and some more.
    asks: usize,
    heads: Box<Heads>,
    arrived: Vec<Received>,
}

#[derive(Debug)]
struct Received {
    place: usize,
    from: SocketAddr,
    length: usize,
    whole: Option<usize>,
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

/// At least so many are asked for.
const FEW: usize = 4;

impl Receiver {
    pub(crate) fn new(limits: &Limits) -> Self {
        let most = limits.datagram.clamp(1, u16::MAX as usize);
        Self {
            room: Vec::new(),
            most,
            stride: most.next_multiple_of(64) + 3 * 64,
            places: limits.turn_datagrams.clamp(1, MOST),
            asks: FEW,
            heads: Box::default(),
            arrived: Vec::new(),
        }
    }

    /// Receive what there is, as many as fit. Returns how many bytes that is.
    pub(crate) fn receive(&mut self, socket: &Socket) -> io::Result<usize> {
        self.arrived.clear();
        if self.room.is_empty() {
            self.room = vec![0; self.stride * self.places];
        }
        let asks = self.asks.min(self.places);
        let Heads {
            names,
            pieces,
            heads,
        } = &mut *self.heads;
        let places = self.room.chunks_mut(self.stride).take(asks);
        for (place, room) in places.enumerate() {
            pieces[place] = iovec {
                iov_base: room.as_mut_ptr().cast(),
                iov_len: self.most,
            };
            let head = &mut heads[place].msg_hdr;
            head.msg_name = (&raw mut names[place]).cast();
            head.msg_namelen = size_of::<Name>() as socklen_t;
            head.msg_iov = &raw mut pieces[place];
            head.msg_iovlen = 1;
        }
        // Without a wait, and told of a datagram's length also if it is cut.
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        // SAFETY: the first `asks` heads name one piece each, which lies in `room` with so much of
        // its own behind it, and one name with room for an address; no control data. All of them
        // outlive the call, and nothing else refers to them meanwhile.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                heads.as_mut_ptr(),
                asks as c_uint,
                flags,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        self.asks = if count == asks {
            (2 * asks).min(self.places)
        } else {
            (2 * count).max(FEW)
        };
        let mut bytes = 0;
        for (place, head) in heads[..count].iter().enumerate() {
            let whole = head.msg_len as usize;
            let cut = head.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
            let length = whole.min(self.most);
            bytes += length;
            // What has no address is of nobody whom an answer could reach.
            if let Some(from) = address(&names[place], head.msg_hdr.msg_namelen) {
                self.arrived.push(Received {
                    place,
                    from,
                    length,
                    whole: cut.then_some(whole.max(length + 1)),
                });
            }
        }
        Ok(bytes)
    }

    pub(crate) fn arrived(&self) -> impl Iterator<Item = Arrived<'_>> {
        self.arrived.iter().map(|one| Arrived {
            from: one.from,
            data: &self.room[one.place * self.stride..][..one.length],
            whole: one.whole,
        })
    }
}

/// An address as the kernel has written it.
fn address(name: &Name, length: socklen_t) -> Option<SocketAddr> {
    // Both families begin with the same two fields.
    match c_int::from(name.sin6_family) {
        libc::AF_INET6 if length as usize >= size_of::<sockaddr_in6>() => {
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            let port = u16::from_be(name.sin6_port);
            let (flow, scope) = (name.sin6_flowinfo, name.sin6_scope_id);
            Some(SocketAddrV6::new(ip, port, flow, scope).into())
        }
        libc::AF_INET if length as usize >= size_of::<sockaddr_in>() => {
            // SAFETY: it is the smaller one, needs no stricter alignment, and is of integers, for
            // which all bytes are a value.
            let name = unsafe { &*ptr::from_ref(name).cast::<sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(name.sin_port)).into())
        }
        _ => None,
    }
}

const _: () = assert!(
    align_of::<sockaddr_in>() <= align_of::<Name>()
        && size_of::<sockaddr_in>() <= size_of::<Name>()
        && offset_of!(sockaddr_in, sin_family) == offset_of!(sockaddr_in6, sin6_family)
);

/// The same, the other way. Returns how much of the room it takes.
fn write_address(name: &mut Name, address: &SocketAddr) -> socklen_t {
    match address {
        SocketAddr::V6(address) => {
            name.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            name.sin6_port = address.port().to_be();
            name.sin6_flowinfo = address.flowinfo();
            name.sin6_addr.s6_addr = address.ip().octets();
            name.sin6_scope_id = address.scope_id();
            size_of::<sockaddr_in6>() as socklen_t
        }
        SocketAddr::V4(address) => {
            // SAFETY: as where it is read.
            let name = unsafe { &mut *ptr::from_mut(name).cast::<sockaddr_in>() };
            name.sin_family = libc::AF_INET as libc::sa_family_t;
            name.sin_port = address.port().to_be();
            name.sin_addr.s_addr = u32::from(*address.ip()).to_be();
            name.sin_zero = [0; 8];
            size_of::<sockaddr_in>() as socklen_t
        }
    }
}

/// How many datagrams of one socket go to the kernel at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Eagerness {
    /// Whether those of one length to one address go as one packet, which it cuts (UDP_SEGMENT,
    /// from Linux 4.18 on). A kernel that does not know that would send it whole, so it is asked
    /// first; a network card that cannot do it refuses.
    segments: bool,
    /// Packets in one call. After the first, a call does not tell what went wrong, and forgets it:
    /// so on a connected socket, which learns that nobody is there, it is one.
    messages: usize,
}

impl Eagerness {
    pub(crate) fn of(socket: &Socket) -> Self {
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
            segments: known == 0,
            messages: MOST,
        }
    }

    pub(crate) fn is_connected(&mut self) {
        self.messages = 1;
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
                    departures.no_room();
                    return;
                }
                Err(error) if self.counts[0] > 1 => {
                    single = self.counts[0];
                    // What a card says that does not compute checksums.
                    if matches!(error.raw_os_error(), Some(libc::EIO | libc::EOPNOTSUPP)) {
                        eagerness.segments = false;
                    }
                }
                // It may be news of an earlier one, and be told only once.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused && !retried => {
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

    fn head(&mut self, message: usize, to: Option<&SocketAddr>, segment: Option<usize>) {
        // SAFETY: zeros are a value of it.
        let mut head: msghdr = unsafe { mem::zeroed() };
        if let Some(to) = to {
            head.msg_namelen = write_address(&mut self.heads.names[message], to);
            head.msg_name = (&raw mut self.heads.names[message]).cast();
        }
        head.msg_iov = &raw mut self.heads.pieces[message];
        head.msg_iovlen = 1;
        if let Some(length) = segment {
            let control = &mut self.controls[message];
            control.length = length as u16;
            head.msg_control = ptr::from_mut(control).cast::<c_void>();
            head.msg_controllen = size_of::<Control>();
        }
        self.heads.heads[message].msg_hdr = head;
    }

    /// Returns how many messages the kernel has taken.
    fn hand_over(&mut self, socket: &Socket, messages: usize) -> io::Result<usize> {
        // SAFETY: the first so many heads were filled just now. Each names one piece, with bytes
        // that lie one behind the other in the departures, which are borrowed all the while and
        // which the kernel only reads; and perhaps a name and control data, which lie in `self`,
        // with their lengths.
        let taken = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                self.heads.heads.as_mut_ptr(),
                messages as c_uint,
                libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT,
            )
        };
        usize::try_from(taken).map_err(|_| io::Error::last_os_error())
    }
}
