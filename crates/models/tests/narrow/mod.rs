//! Narrow networks, which make small weight files, and what the tests of such files have in common: where the files
//! are, what the frameworks computed from them, and the loading of a checkpoint in both ways there are.

#![allow(dead_code, reason = "each binary of tests uses a part of it")]

use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use models::networks::{KerasXceptionConfig, PaddleXceptionConfig, XceptionConfig};
use models::weights::unit;
use models::{
    Checkpoint, DeviceName, Dtype, Executable, Forward, Images, Isa, Network, Products, ProgramError,
    Threads, WeightsError,
};
use serde_json::Value;

/// Side of the seeded input, in pixels.
pub(crate) const SIZE: usize = 75;

const TIMM: XceptionConfig = XceptionConfig::with_widths([2, 4], [4, 6, 8, 10], [12, 14], 10);
const KERAS: KerasXceptionConfig = KerasXceptionConfig::with_widths([2, 4], [4, 6, 8, 10], [12, 14], 10);
const PADDLE: PaddleXceptionConfig =
    PaddleXceptionConfig::with_widths([2, 4], &[(4, 2), (6, 2), (8, 2)], [10, 12, 14], 10);

/// The network of `source`: `timm`, `keras` or `paddle`.
pub(crate) fn network(source: &str) -> Network {
    match source {
        "timm" => TIMM.network(),
        "keras" => KERAS.network(),
        "paddle" => PADDLE.network(),
        other => panic!("no network of {other} was narrowed"),
    }
}

/// A network and the checkpoint that fills it.
#[derive(Debug)]
pub(crate) struct Loaded {
    network: Network,
    checkpoint: Checkpoint,
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

/// Logits of the seeded input, by Burn's operations: whichever multiply matrices, and whether normalisations are folded before
/// or not, they have to agree.
pub(crate) fn logits(Loaded { network, checkpoint }: &Loaded) -> Vec<f32> {
    by_burn(network, checkpoint).unwrap_or_else(|error| panic!("{error}"))
}

fn by_burn(network: &Network, checkpoint: &Checkpoint) -> Result<Vec<f32>, WeightsError> {
    let device = DeviceName::Flex.init().unwrap();
    let images = TensorData::new(input(), [1, 3, SIZE, SIZE]);
    let images = Tensor::<4>::from_data(images, &device);
    let mut first = None;
    for graph in [network.graph().clone(), network.graph().fold_norms()] {
        for products in [Products::AsModules, Products::AsMatrices, Products::AsConvolutions] {
            let mut weights = network.weights(checkpoint)?;
            let executable = Executable::load(&graph, &mut weights, &device, Dtype::F32, products)?;
            weights.finish()?;
            let logits: Vec<f32> = executable.forward(images.clone()).into_data().iter().collect();
            assert_close(
                &format!("{products:?}"),
                &logits,
                first.get_or_insert_with(|| logits.clone()),
                1e-4,
            );
        }
    }
    Ok(first.unwrap())
}

/// That there are as many of both, and none is further from its like.
#[track_caller]
pub(crate) fn assert_close(what: &str, here: &[f32], there: &[f32], tolerance: f32) {
    assert_eq!(here.len(), there.len(), "{what}");
    for (here, there) in here.iter().zip(there) {
        assert!((here - there).abs() <= tolerance, "{what}: {here} is not {there}");
    }
}

/// The network of `source`, filled from the file at `path`: for Burn's operations, and for the kernels, as an evaluation does.
/// Whatever the file holds, the two have to agree, so that each test of a file is a test of both.
pub(crate) fn load(source: &str, path: &Path) -> Result<Loaded, WeightsError> {
    let checkpoint = Checkpoint::open(path)?;
    let network = self::network(source);
    let loaded = by_burn(&network, &checkpoint);
    let for_kernels = network.program(&checkpoint, Isa::best());
    match (&loaded, for_kernels) {
        (Ok(logits), Ok(program)) => {
            let values = input();
            let images = Images::Planar { values: &values, channels: 3, size: [SIZE; 2] };
            let fused: Vec<f32> = program.run(&images, &Threads::new(1).unwrap()).unwrap();
            assert_close(&path.display().to_string(), &fused, logits, 1e-4);
        }
        (Err(loaded), Err(ProgramError::Weights(fused))) => assert_eq!(fused.to_string(), loaded.to_string()),
        (loaded, fused) => panic!("{}: loaded {loaded:?}, for the kernels {fused:?}", path.display()),
    }
    loaded.map(|_| Loaded { network, checkpoint })
}

/// Why the file at `path` does not fill the network of `source`.
pub(crate) fn refusal(source: &str, path: &Path) -> String {
    match load(source, path) {
        Ok(_) => panic!("{} was accepted", path.display()),
        Err(error) => error.to_string(),
    }
}
