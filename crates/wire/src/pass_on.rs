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
