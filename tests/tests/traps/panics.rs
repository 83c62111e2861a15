//! Callbacks that panic, a thousand of them, while others are served.

use std::fs;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Disconnect, Protocol, Transport};

use crate::PLANNED;
use crate::support::{Lab, Peer, Script, Shared, pattern};

/// Where a connection panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Made,
    Data,
    Eof,
    Pause,
    Continuation,
    Timer,
    Loss,
    Drop,
    /// And once more when it is told the loss.
    DataAndLoss,
    /// The `Drop` of a closure that was never run.
    Closure,
}

const PLACES: [Place; 10] = [
    Place::Made,
    Place::Data,
    Place::Eof,
    Place::Pause,
    Place::Continuation,
    Place::Timer,
    Place::Loss,
    Place::Drop,
    Place::DataAndLoss,
    Place::Closure,
];

/// So many connections at a time panic, and so often.
const BATCH: usize = 5 * PLACES.len();
const BATCHES: usize = 20;

struct Bomb {
    place: Place,
    log: Shared<(Place, Disconnect)>,
    panics: Shared<Place>,
}

impl Bomb {
    fn is_at(&self, place: Place) {
        let again = self.place == Place::DataAndLoss && matches!(place, Place::Data | Place::Loss);
        if self.place == place || again {
            go_off(self.place, &self.panics);
        }
    }

    fn later(&self) -> impl FnOnce(&mut Self, &Transport<Self>) + 'static {
        let (place, panics) = (self.place, self.panics.clone());
        move |_, _| go_off(place, &panics)
    }
}

fn go_off(place: Place, panics: &Shared<Place>) {
    panics.push(place);
    panic!("{PLANNED}in {place:?}");
}

impl Protocol for Bomb {
    fn connection_made(&mut self, _: &Transport<Self>) {
        self.is_at(Place::Made);
    }

    fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
        self.is_at(Place::Data);
        match self.place {
            Place::Pause => transport.write(vec![0; 200_000]),
            Place::Continuation => transport.call(self.later()),
            Place::Timer => drop(transport.call_later(Duration::ZERO, self.later())),
            Place::Closure => {
                let dropped = Dropped(self.panics.clone());
                transport.call_later(Duration::MAX, move |_, _| drop(dropped));
                transport.close();
            }
            Place::Loss | Place::Drop => transport.close(),
            _ => {}
        }
    }

    fn eof_received(&mut self, _: &Transport<Self>) {
        self.is_at(Place::Eof);
    }

    fn pause_writing(&mut self, _: &Transport<Self>) {
        self.is_at(Place::Pause);
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.log.push((self.place, reason.clone()));
        self.is_at(Place::Loss);
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.is_at(Place::Drop);
    }
}

struct Dropped(Shared<Place>);

impl Drop for Dropped {
    fn drop(&mut self) {
        go_off(Place::Closure, &self.0);
    }
}

/// A thousand connections panic, in every kind of callback; those that are served meanwhile lose
/// no byte, every loss is told, and the descriptors are as before.
pub(crate) fn a_thousand_panics_under_load() {
    let mut lab = Lab::new();
    let (log, panics) = (Shared::default(), Shared::default());
    let (noted, counted) = (log.clone(), panics.clone());
    let mut places = PLACES.into_iter().cycle();
    let bombs = lab.serve(move || Bomb {
        place: places.next().unwrap_or(Place::Data),
        log: noted.clone(),
        panics: counted.clone(),
    });
    let echo = lab.serve(Script::echo);
    let mut served: Vec<_> = (0..4).map(|_| Load::new(Peer::narrow(echo))).collect();
    lab.settle();
    let before = descriptors();
    for batch in 1..=BATCHES {
        let mut peers: Vec<_> = (0..BATCH).map(|_| Peer::connect(bombs)).collect();
        for peer in &mut peers {
            // It may have gone off already.
            peer.write_some(b"boom");
            peer.finish();
        }
        lab.drive("all have gone off", || {
            served.iter_mut().for_each(Load::step);
            log.len() == batch * BATCH
        });
    }
    // Each has its reason: those that panicked before they ended, and those that ended before.
    let before_the_end = |place| !matches!(place, Place::Loss | Place::Drop | Place::Closure);
    for (place, reason) in log.list() {
        let panicked = matches!(&reason, Disconnect::Panicked(_));
        assert_eq!(panicked, before_the_end(place), "{place:?}: {reason:?}");
    }
    let twice = panics
        .list()
        .iter()
        .filter(|place| **place == Place::DataAndLoss)
        .count();
    assert_eq!(panics.len() - twice / 2, BATCH * BATCHES);
    lab.drive("what was said has come back", || {
        served.iter_mut().for_each(Load::read);
        served.iter().all(|load| load.read == load.sent)
    });
    assert!(served.iter().all(|load| load.read > BATCHES * 10_000));
    // What lingers only waited for its peer's end.
    lab.settle();
    assert_eq!(descriptors(), before);
    assert_eq!(lab.net.connections(), served.len());
}

/// A peer that sends a pattern and expects it back.
struct Load {
    peer: Peer,
    pattern: Rc<[u8]>,
    sent: usize,
    read: usize,
}

impl Load {
    const PERIOD: usize = 50_000;

    fn new(peer: Peer) -> Self {
        Self {
            peer,
            pattern: pattern(Self::PERIOD).into(),
            sent: 0,
            read: 0,
        }
    }

    fn step(&mut self) {
        let from = self.sent % Self::PERIOD;
        self.sent += self.peer.write_some(&self.pattern[from..]);
        self.read();
    }

    fn read(&mut self) {
        self.peer.read();
        for byte in self.peer.take() {
            assert_eq!(byte, self.pattern[self.read % Self::PERIOD]);
            self.read += 1;
        }
    }
}

/// Open descriptors of this process.
fn descriptors() -> usize {
    fs::read_dir("/dev/fd").unwrap().count()
}
