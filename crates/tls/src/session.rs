use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{CommonState, Error};
use torsade_core::Disconnect;

use crate::failure::failure;
use crate::notes::{self, Notes};

/// One end of TLS as rustls keeps it: without a byte of its own, so that an idle one is its keys
/// and little else. Records are decrypted where they lie, and encrypted where they leave.
pub(crate) enum Session {
    Client(Box<UnbufferedClientConnection>),
    Server(Box<UnbufferedServerConnection>),
}

/// What became of some input.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Bytes of it that are done with.
    pub(crate) used: usize,
    /// The peer has ended its side in good order; this is said once.
    pub(crate) ended: bool,
}

/// What rustls wants next.
enum Step {
    Again,
    /// The peer has ended its side.
    Ended,
    /// There is nothing to do without more input.
    Rest,
}

impl Session {
    /// Let rustls take what it can of `input`, and collect what it has for the `wire` and for the
    /// protocol.
    ///
    /// Each step takes input away, or takes something away that rustls had for us, so it ends.
    pub(crate) fn take(
        &mut self,
        input: &mut [u8],
        wire: &mut Vec<u8>,
        plain: &mut Vec<u8>,
        seen: &mut Notes,
    ) -> Result<Progress, Disconnect> {
        let mut progress = Progress::default();
        loop {
            let (used, step) = self.step(&mut input[progress.used..], wire, plain);
            progress.used += used;
            let noted = notes::take();
            if noted.server_name.is_some() {
                seen.server_name = noted.server_name.clone();
            }
            match step {
                Ok(Step::Again) => {}
                Ok(Step::Ended) => progress.ended = true,
                Ok(Step::Rest) => return Ok(progress),
                Err(error) => {
                    // The alert that tells the peer why.
                    self.send_queued(&mut input[progress.used..], wire);
                    return Err(failure(&error, noted));
                }
            }
        }
    }

    fn step(
        &mut self,
        input: &mut [u8],
        wire: &mut Vec<u8>,
        plain: &mut Vec<u8>,
    ) -> (usize, Result<Step, Error>) {
        match self {
            Self::Client(client) => step(client.process_tls_records(input), wire, plain),
            Self::Server(server) => step(server.process_tls_records(input), wire, plain),
        }
    }

    /// Collect what rustls has for the wire. It wants to see input that it has begun to look at in
    /// its place, and takes none of it.
    fn send_queued(&mut self, input: &mut [u8], wire: &mut Vec<u8>) {
        while self.state().wants_write() {
            if self.step(input, wire, &mut Vec::new()).1.is_err() {
                break;
            }
        }
    }

    /// Encrypt these bytes, which may not be before the handshake is over. `held` is input that
    /// rustls has begun to look at.
    pub(crate) fn encrypt(
        &mut self,
        data: &[u8],
        held: &mut [u8],
        wire: &mut Vec<u8>,
    ) -> Result<(), Disconnect> {
        self.write(Writing::Data(data), held, wire)
    }

    /// Say that our side has ended.
    pub(crate) fn end(&mut self, held: &mut [u8], wire: &mut Vec<u8>) -> Result<(), Disconnect> {
        self.write(Writing::End, held, wire)
    }

    fn write(
        &mut self,
        what: Writing<'_>,
        held: &mut [u8],
        wire: &mut Vec<u8>,
    ) -> Result<(), Disconnect> {
        // What rustls has queued itself goes first.
        self.send_queued(held, wire);
        let result = match self {
            Self::Client(client) => write(|| client.process_tls_records(held), what, wire),
            Self::Server(server) => write(|| server.process_tls_records(held), what, wire),
        };
        result.map_err(|error| failure(&error, Notes::default()))
    }

    pub(crate) fn state(&self) -> &CommonState {
        match self {
            Self::Client(client) => client,
            Self::Server(server) => server,
        }
    }
}

#[derive(Clone, Copy)]
enum Writing<'a> {
    Data(&'a [u8]),
    End,
}

fn step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    wire: &mut Vec<u8>,
    plain: &mut Vec<u8>,
) -> (usize, Result<Step, Error>) {
    let UnbufferedStatus { discard, state } = status;
    let step = match state {
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut outcome = Ok(Step::Again);
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => plain.extend_from_slice(record.payload),
                    Err(error) => outcome = Err(error),
                }
            }
            outcome
        }
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            append(wire, 0, |room| match data.encode(room) {
                Err(EncodeError::InsufficientSize(size)) => Err(Some(size.required_size)),
                Err(EncodeError::AlreadyEncoded) => Err(None),
                Ok(written) => Ok(written),
            });
            Ok(Step::Again)
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Ok(Step::Again)
        }
        Ok(ConnectionState::PeerClosed) => Ok(Step::Ended),
        Ok(_) => Ok(Step::Rest),
        Err(error) => Err(error),
    };
    (discard, step)
}

fn write<'c, 'i, Data: 'c>(
    status: impl FnOnce() -> UnbufferedStatus<'c, 'i, Data>,
    what: Writing<'_>,
    wire: &mut Vec<u8>,
) -> Result<(), Error> {
    let ConnectionState::WriteTraffic(mut traffic) = status().state? else {
        // Both ends have ended, or never began.
        return Ok(());
    };
    let likely = match what {
        Writing::Data(data) => data.len() + data.len().div_ceil(RECORD) * OVERHEAD,
        Writing::End => OVERHEAD,
    };
    let mut exhausted = false;
    append(wire, likely, |room| {
        let written = match what {
            Writing::Data(data) => traffic.encrypt(data, room),
            Writing::End => traffic.queue_close_notify(room),
        };
        written.map_err(|error| match error {
            EncryptError::InsufficientSize(size) => Some(size.required_size),
            EncryptError::EncryptExhausted => {
                exhausted = true;
                None
            }
        })
    });
    match exhausted {
        false => Ok(()),
        true => Err(Error::EncryptError),
    }
}

/// Let something be written behind what is there: room for so many bytes is made, and if they are
/// too few, for as many as it asks for.
fn append(
    wire: &mut Vec<u8>,
    likely: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) {
    let start = wire.len();
    let mut room = likely;
    loop {
        wire.resize(start + room, 0);
        match write(&mut wire[start..]) {
            Ok(written) => return wire.truncate(start + written),
            Err(Some(required)) if required > room => room = required,
            Err(_) => return wire.truncate(start),
        }
    }
}

/// The most plain text in one record: RFC 8446 section 5.1.
pub(crate) const RECORD: usize = 16 * 1024;

/// More than is added to it by any way to encrypt.
const OVERHEAD: usize = 64;
