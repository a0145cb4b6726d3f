//! The logits of an ONNX file for images that are numbers already: for `tools/reference/onnx_full.py`, which compares them with
//! ONNX Runtime's.
//!
//! usage: `onnx_logits FILE.onnx HEIGHT WIDTH IMAGES LOGITS`: IMAGES is read, `[images, 3, height, width]`, LOGITS is written,
//! both as little-endian f32.

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use models::onnx::OnnxFile;
use models::{Classifier, DeviceName, Dtype, Images, Placement};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, height, width, images, logits] = &arguments[..] else {
        return Err("usage: onnx_logits FILE.onnx HEIGHT WIDTH IMAGES LOGITS".into());
    };
    let size = [height.parse()?, width.parse()?];
    let network = Arc::new(OnnxFile::open(Path::new(file))?).network(size)?;
    let bytes = std::fs::read(images)?;
    let (numbers, _) = bytes.as_chunks::<4>();
    let values: Vec<f32> = numbers.iter().map(|&number| f32::from_le_bytes(number)).collect();
    let placement = Placement::new(DeviceName::Flex, Dtype::F32, 2)?;
    let classifier = Classifier::load_onnx(&network, &placement)?;
    let found = classifier.logits(&Images::Planar { values: &values, channels: 3, size })?;
    let bytes: Vec<u8> = found.iter().flatten().flat_map(|logit| logit.to_le_bytes()).collect();
    std::fs::write(logits, bytes)?;
    let nodes: usize = network.operations().values().map(|count| count.folded + count.computed).sum();
    let operations = network.graph().nodes().len();
    println!(
        "{operations} operations of {nodes} nodes; {}; {}",
        classifier.engine(),
        network.notes().join("; ")
    );
    Ok(())
}
