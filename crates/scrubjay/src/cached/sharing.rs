//! What becomes of a function's error: its caller gets it as it is, and those who waited get it too, in a way that its type
//! allows.

use std::{convert::Infallible, error, fmt, marker::PhantomData};

use crate::{Error, ErrorKind};

/// How waiters get an error of type `E`.
#[diagnostic::on_unimplemented(
    message = "those who wait for a load cannot be given its error",
    label = "this error is neither `Clone + Send + Sync + 'static` nor `From<scrubjay::Error>`",
    note = "derive `Clone` for it, or implement `From<scrubjay::Error>`, or write `errors = \"each\"`: then everybody who \
            waited for a load that failed calls the function for itself"
)]
pub trait Sharing<E>: Copy + Send + Sync {
    /// What is told to those who wait.
    fn cause(self, error: &E) -> Error;

    /// What one of them makes of it.
    fn of_leader(self, error: &Error) -> Option<E>;

    /// A failure of the cache itself as the function's error, if that is possible.
    ///
    /// # Errors
    /// The failure, if it is not.
    fn of_cache(self, error: Error) -> Result<E, Error>;
}

/// The leader's error, for those who wait.
struct Shared<E>(E);

impl<E> fmt::Debug for Shared<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl<E> fmt::Display for Shared<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the function that another caller ran returned an error")
    }
}

impl<E> error::Error for Shared<E> {}

/// Says that there was an error, and not which.
fn untold() -> Error {
    Error::load(Shared(()))
}

/// A clone; failures of the cache become errors too.
#[derive(Clone, Copy, Debug)]
pub struct CloneFrom;

impl<E: Clone + Send + Sync + 'static + From<Error>> Sharing<E> for CloneFrom {
    fn cause(self, error: &E) -> Error {
        CloneOnly.cause(error)
    }

    fn of_leader(self, error: &Error) -> Option<E> {
        CloneOnly.of_leader(error)
    }

    fn of_cache(self, error: Error) -> Result<E, Error> {
        Ok(error.into())
    }
}

/// A clone.
#[derive(Clone, Copy, Debug)]
pub struct CloneOnly;

impl<E: Clone + Send + Sync + 'static> Sharing<E> for CloneOnly {
    fn cause(self, error: &E) -> Error {
        Error::load(Shared(error.clone()))
    }

    fn of_leader(self, error: &Error) -> Option<E> {
        error.loader_error::<Shared<E>>().map(|Shared(error)| error.clone())
    }

    fn of_cache(self, error: Error) -> Result<E, Error> {
        Err(error)
    }
}

/// One made from the cache's.
#[derive(Clone, Copy, Debug)]
pub struct FromOnly;

impl<E: From<Error>> Sharing<E> for FromOnly {
    fn cause(self, _: &E) -> Error {
        untold()
    }

    fn of_leader(self, error: &Error) -> Option<E> {
        Some(error.clone().into())
    }

    fn of_cache(self, error: Error) -> Result<E, Error> {
        Ok(error.into())
    }
}

/// None: each calls the function for itself.
#[derive(Clone, Copy, Debug)]
pub struct Each;

impl<E> Sharing<E> for Each {
    fn cause(self, _: &E) -> Error {
        untold()
    }

    fn of_leader(self, _: &Error) -> Option<E> {
        None
    }

    fn of_cache(self, error: Error) -> Result<E, Error> {
        Err(error)
    }
}

/// There are no errors.
#[derive(Clone, Copy, Debug)]
pub struct Never;

impl Sharing<Infallible> for Never {
    fn cause(self, error: &Infallible) -> Error {
        match *error {}
    }

    fn of_leader(self, _: &Error) -> Option<Infallible> {
        None
    }

    fn of_cache(self, error: Error) -> Result<Infallible, Error> {
        Err(error)
    }
}

/// Finds how an `E` can be shared: of the traits below the compiler takes the first that holds.
pub struct ErrorOf<E>(pub PhantomData<E>);

impl<E> fmt::Debug for ErrorOf<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErrorOf")
    }
}

/// `Clone` and `From<scrubjay::Error>`.
pub trait OfCloneFrom {
    /// How.
    fn sharing(&self) -> CloneFrom {
        CloneFrom
    }
}

impl<E: Clone + Send + Sync + 'static + From<Error>> OfCloneFrom for &&&ErrorOf<E> {}

/// `Clone`.
pub trait OfClone {
    /// How.
    fn sharing(&self) -> CloneOnly {
        CloneOnly
    }
}

impl<E: Clone + Send + Sync + 'static> OfClone for &&ErrorOf<E> {}

/// `From<scrubjay::Error>`.
pub trait OfFrom {
    /// How.
    fn sharing(&self) -> FromOnly {
        FromOnly
    }
}

impl<E: From<Error>> OfFrom for &ErrorOf<E> {}

/// Neither: what this answers is no [`Sharing`], which the compiler explains.
pub trait OfAny<E> {
    /// Not at all.
    fn sharing(&self) -> NotShared<E> {
        NotShared(PhantomData)
    }
}

impl<E> OfAny<E> for ErrorOf<E> {}

/// No way to share an error of type `E`.
#[derive(Debug)]
pub struct NotShared<E>(PhantomData<E>);

/// What a caller does about an error of the cache.
pub(super) enum Verdict<E> {
    /// It returns this.
    Return(E),
    /// It calls the function as if there were no cache.
    CallItself,
}

/// Decides what a caller of `function` does about `error`.
///
/// # Panics
/// If the cache is misconfigured, or the function waits for itself, and the function cannot return that.
pub(super) fn settle<E, S: Sharing<E>>(function: &str, error: Error, sharing: S) -> Verdict<E> {
    let kind = error.kind();
    if kind == ErrorKind::Load
        && let Some(error) = sharing.of_leader(&error)
    {
        return Verdict::Return(error);
    }
    if kind == ErrorKind::Load && !tells_of_nobodys_error(&error) {
        return Verdict::CallItself;
    }
    match sharing.of_cache(error) {
        Ok(error) => Verdict::Return(error),
        Err(error) => match hopeless(kind) {
            Some(advice) => panic!("#[cached] {function}: {error}; {advice}"),
            None => Verdict::CallItself,
        },
    }
}

/// Whether to ask the cache again after `error`, which says nothing of the function and cannot be returned: whoever ran it
/// panicked, or took longer than this caller could wait. If all called the function themselves it would run for all at once.
pub(super) fn is_worth_another_try<E, S: Sharing<E>>(error: &Error, sharing: S) -> bool {
    (tells_of_nobodys_error(error) || error.kind() == ErrorKind::Timeout) && sharing.of_cache(error.clone()).is_err()
}

/// Whether a load failed without an error of its loader.
fn tells_of_nobodys_error(error: &Error) -> bool {
    error.kind() == ErrorKind::Load && std::error::Error::source(error).is_none()
}

/// What to do about failures that calling the function does not mend.
fn hopeless(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Config | ErrorKind::WrongType | ErrorKind::InvalidTtl | ErrorKind::Unsupported => {
            Some("mend `cache` or the options of the attribute, or the configuration of the cache they name")
        }
        ErrorKind::Recursion => Some("the function calls itself with the same arguments"),
        _ => None,
    }
}
