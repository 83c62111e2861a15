//! The relay that `proxy` and `socks` share: what one peer sends, the other gets, and no faster
//! than it takes it.
//!
//! Two connections, each with a [`Relay`] that knows the other. Whatever happens on one side is
//! done on the other:
//!
//! | on this side | on the other |
//! |---|---|
//! | bytes come | they are written |
//! | output piles up, has drained | reading is paused, resumed |
//! | the peer ends its direction | our direction there ends, after what was written |
//! | the connection is over | it is closed, or reset if this one was |
//!
//! The second row is the back-pressure. Bytes that were written pile up on the side that is
//! slow to take them, and only the other side can stop them from coming. So nothing is kept
//! here, and of each direction at most the high mark (64 KiB) and one read (64 KiB) wait,
//! whatever passes through.

#[cfg(test)]
mod tests;

use torsade::{ConnectError, Connection, Deferred, Protocol, ToEndpoint, Transport};

/// One side of a relay.
struct Relay {
    other: Connection,
}

impl Protocol for Relay {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        // Accepted connections are not read while their own output waits. Here the two directions
        // have nothing to do with each other.
        transport.throttle_input(false);
        // Not from `connection_lost` of the other side: that one may be over already.
        transport.then(self.other.closed(), |_, transport, reason| match reason {
            Ok(reason) if reason.is_clean() => transport.close(),
            // Half of something must not look like the whole.
            _ => transport.abort(),
        });
    }

    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.other.write(data);
    }

    fn eof_received(&mut self, _: &Transport<Self>) {
        self.other.close_write();
    }

    fn pause_writing(&mut self, _: &Transport<Self>) {
        self.other.pause_reading();
    }

    fn resume_writing(&mut self, _: &Transport<Self>) {
        self.other.resume_reading();
    }
}

/// Connect to `upstream` for this client. What it gets is to be given to [`join`].
pub(crate) fn connect(
    client: &Connection,
    upstream: impl ToEndpoint,
) -> Deferred<Transport<Upstream>, ConnectError> {
    let client = client.clone();
    client.net().connect(upstream, Upstream { client })
}

/// From here on the two are a relay. What was left unread on either side is relayed first.
pub(crate) fn join<P: Protocol>(client: &Transport<P>, upstream: &Transport<Upstream>) {
    client.switch(Relay {
        other: upstream.connection(),
    });
    upstream.switch(Relay {
        other: client.connection(),
    });
}

/// The upstream's side before it is joined with the client's.
pub(crate) struct Upstream {
    client: Connection,
}

impl Protocol for Upstream {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        // Nothing is read that nobody could take yet. And if the client has gone, nobody comes to
        // join them.
        transport.hold(self.client.closed(), |_, transport, _| transport.abort());
    }

    /// Not called: input is held until the relay takes over.
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}
