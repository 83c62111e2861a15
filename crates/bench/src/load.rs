//! What is sent to a server: rounds of messages on a few connections, one
//! connection that is heard by all, one connection after the other, or many
//! connections that say one word and then nothing.
//!
//! The load is a plain blocking program. In each round it first sends on
//! every connection and then waits for every answer, so that a server that
//! runs only when the load waits finds all its connections ready.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// A server that has said nothing for so long will not answer any more.
const PATIENCE: Duration = Duration::from_secs(60);

/// As many connections wait for a server at most: std's listeners queue 128.
pub(crate) const QUEUE: usize = 120;

/// What a message looks like, and so where its answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// 64 bytes that come back as they are.
    Block,
    /// The same 64 bytes, answered by [`CONSTANT`] whatever they are.
    Constant,
    /// A line of 32 bytes, CR LF included, answered by a line that may end
    /// with a bare LF.
    Line,
}

/// What a server that does not look at its input answers: 64 bytes, too.
pub const CONSTANT: &[u8; 64] = b"sixty-four bytes that a server says whatever it has been asked..";

impl Message {
    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Block | Self::Constant => {
                b"sixty-four bytes that an echo server has to send back unchanged."
            }
            Self::Line => b"a line of thirty-two bytes, so\r\n",
        }
    }

    /// What has to come back, for those whose length is known.
    fn answer(self) -> &'static [u8] {
        match self {
            Self::Constant => CONSTANT,
            Self::Block | Self::Line => self.bytes(),
        }
    }
}

/// Who ends a connection; the other one ends it then, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// We do, when we have been answered.
    Load,
    /// The server does, when it has answered.
    Server,
}

/// Connections that stay open and send rounds of messages.
#[derive(Debug)]
pub struct Session {
    sockets: Vec<TcpStream>,
    answers: Answers,
    /// What a connection sends in a round.
    batch: Vec<u8>,
    in_flight: usize,
}

impl Session {
    /// Opens the connections. In a round each of them will send `in_flight`
    /// messages before it waits for their answers.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn open(
        server: SocketAddr,
        message: Message,
        connections: usize,
        in_flight: usize,
    ) -> io::Result<Self> {
        let mut answers = Answers::new(message);
        let mut sockets = Vec::new();
        for number in 1..=connections {
            // What finds the listener's queue full is tried again by the
            // system a second later: do not run ahead of the server.
            sockets.push(if number % QUEUE == 0 {
                greet(server, message, &mut answers)?
            } else {
                connect(server)?
            });
        }
        Ok(Self {
            sockets,
            answers,
            batch: message.bytes().repeat(in_flight),
            in_flight,
        })
    }

    /// Plays that many rounds.
    ///
    /// # Errors
    /// When the server ends, or answers something else.
    pub fn play(&mut self, rounds: usize) -> io::Result<()> {
        for _ in 0..rounds {
            for mut socket in &self.sockets {
                socket.write_all(&self.batch)?;
            }
            for socket in &self.sockets {
                self.answers.expect(socket, self.in_flight)?;
            }
        }
        Ok(())
    }
}

/// A room in which one speaks and everybody hears it, the speaker too.
#[derive(Debug)]
pub struct Room(Session);

impl Room {
    /// Enters with that many connections.
    ///
    /// # Errors
    /// When the server refuses, or somebody does not hear.
    pub fn enter(server: SocketAddr, connections: usize) -> io::Result<Self> {
        let mut room = Self(Session::open(server, Message::Line, connections, 1)?);
        // Servers accept in order: who came last is heard when all are in.
        room.0.sockets.reverse();
        room.play(1)?;
        Ok(room)
    }

    /// Says one line in each round and waits until everybody has heard it.
    ///
    /// # Errors
    /// When the server ends, or somebody hears something else.
    pub fn play(&mut self, rounds: usize) -> io::Result<()> {
        let Session {
            sockets,
            answers,
            batch,
            in_flight,
        } = &mut self.0;
        for _ in 0..rounds {
            if let Some(speaker) = sockets.first_mut() {
                speaker.write_all(batch)?;
            }
            for socket in &*sockets {
                answers.expect(socket, *in_flight)?;
            }
        }
        Ok(())
    }
}

/// Opens one connection after the other: one message each, answered, and then
/// the end from both sides.
///
/// # Errors
/// When the server refuses, does not end, or answers something else.
pub fn visits(
    server: SocketAddr,
    message: Message,
    ends: Ends,
    connections: usize,
) -> io::Result<()> {
    let mut answers = Answers::new(message);
    for _ in 0..connections {
        let mut socket = greet(server, message, &mut answers)?;
        if ends == Ends::Load {
            socket.shutdown(Shutdown::Write)?;
        }
        if socket.read(&mut [0])? > 0 {
            let problem = "the server said more than it was asked";
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
    }
    Ok(())
}

/// Opens connections that exchange one message each and then stay silent.
///
/// # Errors
/// When the server refuses, ends, or answers something else.
pub fn idle(
    server: SocketAddr,
    message: Message,
    connections: usize,
) -> io::Result<Vec<TcpStream>> {
    let mut answers = Answers::new(message);
    (0..connections)
        .map(|_| greet(server, message, &mut answers))
        .collect()
}

fn greet(server: SocketAddr, message: Message, answers: &mut Answers) -> io::Result<TcpStream> {
    let mut socket = connect(server)?;
    socket.write_all(message.bytes())?;
    answers.expect(&socket, 1)?;
    Ok(socket)
}

pub(crate) fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(server)?;
    // Without this a second small message would wait for the answer to the
    // first one to be acknowledged.
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Reads answers and checks them.
#[derive(Debug)]
struct Answers {
    message: Message,
    buffer: Vec<u8>,
}

impl Answers {
    fn new(message: Message) -> Self {
        Self {
            message,
            buffer: vec![0; 64 * 1024],
        }
    }

    /// Waits for that many answers on one connection.
    fn expect(&mut self, mut socket: &TcpStream, count: usize) -> io::Result<()> {
        match self.message {
            Message::Block | Message::Constant => {
                let expected = self.message.answer();
                for _ in 0..count {
                    let answer = &mut self.buffer[..expected.len()];
                    socket.read_exact(answer)?;
                    check(answer, expected)?;
                }
            }
            Message::Line => {
                let line = self.message.answer().trim_ascii_end();
                let mut text = Vec::new();
                while text.iter().filter(|byte| **byte == b'\n').count() < count {
                    match socket.read(&mut self.buffer)? {
                        0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                        n => text.extend_from_slice(&self.buffer[..n]),
                    }
                }
                for answer in text.trim_ascii_end().split(|byte| *byte == b'\n') {
                    check(answer.trim_ascii_end(), line)?;
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn check(answer: &[u8], expected: &[u8]) -> io::Result<()> {
    if answer == expected {
        return Ok(());
    }
    let problem = format!(
        "the server answered {:?}",
        answer.escape_ascii().to_string()
    );
    Err(io::Error::new(io::ErrorKind::InvalidData, problem))
}
