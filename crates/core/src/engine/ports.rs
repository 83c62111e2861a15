use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;

use super::Engine;
use crate::continuation::Continuation;
use crate::datagram::{Arrived, Phase, Port, Queued};
use crate::wire::{Interest, Wire};
use crate::{
    DatagramAddress, DatagramError, DatagramPort, DatagramProtocol, DatagramTransport, PortId,
};

/// Facts about datagram ports, all of them in a turn.
impl<S> Engine<S> {
    /// Datagrams came. Each is delivered and followed by its continuations; what they sent leaves
    /// when all have been.
    #[expect(
        single_use_lifetimes,
        reason = "what is behind `impl` cannot leave it out"
    )]
    pub fn datagrams<'a, W: Wire<S>>(
        &mut self,
        wire: &mut W,
        port: PortId,
        arrived: impl IntoIterator<Item = Arrived<'a>>,
    ) {
        self.in_turn();
        let Some(port) = self.port(port) else {
            return;
        };
        port.begin();
        for one in arrived {
            if !port.phase.get().is_open() {
                break;
            }
            port.count_received();
            Self::take_datagram(&port, one);
            if self.has_queued() {
                self.run_queue(wire);
            }
        }
        self.settle_port(wire, &port);
    }

    /// Receiving said that something went wrong with a datagram that was sent before.
    pub fn datagram_failed<W: Wire<S>>(&mut self, wire: &mut W, port: PortId, error: io::Error) {
        self.in_turn();
        if let Some(port) = self.port(port)
            && port.phase.get().is_open()
        {
            port.begin();
            port.enqueue(Queued::Error(DatagramError::Reported(error)));
            self.run_queue(wire);
            self.settle_port(wire, &port);
        }
    }

    /// There is room for datagrams that were held back.
    pub fn datagram_writable<W: Wire<S>>(&mut self, wire: &mut W, port: PortId) {
        self.in_turn();
        if let Some(port) = self.port(port) {
            port.begin();
            port.departures.borrow_mut().release();
            self.settle_port(wire, &port);
        }
    }

    /// A handle of a port, until it has stopped.
    ///
    /// The kind of its addresses is the caller's to know.
    pub fn datagram_port<A: DatagramAddress>(&self, port: PortId) -> Option<DatagramPort<A>> {
        self.port(port).map(DatagramPort::new)
    }

    /// Where the ports were asked for that have not stopped, in the program's source: for tools
    /// that say so.
    pub fn port_sites(&self) -> Vec<&'static Location<'static>> {
        let ports = self.shared.ports.borrow();
        ports.values().map(|port| port.site).collect()
    }

    /// Where the processes were asked for that have not ended, in the program's source.
    pub fn process_sites(&self) -> Vec<&'static Location<'static>> {
        let processes = self.shared.processes.borrow();
        processes.values().map(|child| child.site).collect()
    }

    /// Run `f` on the protocol of a port, if it is a `P`. For tests, in a turn.
    ///
    /// A panic of `f` is returned, not treated as the protocol's.
    pub fn with_datagram_protocol<W: Wire<S>, P: DatagramProtocol<A>, A: DatagramAddress, R>(
        &mut self,
        wire: &mut W,
        port: PortId,
        f: impl FnOnce(&mut P, &DatagramTransport<P, A>) -> R,
    ) -> Option<std::thread::Result<R>> {
        self.in_turn();
        let port = self.port(port)?;
        let mut talk = port.take_protocol()?;
        port.begin();
        let transport = DatagramTransport::new(Rc::clone(&port));
        let result = talk
            .protocol()
            .downcast_mut()
            .map(|protocol| catch_unwind(AssertUnwindSafe(|| f(protocol, &transport))));
        port.put_protocol(talk);
        self.run_queue(wire);
        self.settle_port(wire, &port);
        result
    }
}

impl<S> Engine<S> {
    fn port(&self, port: PortId) -> Option<Rc<Port>> {
        self.shared.ports.borrow().get(port.0).cloned()
    }

    /// Deliver one that came, or keep it if it is not its turn.
    #[inline(always)]
    fn take_datagram(port: &Rc<Port>, one: Arrived<'_>) {
        if let Some(length) = one.whole {
            port.enqueue(Queued::Error(DatagramError::Truncated {
                from: one.from,
                length,
                received: one.data.into(),
            }));
        } else if port.takes_facts() && port.inbox.borrow().is_empty() {
            port.callback("datagram_received", |talk, port| {
                talk.datagram(port, one.data, &one.from);
            });
        } else {
            let mut inbox = port.inbox.borrow_mut();
            inbox.push_back((one.from, one.data.into()));
        }
    }

