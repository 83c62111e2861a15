//! What nobody took: unhandled errors and caught panics, and the sink they go to.
//!
//! An error that ends in a [`Deferred`](crate::Deferred) which nobody looks at must not vanish. It
//! becomes a [`Report`], once, at the moment its last consumer goes; so does a panic that has no
//! result to travel in. Reports go to the sink of the thread ([`set_sink`]), or to standard error
//! when there is none:
//!
//! ```
//! use std::cell::RefCell;
//! use std::rc::Rc;
//! use torsade_deferred::{Deferred, report};
//!
//! let seen = Rc::new(RefCell::new(Vec::new()));
//! let log = Rc::clone(&seen);
//! let previous = report::set_sink(Some(Rc::new(move |report| log.borrow_mut().push(report.to_string()))));
//!
//! Deferred::<(), &str>::fail("no such user").detach(); // nobody takes the error
//! assert!(seen.borrow()[0].starts_with("unhandled error: no such user"));
//! report::set_sink(previous);
//! ```
//!
//! A sink is user code: it is called from the queue, never in the middle of a callback.
//!
//! A cancellation that was asked for is nothing to report. Work that was dropped half-way is
//! reported too, but see [`Report::is_abandoned`].

use std::any::{Any, TypeId, type_name};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io::Write;
use std::panic::Location;
use std::rc::Rc;

use crate::failure::{Failure, Panic};
use crate::guard;
use crate::queue::{self, Job};
use crate::state::{Failed, Trail};

/// Where reports go. See [`set_sink`].
pub type Sink = Rc<dyn Fn(&Report)>;

/// Something that went wrong and that no user code was told of.
///
/// Its `Display` is one line, ready for a log.
#[doc(alias = "setDebugging")]
#[doc(alias = "logError")]
#[derive(Clone, Debug)]
pub enum Report {
    /// A Deferred ended with a failure, and its last consumer went without taking it.
    Unhandled(Unhandled),
    /// A panic was caught where there was no result to carry it.
    Panicked(CaughtPanic),
}

impl Report {
    /// A report of a caught panic: `place` says what panicked ("a timer"), `site` where it was given.
    ///
    /// ```
    /// use torsade_deferred::{Panic, report::Report};
    ///
    /// let payload = std::panic::catch_unwind(|| panic!("bang")).unwrap_err();
    /// let report = Report::caught(Panic::from_payload(payload), "a timer", None);
    /// assert_eq!(report.to_string(), "a timer panicked: bang");
    /// ```
    #[must_use]
    pub fn caught(
        panic: Panic,
        place: &'static str,
        site: Option<&'static Location<'static>>,
    ) -> Self {
        Self::Panicked(CaughtPanic { panic, place, site })
    }
}

impl Report {
    /// Whether this is about work that was dropped half-way, with its consumer gone as well.
    ///
    /// That is normal while a program ends, and when both ends go together, so a sink may want to
    /// say it in a lower voice, or not at all. Standard error is spared it.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use torsade_deferred::{Deferred, report};
    ///
    /// let loud = Rc::new(Cell::new(0));
    /// let count = Rc::clone(&loud);
    /// report::set_sink(Some(Rc::new(move |report| {
    ///     if !report.is_abandoned() {
    ///         count.set(count.get() + 1);
    ///     }
    /// })));
    /// drop(Deferred::<(), String>::new());
    /// assert_eq!(loud.get(), 0);
    /// ```
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        match self {
            Self::Unhandled(unhandled) => {
                matches!(unhandled.failure, Failure::Abandoned) && unhandled.rejected.is_none()
            }
            Self::Panicked(_) => false,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unhandled(unhandled) => unhandled.fmt(f),
            Self::Panicked(caught) => caught.fmt(f),
        }
    }
}

/// A failure that nobody took, with where its Deferred was made and where it was rejected.
#[derive(Clone)]
pub struct Unhandled {
    failure: Failure<Rc<dyn Any>>,
    type_name: &'static str,
    show: Option<Show>,
    created: &'static Location<'static>,
    rejected: Option<&'static Location<'static>>,
}

impl Unhandled {
    /// The failure; its error is type-erased, see [`Unhandled::error`].
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use torsade_deferred::{Deferred, Failure, report::{self, Report}};
    ///
    /// let lost = Rc::new(Cell::new(0));
    /// let count = Rc::clone(&lost);
    /// report::set_sink(Some(Rc::new(move |report| match report {
    ///     Report::Unhandled(unhandled) if matches!(unhandled.failure(), Failure::Abandoned) => {
    ///         count.set(count.get() + 1);
    ///     }
    ///     other => eprintln!("{other}"),
    /// })));
    /// let (resolver, deferred) = Deferred::<(), String>::new();
    /// drop(deferred);
    /// drop(resolver); // the work is lost, and nobody was there to be told
    /// assert_eq!(lost.get(), 1);
    /// ```
    #[must_use]
    pub fn failure(&self) -> &Failure<Rc<dyn Any>> {
        &self.failure
    }

