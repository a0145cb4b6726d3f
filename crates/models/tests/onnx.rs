//! ONNX files of many architectures (`fixtures/onnx`, by `tools/reference/make_onnx.py`): the logits are ONNX Runtime's. A file that
//! is put there, with its answers, is tested.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use models::onnx::OnnxFile;
use models::{Classifier, DeviceName, Dtype, Images, Placement, weights};
use serde::Deserialize;

#[derive(Deserialize)]
struct Answers {
    files: BTreeMap<String, Answer>,
}

#[derive(Deserialize)]
struct Answer {
    side: usize,
    logits: Vec<Vec<f32>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx")
}

/// Input `number` of this side, as `make_onnx.py` says.
fn blocks(side: usize, number: usize) -> Vec<f32> {
    let [coarse, noise] = ["blocks", "noise"].map(|name| format!("{name}.{number}"));
    let coarse: Vec<f32> = weights::unit(&coarse, 3 * 64, 0).collect();
    let fine = weights::unit(&noise, 3 * side * side, 0);
    let block = |pixel: usize| {
        let (channel, row, column) = (pixel / (side * side), pixel / side % side, pixel % side);
        coarse[channel * 64 + row * 8 / side * 8 + column * 8 / side]
    };
    fine.enumerate().map(|(pixel, fine)| block(pixel) + 0.25 * fine).collect()
}

/// How much a logit varies from image to image, as a standard deviation, on average.
fn spread(images: &[Vec<f32>]) -> f32 {
    let (count, classes) = (images.len() as f32, images[0].len());
    let of_class = |class: usize| {
        let mean = images.iter().map(|logits| logits[class]).sum::<f32>() / count;
        (images.iter().map(|logits| (logits[class] - mean).powi(2)).sum::<f32>() / count).sqrt()
    };
    (0..classes).map(of_class).sum::<f32>() / classes as f32
}

/// The largest difference of a logit.
fn difference(found: &[Vec<f32>], expected: &[Vec<f32>]) -> f32 {
    let pairs = found.iter().flatten().zip(expected.iter().flatten());
    // What is not a number is as wrong as can be.
    pairs
        .map(|(found, expected)| (found - expected).abs())
        .fold(0.0, |most, it| if it <= most { most } else { it })
}

fn centred(images: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let of_image = |logits: &Vec<f32>| {
        let mean = logits.iter().sum::<f32>() / logits.len() as f32;
        logits.iter().map(|logit| logit - mean).collect()
    };
    images.iter().map(of_image).collect()
}

#[test]
fn logits_are_those_of_onnx_runtime() {
    let answers = std::fs::read_to_string(folder().join("onnx-answers.json")).unwrap();
    let Answers { files } = serde_json::from_str(&answers).unwrap();
    let placement = Placement::new(DeviceName::Flex, Dtype::F32, 2).unwrap();
    let mut wrong = Vec::new();
    for (name, Answer { side, logits }) in &files {
        let file = Arc::new(OnnxFile::open(&folder().join(name)).unwrap_or_else(|error| panic!("{error}")));
        let network = file.network([*side; 2]).unwrap_or_else(|error| panic!("{error}"));
        let classifier =
            Classifier::load_onnx(&network, &placement).unwrap_or_else(|error| panic!("{error}"));
        // Together, so that an image beside another has its own logits.
        let values: Vec<f32> = (0..logits.len()).flat_map(|number| blocks(*side, number)).collect();
        let images = Images::Planar { values: &values, channels: 3, size: [*side; 2] };
        let found = classifier.logits(&images).unwrap_or_else(|error| panic!("{name}: {error}"));
        // Frozen after a softmax, logits are known up to a number that is the same for all classes.
        let had_softmax = network.notes().iter().any(|note| note.contains("Softmax"));
        let found = if had_softmax { centred(&found) } else { found };
        let logits = &if had_softmax { centred(logits) } else { logits.clone() };
        let most = difference(&found, logits) / spread(logits);
        println!("{name}: {most:.1e} of the logits' spread, by {}", classifier.engine());
        if most.is_nan() || most > 1e-3 || found.len() != logits.len() {
            wrong.push(format!("{name}: {most:.1e} of the logits' spread"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(files.len() >= 10, "{} files", files.len());
}
