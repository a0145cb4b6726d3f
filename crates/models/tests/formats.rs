//! Weight files of Keras and Paddle against the strict loader: files that the frameworks wrote
//! (`fixtures/README.md` says what is in each) for narrow networks, and the frameworks' logits.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod both;

use std::path::{Path, PathBuf};

use models::networks::{KerasXceptionConfig, PaddleXceptionConfig, XceptionConfig};
use models::{DeviceName, Network, WeightsError};
use serde_json::Value;

const KERAS: KerasXceptionConfig = KerasXceptionConfig::with_widths([2, 4], [4, 6, 8, 10], [12, 14], 10);
const PADDLE: PaddleXceptionConfig =
    PaddleXceptionConfig::with_widths([2, 4], &[(4, 2), (6, 2), (8, 2)], [10, 12, 14], 10);
const TIMM: XceptionConfig = XceptionConfig::with_widths([2, 4], [4, 6, 8, 10], [12, 14], 10);

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn network(source: &str) -> Box<dyn Network> {
    let device = DeviceName::Flex.init().unwrap();
    match source {
        "keras" => Box::new(KERAS.init(&device)),
        "paddle" => Box::new(PADDLE.init(&device)),
        _ => Box::new(TIMM.init(&device)),
    }
}

fn load(source: &str, path: &Path) -> Result<Box<dyn Network>, WeightsError> {
    both::load(|| network(source), path)
}

fn refusal(source: &str, name: &str) -> String {
    match load(source, &fixture(name)) {
        Ok(_) => panic!("{name} was accepted"),
        Err(error) => error.to_string(),
    }
}

fn assert_logits(network: &dyn Network, source: &str, file: &str) {
    let here = both::logits(network);
    let frozen = std::fs::read(fixture(&format!("narrow-{source}-logits.json"))).unwrap();
    let frozen: Value = serde_json::from_slice(&frozen).unwrap();
    let there = frozen["logits"].as_array().unwrap();
    assert_eq!(here.len(), there.len());
    for (here, there) in here.iter().zip(there) {
        let there = there.as_f64().unwrap() as f32;
        assert!((here - there).abs() <= 2e-4, "{file}: {here} is not {there}");
    }
}

#[test]
fn every_form_that_the_frameworks_write_gives_their_logits() {
    let files = [
        ("keras", "narrow-keras.h5"),
        ("keras", "narrow-keras-renumbered.h5"),
        ("keras", "narrow-tf215.weights.h5"),
        ("keras", "narrow-tf215.keras"),
        ("keras", "narrow-keras3.weights.h5"),
        ("keras", "narrow-keras3.keras"),
        ("paddle", "narrow-paddle26.pdparams"),
        ("paddle", "narrow-paddle26-protocol2.pdparams"),
        ("paddle", "narrow-paddle-table.pdparams"),
        ("paddle", "narrow-paddle-python2.pdparams"),
        ("paddle", "narrow-paddle-tuples.pdparams"),
        ("paddle", "narrow-paddle-fortran.pdparams"),
    ];
    for (source, file) in files {
        let mut network = load(source, &fixture(file)).unwrap_or_else(|error| panic!("{error}"));
        assert_logits(network.as_ref(), source, file);
        network.fold_norms();
        assert_logits(network.as_ref(), source, &format!("{file}, folded"));
    }
}

#[test]
fn a_file_is_known_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("keras", "narrow-keras.h5"),
        ("keras", "narrow-keras3.keras"),
        ("paddle", "narrow-paddle26.pdparams"),
    ];
    for (source, file) in files {
        let path = folder.path().join("weights.bin");
        std::fs::copy(fixture(file), &path).unwrap();
        load(source, &path).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn keras_layers_in_another_order_or_number_are_named() {
    let message = refusal("keras", "narrow-keras-swapped.h5");
    assert!(message.contains("block6_sepconv1 stands where block5_sepconv1 belongs"), "{message}");
    let message = refusal("keras", "narrow-keras-missing.h5");
    assert!(message.contains("80 layers with weights, the network 81"), "{message}");
    assert!(message.contains("block9_sepconv2 is not among them"), "{message}");
}

#[test]
fn a_pickle_that_names_a_function_is_refused_and_not_run() {
    // Executed, these would run a shell and evaluate Python.
    for (file, name) in [
        ("narrow-paddle-evil-system-2.pdparams", "posix.system"),
        ("narrow-paddle-evil-system-4.pdparams", "posix.system"),
        ("narrow-paddle-evil-eval-2.pdparams", "__builtin__.eval"),
        ("narrow-paddle-evil-eval-4.pdparams", "builtins.eval"),
    ] {
        let message = refusal("paddle", file);
        assert!(message.contains(&format!("it names {name}, which no array needs")), "{message}");
    }
}

#[test]
fn a_file_of_another_framework_is_refused_with_its_name() {
    for (source, file) in [
        ("timm", "narrow-paddle26.pdparams"),
        ("timm", "narrow-keras.h5"),
        ("paddle", "narrow-zip.pth"),
        ("paddle", "narrow-keras3.keras"),
        ("keras", "narrow-legacy.pth"),
        ("keras", "narrow-paddle-table.pdparams"),
    ] {
        let message = refusal(source, file);
        assert!(message.contains(file) && message.contains("fit the network"), "{message}");
    }
}
