//! Weight files against the strict loader: files that PyTorch wrote (`fixtures/README.md` says what
//! is in each) for a narrow Xception, and seeded weights against their formula.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod both;

use std::path::{Path, PathBuf};

use both::logits;
use models::networks::XceptionConfig;
use models::weights::{ModuleTensor, Role, sha256_file, unit};
use models::{Checkpoint, DeviceName, Network, WeightsError};
use serde_json::Value;

const NARROW: XceptionConfig = XceptionConfig::with_widths([2, 4], [4, 6, 8, 10], [12, 14], 10);

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn load_file(path: &Path) -> Result<Box<dyn Network>, WeightsError> {
    both::load(|| Box::new(NARROW.init(&DeviceName::Flex.init().unwrap())), path)
}

fn load(name: &str) -> Result<Box<dyn Network>, WeightsError> {
    load_file(&fixture(name))
}

fn refusal(name: &str) -> String {
    match load(name) {
        Ok(_) => panic!("{name} was accepted"),
        Err(error) => error.to_string(),
    }
}

fn frozen(key: &str) -> Vec<f32> {
    let answers: Value =
        serde_json::from_slice(&std::fs::read(fixture("narrow-logits.json")).unwrap()).unwrap();
    let values = answers[key].as_array().unwrap();
    // Some answers are kept with their batch axis.
    let values = if values.len() == 1 { values[0].as_array().unwrap() } else { values };
    values.iter().map(|value| value.as_f64().unwrap() as f32).collect()
}

fn assert_close(here: &[f32], there: &[f32], tolerance: f32, what: &str) {
    assert_eq!(here.len(), there.len(), "{what}");
    for (here, there) in here.iter().zip(there) {
        assert!((here - there).abs() <= tolerance, "{what}: {here} is not {there}");
    }
}

#[test]
fn every_form_that_pytorch_writes_gives_pytorchs_logits() {
    let files = [
        "narrow-zip.pth",
        "narrow-legacy.pth",
        "narrow-ckpt.pth",
        "narrow-ckpt-ema.pth",
        "narrow-ckpt-model.pth",
        "narrow-ckpt-train.pth",
        "narrow-views.pth",
        "narrow.safetensors",
    ];
    for file in files {
        let mut network = load(file).unwrap_or_else(|error| panic!("{error}"));
        assert_close(&logits(network.as_ref()), &frozen("logits"), 1e-4, file);
        network.fold_norms();
        assert_close(&logits(network.as_ref()), &frozen("logits"), 1e-4, &format!("{file}, folded"));
        // Folding twice must change nothing: there is nothing left to fold.
        let once = logits(network.as_ref());
        network.fold_norms();
        assert_eq!(logits(network.as_ref()), once, "{file}");
    }
}

#[test]
fn half_precision_weights_are_widened() {
    let network = load("narrow-half.pth").unwrap_or_else(|error| panic!("{error}"));
    assert_close(&logits(network.as_ref()), &frozen("logits_half"), 1e-4, "narrow-half.pth");
}

#[test]
fn the_origin_names_the_part_of_a_training_checkpoint() {
    let origin = Checkpoint::open(&fixture("narrow-ckpt-ema.pth")).unwrap().origin().to_owned();
    assert!(origin.ends_with("narrow-ckpt-ema.pth (its `state_dict_ema`)"), "{origin}");
}

#[test]
fn a_tensor_too_few_too_many_or_of_another_shape_is_named() {
    let message = refusal("narrow-missing.pth");
    assert!(message.contains("missing: block7.rep.4.pointwise.weight."), "{message}");
    let message = refusal("narrow-extra.pth");
    assert!(message.contains("not of this network: head.weight"), "{message}");
    let message = refusal("narrow-shape.pth");
    assert!(
        message.contains("block5.rep.1.pointwise.weight is [8, 9, 1, 1] in the file, [8, 8, 1, 1] in the"),
        "{message}"
    );
}

