//! The fused kernels against the frameworks' logits, for narrow networks of weight files that the frameworks wrote:
//! by every instruction set of this CPU, from tensors (as an operation of Burn's) and from bytes, in f32 and bf16.
//! The networks at full width are compared by the parity of the crate `eval`.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod narrow;

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use models::{
    Checkpoint, Classifier, DeviceName, Dtype, Fused, Images, Isa, Placement, PlacementError, Threads,
};
use narrow::{SIZE, assert_close, fixture, frozen, input, network};

const FILES: [(&str, &str); 3] =
    [("timm", "narrow-zip.pth"), ("keras", "narrow-keras.h5"), ("paddle", "narrow-paddle26.pdparams")];

/// timm's network where `placement` says, ready.
fn classifier(placement: &Placement) -> Classifier {
    let checkpoint = Checkpoint::open(&fixture("narrow-zip.pth")).unwrap();
    Classifier::load(&network("timm"), &checkpoint, placement).unwrap()
}

#[test]
fn every_instruction_set_has_the_frameworks_logits() {
    let threads = Arc::new(Threads::new(2).unwrap());
    for (source, file) in FILES {
        let expected = frozen(source, "logits");
        let (network, checkpoint) = (network(source), Checkpoint::open(&fixture(file)).unwrap());
        for isa in Isa::available() {
            let program = Arc::new(network.program(&checkpoint, isa).unwrap());
            let what = format!("{file} by {isa:?}");
            // bf16 has eight bits of precision, and a network a few dozen roundings one after another.
            let largest = expected.iter().fold(0.0_f32, |most, logit| most.max(logit.abs()));
            let tolerance = if isa.rounds_to_bf16() { 2e-2 * largest } else { 2e-4 };
            let fused = Fused { program, threads: Arc::clone(&threads) };
            // As Burn's operation: two images, of which the second is a view into a larger tensor.
            let device = DeviceName::Flex.init().unwrap();
            let twice = [input(), input()].concat();
            let images = Tensor::<4>::from_data(TensorData::new(twice, [2, 3, SIZE, SIZE]), &device);
            let logits: Vec<f32> = fused.forward(images.clone()).into_data().iter().collect();
            assert_close(&what, &logits, &expected.repeat(2), tolerance);
            let second: Vec<f32> = fused.forward(images.narrow(0, 1, 1)).into_data().iter().collect();
            assert_close(&what, &second, &expected, tolerance);
        }
    }
}

#[test]
fn a_classifier_reads_bytes_as_it_reads_their_values() {
    let tables = dataset::Normalisation::IMAGENET.table();
    let bytes: Vec<u8> = (0..3 * 3 * SIZE * SIZE).map(|i| (i * 37 % 256) as u8).collect();
    let of_bytes = Images::Bytes { values: &bytes, tables: &tables, size: [SIZE; 2] };
    let values = of_bytes.to_planar().unwrap();
    let of_values = Images::Planar { values: &values, channels: 3, size: [SIZE; 2] };
    for device in [DeviceName::Flex, DeviceName::NdArray] {
        let placement = Placement::new(device, Dtype::F32, 2).unwrap();
        let classifier = classifier(&placement);
        assert_eq!(classifier.program().is_some(), device == DeviceName::Flex, "{}", classifier.engine());
        let logits = classifier.logits(&of_bytes).unwrap();
        assert_eq!(logits.len(), 3);
        assert_eq!(logits, classifier.logits(&of_values).unwrap(), "{device}");
    }
}

#[test]
fn what_the_kernels_are_measured_against_computes_the_same() {
    let expected = frozen("timm", "logits");
    let values = input();
    let images = Images::Planar { values: &values, channels: 3, size: [SIZE; 2] };
    let checkpoint = Checkpoint::open(&fixture("narrow-zip.pth")).unwrap();
    let placement = Placement::new(DeviceName::Flex, Dtype::F32, 1).unwrap();
    let without = Classifier::load_without_kernels(&network("timm"), &checkpoint, &placement).unwrap();
    assert_eq!((without.engine().as_str(), without.program().is_none()), ("burn", true));
    assert_close("without kernels", &without.logits(&images).unwrap()[0], &expected, 2e-4);
    assert_close("with kernels", &classifier(&placement).logits(&images).unwrap()[0], &expected, 2e-4);
}

#[test]
fn types_that_a_device_lacks_are_refused() {
    let refused = |device, dtype| match Placement::new(device, dtype, 1) {
        Err(error @ PlacementError::Dtype(_)) => error.to_string(),
        other => panic!("{device} in {dtype}: {other:?}"),
    };
    assert!(refused(DeviceName::Flex, Dtype::F16).contains("`flex` does not compute in f16"));
    assert!(refused(DeviceName::NdArray, Dtype::Bf16).ends_with("f32 always works"));
    match Isa::best_bf16() {
        Some(isa) => {
            let placement = Placement::new(DeviceName::Flex, Dtype::Bf16, 1).unwrap();
            let classifier = classifier(&placement);
            assert_eq!(classifier.engine(), isa.name());
        }
        None => assert!(refused(DeviceName::Flex, Dtype::Bf16).contains("needs a CPU with AVX512-BF16")),
    }
}
