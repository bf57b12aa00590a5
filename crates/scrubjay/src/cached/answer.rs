//! What a function may return, and what of it is the value: `T`, `Option<T>`, `Result<T, E>`, `Result<Option<T>, E>`.

use std::{convert::Infallible, marker::PhantomData};

/// A `Result`, whatever alias it was written with.
pub trait AnyResult {
    /// What `Ok` holds.
    type Value;
    /// What `Err` holds.
    type Error;
}

impl<T, E> AnyResult for Result<T, E> {
    type Value = T;
    type Error = E;
}

/// An `Option`, likewise.
pub trait AnyOption {
    /// What `Some` holds.
    type Value;
}

impl<T> AnyOption for Option<T> {
    type Value = T;
}

/// How a return type is taken apart and put together again.
pub trait Answer {
    /// What the function returns.
    type Returned: Send;
    /// What the cache keeps.
    type Value;
    /// What goes wrong in the function.
    type Error: Send;

    /// The value, if there is one.
    ///
    /// # Errors
    /// The function's own.
    fn open(returned: Self::Returned) -> Result<Option<Self::Value>, Self::Error>;

    /// What the function returns for a value, or for none where it can say that.
    fn close(value: Option<Self::Value>) -> Option<Self::Returned>;

    /// What the function returns for an error.
    fn fail(error: Self::Error) -> Self::Returned;
}

/// Returns a `T`, which is the value.
#[derive(Debug)]
pub struct Plain<T>(PhantomData<T>);

impl<T: Send> Answer for Plain<T> {
    type Returned = T;
    type Value = T;
    type Error = Infallible;

    fn open(returned: T) -> Result<Option<T>, Infallible> {
        Ok(Some(returned))
    }

    #[inline]
    fn close(value: Option<T>) -> Option<T> {
        value
    }

    fn fail(error: Infallible) -> T {
        match error {}
    }
}

/// Returns an `Option`, and `None` is no value.
#[derive(Debug)]
pub struct Maybe<O>(PhantomData<O>);

impl<T: Send> Answer for Maybe<Option<T>> {
    type Returned = Option<T>;
    type Value = T;
    type Error = Infallible;

    fn open(returned: Option<T>) -> Result<Option<T>, Infallible> {
        Ok(returned)
    }

    #[inline]
    fn close(value: Option<T>) -> Option<Option<T>> {
        Some(value)
    }

    fn fail(error: Infallible) -> Option<T> {
        match error {}
    }
}

/// Returns a `Result`, whose `Ok` is the value.
#[derive(Debug)]
pub struct Tried<R>(PhantomData<R>);

impl<T: Send, E: Send> Answer for Tried<Result<T, E>> {
    type Returned = Result<T, E>;
    type Value = T;
    type Error = E;

    fn open(returned: Result<T, E>) -> Result<Option<T>, E> {
        returned.map(Some)
    }

    #[inline]
    fn close(value: Option<T>) -> Option<Result<T, E>> {
        value.map(Ok)
    }

    fn fail(error: E) -> Result<T, E> {
        Err(error)
    }
}

/// Returns a `Result` of an `Option`, and `None` is no value.
#[derive(Debug)]
pub struct TriedMaybe<R>(PhantomData<R>);

impl<T: Send, E: Send> Answer for TriedMaybe<Result<Option<T>, E>> {
    type Returned = Result<Option<T>, E>;
    type Value = T;
    type Error = E;

    fn open(returned: Result<Option<T>, E>) -> Result<Option<T>, E> {
        returned
    }

    #[inline]
    fn close(value: Option<T>) -> Option<Result<Option<T>, E>> {
        Some(Ok(value))
    }

    fn fail(error: E) -> Result<Option<T>, E> {
        Err(error)
    }
}
