//! What is read off the machine: time, processor time, resident memory.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// Now, on the wall.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub fn now() -> Instant {
    Instant::now()
}

/// How long `work` takes.
pub fn timed(work: impl FnOnce()) -> Duration {
    let start = now();
    work();
    start.elapsed()
}

/// What a piece of work took.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// Time on the wall: what waiting costs shows here, and so does what other programs do meanwhile.
    pub wall: Duration,
    /// Processor time of all threads: other programs hardly show.
    pub cpu: Duration,
}

/// What `work` takes.
pub fn spent(work: impl FnOnce()) -> Spent {
    let cpu = processor_time();
    let wall = timed(work);
    Spent { wall, cpu: processor_time().saturating_sub(cpu) }
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The memory of this process that lies in RAM, in bytes; `None` where there is no `/proc`.
#[must_use]
pub fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next())?;
    Some(kilobytes.parse::<u64>().ok()? * 1_024)
}
