//! Criterion benchmarks, `cargo bench`. What they share: the environment variables that choose.
//!
//! `BENCH_ONNX` names an ONNX file or a folder of them, which is then measured in the place of the catalog's networks.
//! `BENCH_MODELS` is an id or glob of the catalog (default: the table's models, `*/xception*`), `BENCH_DEVICE` a device
//! name (default: flex), `BENCH_DTYPE` a type of numbers (default: f32) and `BENCH_THREADS` a number of threads
//! (default: one a processor).

use std::num::NonZero;
use std::path::{Path, PathBuf};
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

/// The ONNX files to measure; none without `BENCH_ONNX`. A path begins at the repository's root.
///
/// # Panics
/// With a message when it names no file.
pub fn chosen_onnx() -> Vec<PathBuf> {
    let Some(given) = std::env::var_os("BENCH_ONNX") else { return Vec::new() };
    // Cargo runs benchmarks in their package's folder.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(""));
    let path = root.join(given);
    if path.is_file() {
        return vec![path];
    }
    let entries =
        std::fs::read_dir(&path).unwrap_or_else(|error| panic!("BENCH_ONNX: {}: {error}", path.display()));
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "onnx"));
    files.sort();
    assert!(!files.is_empty(), "BENCH_ONNX: no .onnx file is in {}", path.display());
    files
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
