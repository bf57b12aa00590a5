#[derive(Debug)]
struct Failure;

#[scrubjay::cached]
async fn length(text: String) -> Result<usize, Failure> {
    Ok(text.len())
}

fn main() {}
