use std::fmt;

use torsade_core::{Connection, Disconnect, Layered, Protocol, Transport, Wrapper};

use super::consumer::{Consumer, Schedule};

/// A protocol around one that has producers: it tells them of pauses, and of the end.
///
/// New code needs no producers. A loop `while transport.wants_output() { transport.write(..) }`,
/// begun in a callback and again in `resume_writing`, is one. This is for producers that exist as
/// objects, as a port of a Twisted program has them; see [`Consumer`] and
/// [`FileSender`](crate::FileSender).
pub struct Consuming<P> {
    inner: P,
    consumer: Consumer,
}

impl<P: Protocol> Consuming<P> {
    /// The protocol that `make` makes with its consumer.
    ///
    /// ```
    /// use torsade_core::{Protocol, Transport};
    /// use torsade_testing::StringTransport;
    /// use torsade_wire::{Consumer, Consuming, PullProducer};
    ///
    /// /// Counts down, a number each time.
    /// struct Countdown(u32);
    /// impl PullProducer for Countdown {
    ///     fn resume_producing(&mut self, consumer: &Consumer) {
    ///         consumer.write(format!("{}...", self.0));
    ///         self.0 -= 1;
    ///         if self.0 == 0 {
    ///             consumer.unregister_producer();
    ///         }
    ///     }
    /// }
    ///
    /// struct Launch(Consumer);
    /// impl Protocol for Launch {
    ///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {
    ///         self.0.register_pull_producer(Countdown(3)).unwrap();
    ///         self.0.close(); // when it is through
    ///     }
    /// }
    ///
    /// let mut t = StringTransport::serve(Consuming::new(Launch));
    /// t.feed(b"launch");
    /// assert_eq!(t.take_sent(), b"3...2...1...");
    /// assert!(t.lost().is_some());
    /// ```
    pub fn new(make: impl FnOnce(Consumer) -> P) -> Self {
        let consumer = Consumer::new();
        Self {
            inner: make(consumer.clone()),
            consumer,
        }
    }

    /// The protocol inside.
    pub fn get_ref(&self) -> &P {
        &self.inner
    }

    /// The protocol inside, to change it.
    pub fn get_mut(&mut self) -> &mut P {
        &mut self.inner
    }

    /// What producers are registered with.
    pub fn consumer(&self) -> &Consumer {
        &self.consumer
    }
}

impl<P: Protocol> Layered for Consuming<P> {
    type Inner = P;

    fn inner_mut(&mut self) -> &mut P {
        &mut self.inner
    }
}

impl<P: Protocol> Wrapper for Consuming<P> {
    fn made(&mut self, transport: &Transport<Self>) {
        self.consumer.made(Box::new(transport.clone()));
    }

    fn paused(&mut self, _: &Transport<Self>) {
        self.consumer.paused();
    }

    fn resumed(&mut self, _: &Transport<Self>) {
        self.consumer.resumed();
    }

    fn lost(&mut self, _: &Transport<Self>, _: &Disconnect) {
        self.consumer.lost();
    }
}

impl<P: Protocol> Schedule for Transport<Consuming<P>> {
    fn connection(&self) -> &Connection {
        self
    }

    fn soon(&self, consumer: Consumer) {
        self.call(move |_, _| consumer.begin());
    }

    fn when_drained(&self, consumer: Consumer, number: u64) {
        self.then(self.flushed(), move |_, _, flushed| {
            if flushed.is_ok() {
                consumer.drained(number);
            }
        });
    }
}

impl<P: fmt::Debug> fmt::Debug for Consuming<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consuming")
            .field("inner", &self.inner)
            .field("consumer", &self.consumer)
            .finish()
    }
}
