//! Narrow networks, which make small weight files, and what the tests of such files have in common: where the files
//! are, what the frameworks computed from them, and the loading of a checkpoint in both ways there are.

#![allow(dead_code, reason = "each binary of tests uses a part of it")]

use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use models::networks::{KerasXceptionConfig, PaddleXceptionConfig, XceptionConfig};
use models::weights::unit;
use models::{Checkpoint, DeviceName, Images, Isa, Network, Products, Threads, WeightsError};
use serde_json::Value;

/// Side of the seeded input, in pixels.
pub(crate) const SIZE: usize = 75;

const TIMM: XceptionConfig = XceptionConfig::with_widths([2, 4], [4, 6, 8, 10], [12, 14], 10);
const KERAS: KerasXceptionConfig = KerasXceptionConfig::with_widths([2, 4], [4, 6, 8, 10], [12, 14], 10);
const PADDLE: PaddleXceptionConfig =
    PaddleXceptionConfig::with_widths([2, 4], &[(4, 2), (6, 2), (8, 2)], [10, 12, 14], 10);

/// The network of `source` (`timm`, `keras` or `paddle`) on `device`, its weights not set yet.
pub(crate) fn network(source: &str, device: DeviceName) -> Box<dyn Network> {
    let device = device.init().unwrap();
    match source {
        "timm" => Box::new(TIMM.init(&device)),
        "keras" => Box::new(KERAS.init(&device)),
        "paddle" => Box::new(PADDLE.init(&device)),
        other => panic!("no network of {other} was narrowed"),
    }
}

/// A file that a framework wrote; `fixtures/README.md` says what is in it.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// What the framework of `source` computed for the seeded input: its answer called `key`.
pub(crate) fn frozen(source: &str, key: &str) -> Vec<f32> {
    let name = match source {
        "timm" => "narrow-logits.json".to_owned(),
        source => format!("narrow-{source}-logits.json"),
    };
    let answers: Value = serde_json::from_slice(&std::fs::read(fixture(&name)).unwrap()).unwrap();
    let values = answers[key].as_array().unwrap();
    // Some answers are kept with their batch axis.
    let values = if values.len() == 1 { values[0].as_array().unwrap() } else { values };
    values.iter().map(|value| value.as_f64().unwrap() as f32).collect()
}

/// The seeded input.
pub(crate) fn input() -> Vec<f32> {
    unit("input", 3 * SIZE * SIZE, 0).collect()
}

/// Logits of the seeded input, by Burn's operations: whichever multiply matrices, they have to agree.
pub(crate) fn logits(network: &dyn Network) -> Vec<f32> {
    let images = TensorData::new(input(), [1, 3, SIZE, SIZE]);
    let images = Tensor::<4>::from_data(images, &DeviceName::Flex.init().unwrap());
    let by =
        |products| -> Vec<f32> { network.forward(images.clone(), products).into_data().iter().collect() };
    let logits = by(Products::AsModules);
    for others in [Products::AsMatrices, Products::AsConvolutions] {
        assert_close(&format!("{others:?}"), &by(others), &logits, 1e-4);
    }
    logits
}

/// That there are as many of both, and none is further from its like.
#[track_caller]
pub(crate) fn assert_close(what: &str, here: &[f32], there: &[f32], tolerance: f32) {
    assert_eq!(here.len(), there.len(), "{what}");
    for (here, there) in here.iter().zip(there) {
        assert!((here - there).abs() <= tolerance, "{what}: {here} is not {there}");
    }
}

/// The network of `source`, filled from the file at `path`: into its own parameters, and layer by layer into the
/// kernels, as an evaluation does. Whatever the file holds, the two have to agree, so that each test of a file is a
/// test of both.
pub(crate) fn load(source: &str, path: &Path) -> Result<Box<dyn Network>, WeightsError> {
    let checkpoint = Checkpoint::open(path)?;
    let mut network = self::network(source, DeviceName::Flex);
    let loaded = network.load(&checkpoint);
    let for_kernels = self::network(source, DeviceName::Flex).load_fused(&checkpoint, Isa::best());
    match (&loaded, for_kernels) {
        (Ok(()), Ok(program)) => {
            let program = program.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let values = input();
            let images = Images::Planar { values: &values, channels: 3, size: [SIZE; 2] };
            let fused: Vec<f32> = program.run(&images, &Threads::new(1).unwrap()).unwrap();
            assert_close(&path.display().to_string(), &fused, &logits(network.as_ref()), 1e-4);
        }
        (Err(loaded), Err(fused)) => assert_eq!(fused.to_string(), loaded.to_string()),
        (loaded, fused) => panic!("{}: loaded {loaded:?}, for the kernels {fused:?}", path.display()),
    }
    loaded.map(|()| network)
}

/// Why the file at `path` does not fill the network of `source`.
pub(crate) fn refusal(source: &str, path: &Path) -> String {
    match load(source, path) {
        Ok(_) => panic!("{} was accepted", path.display()),
        Err(error) => error.to_string(),
    }
}
