use std::borrow::Cow;
use std::mem;
use std::ops::Range;

use super::{TextError, TextFault};

/// An endpoint's text, taken apart at its colons.
///
/// ```text
///   text      = prefix *( ":" argument )
///   argument  = [ name "=" ] value
/// ```
/// A backslash takes the next character for what it is. The first `=` of an argument ends its name;
/// those that follow belong to the value.
#[derive(Debug)]
pub(crate) struct Pieces<'a> {
    pub(crate) text: &'a str,
    pub(crate) pieces: Vec<Piece>,
}

/// What stands between two colons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Before the `=`, if there is one.
    pub(crate) name: Option<String>,
    pub(crate) value: String,
    /// Where all of it stands in the text, in bytes.
    pub(crate) at: Range<usize>,
    /// Where the value stands.
    pub(crate) value_at: Range<usize>,
}

/// Take a text apart.
pub(crate) fn split(text: &str) -> Result<Pieces<'_>, TextError> {
    let mut pieces = Vec::new();
    let mut piece = Piece::beginning_at(0);
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            ':' => {
                pieces.push(piece.ended_at(at));
                piece = Piece::beginning_at(at + 1);
            }
            '=' if piece.name.is_none() => {
                piece.name = Some(mem::take(&mut piece.value));
                piece.value_at.start = at + 1;
            }
            '\\' => match characters.next() {
                Some((_, escaped)) => piece.value.push(escaped),
                None => return Err(TextError::new(TextFault::Backslash, text, at..at + 1)),
            },
            other => piece.value.push(other),
        }
    }
    pieces.push(piece.ended_at(text.len()));
    Ok(Pieces { text, pieces })
}

impl Piece {
    fn beginning_at(at: usize) -> Self {
        Self {
            name: None,
            value: String::new(),
            at: at..at,
            value_at: at..at,
        }
    }

    fn ended_at(mut self, at: usize) -> Self {
        self.at.end = at;
        self.value_at.end = at;
        self
    }
}

/// An argument so that it stands for itself in an endpoint's text: with a backslash before what
/// means something there.
///
/// ```
/// assert_eq!(torsade_service::quote("::1"), r"\:\:1");
/// assert_eq!(torsade_service::quote("example.org"), "example.org");
/// assert_eq!(torsade_service::quote(r"a=b\c"), r"a\=b\\c");
/// ```
#[doc(alias = "quoteStringArgument")]
pub fn quote(argument: &str) -> Cow<'_, str> {
    if !argument.contains([':', '=', '\\']) {
        return argument.into();
    }
    let mut quoted = String::with_capacity(argument.len() + 8);
    for character in argument.chars() {
        if matches!(character, ':' | '=' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<(Option<String>, String)> {
        let pieces = split(text).unwrap().pieces;
        pieces
            .into_iter()
            .map(|piece| (piece.name, piece.value))
            .collect()
    }

    fn part(name: Option<&str>, value: &str) -> (Option<String>, String) {
        (name.map(str::to_owned), value.to_owned())
    }

    #[test]
    fn colons_part_and_the_first_equals_sign_names() {
        assert_eq!(parts(""), [part(None, "")]);
        assert_eq!(
            parts("tcp:80:a=b=c:"),
            [
                part(None, "tcp"),
                part(None, "80"),
                part(Some("a"), "b=c"),
                part(None, ""),
            ]
        );
        assert_eq!(
            parts(r"a\:b:c\=d:e\\=\=:f=g\:h"),
            [
                part(None, "a:b"),
                part(None, "c=d"),
                part(Some(r"e\"), "="),
                part(Some("f"), "g:h"),
            ]
        );
    }

    #[test]
    fn places_are_those_of_the_text() {
        let pieces = split(r"tcp:x\:y=é").unwrap().pieces;
        assert_eq!(pieces[0].at, 0..3);
        assert_eq!(pieces[1].at, 4..11);
        assert_eq!(pieces[1].value_at, 9..11);
    }
}
