//! `caches::configure` replaces the aliases of the whole process, so it is tested in a process of its own.

use scrubjay::{
    Recipe,
    caches::{self, Config},
};

#[test]
fn configuring_replaces_everything_and_needs_a_default() {
    let unconfigured = caches::get::<u8>("default").unwrap();
    assert_eq!(unconfigured.info().to_string(), "near(10000 entries)");

    let error = caches::configure(Config::new().alias("pages", Recipe::default())).unwrap_err();
    assert!(error.to_string().contains("an alias called `default`"), "{error}");

    caches::configure(Config::new().alias("default", Recipe::from_url("memory://?max-entries=5").unwrap())).unwrap();
    assert_eq!(caches::get::<u8>("default").unwrap().info().to_string(), "near(5 entries)");
    assert_eq!(unconfigured.info().to_string(), "near(10000 entries)", "what was got stays as it is");
}
