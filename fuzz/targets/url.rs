//! URLs of caches, stores and serializers: an error or a cache, never a panic, and no secret in what is shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scrubjay::{Cache, Recipe};

fuzz_target!(|text: &str| {
    for url in [text.to_owned(), format!("memory://?{text}"), format!("memory://:hunter2-secret@{text}")] {
        // A bound of the fuzzer's choosing could ask for any amount of memory; it is read, and that is enough.
        let recipe = Recipe::from_url(&url);
        let shown = format!("{recipe:?}");
        assert!(!shown.contains("hunter2-secret"), "{shown}");
        if let Err(error) = Cache::<String>::from_url(&url) {
            assert!(!error.to_string().contains("hunter2-secret"), "{error}");
        }
    }
    let _ = scrubjay::serializer::from_url::<serde_json::Value>(text);
});
