//! Measures how long commands take.

use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;

use super::{Command, Completion, Plugin};
use crate::Operation;

/// Measures how long each command takes: count, minimum, maximum, mean and percentiles, failed commands included.
///
/// ```
/// use scrubjay::{Cache, Operation, plugin::Timing};
///
/// # fn main() -> scrubjay::Result<()> {
/// let cache = Cache::<u32>::builder().plugin(Timing::default()).build()?.blocking();
/// cache.set("a", 1)?;
/// let figures = cache.plugin::<Timing>().expect("it was added above").read();
/// assert_eq!(figures[&Operation::Set].count, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Timing(Mutex<BTreeMap<Operation, Histogram>>);

/// What a [`Timing`] has measured of one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// How often it was called.
    pub count: u64,
    /// The fastest.
    pub min: Duration,
    /// The slowest.
    pub max: Duration,
    /// The mean.
    pub mean: Duration,
    /// Half were at least this fast, within 7 %.
    pub p50: Duration,
    /// All but one in a hundred were at least this fast, within 7 %.
    pub p99: Duration,
}

impl Timing {
    /// The figures so far, by command.
    #[must_use]
    pub fn read(&self) -> BTreeMap<Operation, Figures> {
        self.0.lock().iter().map(|(operation, histogram)| (*operation, histogram.figures())).collect()
    }
}

impl Plugin for Timing {
    fn name(&self) -> &'static str {
        "timing"
    }

    fn after(&self, command: &Command<'_>, completion: &Completion<'_>) {
        if let Some(took) = completion.took() {
            self.0.lock().entry(command.operation).or_default().record(took);
        }
    }

    fn measures_time(&self) -> bool {
        true
    }
}

/// Eight cells to each doubling of nanoseconds: a cell is at most 1/8 wide, its middle at most 1/16 off.
const CELLS_PER_DOUBLING: u32 = 8;
const CELLS: usize = (64 * CELLS_PER_DOUBLING) as usize;

#[derive(Debug)]
struct Histogram {
    cells: Box<[u64]>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { cells: vec![0; CELLS].into(), count: 0, sum: 0, min: u64::MAX, max: 0 }
    }
}

impl Histogram {
    fn record(&mut self, took: Duration) {
        // A clock that does not move between two readings measured less than it can show, not nothing.
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        self.cells[cell(nanos)] += 1;
        self.count += 1;
        self.sum += u128::from(nanos);
        self.min = self.min.min(nanos);
        self.max = self.max.max(nanos);
    }

    fn figures(&self) -> Figures {
        let mean = self.sum.checked_div(u128::from(self.count)).unwrap_or(0);
        Figures {
            count: self.count,
            min: Duration::from_nanos(self.min),
            max: Duration::from_nanos(self.max),
            mean: Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX)),
            p50: self.percentile(50),
            p99: self.percentile(99),
        }
    }

    fn percentile(&self, percent: u64) -> Duration {
        let rank = (self.count * percent).div_ceil(100);
        let mut seen = 0;
        let reached = self.cells.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        let nanos = reached.map_or(self.max, |cell| middle(cell).clamp(self.min, self.max));
        Duration::from_nanos(nanos)
    }
}

/// The cell of a number: its highest bit, and the three bits below.
fn cell(nanos: u64) -> usize {
    let doubling = nanos.ilog2();
    let within = if doubling >= 3 { nanos >> (doubling - 3) } else { nanos << (3 - doubling) } & 7;
    (doubling * CELLS_PER_DOUBLING) as usize + within as usize
}

/// The number in the middle of a cell.
fn middle(cell: usize) -> u64 {
    let (doubling, within) = (cell / CELLS_PER_DOUBLING as usize, (cell % CELLS_PER_DOUBLING as usize) as u64);
    let sixteenths = u128::from(16 + 2 * within + 1) << doubling;
    u64::try_from(sixteenths / 16).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "ratios need no more digits than a double has")]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_sixteenth() {
        let mut histogram = Histogram::default();
        (1..=10_000u64).for_each(|micros| histogram.record(Duration::from_micros(micros)));
        let figures = histogram.figures();
        assert_eq!(
            (figures.count, figures.min, figures.max),
            (10_000, Duration::from_micros(1), Duration::from_millis(10))
        );
        for (found, exact) in [(figures.p50, 5_000_000.0), (figures.p99, 9_900_000.0), (figures.mean, 5_000_500.0)] {
            let ratio = found.as_nanos() as f64 / exact;
            assert!((0.93..1.07).contains(&ratio), "{found:?} is not near {exact} ns");
        }
    }

    #[test]
    fn every_duration_has_a_cell_near_it() {
        for nanos in (0..64).map(|bit| 1u64 << bit).chain([3, 1_000, u64::MAX]) {
            let ratio = middle(cell(nanos)) as f64 / nanos as f64;
            assert!((0.9..=1.07).contains(&ratio) || nanos < 16, "{nanos}: {ratio}");
        }
    }

    #[test]
    fn nothing_takes_no_time() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::ZERO);
        assert!(histogram.figures().min > Duration::ZERO);
    }
}
