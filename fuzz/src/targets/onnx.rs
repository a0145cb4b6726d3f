//! ONNX files: opened, made into a network for small images, and where that is small, loaded and run over one.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use models::onnx::OnnxFile;
use models::{Classifier, DeviceName, Dtype, Images, Placement};

use super::{MEMORY_BYTES, fixtures, put};
use crate::{Outcome, Target, checksums};

pub(super) const ONNX: Target = Target {
    name: "onnx",
    about: "ONNX files, with tensors in the file and beside it",
    seeds,
    words: &[
        b"Reshape",
        b"Concat",
        b"Conv",
        b"Gemm",
        b"MatMul",
        b"Resize",
        b"Pad",
        b"Tile",
        b"Expand",
        b"AveragePool",
        b"ReduceMean",
        b"Einsum",
        b"ScatterND",
        b"DequantizeLinear",
        b"QLinearConv",
        b"Loop",
        b"computed/1",
        b"../text_beside.onnx_data",
        b"text_beside.onnx_data",
        b"location",
        b"com.microsoft",
        // Shapes and numbers, with their tags.
        b"\x08\x01\x08\x03\x08\x20\x08\x20",
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
        b"\x10\x01",
        b"\x10\x07",
        b"\x10\x02",
        b"\x70\x01",
        b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\xa0\x01\x02",
    ],
    mend: Some(checksums::onnx),
    // A network of one operation takes some, and Burn's threads theirs.
    memory_bytes: 4 * MEMORY_BYTES,
    read,
};

/// Networks of many operations whose weights they make themselves, and the same with the graph at the end, which stays as long as it says
/// whatever is put in.
fn seeds() -> io::Result<Vec<Vec<u8>>> {
    let files = fixtures(
        "crates/models/tests/fixtures/onnx",
        &["text_convolutions.onnx", "text_attention.onnx", "text_quantised.onnx", "text_beside.onnx"],
    )?;
    let with_graph_last = files.iter().map(|file| checksums::with_graph_last(file)).collect::<Vec<_>>();
    Ok([files, with_graph_last].concat())
}

/// The side of the images: that of the seeds.
const SIDE: usize = 32;

/// A network is run where it multiplies no more than that, and no value of it has more elements.
const MOST_MACS: u64 = 1 << 22;
const MOST_ELEMENTS: u64 = 1 << 16;

fn read(folder: &Path, bytes: &[u8], outcome: &mut Outcome) {
    let path = folder.join("model.onnx");
    put(&path, bytes);
    let beside = folder.join("text_beside.onnx_data");
    if !beside.exists() {
        put(&beside, &[0x3d; 4096]);
    }
    let Some(file) = outcome.of(OnnxFile::open(&path)) else { return };
    let file = Arc::new(file);
    drop((file.declared_inputs(), file.declared_outputs(), file.operations(), file.unsupported()));
    outcome.of(file.image().map(drop));
    outcome.of(file.data_files().map(drop));
    let Some(network) = outcome.of(file.network([SIDE; 2])) else { return };
    network.notes().iter().for_each(|note| outcome.say(note));
    let Some(costs) = outcome.of(network.costs()) else { return };
    let macs = costs.iter().map(|cost| cost.macs()).fold(0, u64::saturating_add);
    let largest = network.largest_value().unwrap_or(u64::MAX);
    if macs > MOST_MACS || largest > MOST_ELEMENTS {
        return;
    }
    static PLACEMENT: OnceLock<Placement> = OnceLock::new();
    let placement = PLACEMENT.get_or_init(|| {
        Placement::new(DeviceName::Flex, Dtype::F32, 1).unwrap_or_else(|error| panic!("{error}"))
    });
    let Some(classifier) = outcome.of(Classifier::load_onnx(&network, placement)) else { return };
    let values: Vec<f32> = (0..3 * SIDE * SIDE).map(|at| (at % 17) as f32 / 8.0 - 1.0).collect();
    let images = Images::Planar { values: &values, channels: 3, size: [SIDE; 2] };
    outcome.of(classifier.logits(&images).map(drop));
}
