use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use torsade_core::{Endpoint, EndpointError};

use super::syntax::{Piece, Pieces};
use super::{TextError, TextFault};

/// What stands behind an endpoint's prefix, to be asked for by name.
///
/// An argument is given by its name, `port=80`, or by its place among those without a name, as in
/// a call of a function in Python. [`take`](Self::take) gives each once;
/// [`finish`](Self::finish) refuses what nobody took.
///
/// ```
/// use torsade_core::{Endpoint, UnixAddress};
/// use torsade_service::Endpoints;
///
/// // A plug-in: the sockets of one program, by a short name.
/// let endpoints = Endpoints::new().with_client("mine", |_, arguments| {
///     let name: String = arguments.parse("name", 0, "a name")?;
///     Ok(Endpoint::new([UnixAddress::path(format!("/run/mine/{name}"))]))
/// });
/// let there = endpoints.client("mine:name=log")?;
/// assert_eq!(there.places()[0].to_string(), "unix:/run/mine/log");
/// assert!(endpoints.client("mine:log:9").is_err()); // nobody took the 9
/// # Ok::<(), torsade_service::TextError>(())
/// ```
#[derive(Debug)]
pub struct Arguments<'a> {
    text: &'a str,
    prefix: Piece,
    left: Vec<Argument>,
    depth: usize,
}

/// One that nobody took yet.
#[derive(Debug)]
struct Argument {
    /// Its place among those without a name, if it has none.
    place: Option<usize>,
    piece: Piece,
}

/// An argument that was taken.
pub(crate) struct Taken {
    pub(crate) value: String,
    at: Range<usize>,
}

impl<'a> Arguments<'a> {
    pub(crate) fn new(pieces: Pieces<'a>) -> Self {
        Self::of(pieces.text, pieces.pieces, 0)
    }

    fn of(text: &'a str, pieces: Vec<Piece>, depth: usize) -> Self {
        let mut pieces = pieces.into_iter().peekable();
        let prefix = pieces.next().unwrap_or_else(Piece::empty);
        let mut left = Vec::new();
        let mut places = 0;
        while let Some(piece) = pieces.next() {
            let is_nothing = piece.name.is_none() && piece.value.is_empty();
            if is_nothing && left.is_empty() && pieces.peek().is_none() {
                // `stdio:` has no arguments, not an empty one.
                break;
            }
            let place = piece.name.is_none().then_some(places);
            places += usize::from(place.is_some());
            left.push(Argument { place, piece });
        }
        Self {
            text,
            prefix,
            left,
            depth,
        }
    }

    /// What stands before the first colon.
    pub fn prefix(&self) -> &str {
        &self.prefix.value
    }

    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// The value of the argument `name`, or of the argument that stands in this `place` among those
    /// without a name, from 0.
    ///
    /// # Errors
    /// [`TextFault::Twice`] if it is given more than once.
    pub fn take(&mut self, name: &str, place: usize) -> Result<Option<String>, TextError> {
        Ok(self.take_piece(name, Some(place))?.map(|taken| taken.value))
    }

    /// The value of the argument `name`, which can only be given by its name.
    ///
    /// # Errors
    /// [`TextFault::Twice`] if it is given more than once.
    pub fn take_named(&mut self, name: &str) -> Result<Option<String>, TextError> {
        Ok(self.take_piece(name, None)?.map(|taken| taken.value))
    }

    /// The argument `name`, which has to be there, as something that text can be parsed into;
    /// `expected` says in words what that is.
    ///
    /// # Errors
    /// [`TextFault::Missing`], [`TextFault::Invalid`], [`TextFault::Twice`].
    pub fn parse<T: FromStr>(
        &mut self,
        name: &str,
        place: usize,
        expected: &str,
    ) -> Result<T, TextError> {
        match self.take_piece(name, Some(place))? {
            Some(taken) => self.parsed(name, &taken, expected),
            None => Err(self.missing(name)),
        }
    }

