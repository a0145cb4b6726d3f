//! The short run of every target: 10,000 damaged files each, the same ones everywhere.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fuzz::TARGETS;
use fuzz::supervise::{Order, supervise};

const CASES: u64 = 10_000;

#[test]
#[allow(clippy::print_stdout, reason = "the counts are of interest, where a test's output is shown")]
fn damaged_files_end_in_a_value_or_an_error() {
    // Kept for whoever looks into a failure; empty without one.
    let found = Path::new(env!("CARGO_TARGET_TMPDIR")).join("found");
    let order = Order {
        program: env!("CARGO_BIN_EXE_fuzz").into(),
        seed: 1,
        cases: CASES,
        at_most: None,
        corpus: None,
        found,
    };
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(target) = TARGETS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let report = supervise(target, &order).unwrap();
                    println!("{}", report.text());
                    let counted = &report.tally;
                    if !report.findings.is_empty() || counted.cases != CASES {
                        faults.lock().unwrap().push(report.text());
                    } else if counted.with_values == 0 {
                        // Then it tries nothing but the first check.
                        faults.lock().unwrap().push(format!("not a test of a reader: {}", report.text()));
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(
        faults.is_empty(),
        "`cargo run -p fuzz -- --target NAME --file PATH` reads one again:\n{}",
        faults.join("\n")
    );
}
