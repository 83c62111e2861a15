use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::rc::Rc;

use torsade_core::Connection;

use super::producer::{Producer, PullProducer, PushProducer};

/// Where producers are registered: the face of a connection that Twisted calls `IConsumer`.
///
/// [`Consuming::new`](crate::Consuming::new) makes it and gives it to the protocol. Cheap to clone.
/// What is written before the connection is made is dropped.
///
/// ```
/// use torsade_core::{Protocol, Transport};
/// use torsade_testing::StringTransport;
/// use torsade_wire::{Consumer, Consuming, PushProducer};
///
/// /// A ticker that other parts of the program drive.
/// struct Ticker;
/// impl PushProducer for Ticker {
///     fn pause_producing(&mut self, _: &Consumer) {
///         println!("hold it");
///     }
///     fn resume_producing(&mut self, consumer: &Consumer) {
///         consumer.write("go on\n");
///     }
/// }
///
/// struct Feed(Consumer);
/// impl Protocol for Feed {
///     fn connection_made(&mut self, _: &Transport<Self>) {
///         self.0.register_producer(Ticker).unwrap();
///         assert!(self.0.register_producer(Ticker).is_err()); // one at a time
///     }
///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// }
///
/// let mut t = StringTransport::builder().window(0).serve(Consuming::new(Feed));
/// t.connection().write([b'x'; 70_000]); // above the high mark
/// t.set_window(usize::MAX);
/// assert!(t.take_sent().ends_with(b"xgo on\n"));
/// ```
///
/// # What is otherwise than in Twisted
/// - A producer is called when the current callback has returned, never from inside `write` or
///   `register_producer`; `wants_output` on the connection changes at once.
/// - Output resumes at 16 KiB and not when nothing waits. `set_write_limits(0, 65536)` on the
///   connection is Twisted's behaviour.
/// - [`close`](Self::close) and [`close_write`](Self::close_write) wait for a producer of either
///   kind, on every transport.
#[doc(alias = "IConsumer")]
#[derive(Clone)]
pub struct Consumer(Rc<State>);

struct State {
    /// There when the connection is made.
    schedule: OnceCell<Box<dyn Schedule>>,
    seat: RefCell<Option<Registered>>,
    /// Numbers registrations.
    last: Cell<u64>,
    /// Whether the protocol was last told that output is paused.
    output_waits: Cell<bool>,
    life: Cell<Life>,
}

/// ```text
///           close_write              close
///   Open ---------------> Finishing -------> Closing ---> Lost
///    | ^  unregistered     |  |                 ^          ^
///    | +-------------------+  +-----------------|----------+
///    +------------------------------------------+          |
///    |  close                                              |
///    +-----------------------------------------------------+
/// ```
/// Both in the middle are left out if there is no producer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Open,
    /// Our side is to end when the producer is through.
    Finishing,
    /// To be closed when the producer is through.
    Closing,
    Lost,
}

struct Registered {
    number: u64,
    stage: Stage,
    /// Taken out while it is called.
    producer: Option<Producer>,
}

/// Where a producer is. One that pushes alternates between the first line, one that pulls between
/// the second.
///
/// ```text
///          output waits         output has drained
///   New ---> Flowing --> Paused ---------------> Flowing
///   New ---> Asked -----------------------------> Asked, or Quiet if it wrote nothing
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Flowing,
    Paused,
    /// What it wrote drains.
    Asked,
    /// Nothing drains: the next write begins it.
    Quiet,
}

/// How the connection's protocol is asked to come back, so that whatever a producer does is done
/// within a callback of that connection.
pub(super) trait Schedule {
    fn connection(&self) -> &Connection;

    /// Call [`Consumer::begin`] when the current callback has returned.
    fn soon(&self, consumer: Consumer);

    /// Call [`Consumer::drained`] when everything written so far was handed to the kernel.
    fn when_drained(&self, consumer: Consumer, number: u64);
}

/// A second producer was to be registered while there is one.
///
/// ```
/// assert_eq!(
///     torsade_wire::AlreadyRegistered.to_string(),
///     "a producer is registered already: it must be unregistered first",
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a producer is registered already: it must be unregistered first")]
pub struct AlreadyRegistered;

/// For producers and who registers them.
impl Consumer {
    /// Tell this producer when output is to stop and go on.
    ///
    /// If the connection has begun to end, or is over, it is told to stop at once, inside this call,
    /// and not kept.
    ///
    /// # Errors
    /// There is one already; this one is dropped uncalled.
    #[doc(alias = "registerProducer")]
    pub fn register_producer(&self, producer: impl PushProducer) -> Result<(), AlreadyRegistered> {
        self.register(|| Producer::Push(Box::new(producer)))
    }

