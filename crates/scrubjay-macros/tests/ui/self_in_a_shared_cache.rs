struct Tenant;

impl Tenant {
    #[scrubjay::cached]
    fn length(&self, text: &str) -> usize {
        text.len()
    }
}

fn main() {}