    /// The argument `name`, if it is there; it can only be given by its name.
    ///
    /// # Errors
    /// [`TextFault::Invalid`], [`TextFault::Twice`].
    pub fn parse_named<T: FromStr>(
        &mut self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, TextError> {
        match self.take_piece(name, None)? {
            Some(taken) => self.parsed(name, &taken, expected).map(Some),
            None => Ok(None),
        }
    }

    /// Everything was asked for.
    ///
    /// # Errors
    /// [`TextFault::Unknown`] or [`TextFault::Surplus`] for the first argument that nobody took.
    pub fn finish(&self) -> Result<(), TextError> {
        let Some(Argument { piece, .. }) = self.left.first() else {
            return Ok(());
        };
        let fault = match &piece.name {
            Some(name) => TextFault::Unknown { name: name.clone() },
            None => TextFault::Surplus,
        };
        Err(TextError::new(fault, self.text, piece.at.clone()))
    }

    /// The text that is wrapped: all from the first argument without a name on, which is its
    /// prefix. For endpoints like `haproxy:tcp:8007`, whose own arguments come before that, by name.
    ///
    /// # Errors
    /// [`TextFault::Missing`] if there is none.
    pub fn take_wrapped(&mut self) -> Result<Self, TextError> {
        let first = self
            .left
            .iter()
            .position(|argument| argument.place.is_some());
        let Some(first) = first else {
            return Err(self.missing("wrapped endpoint"));
        };
        let wrapped = self.left.split_off(first);
        let pieces = wrapped.into_iter().map(|argument| argument.piece);
        Ok(Self::of(self.text, pieces.collect(), self.depth + 1))
    }

    /// The error that this argument is not what it has to be; it points at its value.
    pub(crate) fn invalid(&self, name: &str, taken: &Taken, expected: impl Display) -> TextError {
        let fault = TextFault::Invalid {
            name: name.to_owned(),
            expected: expected.to_string(),
        };
        TextError::new(fault, self.text, taken.at.clone())
    }

    /// The error that the whole is right as a text, and still no endpoint; it points at the prefix.
    ///
    /// ```
    /// use torsade_core::EndpointError;
    /// use torsade_service::Endpoints;
    ///
    /// let endpoints = Endpoints::new()
    ///     .with_server("nowhere", |_, arguments| Err(arguments.refused(EndpointError::Empty)));
    /// assert_eq!(endpoints.server("nowhere:").unwrap_err().position(), 0);
    /// ```
    pub fn refused(&self, error: EndpointError) -> TextError {
        self.wrong_prefix(error.into())
    }

    pub(crate) fn refused_at(&self, taken: &Taken, error: EndpointError) -> TextError {
        TextError::new(error.into(), self.text, taken.at.clone())
    }

    pub(crate) fn wrong_prefix(&self, fault: TextFault) -> TextError {
        TextError::new(fault, self.text, self.prefix.at.clone())
    }

    /// The error that an argument is missing; it points behind the last one.
    pub(crate) fn missing(&self, name: &str) -> TextError {
        let fault = TextFault::Missing {
            name: name.to_owned(),
        };
        let end = self.text.len();
        TextError::new(fault, self.text, end..end)
    }

    pub(crate) fn take_piece(
        &mut self,
        name: &str,
        place: Option<usize>,
    ) -> Result<Option<Taken>, TextError> {
        let mut found: Option<Taken> = None;
        let mut index = 0;
        while let Some(argument) = self.left.get(index) {
            let is_it = match argument.place {
                Some(its) => place == Some(its),
                None => argument.piece.name.as_deref() == Some(name),
            };
            if !is_it {
                index += 1;
                continue;
            }
            let Piece {
                value,
                at,
                value_at,
                ..
            } = self.left.remove(index).piece;
            if found.is_some() {
                let name = name.to_owned();
                return Err(TextError::new(TextFault::Twice { name }, self.text, at));
            }
            found = Some(Taken {
                value,
                at: value_at,
            });
        }
        Ok(found)
    }

    fn parsed<T: FromStr>(
        &self,
        name: &str,
        taken: &Taken,
        expected: &str,
    ) -> Result<T, TextError> {
        let parsed = taken.value.parse();
        parsed.map_err(|_| self.invalid(name, taken, expected))
    }
}

impl Piece {
    fn empty() -> Self {
        Self {
            name: None,
            value: String::new(),
            at: 0..0,
            value_at: 0..0,
        }
    }
}

/// What a builder of endpoints can be read from.
pub(crate) fn whole<T>(
    text: &str,
    prefixes: &[&str],
    read: impl FnOnce(&mut Arguments<'_>) -> Result<T, TextError>,
) -> Result<T, TextError> {
    let mut arguments = Arguments::new(super::syntax::split(text)?);
    if !prefixes.contains(&arguments.prefix()) {
        let fault = TextFault::Prefix {
            prefix: arguments.prefix().to_owned(),
            known: format!("{}: is meant", prefixes.join(": or ")),
        };
        return Err(arguments.wrong_prefix(fault));
    }
    let read = read(&mut arguments)?;
    arguments.finish()?;
    Ok(read)
}

/// An endpoint at what a builder found.
pub(crate) type Read = Result<Endpoint, TextError>;
