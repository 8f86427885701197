//! The event stream beside the raw limit of the machine.
//!
//! `cargo bench -p oh-benches --bench events [-- [--quick] NAME...]` prints one JSON object a
//! line; names select cases by substring, `--quick` takes fewer samples of smaller logs.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod append;
mod audit;
mod fanout;
mod mask;
mod memory;
mod read;
mod sample;
mod sync;

use oh_benches::Samples;
use oh_core::SessionId;
use oh_events::{Durability, EventStore, EventStream, EventStreamBuilder};
use tokio::runtime::Runtime as Tokio;

/// How much is measured.
#[derive(Clone, Copy)]
struct Scale {
    quick: bool,
}

impl Scale {
    fn of(self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }
}

type Case = fn(&Tokio, Scale);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    if let [child, role, folder, events] = arguments.as_slice()
        && child == memory::CHILD
    {
        memory::child(&tokio, role, folder.as_ref(), events.parse().unwrap());
        return;
    }
    let scale = Scale {
        quick: arguments.iter().any(|argument| argument == "--quick"),
    };
    let names: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
    let cases: [(&str, Case); 10] = [
        ("append_segment", append::segment),
        ("append_memory", append::memory),
        ("append_flat", append::flat),
        ("append_audited", audit::cost),
        ("group_commit", sync::group_commit),
        ("open_tail", read::open_tail),
        ("read_all", read::read_all),
        ("stopped_subscriber", fanout::stopped_subscriber),
        ("masking", mask::masking),
        ("resident_memory", memory::resident),
    ];
    for (name, case) in cases {
        if names.is_empty() || names.iter().any(|wanted| name.contains(wanted.as_str())) {
            case(&tokio, scale);
        }
    }
}

fn builder(store: impl EventStore + 'static, name: &str) -> EventStreamBuilder {
    EventStream::builder(store, SessionId::new(name).unwrap()).durability(Durability::Never)
}

fn one(case: &str, unit: &'static str, value: f64) {
    let mut samples = Samples::new(case, unit);
    samples.push(value);
    samples.print();
}

/// Prints medians of two cases whose unit is a rate, and by how much the first is faster.
fn print_rates(ours: &Samples, raw: &Samples, case: &str) {
    raw.print();
    ours.print();
    let ratio = ours.quantile(0.5) / raw.quantile(0.5);
    one(case, "ratio of medians", ratio);
}
