//! ONNX files of many architectures (`fixtures/onnx`, by `tools/reference/make_onnx.py`): the logits are ONNX Runtime's. A file that
//! is put there, with its answers, is tested.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "in a test, a panic is the report, and what was measured is shown where its output is"
)]

mod node_tests;
mod onnx_bad;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use models::onnx::OnnxFile;
use models::{Classifier, DeviceName, Dtype, Images, Placement, weights};
use node_tests::Outcome;
use serde::Deserialize;

#[derive(Deserialize)]
struct Answers {
    files: BTreeMap<String, Answer>,
}

#[derive(Deserialize)]
struct Answer {
    /// Height and width.
    size: [usize; 2],
    logits: Vec<Vec<f32>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx")
}

/// Input `number` of this height and width, as `make_onnx.py` says.
fn blocks([height, width]: [usize; 2], number: usize) -> Vec<f32> {
    let [coarse, noise] = ["blocks", "noise"].map(|name| format!("{name}.{number}"));
    let coarse: Vec<f32> = weights::unit(&coarse, 3 * 64, 0).collect();
    let fine = weights::unit(&noise, 3 * height * width, 0);
    let block = |pixel: usize| {
        let (channel, row, column) = (pixel / (height * width), pixel / width % height, pixel % width);
        coarse[channel * 64 + row * 8 / height * 8 + column * 8 / width]
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

/// Files of which Burn's operations compute something. All others the kernels compute whole.
const NOT_BY_KERNELS: &[&str] = &[
    "functions.onnx",
    "functions_22.onnx",
    "int8_dynamic.onnx",
    "int8_dynamic_conv.onnx",
    "int8_qdq.onnx",
    "int8_qdq_signed.onnx",
    "int8_qoperator.onnx",
    "response_norm.onnx",
    "swin_v2.onnx",
    "text_beside.onnx",
    "text_groups_21.onnx",
    "text_quantised.onnx",
    "text_tiles_19.onnx",
];

#[test]
fn logits_are_those_of_onnx_runtime() {
    let answers = std::fs::read_to_string(folder().join("onnx-answers.json")).unwrap();
    let Answers { files } = serde_json::from_str(&answers).unwrap();
    let placement = Placement::new(DeviceName::Flex, Dtype::F32, 2).unwrap();
    let alone = Placement::new(DeviceName::Flex, Dtype::F32, 1).unwrap();
    let mut wrong = Vec::new();
    let mut by_burn = Vec::new();
    for (name, Answer { size, logits }) in &files {
        let file = Arc::new(OnnxFile::open(&folder().join(name)).unwrap_or_else(|error| panic!("{error}")));
        let network = file.network(*size).unwrap_or_else(|error| panic!("{error}"));
        let classifier =
            Classifier::load_onnx(&network, &placement).unwrap_or_else(|error| panic!("{error}"));
        // Together, so that an image beside another has its own logits.
        let values: Vec<f32> = (0..logits.len()).flat_map(|number| blocks(*size, number)).collect();
        let images = Images::Planar { values: &values, channels: 3, size: *size };
        let found = classifier.logits(&images).unwrap_or_else(|error| panic!("{name}: {error}"));
        // Frozen after a softmax, logits are known up to a number that is the same for all classes.
        let had_softmax = network.notes().iter().any(|note| note.contains("Softmax"));
        let found = if had_softmax { centred(&found) } else { found };
        let logits = &if had_softmax { centred(logits) } else { logits.clone() };
        let most = difference(&found, logits) / spread(logits);
        let engine = classifier.engine();
        if !engine.starts_with("burn") {
            // Neither the threads nor the other images of a batch change a bit.
            let last = &values[values.len() - values.len() / logits.len()..];
            let images = Images::Planar { values: last, channels: 3, size: *size };
            let classifier =
                Classifier::load_onnx(&network, &alone).unwrap_or_else(|error| panic!("{error}"));
            let found_alone = classifier.logits(&images).unwrap_or_else(|error| panic!("{name}: {error}"));
            let of_last = found_alone.last().map(Vec::as_slice);
            assert!(had_softmax || of_last == found.last().map(Vec::as_slice), "{name}, alone");
        }
        println!("{name}: {most:.1e} of the logits' spread, by {engine}");
        by_burn.extend(engine.contains("burn").then_some(name.as_str()));
        if most.is_nan() || most > 1e-3 || found.len() != logits.len() {
            wrong.push(format!("{name}: {most:.1e} of the logits' spread"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(files.len() >= 24, "{} files", files.len());
    assert_eq!(by_burn, NOT_BY_KERNELS, "what Burn's operations compute");
}

/// The standard's own tests of single nodes, the small ones (`tools/reference/make_onnx_nodes.py`): an archive of one member, in which each
/// file is two lengths, its path and its bytes.
#[test]
fn nodes_are_computed_as_the_standard_says() {
    let archive = std::fs::File::open(folder().join("onnx-node-tests.zip")).unwrap();
    let mut archive = zip::ZipArchive::new(archive).unwrap();
    let mut whole = Vec::new();
    archive.by_name("tests").unwrap().read_to_end(&mut whole).unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let mut rest = &whole[..];
    let mut take = |len: usize| {
        let (taken, after) = rest.split_at_checked(len)?;
        rest = after;
        Some(taken)
    };
    let mut tests = BTreeSet::new();
    while let Some(lengths) = take(8) {
        let length = |at: usize| u32::from_le_bytes(lengths[at..at + 4].try_into().unwrap()) as usize;
        let path = std::str::from_utf8(take(length(0)).unwrap()).unwrap();
        let path = temporary.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, take(length(4)).unwrap()).unwrap();
        if path.ends_with("model.onnx") {
            tests.insert(path.parent().unwrap().to_owned());
        }
    }
    let mut counts = [0; 2];
    let mut failed = Vec::new();
    for test in &tests {
        let name = test.file_name().unwrap_or_default().to_string_lossy();
        match node_tests::run(test) {
            Outcome::Passed => counts[0] += 1,
            Outcome::NotApplicable(reason) => {
                counts[1] += 1;
                println!("not applicable: {name}: {reason}");
            }
            Outcome::Failed(reason) => failed.push(format!("{name}: {reason}")),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(counts[0] >= 320 && counts[1] <= 80, "{} passed, {} are not applicable", counts[0], counts[1]);
}
