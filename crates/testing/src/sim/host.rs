use std::fmt;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::rc::Rc;

use torsade_core::driver::signalled;
use torsade_core::{Net, Signal};

use super::machine::Machine;
use crate::FakeProcess;

/// A host of a [`Sim`](super::Sim): a machine with an address and programs.
///
/// ```
/// let net = torsade_testing::sim::Sim::new(1);
/// let server = net.host("server");
/// assert_eq!((server.name().as_str(), server.address().to_string().as_str()), ("server", "10.0.0.1"));
/// ```
#[derive(Clone)]
pub struct Host(Rc<Machine>);

impl Host {
    pub(super) fn new(machine: Rc<Machine>) -> Self {
        Self(machine)
    }

    pub(super) fn number(&self) -> u32 {
        self.0.number
    }

    /// Its name, which [`Net::connect`] knows on every host.
    pub fn name(&self) -> String {
        self.0.kernel.borrow().name_of(self.0.number)
    }

    /// Its address. A program may listen there, at a loopback address, or at all (`0.0.0.0`).
    pub fn address(&self) -> IpAddr {
        IpAddr::V4(self.0.kernel.borrow().ip(self.0.number))
    }

    /// Its IPv6 address, at which a program may listen, too. A name stands for it only where the
    /// test [says so](super::Sim::name).
    ///
    /// ```
    /// let net = torsade_testing::sim::Sim::new(1);
    /// assert_eq!(net.host("server").ipv6_address().to_string(), "fd00::1");
    /// ```
    pub fn ipv6_address(&self) -> IpAddr {
        let kernel = self.0.kernel.borrow();
        kernel.nodes[self.0.number as usize].ipv6.into()
    }

    /// What programs are written against. After a [kill](super::Sim::kill) it is another one.
    pub fn net(&self) -> Net {
        self.0.net()
    }

    /// Run a program, once.
    ///
    /// ```
    /// # use torsade_core::{ListenError, Net, Protocol, Transport, factory};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// fn serve(net: &Net) -> Result<(), ListenError> {
    ///     net.listen("0.0.0.0:7", factory(|_| Quiet)).map(drop)
    /// }
    ///
    /// let net = torsade_testing::sim::Sim::new(1);
    /// net.host("server").run(serve)?;
    /// # Ok::<(), ListenError>(())
    /// ```
    pub fn run<R>(&self, program: impl FnOnce(&Net) -> R) -> R {
        program(&self.net())
    }

    /// Run a program, now and whenever the host is started again after a
    /// [kill](super::Sim::kill) or a [crash](super::Sim::crash).
    ///
    /// ```
    /// # use std::{cell::Cell, rc::Rc};
    /// let mut net = torsade_testing::sim::Sim::new(1);
    /// let starts = Rc::new(Cell::new(0));
    /// let count = Rc::clone(&starts);
    /// net.host("server").boot(move |_| count.set(count.get() + 1));
    /// net.kill("server").heal();
    /// net.settle();
    /// assert_eq!(starts.get(), 2);
    /// ```
    pub fn boot(&self, program: impl Fn(&Net) + 'static) {
        self.0.boot(Rc::new(program));
    }

    /// The oldest process that its program has spawned and the test has not asked for yet: the test
    /// is what runs in it. Here, what is done to it takes effect as soon as the network runs.
    ///
    /// Processes belong to the host: after a [kill](super::Sim::kill) or a
    /// [crash](super::Sim::crash) their pipes are cut, nobody waits for them, and what the
    /// test has not asked for is gone.
    ///
    /// ```
    /// use torsade_core::{Command, ExitStatus};
    /// use torsade_testing::sim::Sim;
    ///
    /// let mut net = Sim::new(1);
    /// let host = net.host("server");
    /// let date = host.net().get_process_output(&Command::new("date"));
    /// net.settle();
    /// let mut process = host.next_process();
    /// process.feed("Thu Jan  1 00:00:00 UTC 1970\n");
    /// net.settle();
    /// process.exit(ExitStatus::Code(0));
    /// net.settle();
    /// assert_eq!(date.try_take().unwrap().unwrap(), b"Thu Jan  1 00:00:00 UTC 1970\n");
    /// ```
    ///
    /// # Panics
    /// If there is none.
    pub fn next_process(&self) -> FakeProcess {
        match self.0.next_process() {
            Some(process) => process,
            None => panic!("the program has spawned no process that was not asked for yet"),
        }
    }

    /// From now on its program can spawn no process, for this reason; one that is started again
    /// after a [kill](super::Sim::kill) can.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use torsade_core::{Command, ProcessProtocol, SpawnError};
    /// # struct Quiet;
    /// # impl ProcessProtocol for Quiet {}
    /// let net = torsade_testing::sim::Sim::new(1);
    /// let host = net.host("server");
    /// host.refuse_processes(ErrorKind::NotFound);
    /// let refused = host.net().spawn_process(&Command::new("sort"), Quiet);
    /// assert!(matches!(refused, Err(SpawnError::NotFound { .. })));
    /// ```
    pub fn refuse_processes(&self, kind: ErrorKind) {
        self.0.refuse_processes(kind);
    }

    /// This signal comes to the program's process. Returns whether the program hears it, by
    /// [`Net::on_signal`]; it does as soon as the network runs.
    ///
    /// ```
    /// use torsade_core::Signal;
    /// use torsade_testing::sim::Sim;
    ///
    /// let mut net = Sim::new(1);
    /// let server = net.host("server");
    /// let watch = server.net().on_signal(Signal::Usr1, |net| net.stop())?;
    /// assert!(server.raise(Signal::Usr1));
    /// net.settle();
    /// assert!(server.has_stopped());
    /// # drop(watch);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn raise(&self, signal: Signal) -> bool {
        signalled(&self.net(), signal)
    }

    /// Whether a [`Net::stop`] has been completed: a real reactor's `run` would have returned.
    pub fn has_stopped(&self) -> bool {
        self.0.has_stopped()
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("name", &self.name())
            .field("address", &self.address())
            .finish()
    }
}
