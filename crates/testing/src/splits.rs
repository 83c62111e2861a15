use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use torsade_core::Protocol;

use crate::differ::{difference, shown};
use crate::sim::Random;
use crate::{Builder, StringTransport};

/// Feeds a protocol a recorded conversation in every way in which it may arrive, and compares.
///
/// A stream has no pieces: what a protocol does must depend on the bytes alone. So the conversation
/// comes byte by byte, as one block, in every way to cut it in two, and in some random ways to cut
/// it in many. What must be the same is what the protocol sent by each point of its input, what it
/// [noted](Calls::note) by then, and how the connection ends, both before and after the peer's end.
///
/// ```
/// use torsade_core::{Protocol, Transport};
/// use torsade_testing::Splits;
///
/// /// Answers every line.
/// #[derive(Default)]
/// struct Lines(Vec<u8>);
/// impl Protocol for Lines {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         self.0.extend_from_slice(data);
///         while let Some(end) = self.0.iter().position(|byte| *byte == b'\n') {
///             let line: Vec<u8> = self.0.drain(..=end).collect();
///             transport.write(line);
///         }
///     }
/// }
///
/// let ways = Splits::of("one\ntwo\nthree").check(|_| Lines::default());
/// assert_eq!(ways, 1 + 1 + 12 + 64);
/// ```
/// A protocol that takes a chunk for a message is caught, with the cut that shows it:
/// ```should_panic
/// # use torsade_core::{Protocol, Transport};
/// # use torsade_testing::Splits;
/// struct Naive;
/// impl Protocol for Naive {
///     fn data_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
///         transport.write_parts(&[b"you said ", line]);
///     }
/// }
/// Splits::of("hello\n").check(|_| Naive); // fails
/// ```
///
/// # What it costs
/// A connection for each way, and so the square of the conversation's length: conversations of a
/// few hundred bytes, one of each kind, find more than a long one.
#[derive(Clone, Debug)]
#[must_use = "nothing is compared before it is checked"]
pub struct Splits {
    conversation: Vec<u8>,
    role: Role,
    random: usize,
    seed: u64,
}

#[derive(Clone, Copy, Debug)]
enum Role {
    Server,
    Client,
}

/// What a protocol noted of its calls, for [`Splits`] to compare.
///
/// ```
/// use torsade_core::{Protocol, Transport};
/// use torsade_testing::{Calls, Splits};
///
/// /// Sends nothing: what it understood is seen from its notes.
/// struct Digits(Calls);
/// impl Protocol for Digits {
///     fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
///         for digit in data.iter().filter(|byte| byte.is_ascii_digit()) {
///             self.0.note(format!("digit {digit}"));
///         }
///     }
/// }
/// Splits::of("a1b2").check(|calls| Digits(calls.clone()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Calls(Rc<RefCell<Vec<String>>>);

impl Calls {
    /// This was called now.
    pub fn note(&self, call: impl fmt::Display) {
        let call = call.to_string();
        self.0.borrow_mut().push(call);
    }
}

/// What was seen at one point of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    /// How much input had come.
    at: usize,
    sent: usize,
    called: usize,
    end: String,
}

/// What was seen in all.
#[derive(Debug)]
struct Observed {
    sent: Vec<u8>,
    calls: Vec<String>,
    /// After each piece, and last of all after the peer's end.
    points: Vec<Seen>,
}

impl Splits {
    /// What the peer sends, from the first byte to the last.
    pub fn of(conversation: impl AsRef<[u8]>) -> Self {
        Self {
            conversation: conversation.as_ref().to_vec(),
            role: Role::Server,
            random: 64,
            seed: 0,
        }
    }

    /// The protocol is one that connects; without this it is one that was accepted.
    pub fn client(mut self) -> Self {
        self.role = Role::Client;
        self
    }

    /// So many random ways to cut it in many pieces, from this seed; 64 from seed 0 otherwise.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// assert_eq!(torsade_testing::Splits::of("ab").random(3, 17).check(|_| Quiet), 6);
    /// ```
    pub fn random(mut self, ways: usize, seed: u64) -> Self {
        (self.random, self.seed) = (ways, seed);
        self
    }

