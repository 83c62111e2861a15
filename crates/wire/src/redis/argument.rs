use bytes::Bytes;

/// One word of a command, as it is going to be written.
///
/// Made by [`ToArgument`]; there is nothing to do with it but to send it.
#[derive(Clone, Debug)]
pub struct Argument<'a> {
    pub(super) form: Form<'a>,
}

#[derive(Clone, Debug)]
pub(super) enum Form<'a> {
    Slice(&'a [u8]),
    Shared(&'a Bytes),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
}

impl Argument<'_> {
    /// Its bytes, if it is text: no name is a number.
    pub(super) fn text(&self) -> &[u8] {
        match &self.form {
            Form::Slice(bytes) => bytes,
            Form::Shared(bytes) => bytes,
            Form::Integer(_) | Form::Unsigned(_) | Form::Float(_) => &[],
        }
    }
}

/// What can be a word of a command: text, bytes, and numbers, which are written in decimal.
///
/// Nothing is copied on the way to the connection that is not copied into its output anyway; large
/// [`Bytes`] are not copied at all.
///
/// ```
/// use torsade_wire::redis::{Argument, Command, ToArgument};
///
/// struct User(u64, String);
///
/// impl ToArgument for User {
///     fn to_argument(&self) -> Argument<'_> {
///         self.1.to_argument()
///     }
/// }
///
/// let ann = User(7, "ann".to_owned());
/// let command = Command::new("ZADD").arg("scores").arg(1.5).arg(&ann);
/// assert_eq!(command.len(), 4);
/// # let _ = ann.0;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a word of a Redis command",
    note = "text, bytes and numbers can"
)]
pub trait ToArgument {
    /// This, as a word.
    fn to_argument(&self) -> Argument<'_>;
}

impl ToArgument for [u8] {
    #[inline]
    fn to_argument(&self) -> Argument<'_> {
        Argument {
            form: Form::Slice(self),
        }
    }
}

impl ToArgument for Bytes {
    #[inline]
    fn to_argument(&self) -> Argument<'_> {
        Argument {
            form: Form::Shared(self),
        }
    }
}

impl ToArgument for Argument<'_> {
    fn to_argument(&self) -> Argument<'_> {
        self.clone()
    }
}

impl<T: ToArgument + ?Sized> ToArgument for &T {
    #[inline]
    fn to_argument(&self) -> Argument<'_> {
        (**self).to_argument()
    }
}

impl<const N: usize> ToArgument for [u8; N] {
    #[inline]
    fn to_argument(&self) -> Argument<'_> {
        self.as_slice().to_argument()
    }
}

macro_rules! to_argument {
    (slices: $($text:ty)*) => {$(
        impl ToArgument for $text {
            #[inline]
            fn to_argument(&self) -> Argument<'_> {
                let bytes: &[u8] = self.as_ref();
                bytes.to_argument()
            }
        }
    )*};
    ($($number:ty => $form:ident)*) => {$(
        impl ToArgument for $number {
            #[inline]
            fn to_argument(&self) -> Argument<'_> {
                Argument {
                    form: Form::$form((*self).into()),
                }
            }
        }
    )*};
}

to_argument!(slices: str String Vec<u8>);
to_argument!(i32 => Integer i64 => Integer u16 => Unsigned u32 => Unsigned u64 => Unsigned f64 => Float);

impl ToArgument for usize {
    #[inline]
    fn to_argument(&self) -> Argument<'_> {
        Argument {
            form: Form::Unsigned(*self as u64),
        }
    }
}

/// The names of commands.
impl From<&'static str> for Argument<'static> {
    #[inline]
    fn from(text: &'static str) -> Self {
        Self {
            form: Form::Slice(text.as_bytes()),
        }
    }
}
