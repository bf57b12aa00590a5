struct Opaque;

#[scrubjay::cached]
async fn length(opaque: &Opaque, text: &str) -> usize {
    let _ = opaque;
    text.len()
}

fn main() {}
