use scrubjay::cached;

#[cached]
fn nothing(number: u32) {
    let _ = number;
}

#[cached]
fn without_a_name((one, other): (u32, u32)) -> u32 {
    one + other
}

#[cached]
fn of_no_name(number: u32) -> impl Iterator<Item = u32> {
    0..number
}

#[cached]
const fn constant(number: u32) -> u32 {
    number
}

fn main() {}
