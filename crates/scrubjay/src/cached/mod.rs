//! What the code that `#[cached]` writes calls: not for anybody else, and free to change.
//!
//! From the outside in: `call` carries out one call of a function, `batch` one of a function of many; `home` is where its values live, `answer` what it returns,
//! `sharing` what becomes of its errors.

mod answer;
mod batch;
mod call;
mod home;
mod sharing;

pub use self::{
    answer::{Answer, AnyOption, AnyResult, Maybe, Plain, Tried, TriedMaybe},
    batch::{Batch, BatchCall, load_many, load_many_blocking},
    call::{Call, Flight, Keep, Reading, Writing, clear, clear_blocking, holds, load, load_blocking, ttl_of},
    home::{AnyHome, Chosen, Codec, CodecOfAny, CodecOfSerde, Home, Place},
    sharing::{Each, ErrorOf, Never, OfAny, OfClone, OfCloneFrom, OfFrom, Sharing},
};
pub use crate::argument_key::{ArgumentKey, Style};
