use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use torsade_core::{Endpoint, EndpointError};

use super::syntax::{Piece, Pieces, split};
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

/// The value of an argument that was taken, and where it stands: for what cannot be said by
/// [`Arguments::parse`].
///
/// ```
/// use torsade_core::{Endpoint, UnixAddress};
/// use torsade_service::Endpoints;
///
/// let endpoints = Endpoints::new().with_server("run", |_, arguments| {
///     let name = arguments.value("name", Some(0))?.ok_or_else(|| arguments.missing("name"))?;
///     match name.as_str() {
///         "" => Err(arguments.invalid(&name, "a name")),
///         "log" => Err(arguments.unusable(&name, "somebody else's")),
///         name => Ok(Endpoint::new([UnixAddress::path(format!("/run/{name}"))])),
///     }
/// });
/// assert_eq!(
///     endpoints.server("run:log").unwrap_err().pointed().to_string(),
///     "run:log\n    ^^^ `name` cannot be used: somebody else's",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    name: String,
    value: String,
    at: Range<usize>,
}

impl Value {
    /// The value, without the backslashes that it was quoted with.
    pub fn as_str(&self) -> &str {
        &self.value
    }
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

    /// Read all of a text that has to begin with one of these `prefixes`: for the `FromStr` of a
    /// builder whose `Display` is such a text.
    ///
    /// ```
    /// use torsade_service::{Arguments, TextError};
    ///
    /// let name = |text| Arguments::whole(text, &["mine"], |it| it.parse::<String>("name", 0, "a name"));
    /// assert_eq!(name("mine:log")?, "log");
    /// assert_eq!(name("yours:log").unwrap_err().position(), 0);
    /// assert_eq!(name("mine:log:9").unwrap_err().position(), 9); // nobody took the 9
    /// # Ok::<(), TextError>(())
    /// ```
    ///
    /// # Errors
    /// [`TextFault::Prefix`], what `read` says, and for what it did not take as
    /// [`finish`](Self::finish) does.
    pub fn whole<T>(
        text: &str,
        prefixes: &[&str],
        read: impl FnOnce(&mut Arguments<'_>) -> Result<T, TextError>,
    ) -> Result<T, TextError> {
        let mut arguments = Arguments::new(split(text)?);
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
        Ok(self.value(name, Some(place))?.map(|taken| taken.value))
    }

    /// The value of the argument `name`, which can only be given by its name.
    ///
    /// # Errors
    /// [`TextFault::Twice`] if it is given more than once.
    pub fn take_named(&mut self, name: &str) -> Result<Option<String>, TextError> {
        Ok(self.value(name, None)?.map(|taken| taken.value))
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
        match self.value(name, Some(place))? {
            Some(taken) => self.parsed(&taken, expected),
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
        match self.value(name, None)? {
            Some(taken) => self.parsed(&taken, expected).map(Some),
            None => Ok(None),
        }
    }

    /// Whether the argument `name` says yes, if it is there; it can only be given by its name. `1`,
    /// `yes` and `true` do, `0`, `no` and `false` say no.
    ///
    /// # Errors
    /// [`TextFault::Invalid`], [`TextFault::Twice`].
    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, TextError> {
        let Some(value) = self.value(name, None)? else {
            return Ok(None);
        };
        match value.as_str() {
            "1" | "yes" | "true" => Ok(Some(true)),
            "0" | "no" | "false" => Ok(Some(false)),
            _ => Err(self.invalid(&value, "yes or no, 1 or 0")),
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
    pub fn invalid(&self, value: &Value, expected: impl Display) -> TextError {
        let fault = TextFault::Invalid {
            name: value.name.clone(),
            expected: expected.to_string(),
        };
        TextError::new(fault, self.text, value.at.clone())
    }

    /// The error that this argument is what it has to be, and still cannot be used: a path at which
    /// there is nothing, for instance. It points at its value.
    pub fn unusable(&self, value: &Value, why: impl Display) -> TextError {
        let fault = TextFault::Unusable {
            name: value.name.clone(),
            why: why.to_string(),
        };
        TextError::new(fault, self.text, value.at.clone())
    }

    /// The error that nothing can be made of the whole, though each of its arguments is right; it
    /// points at the prefix.
    pub fn no_endpoint(&self, why: impl Display) -> TextError {
        self.wrong_prefix(TextFault::Unusable {
            name: self.prefix().to_owned(),
            why: why.to_string(),
        })
    }

    /// The arguments of the endpoint that this value is the text of, which is one wrapped deeper.
    pub(crate) fn inner<'v>(&self, value: &'v Value) -> Result<Arguments<'v>, TextError> {
        let Pieces { text, pieces } = split(&value.value)?;
        Ok(Arguments::of(text, pieces, self.depth + 1))
    }

    /// What is wrong with that endpoint: it points at all of its text.
    pub(crate) fn within(&self, value: &Value, error: &TextError) -> TextError {
        TextError::new(error.fault().clone(), self.text, value.at.clone())
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

    pub(crate) fn refused_at(&self, taken: &Value, error: EndpointError) -> TextError {
        TextError::new(error.into(), self.text, taken.at.clone())
    }

    pub(crate) fn wrong_prefix(&self, fault: TextFault) -> TextError {
        TextError::new(fault, self.text, self.prefix.at.clone())
    }

    /// The error that an argument is missing; it points behind the last one.
    pub fn missing(&self, name: &str) -> TextError {
        let fault = TextFault::Missing {
            name: name.to_owned(),
        };
        let end = self.text.len();
        TextError::new(fault, self.text, end..end)
    }

    /// The value of the argument `name`, or of the one in this `place` among those without a name.
    ///
    /// # Errors
    /// [`TextFault::Twice`] if it is given more than once.
    pub fn value(&mut self, name: &str, place: Option<usize>) -> Result<Option<Value>, TextError> {
        let mut found: Option<Value> = None;
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
            found = Some(Value {
                name: name.to_owned(),
                value,
                at: value_at,
            });
        }
        Ok(found)
    }

    fn parsed<T: FromStr>(&self, taken: &Value, expected: &str) -> Result<T, TextError> {
        let parsed = taken.value.parse();
        parsed.map_err(|_| self.invalid(taken, expected))
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

/// An endpoint at what a builder found.
pub(crate) type Read = Result<Endpoint, TextError>;
