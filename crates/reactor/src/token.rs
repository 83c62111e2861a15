use torsade_core::{AttemptId, ConnectionId, ListenerId, PortId};

#[cfg(not(target_pointer_width = "64"))]
compile_error!(
    "torsade-reactor needs 64-bit pointers: a poller's key holds an identity of 60 bits"
);

/// What an event of the poller is about, packed into the poller's key: four bits of kind over
/// sixty of identity. The identity carries a generation, so an event that is late finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// Also after the connection is gone, while its socket lingers.
    Connection(ConnectionId),
    Listener(ListenerId),
    Attempt(AttemptId),
    /// The pipe that signal handlers write to.
    Signals,
    /// A descriptor of somebody else, by its number.
    Watched(u64),
    /// A datagram port.
    Port(PortId),
}

const SHIFT: u32 = 60;
const IDENTITY: u64 = (1 << SHIFT) - 1;

impl Token {
    /// Never `u64::MAX`, which the poller keeps for itself: no kind has all four bits.
    pub(crate) fn key(self) -> u64 {
        let (kind, identity) = match self {
            Self::Connection(id) => (0, id.to_bits()),
            Self::Listener(id) => (1, id.to_bits()),
            Self::Attempt(id) => (2, id.to_bits()),
            Self::Signals => (3, 0),
            Self::Watched(number) => (4, number & IDENTITY),
            Self::Port(id) => (5, id.to_bits()),
        };
        kind << SHIFT | identity
    }

    /// The connection that a key names, if it names one: the usual case.
    #[inline]
    pub(crate) fn connection(key: u64) -> Option<ConnectionId> {
        (key <= IDENTITY).then(|| ConnectionId::from_bits(key))
    }

    pub(crate) fn from_key(key: u64) -> Option<Self> {
        let identity = key & IDENTITY;
        Some(match key >> SHIFT {
            0 => Self::Connection(ConnectionId::from_bits(identity)),
            1 => Self::Listener(ListenerId::from_bits(identity)),
            2 => Self::Attempt(AttemptId::from_bits(identity)),
            3 => Self::Signals,
            4 => Self::Watched(identity),
            5 => Self::Port(PortId::from_bits(identity)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_what_it_was_made_of() {
        let last = IDENTITY;
        for token in [
            Token::Connection(ConnectionId::from_bits(0)),
            Token::Connection(ConnectionId::from_bits(last)),
            Token::Listener(ListenerId::from_bits(7 << 32 | 5)),
            Token::Attempt(AttemptId::from_bits(last)),
            Token::Signals,
            Token::Watched(last),
            Token::Port(PortId::from_bits(last)),
        ] {
            assert_eq!(Token::from_key(token.key()), Some(token));
            assert_ne!(token.key(), u64::MAX);
            let connection = Token::connection(token.key()).map(Token::Connection);
            let expected = matches!(token, Token::Connection(_)).then_some(token);
            assert_eq!(connection, expected);
        }
        assert_eq!(Token::from_key(u64::MAX), None);
    }
}