    /// Bring a port to rest: what had to wait is delivered, what was sent leaves, the driver's
    /// interest is as it should be.
    pub(super) fn settle_port<W: Wire<S>>(&mut self, wire: &mut W, port: &Rc<Port>) {
        self.deliver_inbox(wire, port);
        self.send_datagrams(wire, port);
        if port.phase.get() == Phase::Closing && !port.is_queued() {
            self.close_port(port);
        }
        if matches!(port.phase.get(), Phase::Closed | Phase::Stopped) {
            port.seen();
            return;
        }
        let interest = Interest {
            readable: port.phase.get().is_open() && port.inbox.borrow().is_empty(),
            writable: port.departures.borrow().is_held(),
        };
        if port.interest.replace(interest) != interest {
            wire.port_interest(port.id, interest);
        }
        port.seen();
    }

    fn deliver_inbox<W: Wire<S>>(&mut self, wire: &mut W, port: &Rc<Port>) {
        while port.takes_facts() {
            let next = port.inbox.borrow_mut().pop_front();
            let Some((from, data)) = next else {
                break;
            };
            if self.redeliveries == 0 {
                port.inbox.borrow_mut().push_front((from, data));
                // The next turn has a budget of its own.
                self.late_ports.push(port.id);
                break;
            }
            self.redeliveries -= 1;
            port.callback("datagram_received", |talk, port| {
                talk.datagram(port, &data, &from);
            });
            self.run_queue(wire);
        }
    }

    fn send_datagrams<W: Wire<S>>(&self, wire: &mut W, port: &Rc<Port>) {
        if matches!(port.phase.get(), Phase::Closed | Phase::Stopped) {
            return;
        }
        let mut departures = port.departures.borrow_mut();
        if departures.is_empty() || departures.is_held() {
            return;
        }
        wire.send_datagrams(port.id, &mut departures);
        let (failures, sent) = departures.take_news();
        drop(departures);
        port.count_sent(sent);
        for error in failures {
            port.enqueue(Queued::Error(error));
        }
    }

    /// What the kernel has no room for now is given up: closing a port waits for nobody.
    fn close_port(&mut self, port: &Rc<Port>) {
        let given_up = port.departures.borrow_mut().give_up();
        port.count_dropped(given_up as u64);
        port.inbox.take();
        port.phase.set(Phase::Closed);
        self.shared.host().close_port(port.id);
        self.closed_ports.push(port.id);
    }

    /// Ports that were changed by others than their own callbacks.
    pub(super) fn settle_touched_ports<W: Wire<S>>(&mut self, wire: &mut W) {
        let touched = self.shared.touched_ports.take();
        for id in touched {
            if let Some(port) = self.port(id) {
                self.settle_port(wire, &port);
            }
        }
    }

    /// What a budget left over.
    pub(super) fn settle_late_ports<W: Wire<S>>(&mut self, wire: &mut W) {
        for id in mem::take(&mut self.late_ports) {
            if let Some(port) = self.port(id) {
                port.begin();
                self.settle_port(wire, &port);
            }
        }
    }

    /// Run the next of what is queued on a port; after the last, bring it to rest.
    pub(super) fn run_port<W: Wire<S>>(&mut self, wire: &mut W, port: &Rc<Port>) {
        let outermost = port.begin();
        match port.dequeue() {
            Some(Queued::Started) => {
                if port.phase.get() == Phase::Bound {
                    port.phase.set(Phase::Open);
                }
                port.callback("started", |talk, port| talk.started(port));
            }
            Some(Queued::Call(continuation)) => run_continuation(port, &continuation),
            Some(Queued::Error(error)) => {
                if port.phase.get().is_open() {
                    port.callback("error_received", |talk, port| talk.error(port, &error));
                }
            }
            Some(Queued::Stopping) => {
                if port.phase.get().is_open() {
                    port.callback("stopping", |talk, port| talk.stopping(port));
                }
            }
            Some(Queued::Nothing) | None => {}
        }
        if !outermost {
            // Whoever delivers to it now brings it to rest when that is done.
            return;
        }
        if port.is_queued() {
            port.see_later();
        } else {
            self.settle_port(wire, port);
        }
    }

    /// `stopped`, for ports whose sockets are closed.
    pub(super) fn deliver_stopped<W: Wire<S>>(&mut self, wire: &mut W) {
        for id in mem::take(&mut self.closed_ports) {
            let Some(port) = self.port(id) else {
                continue;
            };
            if port.is_queued() {
                // Continuations come first, even if the budget put them off to the next turn.
                self.closed_ports.push(id);
                continue;
            }
            port.phase.set(Phase::Stopped);
            port.cancel_waits();
            port.callback("stopped", |talk, port| talk.stopped(port));
            let protocol = port.take_protocol();
            self.user("the drop of a datagram protocol", || drop(protocol));
            let removed = self.shared.ports.borrow_mut().remove(id.0);
            drop(removed);
            for closed in port.take_closes() {
                closed.resolve(());
            }
            self.run_queue(wire);
        }
    }
}

fn run_continuation(port: &Rc<Port>, continuation: &Rc<dyn Continuation<Port>>) {
    port.callback("a continuation", |talk, port| {
        continuation.run(talk.protocol(), port);
    });
}
