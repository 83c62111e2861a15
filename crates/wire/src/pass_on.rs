/// The callbacks of a protocol that a layer hands inward as they are, for its field `protocol`.
macro_rules! pass_on {
    () => {
        fn pause_writing(&mut self, transport: &Transport<Self>) {
            self.protocol.pause_writing(&transport.inner());
        }

        fn resume_writing(&mut self, transport: &Transport<Self>) {
            self.protocol.resume_writing(&transport.inner());
        }

        fn stopping(&mut self, transport: &Transport<Self>) {
            self.protocol.stopping(&transport.inner());
        }

        fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
            self.protocol.connection_lost(&transport.inner(), reason);
        }
    };
}

pub(crate) use pass_on;

/// What comes in, for a framing whose `step` does the next thing with the front of what is there
/// and says how much that used; and the end, with what was left.
macro_rules! take_steps {
    () => {
        fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
            let inner = transport.inner();
            let mut rest = data;
            while !rest.is_empty()
                && transport.wants_input()
                && let Some(used) = self.step(&inner, rest)
            {
                rest = &rest[used..];
            }
            transport.unread(rest.len());
        }

        fn eof_received(&mut self, transport: &Transport<Self>) {
            let inner = transport.inner();
            transport.with_unread(|rest| self.protocol.eof_received(&inner, rest));
        }
    };
}

pub(crate) use take_steps;
