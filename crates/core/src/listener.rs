use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use torsade_deferred::queue;

use crate::factory::AnyFactory;
use crate::guard::{self, Caught};
use crate::shared::Shared;
use crate::{Address, Endpoint, ListenerId};

/// A handle of something that accepts connections. Dropping it does not stop it.
///
/// ```no_run
/// # // Needs a socket; the closing is tested on real ones.
/// # use torsade_core::{Net, Protocol, Transport, factory};
/// # struct Echo;
/// # impl Protocol for Echo {
/// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {}
/// # }
/// # fn serve(net: &Net) -> Result<(), torsade_core::ListenError> {
/// let listener = net.listen("127.0.0.1:0", factory(|_| Echo))?;
/// println!("listening on {}", listener.address());
/// listener.close();
/// # Ok(())
/// # }
/// ```
#[doc(alias = "IListeningPort")]
#[doc(alias = "Server")]
#[doc(alias = "AbstractServer")]
#[derive(Clone)]
pub struct Listener {
    shared: Rc<Shared>,
    listening: Rc<Listening>,
}

impl Listener {
    pub(crate) fn new(shared: Rc<Shared>, listening: Rc<Listening>) -> Self {
        Self { shared, listening }
    }

    /// Names the listener between engine and driver.
    pub fn id(&self) -> ListenerId {
        self.listening.id
    }

    /// The address in force, with the real port when 0 was asked for.
    #[doc(alias = "getHost")]
    #[doc(alias = "sockets")]
    pub fn address(&self) -> Address {
        self.listening.address.clone()
    }

    /// Accept no more. The address is free when this returns; connections live on. Doing it
    /// again does nothing.
    #[doc(alias = "stopListening")]
    #[doc(alias = "wait_closed")]
    pub fn close(&self) {
        self.listening.close(&self.shared);
    }

    /// Whether it still accepts.
    #[doc(alias = "is_serving")]
    pub fn is_open(&self) -> bool {
        self.listening.open.get()
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("id", &self.listening.id)
            .field("address", &self.listening.address)
            .field("open", &self.is_open())
            .finish()
    }
}

/// A listener as the engine knows it.
pub(crate) struct Listening {
    pub(crate) id: ListenerId,
    pub(crate) address: Address,
    /// What its connections pass through.
    pub(crate) endpoint: Endpoint,
    pub(crate) factory: Box<dyn AnyFactory>,
    pub(crate) open: Cell<bool>,
    /// Where it was asked for.
    pub(crate) site: &'static Location<'static>,
}

impl Listening {
    pub(crate) fn close(self: &Rc<Self>, shared: &Rc<Shared>) {
        if !self.open.replace(false) {
            return;
        }
        if shared.is_alive() {
            shared.host().close_listener(self.id);
            let removed = shared.listening.borrow_mut().remove(self.id.0);
            // Others hold it still: no user's value is dropped here.
            drop(removed);
        }
        self.tell(shared, News::Stopped);
    }

    /// Tell the factory, when the current callback has returned.
    pub(crate) fn tell(self: &Rc<Self>, shared: &Rc<Shared>, news: News) {
        queue::push(Rc::new(Telling {
            listening: Rc::clone(self),
            shared: Rc::clone(shared),
            news,
        }));
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum News {
    Started,
    Stopped,
}

struct Telling {
    listening: Rc<Listening>,
    shared: Rc<Shared>,
    news: News,
}

impl queue::Job for Telling {
    fn run(self: Rc<Self>) {
        let factory = &self.listening.factory;
        let told = guard::run(|| match self.news {
            News::Started => factory.started(&self.listening.address),
            News::Stopped => factory.stopped(),
        });
        if let Err(panic) = told {
            let caught = Caught::elsewhere("a factory's started or stopped", panic);
            self.shared.host().caught(&caught);
        }
    }
}
