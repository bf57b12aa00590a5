//! The names in a chain, sorted out: `json+zstd` is a format and a transform.

use std::fmt;

use super::{
    built_in::{self, BuiltIn},
    registry,
};
use crate::{Error, Result};

/// The names in a chain, sorted out: one format, then transforms.
pub(super) struct Names<'a> {
    pub(super) format: &'a str,
    pub(super) transforms: Vec<&'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn parse(chain: &'a str) -> Result<Self> {
        let mut format = None;
        let mut transforms = Vec::new();
        for name in chain.split('+') {
            let (name, is_transform) = resolve(name, chain)?;
            match (name, format, transforms.last()) {
                _ if is_transform => transforms.push(name),
                ("null", ..) => {}
                (_, None, None) => format = Some(name),
                (_, Some(first), _) => {
                    return Err(misfit(chain, format_args!("`{first}` and `{name}` are both formats; keep one")));
                }
                (_, None, Some(last)) => {
                    return Err(misfit(
                        chain,
                        format_args!("the format `{name}` cannot follow `{last}`; put it first"),
                    ));
                }
            }
        }
        Ok(Self { format: format.unwrap_or("null"), transforms })
    }
}

/// The name that `name` stands for, and whether it is a transform's.
fn resolve<'a>(name: &'a str, chain: &str) -> Result<(&'a str, bool)> {
    if name.is_empty() {
        return Err(misfit(chain, format_args!("expected names joined by `+`, such as `json` or `json+zstd`")));
    }
    match built_in::built_in(name) {
        Some(known) if known.compiled => Ok((known.name, known.is_transform)),
        Some(BuiltIn { name, .. }) => Err(Error::config(format!(
            "serializer `{name}`: not in this build; enable scrubjay's Cargo feature `{name}`"
        ))),
        None => registry::is_transform(name).map(|it_is| (name, it_is)).ok_or_else(|| unknown(name)),
    }
}

fn misfit(chain: &str, why: fmt::Arguments<'_>) -> Error {
    Error::config(format!("serializer `{chain}`: {why}"))
}

pub(super) fn unknown(name: &str) -> Error {
    let mut known: Vec<String> = built_in::compiled().map(str::to_owned).collect();
    known.extend(registry::names());
    Error::config(format!("unknown serializer `{name}`; known: {}", known.join(", ")))
}
