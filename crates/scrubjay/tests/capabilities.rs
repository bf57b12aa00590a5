//! `docs/capabilities.md` is what the stores declare. `cargo xtask docs` writes it anew.
#![cfg(all(feature = "memcached", feature = "redis", unix))]
#![allow(clippy::unwrap_used, reason = "what fails fails the test")]

use std::{env, fs, time::Duration};

use scrubjay::{
    Memory,
    far::{self, Capability},
};
use scrubjay_testkit::Subject;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/capabilities.md");

/// Set by `cargo xtask docs`.
const UPDATE: &str = "SCRUBJAY_UPDATE_DOCS";

const HEAD: &str = "\
# What each store can do

<!-- Written by `cargo xtask docs` from what the stores declare (`far::Capability`). A test fails when it is stale. -->

The verbs that are not listed (`get get_many lookup exists set set_many add delete delete_many close`) work everywhere. What a store
cannot do is `ErrorKind::Unsupported`, before anything is sent. The behaviour suite holds every store to its column.

";

const TAIL: &str = "
- **Finest ttl**: what is finer is rounded up. memcached's clock ticks once a second, so an entry there also goes up to a second late,
  and never early.
- **`clear` without a namespace** is refused where the store is not private to the process; `clear_server` is the verb for that.
- A near tier before a store changes none of this: the store decides.
";

fn stores() -> Vec<(&'static str, Capability)> {
    let by_url = |url: &str| far::from_url(url).unwrap().capability();
    vec![
        ("near tier", Subject::near(Memory::builder().build()).capability()),
        ("`memory://` with a serializer", by_url("memory://")),
        ("`dummy://`", by_url("dummy://")),
        ("`redis://`, `redis-sentinel://`", same(by_url("redis://h"), by_url("redis-sentinel://h/m"))),
        ("`redis-cluster://`", by_url("redis-cluster://h")),
        ("`memcached://`", same(by_url("memcached://h"), by_url("memcached://a,b"))),
    ]
}

/// Two kinds that share a column.
fn same(one: Capability, other: Capability) -> Capability {
    assert_eq!(one, other);
    one
}

/// The lines of one column. Whoever adds a field adds its line.
fn column(capability: Capability) -> Vec<(&'static str, String)> {
    let Capability {
        ttl_resolution,
        expire,
        increment,
        compare_and_set,
        clear_prefix,
        clear_everything,
        raw,
        atomic_batches,
        private,
        retains,
        keeps_deadlines,
        needs_runtime,
    } = capability;
    let step = match ttl_resolution {
        Duration::ZERO => "1 ns".to_owned(),
        step if step.subsec_nanos() == 0 => format!("{} s", step.as_secs()),
        step => format!("{} ms", step.as_millis()),
    };
    let mark = |can: bool| if can { "✓" } else { "–" }.to_owned();
    vec![
        ("finest ttl", step),
        ("`ttl`, `expire`", mark(expire)),
        ("`increment`", mark(increment)),
        ("`get_for_update`, `compare_and_set`", mark(compare_and_set)),
        ("`clear` of a namespace", mark(clear_prefix)),
        ("`clear_server`", mark(clear_everything)),
        ("`raw`", mark(raw)),
        ("nobody sees half of a `set_many`", mark(atomic_batches)),
        ("private to the process", mark(private)),
        ("keeps what it is given", mark(retains)),
        ("ends calls by their deadline itself", mark(keeps_deadlines)),
        ("waits inside a tokio runtime", mark(needs_runtime)),
    ]
}

fn page() -> String {
    let (names, columns): (Vec<_>, Vec<_>) =
        stores().into_iter().map(|(name, capability)| (name, column(capability))).unzip();
    let row = |first: &str, cells: Vec<&str>| format!("| {first} | {} |\n", cells.join(" | "));
    let mut table = row("", names.clone()) + &row("---", vec!["---"; names.len()]);
    for (line, (name, _)) in columns[0].iter().enumerate() {
        table += &row(name, columns.iter().map(|column| &*column[line].1).collect());
    }
    format!("{HEAD}{table}{TAIL}")
}

#[test]
fn the_table_says_what_the_stores_declare() {
    let page = page();
    if env::var_os(UPDATE).is_some() {
        fs::write(PATH, &page).unwrap();
    }
    let written = fs::read_to_string(PATH).unwrap_or_default();
    assert!(
        written == page,
        "docs/capabilities.md is stale: `cargo xtask docs` writes it anew. It should be\n\n{page}"
    );
}
