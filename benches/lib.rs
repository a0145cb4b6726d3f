//! Criterion benchmarks, `cargo bench`. What they share: the environment variables that choose.
//!
//! `BENCH_MODELS` is an id or glob of the catalog (default: every model with a network) and
//! `BENCH_DEVICE` a device name (default: flex).

use models::{Catalog, DeviceName, Model};

/// The models to measure.
///
/// # Panics
/// With a message when `BENCH_MODELS` matches nothing.
pub fn chosen_models() -> Vec<Model> {
    let catalog = Catalog::built_in();
    let pattern = std::env::var("BENCH_MODELS").unwrap_or_else(|_| "*".to_owned());
    let chosen = catalog.select(&pattern).unwrap_or_else(|error| panic!("BENCH_MODELS: {error}"));
    chosen.into_iter().filter(|model| model.network().is_ok()).cloned().collect()
}

/// The device to measure on.
///
/// # Panics
/// With a message when `BENCH_DEVICE` names none of this build.
pub fn chosen_device() -> DeviceName {
    let name = std::env::var("BENCH_DEVICE").unwrap_or_else(|_| DeviceName::default().to_string());
    name.parse().unwrap_or_else(|error| panic!("BENCH_DEVICE: {error}"))
}
