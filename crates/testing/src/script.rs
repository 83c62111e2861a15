use std::time::Duration;

use crate::end::Side;
use crate::play::{Next, Play, Step};
use crate::{FarEnd, ScriptedPeer, world};

/// A peer by the book: expect this, send that.
///
/// [`run`](Self::run) plays it against a protocol on a [`StringTransport`](crate::StringTransport),
/// or whatever else has a [`FarEnd`]. [`peer`](Self::peer) makes a protocol of it, which listens or
/// connects like any other: on a host of a [simulated network](crate::sim), or on real sockets.
///
/// ```
/// use std::time::Duration;
/// use torsade_core::{Protocol, Transport};
/// use torsade_testing::{Script, StringTransport};
///
/// struct Doorman;
/// impl Protocol for Doorman {
///     fn connection_made(&mut self, transport: &Transport<Self>) {
///         transport.write("who is there?\n");
///     }
///     fn data_received(&mut self, transport: &Transport<Self>, name: &[u8]) {
///         transport.write_parts(&[b"hello, ", name]);
///         transport.close();
///     }
/// }
///
/// Script::new()
///     .expect("who is there?\n")
///     .expect_silence(Duration::from_secs(60))
///     .send("ann\n")
///     .expect("hello, ann\n")
///     .expect_end()
///     .run(&mut StringTransport::serve(Doorman));
/// ```
///
/// # When it is not as the script says
/// The test fails with the step, with both texts and a mark where they part, with the bytes there,
/// and with what went before:
/// ```text
/// the conversation is not as step 3 of 4 says: expect "hello, ann\n"
///   expected  "hello, ann\n"
///   came      "hello, bob\n"
///                     ^ at byte 7
///   in bytes  61 6e 6e 0a expected, 62 6f 62 0a came
/// before that, with 14 bytes that were right:
///     1 expect "who is there?\n"
///     2 send "bob\n"
/// ```
///
/// # What it does not see
/// In which pieces bytes come: a stream has none. How what is sent lies to what is received: two
/// expectations in a row are one, and what comes before a `send` may be expected after it.
#[derive(Clone, Debug, Default)]
#[must_use = "a script does nothing until it is run"]
pub struct Script(Vec<Step>);

/// Writing it.
impl Script {
    /// One without steps: whatever comes is too much.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// # use torsade_testing::{Script, StringTransport};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// Script::new().run(&mut StringTransport::serve(Quiet));
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    fn and(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    /// These bytes come next, in whatever pieces.
    pub fn expect(self, bytes: impl AsRef<[u8]>) -> Self {
        self.and(Step::Expect(bytes.as_ref().to_vec()))
    }

    /// The stream ends next, in good order.
    pub fn expect_end(self) -> Self {
        self.and(Step::ExpectEnd)
    }

    /// The connection is reset next.
    pub fn expect_reset(self) -> Self {
        self.and(Step::ExpectReset)
    }

    /// Nothing comes for so long. Against a [`FarEnd`] that much virtual time passes at once.
    pub fn expect_silence(self, time: Duration) -> Self {
        self.and(Step::ExpectSilence(time))
    }

    /// The peer sends these bytes.
    pub fn send(self, bytes: impl AsRef<[u8]>) -> Self {
        self.and(Step::Send(bytes.as_ref().to_vec()))
    }

    /// The peer ends its side in good order. What comes from the other is still expected.
    pub fn end(self) -> Self {
        self.and(Step::End)
    }

    /// The peer resets the connection: usually the last step.
    pub fn reset(self) -> Self {
        self.and(Step::Reset)
    }
}

/// Playing it.
impl Script {
    /// Be the far end of this connection, until the last step.
    ///
    /// Nothing needs to be waited for: what does not come when everything is at rest is missing.
    ///
    /// ```should_panic
    /// # use torsade_core::{Protocol, Transport};
    /// # use torsade_testing::{Script, StringTransport};
    /// # struct Echo;
    /// # impl Protocol for Echo {
    /// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    /// #         transport.write(data);
    /// #     }
    /// # }
    /// let script = Script::new().send("hello").expect("goodbye");
    /// script.run(&mut StringTransport::serve(Echo)); // fails
    /// ```
    ///
    /// # Panics
    /// If the conversation is not as it says, also if something comes that it does not expect.
    #[track_caller]
    pub fn run(&self, far: &mut FarEnd) {
        let mut play = Play::new(self.0.clone());
        loop {
            hear(&mut play, far);
            match play.next() {
                Ok(Next::Send(bytes)) => far.feed(bytes),
                Ok(Next::End) => far.end(),
                Ok(Next::Reset) => far.reset(),
                Ok(Next::Silence(time)) => {
                    world::advance(time);
                    hear(&mut play, far);
                    match play.next() {
                        Ok(_) => play.silence_over(),
                        Err(told) => panic!("{told}"),
                    }
                }
                Ok(Next::Wait) => panic!("{}", play.unmet()),
                Ok(Next::Done) => return,
                Err(told) => panic!("{told}"),
            }
        }
    }

    /// A protocol that plays it on a connection of its own, as server or client.
    ///
    /// ```
    /// use torsade_core::{Protocol, Transport, factory};
    /// use torsade_testing::{Script, sim::Sim};
    ///
    /// struct Client;
    /// impl Protocol for Client {
    ///     fn connection_made(&mut self, transport: &Transport<Self>) {
    ///         transport.write("GET /\n");
    ///     }
    ///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// }
    ///
    /// let script = Script::new().expect("GET /\n").send("it works\n").end().expect_end();
    /// let mut net = Sim::new(1);
    /// let peer = script.peer();
    /// let progress = peer.progress();
    /// let mut peers = vec![peer];
    /// net.host("server").net().listen("0.0.0.0:80", factory(move |_| peers.pop()))?;
    /// net.host("ann").net().connect("server:80", Client).detach();
    /// net.settle();
    /// assert!(progress.is_done());
    /// # Ok::<(), torsade_core::ListenError>(())
    /// ```
    pub fn peer(&self) -> ScriptedPeer {
        ScriptedPeer::new(Play::new(self.0.clone()))
    }
}

/// What has come since.
fn hear(play: &mut Play, far: &mut FarEnd) {
    play.came(&far.take_sent());
    if far.has_reset() {
        play.ended(Side::Reset);
    } else if far.has_ended() {
        play.ended(Side::Ended);
    }
}