    /// Ask this producer for a piece, when the current callback has returned, and for one more each
    /// time that all output has been handed to the kernel.
    ///
    /// If the connection has begun to end, or is over, it is told to stop at once, inside this call,
    /// and not kept.
    ///
    /// # Errors
    /// There is one already; this one is dropped uncalled.
    #[doc(alias = "registerProducer")]
    pub fn register_pull_producer(
        &self,
        producer: impl PullProducer,
    ) -> Result<(), AlreadyRegistered> {
        self.register(|| Producer::Pull(Box::new(producer)))
    }

    /// Call the producer no more; it is dropped unstopped. If a [`close`](Self::close) or
    /// [`close_write`](Self::close_write) waited for it, that goes on. Returns whether there was
    /// one.
    #[doc(alias = "unregisterProducer")]
    pub fn unregister_producer(&self) -> bool {
        let taken = self.0.seat.take();
        if taken.is_some() {
            match self.0.life.get() {
                Life::Open | Life::Lost => {}
                Life::Finishing => {
                    self.0.life.set(Life::Open);
                    self.close_write_now();
                }
                Life::Closing => self.close_now(),
            }
        }
        taken.is_some()
    }

    /// Whether there is a producer.
    pub fn has_producer(&self) -> bool {
        self.0.seat.borrow().is_some()
    }

    /// Send these bytes; like [`Connection::write`].
    pub fn write(&self, data: impl AsRef<[u8]>) {
        let Some(schedule) = self.0.schedule.get() else {
            log::debug!("dropping what a producer writes before the connection is made");
            return;
        };
        schedule.connection().write(data);
        let quiet = self.number_of(Stage::Quiet);
        if let Some(number) = quiet {
            self.wait_until_drained(number);
        }
    }

    /// Close the connection when its producer is through: at once if there is none, else when it
    /// unregisters. Until then it goes on being called, and input goes on.
    ///
    /// A producer that never ends holds it open for ever. [`Connection::close`] waits for what was
    /// written and for nobody.
    #[doc(alias = "loseConnection")]
    pub fn close(&self) {
        if !self.has_producer() {
            self.close_now();
        } else if self.0.life.get() != Life::Lost {
            self.0.life.set(Life::Closing);
        }
    }

    /// End our side when the producer is through: at once if there is none, else when it
    /// unregisters. Input goes on, also afterwards.
    ///
    /// [`Connection::close_write`] waits for what was written and for nobody: what a producer
    /// writes after it is dropped.
    ///
    /// ```
    /// use torsade_core::{Protocol, Transport};
    /// use torsade_testing::StringTransport;
    /// use torsade_wire::{Consumer, Consuming, PullProducer};
    ///
    /// struct Once;
    /// impl PullProducer for Once {
    ///     fn resume_producing(&mut self, consumer: &Consumer) {
    ///         consumer.write("all there is");
    ///         consumer.unregister_producer();
    ///     }
    /// }
    ///
    /// struct Upload(Consumer);
    /// impl Protocol for Upload {
    ///     fn connection_made(&mut self, _: &Transport<Self>) {
    ///         self.0.register_pull_producer(Once).unwrap();
    ///         self.0.close_write();
    ///     }
    ///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// }
    ///
    /// let mut t = StringTransport::connect(Consuming::new(Upload));
    /// assert_eq!(t.take_sent(), b"all there is");
    /// assert!(t.has_ended() && t.lost().is_none());
    /// ```
    #[doc(alias = "loseWriteConnection")]
    pub fn close_write(&self) {
        if !self.has_producer() {
            self.close_write_now();
        } else if self.0.life.get() == Life::Open {
            self.0.life.set(Life::Finishing);
        }
    }

    /// The connection, once it is made.
    pub fn connection(&self) -> Option<&Connection> {
        Some(self.0.schedule.get()?.connection())
    }
}

/// For the wrapper around the protocol.
impl Consumer {
    pub(super) fn new() -> Self {
        Self(Rc::new(State {
            schedule: OnceCell::new(),
            seat: RefCell::default(),
            last: Cell::new(0),
            output_waits: Cell::new(false),
            life: Cell::new(Life::Open),
        }))
    }

    /// The connection is made.
    pub(super) fn made(&self, schedule: Box<dyn Schedule>) {
        // Made once; a second time would be another connection, which this one is not for.
        let _ = self.0.schedule.set(schedule);
        if self.has_producer() {
            self.schedule_begin();
        }
    }