    /// The error itself, for a sink that knows its type.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use torsade_deferred::{Deferred, report::{self, Report}};
    ///
    /// struct Plain(u32); // no Debug, no Display
    /// let seen = Rc::new(Cell::new(0));
    /// let slot = Rc::clone(&seen);
    /// report::set_sink(Some(Rc::new(move |report| {
    ///     if let Report::Unhandled(unhandled) = report
    ///         && let Some(plain) = unhandled.error::<Plain>()
    ///     {
    ///         slot.set(plain.0);
    ///     }
    /// })));
    /// Deferred::<(), Plain>::fail(Plain(7)).detach();
    /// assert_eq!(seen.get(), 7);
    /// ```
    #[must_use]
    pub fn error<E: 'static>(&self) -> Option<&E> {
        match &self.failure {
            Failure::Error(error) => error.downcast_ref(),
            Failure::Cancelled | Failure::TimedOut | Failure::Abandoned | Failure::Panicked(_) => {
                None
            }
        }
    }

    /// The name of the Deferred's error type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// Where the Deferred was made that failed (for a panic: where its closure was given).
    #[must_use]
    pub fn created(&self) -> &'static Location<'static> {
        self.created
    }

    /// Where it was rejected; `None` when no call did it (an abandoned one).
    #[must_use]
    pub fn rejected(&self) -> Option<&'static Location<'static>> {
        self.rejected
    }
}

impl fmt::Display for Unhandled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failure {
            Failure::Error(error) => {
                f.write_str("unhandled error: ")?;
                match self.show {
                    Some(show) => show(&**error, f)?,
                    None => write!(f, "a {}", self.type_name)?,
                }
            }
            Failure::Cancelled => f.write_str("unhandled failure: cancelled")?,
            Failure::TimedOut => f.write_str("unhandled failure: timed out")?,
            Failure::Abandoned => {
                f.write_str("unhandled failure: abandoned, the resolver was dropped")?
            }
            Failure::Panicked(panic) => write!(f, "unhandled failure: {panic}")?,
        }
        write!(f, " (created at {}", self.created)?;
        if let Some(rejected) = self.rejected {
            write!(f, ", rejected at {rejected}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Unhandled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unhandled({self})")
    }
}

/// A panic that was caught where no result could carry it.
#[derive(Clone, Debug)]
pub struct CaughtPanic {
    panic: Panic,
    place: &'static str,
    site: Option<&'static Location<'static>>,
}

impl CaughtPanic {
    /// What the panic said.
    #[must_use]
    pub fn panic(&self) -> &Panic {
        &self.panic
    }

    /// What panicked, in words: "the closure of `finish`", "the drop of a value".
    #[must_use]
    pub fn place(&self) -> &'static str {
        self.place
    }

    /// Where that was given to us, if it is known.
    #[must_use]
    pub fn site(&self) -> Option<&'static Location<'static>> {
        self.site
    }
}

impl fmt::Display for CaughtPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place, self.panic)?;
        match self.site {
            Some(site) => write!(f, " (given at {site})"),
            None => Ok(()),
        }
    }
}

/// Sets where the reports of this thread go, and returns what was set before; `None` is standard
/// error.
///
/// The sink may do what it likes, also set another sink. If it panics, the report and the panic go
/// to standard error.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use torsade_deferred::{Deferred, report};
///
/// let count = Rc::new(Cell::new(0));
/// let counter = Rc::clone(&count);
/// let previous = report::set_sink(Some(Rc::new(move |_| counter.set(counter.get() + 1))));
/// Deferred::<(), _>::fail("nobody listens").detach();
/// report::set_sink(previous);
/// assert_eq!(count.get(), 1); // a test that allows none fails here
/// ```
#[doc(alias = "set_exception_handler")]
#[doc(alias = "get_exception_handler")]
#[doc(alias = "call_exception_handler")]
#[doc(alias = "default_exception_handler")]
pub fn set_sink(sink: Option<Sink>) -> Option<Sink> {
    SINK.try_with(|slot| slot.0.replace(sink))
        .unwrap_or_default()
}

/// Teaches the reports of this thread to show the errors of type `E` in full.
///
/// A Deferred takes errors of any type, also of one that cannot be printed, so a report knows only
/// the type's name. Text, `std::io::Error`, boxed errors and the like are shown without this.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use torsade_deferred::{Deferred, report};
///
/// struct Lost(u32);
/// impl std::fmt::Display for Lost {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         write!(f, "parcel {} is lost", self.0)
///     }
/// }
///
/// let line = Rc::new(RefCell::new(String::new()));
/// let slot = Rc::clone(&line);
/// report::set_sink(Some(Rc::new(move |report| *slot.borrow_mut() = report.to_string())));
///
/// report::describe::<Lost>();
/// Deferred::<(), _>::fail(Lost(7)).detach();
/// assert!(line.borrow().contains("parcel 7 is lost"));
/// ```
pub fn describe<E: fmt::Display + 'static>() {
    let _ = SHOWN.try_with(|shown| shown.borrow_mut().insert(TypeId::of::<E>(), show::<E>));
}

