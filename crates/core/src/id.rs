use std::fmt;

use crate::slots::Key;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub(crate) Key);

        impl $name {
            /// The identity in the low 60 bits of a number, as a driver's poller wants it.
            pub fn to_bits(self) -> u64 {
                self.0.to_bits()
            }

            /// The identity that [`to_bits`](Self::to_bits) gave.
            pub fn from_bits(bits: u64) -> Self {
                Self(Key::from_bits(bits))
            }
        }

        /// Shows the place and which use of it this is, such as `3v2`.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}v{}", self.0.index, self.0.generation)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

id! {
    /// Names a connection of one engine, in logs and between engine and driver. Never reused.
    ConnectionId
}
id! {
    /// Names a listener of one engine.
    ListenerId
}
id! {
    /// Names an attempt to connect to one address.
    AttemptId
}
id! {
    /// Names a look-up of a name.
    LookupId
}
id! {
    /// Names a datagram port of one engine.
    PortId
}
id! {
    /// Names a child process of one engine. Not its number in the system.
    ProcessId
}
