//! Caches by name: configured once, from a file or from Rust, and asked for anywhere.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use scrubjay::{
    ErrorKind, Recipe, Result,
    caches::{self, Config},
    far::MemoryStore,
    plugin::HitRatio,
};

/// What a program would read from its configuration file: a URL or a table for each alias.
const CONFIGURATION: &str = r#"
default = "memory://?max-entries=500"

[pages]
cache = "memory"
serializer = { name = "json+zstd", compression-level = 9 }
ttl = "10m"
plugins = ["hit-ratio"]
"#;

fn main() -> Result<()> {
    // Rust values may stand where a file has only names.
    let sessions =
        Recipe::default().store(MemoryStore::default()).namespace("sessions").ttl(Duration::from_secs(3_600));
    caches::configure(Config::from_toml(CONFIGURATION)?.alias("sessions", sessions))?;
    for alias in ["default", "pages", "sessions"] {
        println!("{alias:<9} {}", caches::get::<String>(alias)?.info());
    }

    // The same alias is the same cache, wherever it is asked for.
    caches::get::<String>("pages")?.blocking().set("/", "<h1>Hello</h1>".into())?;
    let pages = caches::get::<String>("pages")?;
    assert_eq!(pages.blocking().get("/")?.as_deref(), Some("<h1>Hello</h1>"));
    assert_eq!(pages.plugin::<HitRatio>().map(|plugin| plugin.read().hits), Some(1));

    // Bytes can be viewed as several types; live values have one.
    caches::get::<u64>("sessions")?.blocking().set("visits", 1)?;
    let Err(error) = caches::get::<u64>("default") else { unreachable!("it was asked for with String above") };
    assert_eq!(error.kind(), ErrorKind::WrongType);

    // `create` makes a cache of its own, and `config` answers the recipe itself: both may be changed before they are built.
    let short = caches::create::<String>("default")?.ttl(Duration::from_secs(1)).build()?;
    assert_eq!(short.info().to_string(), "near(500 entries) ttl=1s");
    caches::add("archive", caches::recipe("pages")?.namespace("archive"));
    assert_eq!(caches::get::<String>("archive")?.info().namespace, "archive");

    let Err(error) = caches::get::<String>("pagse") else { unreachable!("nobody configured that") };
    println!("\n{error}");
    Ok(())
}
