//! A script that is being played: what has come, and what is to be done next.

use std::fmt::Write as _;
use std::time::Duration;

use crate::differ::{common, difference, shown};
use crate::end::Side;

/// One line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Expect(Vec<u8>),
    ExpectEnd,
    ExpectReset,
    ExpectSilence(Duration),
    Send(Vec<u8>),
    End,
    Reset,
}

/// What the player is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Send(Vec<u8>),
    End,
    Reset,
    /// Say so when so much time has passed.
    Silence(Duration),
    /// Wait for whatever comes.
    Wait,
    Done,
}

#[derive(Debug)]
pub(crate) struct Play {
    steps: Vec<Step>,
    /// The step that is next.
    at: usize,
    /// What came and was not expected yet.
    came: Vec<u8>,
    /// How the other side's stream is.
    side: Side,
    /// How many bytes came that were right.
    right: usize,
}

impl Play {
    pub(crate) fn new(steps: Vec<Step>) -> Self {
        Self {
            steps,
            at: 0,
            came: Vec::new(),
            side: Side::Open,
            right: 0,
        }
    }

    pub(crate) fn came(&mut self, bytes: &[u8]) {
        self.came.extend_from_slice(bytes);
    }

    pub(crate) fn ended(&mut self, how: Side) {
        self.side = how;
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at == self.steps.len()
    }

    /// The time of a silence is over.
    pub(crate) fn silence_over(&mut self) {
        self.at += 1;
    }

    /// Go on as far as it goes without doing anything.
    ///
    /// # Errors
    /// What is not as the script says.
    pub(crate) fn next(&mut self) -> Result<Next, String> {
        loop {
            let Some(step) = self.steps.get(self.at) else {
                return match self.came.is_empty() {
                    true => Ok(Next::Done),
                    false => Err(self.told(&format!("more came after it: {}", shown(&self.came)))),
                };
            };
            match step {
                Step::Expect(wanted) => {
                    let right = common(wanted, &self.came);
                    if right < wanted.len() {
                        if right < self.came.len() {
                            return Err(self.told(&difference(wanted, &self.came)));
                        }
                        return match self.side {
                            Side::Open => Ok(Next::Wait),
                            _ => Err(self.unmet()),
                        };
                    }
                    self.came.drain(..right);
                    self.right += right;
                }
                Step::ExpectEnd | Step::ExpectReset => {
                    if !self.came.is_empty() {
                        let text = format!("before that came {}", shown(&self.came));
                        return Err(self.told(&text));
                    }
                    let wanted = match step {
                        Step::ExpectEnd => Side::Ended,
                        _ => Side::Reset,
                    };
                    match self.side {
                        Side::Open => return Ok(Next::Wait),
                        side if side != wanted => return Err(self.unmet()),
                        _ => {}
                    }
                }
                Step::ExpectSilence(_) if !self.came.is_empty() => {
                    return Err(self.told(&format!("this came: {}", shown(&self.came))));
                }
                Step::ExpectSilence(_) if self.side != Side::Open => return Err(self.unmet()),
                Step::ExpectSilence(time) => return Ok(Next::Silence(*time)),
                Step::Send(bytes) => {
                    let bytes = bytes.clone();
                    self.at += 1;
                    return Ok(Next::Send(bytes));
                }
                Step::End => {
                    self.at += 1;
                    return Ok(Next::End);
                }
                Step::Reset => {
                    self.at += 1;
                    return Ok(Next::Reset);
                }
            }
            self.at += 1;
        }
    }

    /// Nothing more comes, and something was expected.
    pub(crate) fn unmet(&self) -> String {
        let how = match self.side {
            Side::Open => "nothing more came",
            Side::Ended => "the stream ended",
            Side::Reset => "the connection was reset",
        };
        match self.steps.get(self.at) {
            Some(Step::Expect(wanted)) if !self.came.is_empty() => self.told(&format!(
                "{}\n  and then {how}",
                difference(wanted, &self.came)
            )),
            _ => self.told(how),
        }
    }

    /// This, with what the script says here and what went before.
    fn told(&self, what: &str) -> String {
        let all = self.steps.len();
        let mut text = match self.steps.get(self.at) {
            Some(step) => format!(
                "the conversation is not as step {} of {all} says: {}\n",
                self.at + 1,
                line(step)
            ),
            None => format!("the conversation goes on after the last of {all} steps\n"),
        };
        let indent = if what.starts_with(' ') { "" } else { "  " };
        let _ = writeln!(text, "{indent}{what}");
        if self.at > 0 {
            let _ = writeln!(
                text,
                "before that, with {} bytes that were right:",
                self.right
            );
        }
        /// So many of the last steps.
        const SHOWN: usize = 12;
        let from = self.at.saturating_sub(SHOWN);
        if from > 0 {
            let _ = writeln!(text, "  ..");
        }
        for (number, step) in self.steps.iter().enumerate().take(self.at).skip(from) {
            let _ = writeln!(text, "  {:>3} {}", number + 1, line(step));
        }
        text.truncate(text.trim_end().len());
        text
    }
}

fn line(step: &Step) -> String {
    match step {
        Step::Expect(bytes) => format!("expect {}", shown(bytes)),
        Step::ExpectEnd => "expect the end".to_owned(),
        Step::ExpectReset => "expect a reset".to_owned(),
        Step::ExpectSilence(time) => format!("expect nothing for {time:?}"),
        Step::Send(bytes) => format!("send {}", shown(bytes)),
        Step::End => "end".to_owned(),
        Step::Reset => "reset".to_owned(),
    }
}
