use std::fmt;
use std::panic::Location;

use crate::{Address, ConnectionId, ExitStatus};

/// Everything that a reactor has open, a row each: what `netstat` would show of it, with what only
/// the reactor knows. From [`Net::netstat`](crate::Net::netstat).
///
/// [`Display`](fmt::Display) writes it as a table for people; a status page may want the rows.
///
/// ```
/// use torsade_core::{NetstatState, Protocol, Transport};
/// use torsade_testing::StringTransport;
///
/// struct Quiet;
/// impl Protocol for Quiet {
///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// }
///
/// let mut t = StringTransport::serve(Quiet);
/// t.feed(b"hello");
/// let asked = t.net().netstat();
/// t.advance(std::time::Duration::ZERO);
/// let netstat = asked.try_take().unwrap().unwrap();
/// let row = &netstat.rows[0];
/// assert_eq!((row.state, row.received), (NetstatState::Open, 5));
/// assert!(row.what.ends_with("Quiet"));
/// println!("{netstat}");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Netstat {
    /// Listeners, then datagram ports, child processes, connections that are being made, and connections; each kind
    /// in the order of its table, where a new one takes the place of one that is gone.
    pub rows: Vec<NetstatRow>,
}

/// One thing that is open.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NetstatRow {
    /// What it is, and how far along.
    pub state: NetstatState,
    /// Its own address; `None` of what has no socket yet.
    pub local: Option<Address>,
    /// Who is at the other end; `None` where that is nobody, or not known yet.
    pub remote: Option<Address>,
    /// Bytes that came; datagrams of a port; 0 of others.
    pub received: u64,
    /// Bytes that the kernel has taken; datagrams of a port; 0 of others.
    pub sent: u64,
    /// Bytes of output that wait.
    pub buffered: usize,
    /// Whether the protocol, or the framework for its sake, holds input back just now.
    pub is_paused: bool,
    /// Of a connection, the type of its protocol. Of a connection that is being made, where to. Of
    /// a child process, its program, its number, its descriptors and who asked for it. Of others,
    /// the line of the program that opened it.
    pub what: String,
    /// Which connection it is, if it is one.
    pub connection: Option<ConnectionId>,
    /// Which child process it is, if it is one.
    pub child: Option<NetstatChild>,
}

/// What is known of a child process in a [`NetstatRow`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NetstatChild {
    /// Its number in the system, which is another's, perhaps, once it has exited.
    pub pid: u32,
    /// What was run, as it was named.
    pub program: String,
    /// How it exited, if it has: it is reaped then.
    pub status: Option<ExitStatus>,
    /// The descriptors that it has of us and that are open at our end, each with the connection
    /// that is its other end: that one has a row of its own, with its bytes. A terminal is
    /// number 1.
    pub descriptors: Vec<(u32, ConnectionId)>,
}

impl NetstatChild {
    pub(crate) fn what(&self, site: &'static Location<'static>) -> String {
        let mut what = format!("{}, process {}", self.program, self.pid);
        if let Some(status) = self.status {
            what.push_str(&format!(", {status}"));
        }
        let mut before = ", descriptors";
        for (number, _) in &self.descriptors {
            what.push_str(&format!("{before} {number}"));
            before = "";
        }
        what + &format!(", asked for at {site}")
    }
}

/// What a [`NetstatRow`] is, and how far along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NetstatState {
    /// A listener.
    Listening,
    /// A datagram port.
    Datagrams,
    /// A child process that has not exited, as far as is known.
    Running,
    /// A child process that has exited and is reaped. Its last output or its `process_ended` is
    /// still to come.
    Exited,
    /// A child process whose exit nobody waits for any more.
    LetGo,
    /// A connection for which names are looked up and addresses tried.
    Connecting,
    /// There is a socket, but filters are not ready: no protocol was told yet.
    Handshaking,
    /// Both directions are open.
    Open,
    /// The peer has ended its direction.
    PeerEnded,
    /// We have ended ours.
    Ended,
    /// It is being closed; what was written is flushed.
    Closing,
    /// Over but for its `connection_lost`.
    Lost,
}

impl fmt::Display for NetstatState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Listening => "listening",
            Self::Datagrams => "datagrams",
            Self::Running => "running",
            Self::Exited => "exited",
            Self::LetGo => "let go",
            Self::Connecting => "connecting",
            Self::Handshaking => "handshaking",
            Self::Open => "open",
            Self::PeerEnded => "peer ended",
            Self::Ended => "ended",
            Self::Closing => "closing",
            Self::Lost => "lost",
        })
    }
}

/// A line of headings, and one for each row.
impl fmt::Display for Netstat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let far = |address: &Option<Address>| {
            let known = address.as_ref();
            known.map_or_else(|| "*".to_owned(), Address::to_string)
        };
        let ends: Vec<_> = self
            .rows
            .iter()
            .map(|row| (far(&row.local), far(&row.remote)))
            .collect();
        let local = widest("local", ends.iter().map(|ends| ends.0.chars().count()));
        let remote = widest("remote", ends.iter().map(|ends| ends.1.chars().count()));
        write!(
            f,
            "{:<11}  {:<local$}  {:<remote$}",
            "state", "local", "remote"
        )?;
        write!(f, "  {:>12}  {:>12}  {:>9}", "received", "sent", "buffered")?;
        write!(f, "  {:<6}  what", "")?;
        for (row, ends) in self.rows.iter().zip(&ends) {
            write!(
                f,
                "\n{:<11}  {:<local$}  {:<remote$}",
                row.state, ends.0, ends.1
            )?;
            write!(f, "  {:>12}  {:>12}", row.received, row.sent)?;
            let paused = if row.is_paused { "paused" } else { "" };
            write!(f, "  {:>9}  {paused:<6}  {}", row.buffered, row.what)?;
        }
        Ok(())
    }
}

fn widest(heading: &str, lengths: impl Iterator<Item = usize>) -> usize {
    heading.len().max(lengths.max().unwrap_or(0))
}
