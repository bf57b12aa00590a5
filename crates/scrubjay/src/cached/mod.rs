//! What the code that `#[cached]` writes calls: not for anybody else, and free to change.
//!
//! From the outside in: `call` is one call of a function, with all that the attribute says of it; `one` carries it out for a
//! function of one value, `many` for one of several. `home` is where the values live, `answer` what the function returns, `own` its
//! run, `sharing` what becomes of its errors. `face` lets all of it be written once, for async functions and others.

mod answer;
mod call;
mod face;
mod home;
mod many;
mod one;
mod own;
mod sharing;

pub use self::{
    answer::{Answer, AnyOption, AnyResult, Maybe, Plain, Tried, TriedMaybe},
    call::{Call, Flight, Keep, OwnNamespace, Reading, SharedNamespace, Writing, holds, ttl_of},
    face::{Async, Blocking, at_once},
    home::{Chosen, Codec, CodecOfAny, CodecOfSerde, Home, Place},
    many::{AnyMap, Batch, Maybes, Values, load_many, load_many_blocking},
    one::{load, load_blocking},
    sharing::{Each, ErrorOf, Never, OfAny, OfClone, OfCloneFrom, OfFrom, Sharing},
};
pub use crate::argument_key::{Argument, ArgumentKey, PartOfAny, PartOfSet, Style, Text, function_around};