    /// Try every way, each with a protocol of its own. Returns how many there were.
    ///
    /// # Panics
    /// If one of them differs from the way byte by byte, with the cut and the difference; and for
    /// what fails a [`StringTransport`] by itself.
    #[track_caller]
    pub fn check<P: Protocol>(&self, make: impl Fn(&Calls) -> P) -> usize {
        let all = self.conversation.len();
        let bytewise: Vec<usize> = (1..all).collect();
        let expected = self.observe(&make, &bytewise);
        let mut ways = 1;
        let mut random = Random::fork(self.seed, 5);
        let block = std::iter::once((Vec::new(), "as one block".to_owned()));
        let halves = (1..all).map(|at| (vec![at], format!("cut in two after byte {at}")));
        let many = (0..self.random).map(|way| {
            let pieces = 1 + random.below(all.min(20));
            let mut cuts: Vec<usize> = (0..pieces).map(|_| random.below(all)).collect();
            cuts.sort_unstable();
            cuts.dedup();
            cuts.retain(|at| *at > 0);
            let how = format!("cut at {cuts:?} (way {way} of seed {})", self.seed);
            (cuts, how)
        });
        for (cuts, how) in block.chain(halves).chain(many) {
            let observed = self.observe(&make, &cuts);
            if let Some(told) = compare(&expected, &observed) {
                panic!("{}", self.told(&cuts, &how, &told));
            }
            ways += 1;
        }
        ways
    }

    fn observe<P: Protocol>(&self, make: &impl Fn(&Calls) -> P, cuts: &[usize]) -> Observed {
        let calls = Calls::default();
        let builder: Builder<P> = StringTransport::builder();
        let protocol = make(&calls);
        let mut t = match self.role {
            Role::Server => builder.serve(protocol),
            Role::Client => builder.connect(protocol),
        };
        let mut sent = Vec::new();
        let mut points = Vec::new();
        let mut look = |t: &mut StringTransport<P>, at| {
            sent.extend(t.take_sent());
            points.push(Seen {
                at,
                sent: sent.len(),
                called: calls.0.borrow().len(),
                end: end_of(t),
            });
        };
        look(&mut t, 0);
        let all = self.conversation.len();
        let mut from = 0;
        for to in cuts.iter().copied().chain([all]) {
            t.feed(&self.conversation[from..to]);
            look(&mut t, to);
            from = to;
        }
        t.end();
        look(&mut t, all + 1);
        let calls = calls.0.borrow().clone();
        Observed {
            sent,
            calls,
            points,
        }
    }

    /// Which way it was, and how it differs.
    fn told(&self, cuts: &[usize], how: &str, told: &str) -> String {
        let mut pieces = Vec::new();
        let mut from = 0;
        for to in cuts.iter().copied().chain([self.conversation.len()]) {
            pieces.push(shown(&self.conversation[from..to]));
            from = to;
        }
        format!(
            "{how}, the conversation goes otherwise than byte by byte:\n  pieces    {}\n{told}",
            pieces.join(" | ")
        )
    }
}

/// How the connection stands.
fn end_of<P: Protocol>(t: &StringTransport<P>) -> String {
    let side = match (t.has_reset(), t.has_ended()) {
        (true, _) => "our side reset",
        (false, true) => "our side ended",
        (false, false) => "our side open",
    };
    match t.lost() {
        Some(reason) => format!("{side}, lost: {reason}"),
        None => side.to_owned(),
    }
}

/// Where the second differs from the first, which has a point for every byte.
fn compare(expected: &Observed, observed: &Observed) -> Option<String> {
    for point in &observed.points {
        let wanted = expected.points.iter().find(|it| it.at == point.at)?;
        let when = match point.at {
            0 => "before any input".to_owned(),
            at if expected.points.last().is_some_and(|last| last.at == at) => {
                "after the peer's end".to_owned()
            }
            at => format!("after {at} bytes of input"),
        };
        let (one, other) = (&expected.sent[..wanted.sent], &observed.sent[..point.sent]);
        if one != other {
            return Some(format!("{when} it had sent\n{}", difference(one, other)));
        }
        let calls = [
            &expected.calls[..wanted.called],
            &observed.calls[..point.called],
        ];
        if calls[0] != calls[1] {
            return Some(format!("{when} {}", other_calls(calls)));
        }
        if wanted.end != point.end {
            return Some(format!(
                "{when} the connection stands otherwise\n  expected  {}\n  came      {}",
                wanted.end, point.end
            ));
        }
    }
    None
}

fn other_calls([expected, came]: [&[String]; 2]) -> String {
    let at = expected
        .iter()
        .zip(came)
        .take_while(|(one, other)| one == other);
    let at = at.count();
    let name = |calls: &[String]| {
        calls
            .get(at)
            .map_or("nothing more", String::as_str)
            .to_owned()
    };
    format!(
        "it had noted other calls, first number {}\n  expected  {}\n  came      {}",
        at + 1,
        name(expected),
        name(came)
    )
}
