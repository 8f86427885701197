//! Measuring and printing for the benchmarks: one JSON object a line, medians of many runs, and
//! the raw limit of the machine beside each figure of ours, in turns.

use std::time::{Duration, Instant};

use serde::Serialize;

/// Samples of one case in one unit.
#[derive(Debug)]
pub struct Samples {
    case: String,
    unit: &'static str,
    values: Vec<f64>,
}

impl Samples {
    /// Starts a case.
    pub fn new(case: impl Into<String>, unit: &'static str) -> Self {
        Self {
            case: case.into(),
            unit,
            values: Vec::new(),
        }
    }

    /// Adds a value in the unit of the case.
    pub fn push(&mut self, value: f64) {
        self.values.push(value);
    }

    /// Adds a duration, converted into the unit of the case (`us` or `ms`).
    pub fn push_time(&mut self, time: Duration) {
        let factor = if self.unit == "us" { 1e6 } else { 1e3 };
        self.values.push(time.as_secs_f64() * factor);
    }

    /// The value below which this share (0 to 1) of the samples lies.
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        sorted.get(at).copied().unwrap_or(f64::NAN)
    }

    /// The line for this case.
    pub fn to_json(&self) -> String {
        let round = |value: f64| (value * 1000.0).round() / 1000.0;
        let line = Line {
            case: &self.case,
            unit: self.unit,
            min: round(self.quantile(0.0)),
            median: round(self.quantile(0.5)),
            p95: round(self.quantile(0.95)),
            max: round(self.quantile(1.0)),
            n: self.values.len(),
        };
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// Prints the line for this case.
    #[allow(clippy::print_stdout)]
    pub fn print(&self) {
        println!("{}", self.to_json());
    }
}

/// What is printed of a case, in this order.
#[derive(Serialize)]
struct Line<'a> {
    case: &'a str,
    unit: &'a str,
    min: f64,
    median: f64,
    p95: f64,
    max: f64,
    n: usize,
}

/// A case of ours beside the raw limit of the machine, sampled in turns in both orders.
#[derive(Debug)]
pub struct Pair {
    /// The raw limit.
    pub raw: Samples,
    /// Ours.
    pub ours: Samples,
}

impl Pair {
    /// Starts both sides of a case.
    pub fn new(case: &str, unit: &'static str) -> Self {
        Self {
            raw: Samples::new(format!("{case} (raw)"), unit),
            ours: Samples::new(case, unit),
        }
    }

    /// Prints both sides and the ratio of their medians.
    pub fn print(&self) {
        self.raw.print();
        self.ours.print();
        let mut ratio = Samples::new(format!("{} / raw", self.ours.case), "ratio of medians");
        ratio.push(self.ours.quantile(0.5) / self.raw.quantile(0.5));
        ratio.print();
    }
}

/// Time that a call takes.
pub fn timed<T>(call: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = call();
    (value, start.elapsed())
}

/// A field of `/proc/self/status` in bytes (`VmRSS`, `VmHWM`); `None` where there is none.
pub fn own_memory_bytes(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}

/// Sets the high-water mark of memory back to what is in use now.
pub fn reset_peak_memory() {
    // Without the permission the mark stays, and the growth that is printed is only larger.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
