//! Criterion benchmarks, `cargo bench`. What they share: the environment variables that choose.
//!
//! `BENCH_MODELS` is an id or glob of the catalog (default: the table's models, `*/xception*`), `BENCH_DEVICE` a device
//! name (default: flex), `BENCH_DTYPE` a type of numbers (default: f32) and `BENCH_THREADS` a number of threads
//! (default: one a processor).

use std::num::NonZero;
use std::str::FromStr;

use models::{Catalog, DeviceName, Dtype, Model, Placement};

/// The models to measure.
///
/// # Panics
/// With a message when `BENCH_MODELS` matches nothing.
pub fn chosen_models() -> Vec<Model> {
    let catalog = Catalog::built_in();
    let pattern = std::env::var("BENCH_MODELS").unwrap_or_else(|_| "*/xception*".to_owned());
    let chosen = catalog.select(&pattern).unwrap_or_else(|error| panic!("BENCH_MODELS: {error}"));
    chosen.into_iter().cloned().collect()
}

/// Where and how to measure.
///
/// # Panics
/// With a message when a variable names what this build or machine lacks.
pub fn chosen_placement() -> Placement {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let device = chosen("BENCH_DEVICE", DeviceName::default());
    let dtype = chosen("BENCH_DTYPE", Dtype::default());
    Placement::new(device, dtype, chosen("BENCH_THREADS", processors))
        .unwrap_or_else(|error| panic!("BENCH_DEVICE, BENCH_DTYPE, BENCH_THREADS: {error}"))
}

fn chosen<T: FromStr<Err: std::fmt::Display>>(variable: &str, default: T) -> T {
    match std::env::var(variable) {
        Ok(value) => value.parse().unwrap_or_else(|error| panic!("{variable}: {error}")),
        Err(_) => default,
    }
}
