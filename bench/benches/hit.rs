//! The time of every case, by criterion: `cargo bench -p scrubjay-bench`. Each operation is a group.

use std::time::Duration;

use criterion::Criterion;
use scrubjay_bench::{
    cases::{Case, Operation},
    timed,
};

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for operation in Operation::ALL {
        let mut group = criterion.benchmark_group(operation.name());
        for case in Case::all().into_iter().filter(|case| case.operation == operation) {
            let work = case.prepare();
            group.bench_function(case.who(), |bencher| bencher.iter_custom(|times| timed(|| work(times))));
        }
        group.finish();
    }
    criterion.final_summary();
}
