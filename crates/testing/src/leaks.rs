use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;

use torsade_core::driver::Engine;
use torsade_core::{AttemptId, ConnectionId, ListenerId};
use torsade_deferred::pending::{self, Left, Watch};

use crate::ledger;

/// Fails a test that leaves anything behind: connections, timers, Deferreds without a result.
///
/// One line at the beginning of the test asks for it. When the fakes of the test are dropped, what
/// each still has is noted; at the end of the test all of it is told, each with where it was made:
///
/// ```should_panic
/// use torsade_core::{Protocol, Transport};
/// use torsade_testing::{Leaks, StringTransport};
///
/// # struct Quiet;
/// # impl Protocol for Quiet {
/// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// # }
/// let _leaks = Leaks::check();
/// let mut t = StringTransport::serve(Quiet);
/// t.feed("hello"); // and nobody ends the connection
/// ```
/// ```text
/// the test left something behind:
///   a connection is open that was accepted by the listener of tests/quiet.rs:9:13
/// ```
///
/// # What counts
/// | left | if | made where |
/// |---|---|---|
/// | a connection | its `connection_lost` has not been called | the `listen` or the `connect`, the `serve` of a string transport |
/// | a process | its `process_ended` has not been called | the `spawn_process` |
/// | a timer | it is armed, and belongs to no connection | the `call_later` |
/// | a Deferred | it has no result, and both its resolver and somebody who waits are there | the `Deferred::new`, or what made it, as a `connect` |
///
/// A connection's timers end with it, so they are not listed by themselves. Listeners do not count:
/// a server that is not told to stop listens. What a crashed host of a [`Sim`](crate::sim::Sim) had
/// is lost, not left.
///
/// # What may stay
/// ```
/// use torsade_core::{Protocol, Transport};
/// use torsade_testing::{Leaks, StringTransport};
///
/// # struct Quiet;
/// # impl Protocol for Quiet {
/// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// # }
/// let _leaks = Leaks::check().stays("a connection");
/// let mut t = StringTransport::serve(Quiet);
/// t.feed("hello");
/// ```
///
/// # Panics
/// Dropping it fails the test for what is left, and for what was to stay and has not.
#[doc(alias = "DirtyReactorAggregateError")]
#[derive(Debug)]
#[must_use = "nothing is checked once it is dropped: `let _leaks = Leaks::check();`"]
pub struct Leaks {
    stays: RefCell<Vec<String>>,
    /// For its drop.
    _watch: Watch,
}

thread_local! {
    static IS_ON: Cell<bool> = const { Cell::new(false) };
    static FOUND: RefCell<Found> = const { RefCell::new(Found::new()) };
}

struct Found {
    /// Connections and timers.
    lines: Vec<String>,
    deferreds: BTreeSet<Left>,
}

impl Found {
    const fn new() -> Self {
        Self {
            lines: Vec::new(),
            deferreds: BTreeSet::new(),
        }
    }
}

impl Leaks {
    /// From here to the end of the test. It has to be there before the first fake, so that it goes
    /// after the last.
    ///
    /// # Panics
    /// If a fake exists already on this thread, or another check.
    #[track_caller]
    pub fn check() -> Self {
        assert!(
            ledger::is_unused(),
            "the leak check is to be asked for before the first fake is made"
        );
        let watch = Watch::new();
        IS_ON.set(true);
        Self {
            stays: RefCell::default(),
            _watch: watch,
        }
    }

    /// One thing whose line contains this text may stay, and must. For two, say it twice.
    pub fn stays(self, text: &str) -> Self {
        self.stays.borrow_mut().push(text.to_owned());
        self
    }

    /// Everything that is left, and was not to be; and what was to be, and is not.
    fn complaints(&self) -> Vec<String> {
        let found = FOUND.replace(Found::new());
        let mut deferreds = found.deferreds;
        deferreds.extend(pending::left());
        let mut lines = found.lines;
        lines.extend(
            deferreds
                .iter()
                .map(|left| format!("a Deferred has no result that was made at {}", left.site())),
        );
        if !ledger::is_unused() {
            lines.push("a fake is still there: it was not dropped before the check".to_owned());
        }
        for text in self.stays.take() {
            match lines.iter().position(|line| line.contains(&text)) {
                Some(place) => drop(lines.remove(place)),
                None => lines.push(format!("expected to stay, and has not: {text}")),
            }
        }
        counted(lines)
    }
}

impl Drop for Leaks {
    fn drop(&mut self) {
        IS_ON.set(false);
        let complaints = self.complaints();
        if !complaints.is_empty() && !std::thread::panicking() {
            panic!(
                "the test left something behind:\n  {}",
                complaints.join("\n  ")
            );
        }
    }
}

/// Each line once, with how often it is there.
fn counted(lines: Vec<String>) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &lines {
        *counts.entry(line).or_default() += 1;
    }
    let told = |(line, count): (&str, usize)| match count {
        1 => line.to_owned(),
        many => format!("{many} times: {line}"),
    };
    counts.into_iter().map(told).collect()
}

/// Whether somebody asked.
pub(crate) fn is_on() -> bool {
    IS_ON.get()
}

/// A fake is about to go, with this left.
pub(crate) fn note(left: Vec<String>) {
    if !is_on() {
        return;
    }
    // What others of its fakes wait for is looked at when they go.
    let deferreds = if ledger::has_one_user() {
        pending::left()
    } else {
        Vec::new()
    };
    FOUND.with_borrow_mut(|found| {
        found.lines.extend(left);
        found.deferreds.extend(deferreds);
    });
}

/// Where the connections of an engine were made, while somebody wants to know.
#[derive(Debug, Default)]
pub(crate) struct Made(RefCell<Vec<(ConnectionId, Origin)>>);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    Listener(&'static Location<'static>),
    Connect(&'static Location<'static>),
}

impl Origin {
    pub(crate) fn of_listener<S>(engine: &Engine<S>, listener: ListenerId) -> Option<Self> {
        let site = is_on().then(|| engine.listener_site(listener));
        site.flatten().map(Self::Listener)
    }

    pub(crate) fn of_attempt<S>(engine: &Engine<S>, attempt: AttemptId) -> Option<Self> {
        let site = is_on().then(|| engine.attempt_site(attempt));
        site.flatten().map(Self::Connect)
    }
}

impl Made {
    pub(crate) fn note(&self, id: Option<ConnectionId>, origin: Option<Origin>) {
        if let (Some(id), Some(origin)) = (id, origin) {
            self.0.borrow_mut().push((id, origin));
        }
    }

    /// The engine is another one from now on.
    pub(crate) fn forget(&self) {
        self.0.take();
    }

    /// What an engine has now: connections, and timers of its own.
    pub(crate) fn left<S>(&self, engine: &Engine<S>) -> Vec<String> {
        let made = self.0.borrow();
        let open = made
            .iter()
            .filter(|(id, _)| engine.connection(*id).is_some());
        let open = open.map(|(_, origin)| match origin {
            Origin::Listener(site) => {
                format!("a connection is open that was accepted by the listener of {site}")
            }
            Origin::Connect(site) => format!("a connection is open that was made at {site}"),
        });
        let timers = engine.net().free_timers().into_iter();
        let timers = timers.map(|site| format!("a timer is armed that was set at {site}"));
        let ports = engine.port_sites().into_iter();
        let ports = ports.map(|site| format!("a port is open that was bound at {site}"));
        let processes = engine.process_sites().into_iter();
        let processes = processes.map(|site| format!("a process runs that was spawned at {site}"));
        open.chain(ports).chain(processes).chain(timers).collect()
    }
}
