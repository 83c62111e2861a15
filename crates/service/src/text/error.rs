use std::fmt;
use std::ops::Range;

use thiserror::Error;
use torsade_core::EndpointError;

/// An endpoint's text that cannot be understood: what is wrong, and where.
///
/// ```
/// use torsade_service::{TextFault, client};
///
/// let wrong = client("tcp:example.org:http").unwrap_err();
/// assert!(matches!(wrong.fault(), TextFault::Invalid { name, .. } if name == "port"));
/// assert_eq!(wrong.position(), 16);
/// assert_eq!(
///     wrong.to_string(),
///     "`port` must be a number from 0 to 65535, at character 17 of \"tcp:example.org:http\"",
/// );
/// assert_eq!(
///     wrong.pointed().to_string(),
///     "tcp:example.org:http\n                ^^^^ `port` must be a number from 0 to 65535",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{fault}, at character {} of {text:?}", self.character())]
pub struct TextError {
    fault: TextFault,
    text: String,
    at: Range<usize>,
}

/// What is wrong with an endpoint's text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TextFault {
    /// The text ends with a backslash, which takes the next character for what it is.
    #[error("there is nothing behind this backslash")]
    Backslash,
    /// Nobody knows this prefix.
    #[error("there is no endpoint `{prefix}:`, but {known}")]
    Prefix {
        /// What stands before the first colon.
        prefix: String,
        /// The prefixes that are known, for people.
        known: String,
    },
    /// The prefix means something, but not in this program.
    #[error("`{prefix}:` is not supported by this program: {why}")]
    NotSupported {
        /// The prefix.
        prefix: String,
        /// What is missing, in words.
        why: &'static str,
    },
    /// An argument has to be there and is not.
    #[error("`{name}` is missing")]
    Missing {
        /// The argument.
        name: String,
    },
    /// An argument is not what it has to be.
    #[error("`{name}` must be {expected}")]
    Invalid {
        /// The argument.
        name: String,
        /// What it has to be, in words.
        expected: String,
    },
    /// An argument is what it has to be, but nothing can be made of it.
    #[error("`{name}` cannot be used: {why}")]
    Unusable {
        /// The argument.
        name: String,
        /// What is wrong, in words.
        why: String,
    },
    /// An argument was given a second time.
    #[error("`{name}` is given twice")]
    Twice {
        /// The argument.
        name: String,
    },
    /// Two arguments say the same in different ways, so only one of them may be there.
    #[error("only one of `{name}` and `{or}` may be given")]
    Both {
        /// One of them.
        name: String,
        /// The other.
        or: String,
    },
    /// An argument of this name means nothing here.
    #[error("`{name}` means nothing here")]
    Unknown {
        /// The argument.
        name: String,
    },
    /// There are more arguments without a name than mean something.
    #[error("this argument is one too many")]
    Surplus,
    /// Endpoints are wrapped in one another more often than anybody needs.
    #[error("this is wrapped too often")]
    Depth,
    /// The text is right, but no such endpoint can be.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

impl TextError {
    /// Something is wrong with the bytes `at` of `text`. For plug-ins, [`Arguments`](super::Arguments)
    /// know the places.
    pub(crate) fn new(fault: TextFault, text: &str, at: Range<usize>) -> Self {
        Self {
            fault,
            text: text.to_owned(),
            at,
        }
    }

    /// What is wrong.
    pub fn fault(&self) -> &TextFault {
        &self.fault
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it is wrong: the byte of the text, from 0; its length if the end is meant.
    pub fn position(&self) -> usize {
        self.at.start
    }

    /// The bytes of the text that are wrong; none where something is missing.
    pub fn range(&self) -> Range<usize> {
        self.at.clone()
    }

    /// Shows the text on one line, and what is wrong below the place.
    ///
    /// Control characters are shown as `\u{fffd}`, so that the text stays on its line. Characters
    /// that take two columns shift what stands below them.
    pub fn pointed(&self) -> impl fmt::Display + '_ {
        Pointed(self)
    }

    /// The character it is at, from 1.
    fn character(&self) -> usize {
        self.before().chars().count() + 1
    }

    fn before(&self) -> &str {
        self.text.get(..self.at.start).unwrap_or(&self.text)
    }
}

struct Pointed<'a>(&'a TextError);

impl fmt::Display for Pointed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.0;
        for character in error.text.chars() {
            let shown = if character.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                character
            };
            write!(f, "{shown}")?;
        }
        let indent = error.before().chars().count();
        let wrong = error.text.get(error.at.clone()).unwrap_or_default();
        let carets = "^".repeat(wrong.chars().count().max(1));
        write!(f, "\n{:indent$}{carets} {}", "", error.fault)
    }
}