/// Sends a report to the sink of this thread, through the queue.
///
/// For those who catch panics of user code themselves, as an event loop does.
///
/// ```
/// use torsade_deferred::{Panic, report::{self, Report}};
///
/// if let Err(payload) = std::panic::catch_unwind(|| panic!("bang")) {
///     report::send(Report::caught(Panic::from_payload(payload), "a timer", None));
/// }
/// ```
pub fn send(report: Report) {
    queue::push(Rc::new(Delivery(Cell::new(Some(report)))));
}

/// Reports a failure whose last consumer went.
#[cold]
pub(crate) fn unhandled<E: 'static>(failed: Failed<E>) {
    let Failed { failure, trail } = failed;
    let Trail::Begun { created, rejected } = trail else {
        return guard::discard(failure);
    };
    let show = match failure {
        Failure::Error(_) => shown::<E>(),
        _ => None,
    };
    send(Report::Unhandled(Unhandled {
        failure: failure.map(|error| Rc::new(error) as Rc<dyn Any>),
        type_name: type_name::<E>(),
        show,
        created,
        rejected,
    }));
}

/// A report on its way to the sink. One that the queue drops unrun is delivered all the same.
struct Delivery(Cell<Option<Report>>);

impl Job for Delivery {
    fn run(self: Rc<Self>) {
        self.deliver();
    }
}

impl Delivery {
    fn deliver(&self) {
        let Some(report) = self.0.take() else { return };
        // Cloned out, so that the sink can be replaced by itself.
        let sink = SINK
            .try_with(|slot| {
                let sink = slot.0.take();
                slot.0.set(sink.clone());
                sink
            })
            .unwrap_or_default();
        match sink {
            Some(sink) => {
                if let Err(panic) = guard::catch(|| sink(&report)) {
                    print(&report);
                    print(&format_args!("the report sink {panic}"));
                }
                guard::discard(sink);
            }
            None if report.is_abandoned() => {}
            None => print(&report),
        }
        guard::discard(report);
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.deliver();
    }
}

/// Writes one line to standard error. Unlike `eprintln!` it does not panic when nobody reads there.
fn print(line: &dyn fmt::Display) {
    // The error's own `Display` runs here, and may panic; the line is made before the lock is taken.
    let text = guard::catch(|| line.to_string());
    let text = text.unwrap_or_else(|panic| format!("an unhandled error whose Display {panic}"));
    #[expect(
        clippy::disallowed_methods,
        reason = "without a sink, this is the only place left where an error can be seen"
    )]
    let mut stderr = std::io::stderr().lock();
    // Nobody is left to be told that nobody reads there.
    let _ = writeln!(stderr, "torsade: {text}");
}

type Show = fn(&dyn Any, &mut fmt::Formatter<'_>) -> fmt::Result;

fn show<E: fmt::Display + 'static>(error: &dyn Any, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error.downcast_ref::<E>() {
        Some(error) => error.fmt(f),
        None => Ok(()),
    }
}

fn shown<E: 'static>() -> Option<Show> {
    let known: [(TypeId, Show); 8] = [
        (TypeId::of::<&'static str>(), show::<&'static str>),
        (TypeId::of::<String>(), show::<String>),
        (TypeId::of::<Box<str>>(), show::<Box<str>>),
        (TypeId::of::<std::io::Error>(), show::<std::io::Error>),
        (TypeId::of::<fmt::Error>(), show::<fmt::Error>),
        (TypeId::of::<Box<dyn Error>>(), show::<Box<dyn Error>>),
        (
            TypeId::of::<Box<dyn Error + Send>>(),
            show::<Box<dyn Error + Send>>,
        ),
        (
            TypeId::of::<Box<dyn Error + Send + Sync>>(),
            show::<Box<dyn Error + Send + Sync>>,
        ),
    ];
    let id = TypeId::of::<E>();
    SHOWN
        .try_with(|shown| shown.borrow().get(&id).copied())
        .unwrap_or_default()
        .or_else(|| {
            known
                .into_iter()
                .find(|(known, _)| *known == id)
                .map(|(_, show)| show)
        })
}

/// Drops the sink as any value of the user is dropped: a panic in the destructor of a thread-local
/// would abort the process.
#[derive(Default)]
struct Slot(Cell<Option<Sink>>);

impl Drop for Slot {
    fn drop(&mut self) {
        guard::discard(self.0.take());
    }
}

thread_local! {
    static SINK: Slot = Slot::default();
    static SHOWN: RefCell<BTreeMap<TypeId, Show>> = const { RefCell::new(BTreeMap::new()) };
}
