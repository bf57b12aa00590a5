use scrubjay::{Cache, cached};

#[cached(cache = cache, skip(cache))]
fn length(cache: &Cache<String>, text: &str) -> usize {
    text.len()
}

fn main() {}
