//! Stored bytes that anyone may have written: every serializer answers a value or an error, and stays within its bound.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use scrubjay::{
    ErrorKind,
    serializer::{self, Serializer},
};
use serde_json::Value;

type Serializers = Vec<Arc<dyn Serializer<Value>>>;

static SERIALIZERS: LazyLock<Serializers> = LazyLock::new(|| {
    let chains = ["json", "msgpack", "pickle", "json+zlib", "json+zstd", "json+lz4", "pickle+zstd+zlib"];
    let options = ["", "://?max-decompressed=4096", "://?max-decompressed=4096&compression-threshold=10"];
    let urls = chains.iter().flat_map(|chain| options.iter().map(move |option| format!("{chain}{option}")));
    urls.filter_map(|url| serializer::from_url(&url).ok()).collect()
});

fuzz_target!(|bytes: &[u8]| {
    for serializer in &*SERIALIZERS {
        match serializer.decode(&bytes.to_vec().into()) {
            Ok(value) => {
                let mut again = Vec::new();
                serializer.encode(&value, &mut again).expect("what was read can be written");
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Decode),
        }
    }
});
