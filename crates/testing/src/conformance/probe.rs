use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use torsade_core::{Disconnect, Protocol, Transport};

/// What happened, in order, over all connections of a cell: one line an event.
///
/// Cells compare it whole, so that what should not have happened is found too.
#[derive(Clone, Debug, Default)]
pub struct Log(Rc<Lines>);

#[derive(Debug, Default)]
struct Lines {
    lines: RefCell<Vec<String>>,
    /// The callback that runs now, if one does: none may begin meanwhile.
    inside: RefCell<Option<String>>,
}

impl Log {
    pub(super) fn note(&self, line: impl Into<String>) {
        self.0.lines.borrow_mut().push(line.into());
    }

    pub(super) fn take(&self) -> Vec<String> {
        self.0.lines.take()
    }

    /// These are all lines since the last look.
    #[track_caller]
    pub(super) fn expect(&self, lines: &[&str]) {
        assert_eq!(self.take(), lines, "what happened, and what should have");
    }

    /// A callback begins. It ends when what is returned is dropped.
    fn enter(&self, callback: String) -> Inside<'_> {
        let outer = self.0.inside.borrow().clone();
        if let Some(outer) = outer {
            self.note(format!("NESTED: {callback} inside {outer}"));
        }
        self.0.inside.replace(Some(callback));
        Inside(self)
    }

    /// Run a continuation's body as a callback, which must not nest either.
    pub(super) fn inside<R>(&self, callback: &str, body: impl FnOnce() -> R) -> R {
        let _inside = self.enter(callback.to_owned());
        body()
    }
}

struct Inside<'a>(&'a Log);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.0.inside.take();
    }
}

/// The protocol under test: it notes every callback and then does what the cell says.
///
/// A harness need not look inside; it serves or connects it like any other protocol.
pub struct Probe {
    name: &'static str,
    log: Log,
    seat: Seat,
    data_is_noted: bool,
    made: Option<Plain>,
    data: Option<Data>,
    eof: Option<Plain>,
    paused: Option<Plain>,
    resumed: Option<Plain>,
    stopping: Option<Plain>,
    lost: Option<Lost>,
}

type Plain = Box<dyn FnMut(&mut Probe, &Transport<Probe>)>;
type Data = Box<dyn FnMut(&mut Probe, &Transport<Probe>, &[u8])>;
type Lost = Box<dyn FnMut(&mut Probe, &Transport<Probe>, &Disconnect)>;

/// Where a probe leaves its transport when its connection is made.
pub type Seat = Rc<RefCell<Option<Transport<Probe>>>>;

impl Probe {
    /// Where its transport will be, for a harness that must know what was sent.
    pub fn seat(&self) -> Seat {
        Rc::clone(&self.seat)
    }
}

/// What a probe does in its callbacks.
impl Probe {
    pub(super) fn new(name: &'static str, log: &Log) -> Self {
        Self {
            name,
            log: log.clone(),
            seat: Seat::default(),
            data_is_noted: true,
            made: None,
            data: None,
            eof: None,
            paused: None,
            resumed: None,
            stopping: None,
            lost: None,
        }
    }

    /// Data is not noted, because it is much or because its cuts do not matter.
    pub(super) fn without_data(mut self) -> Self {
        self.data_is_noted = false;
        self
    }

    pub(super) fn made(mut self, f: impl FnMut(&mut Self, &Transport<Self>) + 'static) -> Self {
        self.made = Some(Box::new(f));
        self
    }

    pub(super) fn data(
        mut self,
        f: impl FnMut(&mut Self, &Transport<Self>, &[u8]) + 'static,
    ) -> Self {
        self.data = Some(Box::new(f));
        self
    }

    /// Instead of closing, which is what a protocol does by default.
    pub(super) fn eof(mut self, f: impl FnMut(&mut Self, &Transport<Self>) + 'static) -> Self {
        self.eof = Some(Box::new(f));
        self
    }

    pub(super) fn paused(mut self, f: impl FnMut(&mut Self, &Transport<Self>) + 'static) -> Self {
        self.paused = Some(Box::new(f));
        self
    }

    pub(super) fn resumed(mut self, f: impl FnMut(&mut Self, &Transport<Self>) + 'static) -> Self {
        self.resumed = Some(Box::new(f));
        self
    }

    /// Instead of closing, which is what a protocol does by default.
    pub(super) fn stopping(mut self, f: impl FnMut(&mut Self, &Transport<Self>) + 'static) -> Self {
        self.stopping = Some(Box::new(f));
        self
    }

    pub(super) fn lost(
        mut self,
        f: impl FnMut(&mut Self, &Transport<Self>, &Disconnect) + 'static,
    ) -> Self {
        self.lost = Some(Box::new(f));
        self
    }

    pub(super) fn note(&self, what: &str) {
        self.log.note(format!("{} {what}", self.name));
    }

    /// The list it notes in, for closures that belong to no connection.
    pub(super) fn clone_log(&self) -> Log {
        self.log.clone()
    }

    fn callback(
        &mut self,
        what: &str,
        transport: &Transport<Self>,
        action: impl Fn(&mut Self) -> &mut Option<Plain>,
    ) {
        let log = self.log.clone();
        let _inside = log.enter(format!("{} {what}", self.name));
        self.note(what);
        // Taken out, because the action is given the probe it belongs to.
        if let Some(mut run) = action(self).take() {
            run(self, transport);
            *action(self) = Some(run);
        }
    }
}

impl Protocol for Probe {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.seat.replace(Some(transport.clone()));
        self.callback("made", transport, |probe| &mut probe.made);
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        let log = self.log.clone();
        let _inside = log.enter(format!("{} data", self.name));
        if self.data_is_noted {
            self.note(&format!("data {}", String::from_utf8_lossy(data)));
        }
        if let Some(mut run) = self.data.take() {
            run(self, transport, data);
            self.data = Some(run);
        }
    }

    fn eof_received(&mut self, transport: &Transport<Self>) {
        let is_default = self.eof.is_none();
        self.callback("eof", transport, |probe| &mut probe.eof);
        if is_default {
            transport.close();
        }
    }

    fn pause_writing(&mut self, transport: &Transport<Self>) {
        self.callback("pause", transport, |probe| &mut probe.paused);
    }

    fn resume_writing(&mut self, transport: &Transport<Self>) {
        self.callback("resume", transport, |probe| &mut probe.resumed);
    }

    fn stopping(&mut self, transport: &Transport<Self>) {
        let is_default = self.stopping.is_none();
        self.callback("stopping", transport, |probe| &mut probe.stopping);
        if is_default {
            transport.close();
        }
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        let log = self.log.clone();
        let _inside = log.enter(format!("{} lost", self.name));
        self.note(&format!("lost: {reason}"));
        if let Some(mut run) = self.lost.take() {
            run(self, transport, reason);
        }
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").field("name", &self.name).finish()
    }
}
