#[scrubjay::cached]
async fn length(text: &str) -> usize {
    text.len()
}

fn main() {
    let _ = length::clear();
}