    /// A producer was registered: its first call.
    pub(super) fn begin(&self) {
        if let Some(number) = self.number_of(Stage::New) {
            if self.is_pull() {
                self.ask(number);
            } else if self.0.output_waits.get() {
                self.set_stage(Stage::Paused);
                self.call(Producer::pause);
            } else {
                self.set_stage(Stage::Flowing);
            }
        }
    }

    /// Everything was handed to the kernel that the producer of this number waited for.
    pub(super) fn drained(&self, number: u64) {
        if self.number_of(Stage::Asked) == Some(number) {
            // Others may have written meanwhile, and what they wrote comes first.
            if self.has_output() {
                self.wait_until_drained(number);
            } else {
                self.ask(number);
            }
        }
    }

    pub(super) fn paused(&self) {
        self.0.output_waits.set(true);
        if self.number_of(Stage::Flowing).is_some() {
            self.set_stage(Stage::Paused);
            self.call(Producer::pause);
        }
    }

    pub(super) fn resumed(&self) {
        self.0.output_waits.set(false);
        if self.number_of(Stage::Paused).is_some() {
            self.set_stage(Stage::Flowing);
            self.call(Producer::resume);
        }
    }

    pub(super) fn lost(&self) {
        self.0.life.set(Life::Lost);
        let taken = self.0.seat.take();
        if let Some(mut producer) = taken.and_then(|registered| registered.producer) {
            producer.stop();
        }
    }
}

impl Consumer {
    fn register(&self, producer: impl FnOnce() -> Producer) -> Result<(), AlreadyRegistered> {
        if self.has_producer() {
            return Err(AlreadyRegistered);
        }
        let mut producer = producer();
        let over = self.connection().is_some_and(|it| !it.is_open());
        if over || self.0.life.get() == Life::Lost {
            producer.stop();
            return Ok(());
        }
        let number = self.0.last.get() + 1;
        self.0.last.set(number);
        self.0.seat.replace(Some(Registered {
            number,
            stage: Stage::New,
            producer: Some(producer),
        }));
        self.schedule_begin();
        Ok(())
    }

    fn schedule_begin(&self) {
        if let Some(schedule) = self.0.schedule.get() {
            schedule.soon(self.clone());
        }
    }

    fn close_now(&self) {
        if let Some(connection) = self.connection() {
            connection.close();
        }
    }

    fn close_write_now(&self) {
        if let Some(connection) = self.connection() {
            connection.close_write();
        }
    }

    /// Ask a producer that pulls for a piece.
    fn ask(&self, number: u64) {
        if !self.connection().is_some_and(Connection::is_open) {
            return;
        }
        // Until it has returned, what it writes is not looked at.
        self.set_stage(Stage::Asked);
        self.call(Producer::resume);
        if self.number_of(Stage::Asked) == Some(number) {
            if self.has_output() {
                self.wait_until_drained(number);
            } else {
                self.set_stage(Stage::Quiet);
            }
        }
    }

    fn has_output(&self) -> bool {
        self.connection().is_some_and(|it| it.buffered() > 0)
    }

    fn wait_until_drained(&self, number: u64) {
        self.set_stage(Stage::Asked);
        if let Some(schedule) = self.0.schedule.get() {
            schedule.when_drained(self.clone(), number);
        }
    }

    /// Call the producer, with nothing of ours borrowed: it may unregister itself, or register
    /// another.
    fn call(&self, what: impl FnOnce(&mut Producer, &Self)) {
        let mut seat = self.0.seat.borrow_mut();
        let Some(registered) = &mut *seat else { return };
        let number = registered.number;
        let Some(mut producer) = registered.producer.take() else {
            return;
        };
        drop(seat);
        what(&mut producer, self);
        let mut seat = self.0.seat.borrow_mut();
        match &mut *seat {
            Some(registered) if registered.number == number => {
                registered.producer = Some(producer);
            }
            // It is gone, and its drop is user code.
            _ => {
                drop(seat);
                drop(producer);
            }
        }
    }

    /// The number of the producer, if it is in this stage.
    fn number_of(&self, stage: Stage) -> Option<u64> {
        let seat = self.0.seat.borrow();
        let registered = seat.as_ref().filter(|it| it.stage == stage)?;
        Some(registered.number)
    }

    fn is_pull(&self) -> bool {
        let seat = self.0.seat.borrow();
        let producer = seat.as_ref().and_then(|it| it.producer.as_ref());
        producer.is_some_and(Producer::is_pull)
    }

    fn set_stage(&self, stage: Stage) {
        if let Some(registered) = &mut *self.0.seat.borrow_mut() {
            registered.stage = stage;
        }
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("has_producer", &self.has_producer())
            .finish_non_exhaustive()
    }
}
