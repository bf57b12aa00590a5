//! The two things that are read from a `Cargo.toml`: its features and its examples.
//!
//! This reads the plain layout that this repository's manifests have (one key a line, `[table]` headers on lines of their
//! own), not all of TOML.

use crate::Result;

/// The names in `[features]`, in the file's order.
pub(crate) fn features(manifest: &str) -> Result<Vec<&str>> {
    let mut names = Vec::new();
    for entry in entries(manifest).filter(|entry| entry.table == "[features]") {
        names.push(entry.key);
    }
    if names.is_empty() { Err("found no name under [features]".to_owned()) } else { Ok(names) }
}

/// The names of the `[[example]]` entries, in the file's order.
pub(crate) fn examples(manifest: &str) -> Result<Vec<&str>> {
    names(manifest, "[[example]]")
}

/// The names of the `[[bin]]` entries, in the file's order.
pub(crate) fn binaries(manifest: &str) -> Result<Vec<&str>> {
    names(manifest, "[[bin]]")
}

fn names<'a>(manifest: &'a str, table: &str) -> Result<Vec<&'a str>> {
    let mut names = Vec::new();
    for entry in entries(manifest).filter(|entry| entry.table == table && entry.key == "name") {
        names.push(entry.value.split('"').nth(1).ok_or_else(|| format!("no name in {:?}", entry.value))?);
    }
    if names.is_empty() { Err(format!("found no {table} entry")) } else { Ok(names) }
}

/// The first line of a `key = value`, and the header it stands under.
struct Entry<'a> {
    table: &'a str,
    key: &'a str,
    value: &'a str,
}

fn entries(manifest: &str) -> impl Iterator<Item = Entry<'_>> {
    let mut table = "";
    let mut open_brackets = 0;
    manifest.lines().filter_map(move |line| {
        let line = without_comment(line).trim();
        let inside_an_array = open_brackets > 0;
        if !inside_an_array && line.starts_with('[') {
            table = line;
            return None;
        }
        open_brackets += brackets(line);
        if inside_an_array {
            return None;
        }
        let (key, value) = line.split_once('=')?;
        Some(Entry { table, key: key.trim().trim_matches('"'), value: value.trim() })
    })
}

/// How many more brackets `line` opens than it closes, strings aside.
fn brackets(line: &str) -> i32 {
    let outside_strings = line.split('"').step_by(2).flat_map(str::chars);
    outside_strings.map(|c| i32::from(c == '[') - i32::from(c == ']')).sum()
}

fn without_comment(line: &str) -> &str {
    let mut in_string = false;
    let comment = line.char_indices().find(|&(_, c)| {
        in_string ^= c == '"';
        c == '#' && !in_string
    });
    comment.map_or(line, |(start, _)| &line[..start])
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
[package]
name = "jay" # not an example's name
keywords = [
  "cache",
]

[features]
default = ["toml"]
# Everything = what needs no server.
full = [
  "lz4", # fast
  "a = b",
  "zstd",
]
lz4 = ["dep:lz4_flex"]
"quoted" = []

[dependencies]
bytes.workspace = true

[[example]]
name = "quickstart"
path = "quickstart.rs"

[[example]]
path = "own#store.rs"
name = "own_store" # a comment
required-features = ["full"]
"#;

    #[test]
    fn features_are_found_in_order() {
        assert_eq!(features(MANIFEST).unwrap(), ["default", "full", "lz4", "quoted"]);
    }

    #[test]
    fn examples_are_found_in_order() {
        assert_eq!(examples(MANIFEST).unwrap(), ["quickstart", "own_store"]);
    }

    #[test]
    fn finding_nothing_is_an_error_not_an_empty_run() {
        assert!(features("[package]\nname = \"jay\"\n").is_err());
        assert!(examples("[package]\nname = \"jay\"\n").is_err());
    }
}
