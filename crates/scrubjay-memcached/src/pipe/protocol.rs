//! What a connection speaks, and how it ends.

use std::{fmt, io, sync::Arc};

use bytes::BytesMut;

/// A protocol whose replies come in the order of the requests. No sockets, no clocks: bytes in, bytes out.
pub trait Protocol: Send + Sync + 'static {
    /// What is asked.
    type Request<'a>: Sync;
    /// What has to be known of a request to read its reply, and what of the reply has come.
    type Pending: Send;
    /// What is answered.
    type Reply: Send;
    /// What goes wrong.
    type Error: Clone + Send + Sync + From<Break>;
    /// The state of the sending side.
    type Encoder: Send;
    /// The state of the receiving side.
    type Decoder: Send;

    /// About how many bytes `request` takes.
    fn size(request: &Self::Request<'_>) -> usize;

    /// Appends `request` to `out`.
    ///
    /// # Errors
    /// If there are no words for it; whatever was appended is taken back.
    fn encode(
        encoder: &mut Self::Encoder,
        request: &Self::Request<'_>,
        out: &mut BytesMut,
    ) -> Result<Self::Pending, Self::Error>;

    /// The reply to the oldest request, taken out of `input`; `None` if it is not complete yet.
    ///
    /// # Errors
    /// If it is no reply to that request: the connection ends.
    fn decode(
        decoder: &mut Self::Decoder,
        pending: &mut Self::Pending,
        input: &mut BytesMut,
    ) -> Result<Option<Self::Reply>, Self::Error>;
}

/// Why a connection, or a call on it, came to nothing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Break {
    /// The call's deadline passed.
    Timeout,
    /// The other side closed the connection.
    Ended,
    /// Reading or writing failed.
    Io(Arc<io::Error>),
    /// More came than was asked for.
    Surplus,
    /// Several calls in a row got no answer, and nothing else came.
    Silent,
    /// The runtime that drove the connection is gone.
    Gone,
    /// This side closed the connection.
    Closed,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "the deadline passed",
            Self::Ended => "the server closed the connection",
            Self::Io(error) => return write!(f, "the connection broke: {error}"),
            Self::Surplus => "the server sent more than was asked for",
            Self::Silent => "the server went silent",
            Self::Gone => "the runtime that drove the connection is gone",
            Self::Closed => "the connection was closed",
        })
    }
}

impl std::error::Error for Break {}

/// An error, and whether the server can have seen the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<E> {
    /// What went wrong.
    pub error: E,
    /// No byte of the request left this process: sending it again cannot do anything twice.
    pub unsent: bool,
}

impl<E> Failure<E> {
    pub(super) fn unsent(error: E) -> Self {
        Self { error, unsent: true }
    }
}
