//! Datagrams that are sent to a server: in each round so many from each of a few sockets, and then
//! every answer is waited for. None gets lost on loopback while a socket's queue holds them all.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// A server that has said nothing for so long will not answer any more.
const PATIENCE: Duration = Duration::from_secs(60);

const DATAGRAM: &[u8; 64] = b"sixty-four bytes that an echo server has to send back unchanged.";

/// Sockets that send rounds of datagrams.
#[derive(Debug)]
pub struct Volley {
    sockets: Vec<UdpSocket>,
    in_flight: usize,
}

impl Volley {
    /// Opens the sockets. In a round each of them will send `in_flight` datagrams before it waits
    /// for their answers.
    ///
    /// # Errors
    /// The system's.
    pub fn open(server: SocketAddr, sockets: usize, in_flight: usize) -> io::Result<Self> {
        let open = |_| {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(server)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok(socket)
        };
        Ok(Self {
            sockets: (0..sockets).map(open).collect::<io::Result<_>>()?,
            in_flight,
        })
    }

    /// Plays that many rounds.
    ///
    /// # Errors
    /// When an answer does not come, or is another.
    pub fn play(&mut self, rounds: usize) -> io::Result<()> {
        let mut answer = [0; DATAGRAM.len() + 1];
        for _ in 0..rounds {
            for socket in &self.sockets {
                for _ in 0..self.in_flight {
                    socket.send(DATAGRAM)?;
                }
            }
            for socket in &self.sockets {
                for _ in 0..self.in_flight {
                    let length = socket.recv(&mut answer)?;
                    if answer[..length] != DATAGRAM[..] {
                        return Err(io::Error::other("a datagram came back changed"));
                    }
                }
            }
        }
        Ok(())
    }
}
