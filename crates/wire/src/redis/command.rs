use super::{Argument, ToArgument, encode};

/// A command of any kind, put together word by word.
///
/// For words of mixed types, and for commands of modules.
///
/// ```
/// use torsade_wire::redis::Command;
///
/// let command = Command::new("SET").arg("key").arg(7).arg("PX").arg(1500);
/// assert_eq!(command.len(), 5);
/// ```
#[derive(Clone, Debug)]
pub struct Command {
    words: Vec<u8>,
    count: usize,
    /// Where the name ends in `words`, and the word after it.
    ends: [usize; 2],
}

impl Command {
    /// A command of this name and no further words yet.
    pub fn new(name: &str) -> Self {
        let empty = Self {
            words: Vec::new(),
            count: 0,
            ends: [0; 2],
        };
        empty.arg(name)
    }

    /// The same with one more word.
    #[must_use]
    pub fn arg(mut self, word: impl ToArgument) -> Self {
        self.push(&word.to_argument());
        self
    }

    /// The same with these words.
    #[must_use]
    pub fn args<A: ToArgument>(mut self, words: impl IntoIterator<Item = A>) -> Self {
        for word in words {
            self.push(&word.to_argument());
        }
        self
    }

    /// How many words it has, the name included.
    #[expect(clippy::len_without_is_empty, reason = "there is always a name")]
    pub fn len(&self) -> usize {
        self.count
    }

    fn push(&mut self, word: &Argument<'_>) {
        encode::argument(&mut self.words, word);
        if let Some(end) = self.ends.get_mut(self.count) {
            *end = self.words.len();
        }
        self.count += 1;
    }
}

/// What can be sent as a command.
pub(super) trait Request {
    fn encode(&self, out: &mut impl encode::Out);
}

impl Request for Command {
    fn encode(&self, out: &mut impl encode::Out) {
        encode::header(out.buffer(), b'*', self.count);
        if self.words.len() < encode::LARGE {
            out.buffer().extend_from_slice(&self.words);
        } else {
            out.large(&self.words);
        }
    }
}

impl Request for [Argument<'_>] {
    #[inline]
    fn encode(&self, out: &mut impl encode::Out) {
        encode::command(out, self);
    }
}

impl<const N: usize> Request for [Argument<'_>; N] {
    #[inline]
    fn encode(&self, out: &mut impl encode::Out) {
        encode::command(out, self);
    }
}

/// Why a command must not be sent as an ordinary one, if so: its reply is not one reply, or what
/// it changes is not the caller's alone.
pub(super) fn refusal(name: &[u8], next: Option<&[u8]>) -> Option<&'static str> {
    let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
    let any = |words: &[&str]| words.iter().any(|word| is(word));
    if any(&["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"]) {
        Some("subscribe with `subscribe`, `psubscribe` or `ssubscribe`")
    } else if any(&["UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"]) {
        Some("unsubscribe with `Subscription::unsubscribe`")
    } else if any(&["MULTI", "EXEC", "DISCARD"]) {
        Some("make a transaction with `transaction`")
    } else if any(&["HELLO", "RESET", "QUIT"]) {
        Some("the version of the protocol and the end of the connection are the client's")
    } else if any(&["MONITOR", "SYNC", "PSYNC", "REPLCONF"]) {
        Some("what follows this command are not replies")
    } else if is("CLIENT") && next.is_some_and(|next| next.eq_ignore_ascii_case(b"REPLY")) {
        Some("without replies no call would end")
    } else {
        None
    }
}

impl Command {
    pub(super) fn refusal(&self) -> Option<&'static str> {
        let word = |from: usize, to: usize| {
            let word = self.words.get(from..to)?;
            let start = word.iter().position(|byte| *byte == b'\n')? + 1;
            word.get(start..word.len().checked_sub(2)?)
        };
        let [name, next] = self.ends;
        refusal(word(0, name).unwrap_or_default(), word(name, next))
    }
}
