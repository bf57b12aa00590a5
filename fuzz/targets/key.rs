//! Keys on the wire: two different pairs of namespace and key never meet.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scrubjay::{KeyLayout, QualifiedKey};

fuzz_target!(|pairs: [(&str, &str); 2]| {
    let [one, other] = pairs.map(|(namespace, key)| QualifiedKey { namespace, key });
    if one.namespace.is_empty() || other.namespace.is_empty() {
        return; // a cache without a namespace sees the server's keys as they are
    }
    let same = KeyLayout::Namespaced.wire(one) == KeyLayout::Namespaced.wire(other);
    assert_eq!(same, one == other, "{one:?} {other:?}");
});