#[test]
fn a_pickle_that_calls_a_function_is_never_executed() {
    // Executed, the first two would run a shell and the third would evaluate Python. Beside good
    // weights such a call is inert; in place of a tensor it leaves the tensor missing.
    for file in ["narrow-evil.pth", "narrow-evil-legacy.pth"] {
        let network = load(file).unwrap_or_else(|error| panic!("{error}"));
        assert_close(&logits(network.as_ref()), &frozen("logits"), 1e-4, file);
    }
    let message = refusal("narrow-evil-tensor.pth");
    assert!(message.contains("missing: fc.weight"), "{message}");
}

#[test]
fn values_that_ruin_every_output_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("diverged.safetensors");
    let bytes = std::fs::read(fixture("narrow.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for (name, value) in [("block2.rep.1.conv1.weight", f32::NAN), ("bn3.running_var", -1.0)] {
        let views = file.iter().map(|(key, view)| {
            let mut data = view.data().to_vec();
            if key == name {
                data[..4].copy_from_slice(&value.to_le_bytes());
            }
            (key.to_owned(), (view.dtype(), view.shape().to_vec(), data))
        });
        let views: Vec<_> = views.collect();
        let views = views.iter().map(|(key, (dtype, shape, data))| {
            (key.clone(), safetensors::tensor::TensorView::new(*dtype, shape.clone(), data).unwrap())
        });
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        let error = load_file(&path).err().unwrap();
        assert!(error.to_string().contains(&format!("in 1 tensors: {name}.")), "{error}");
    }
}

#[test]
fn a_checkpoint_cut_anywhere_is_refused_without_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["narrow-zip.pth", "narrow-legacy.pth", "narrow.safetensors"] {
        let whole = std::fs::read(fixture(file)).unwrap();
        for percent in [0, 1, 10, 30, 60, 90, 99] {
            let path = folder.path().join(file);
            std::fs::write(&path, &whole[..whole.len() * percent / 100]).unwrap();
            let message = load_file(&path).err().unwrap().to_string();
            assert!(message.contains(file), "{percent} %: {message}");
        }
    }
}

#[test]
fn what_is_no_checkpoint_is_told_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.pth");
    for (content, expected) in [
        (&b""[..], "is empty (0 bytes)"),
        (b"version https://git-lfs.github.com/spec/v1\n", "begins with \"version https://git-lfs"),
        (b"<!DOCTYPE html>", "web page"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09", "begins like no format"),
    ] {
        std::fs::write(&path, content).unwrap();
        let message = Checkpoint::open(&path).unwrap_err().to_string();
        assert!(message.contains("weights.pth") && message.contains(expected), "{message}");
    }
    let message = Checkpoint::open(folder.path()).unwrap_err().to_string();
    assert!(message.contains("cannot read the weights"), "{message}");
}

#[test]
fn seeded_values_follow_the_formula() {
    // From tools/reference/seeded.py: unit("conv1.weight", 4, 0) and unit("input", 3, 0).
    let close = |name, expected: &[f32]| {
        assert_eq!(unit(name, expected.len(), 0).collect::<Vec<_>>(), expected, "{name}");
    };
    close("conv1.weight", &[0.090_149_88, 0.490_323_42, -0.954_156_64, 0.472_395_54]);
    close("input", &[-0.804_363_37, 0.304_720_76, -0.592_751_5]);
}

#[test]
fn a_hash_is_that_of_the_files_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("abc");
    std::fs::write(&path, "abc").unwrap();
    // The example of FIPS 180-2.
    assert_eq!(
        sha256_file(&path).unwrap(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

#[test]
fn the_narrow_network_is_described_in_checkpoint_order() {
    let tensors = NARROW.init(&DeviceName::Flex.init().unwrap()).tensors();
    let first: Vec<&str> = tensors.iter().take(6).map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(
        first,
        ["conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", "conv2.weight"]
    );
    let linear =
        ModuleTensor { name: "fc.weight".to_owned(), shape: vec![10, 14], role: Role::Linear { fan_in: 14 } };
    assert!(tensors.contains(&linear));
}
