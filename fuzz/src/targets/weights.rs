//! Checkpoints of every format: opened, every tensor read, and loaded into the narrow network that the file is of.

use std::io;
use std::path::Path;

use models::networks::{KerasXceptionConfig, PaddleXceptionConfig, XceptionConfig};
use models::{Checkpoint, Isa, Network};

use super::{MEMORY_BYTES, fixtures, put};
use crate::{Outcome, Target, checksums};

// As in `crates/models/tests/narrow`.
const TIMM: XceptionConfig = XceptionConfig::with_widths([2, 4], [4, 6, 8, 10], [12, 14], 10);
const KERAS_XCEPTION: KerasXceptionConfig =
    KerasXceptionConfig::with_widths([2, 4], [4, 6, 8, 10], [12, 14], 10);
const PADDLE: PaddleXceptionConfig =
    PaddleXceptionConfig::with_widths([2, 4], &[(4, 2), (6, 2), (8, 2)], [10, 12, 14], 10);

const PICKLE_WORDS: &[&[u8]] = &[
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch\nFloatStorage\n",
    b"ctorch\nHalfStorage\n",
    b"ctorch\nLongStorage\n",
    b"ccollections\nOrderedDict\n",
    b"cos\nsystem\n",
    b"\x80\x02",
    b"\x80\x04",
    b"\x95\0\0\0\0\0\0\0\x10",
    b"}",
    b"q\0",
    b"h\0",
    b"(",
    b"t",
    b"R",
    b"Q",
    b"X\x04\0\0\0name",
    b"M\xff\xff",
    b"J\xff\xff\xff\xff",
    b"J\0\0\0\x80",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"K\x01\x85",
    b".",
    b"s",
    b"u",
    b"state_dict",
    b"module.",
    b"model",
];

const fn pickled(
    name: &'static str,
    about: &'static str,
    seeds: fn() -> io::Result<Vec<Vec<u8>>>,
    read: fn(&Path, &[u8], &mut Outcome),
) -> Target {
    Target { name, about, seeds, words: PICKLE_WORDS, mend: None, memory_bytes: MEMORY_BYTES, read }
}

pub(super) const PTH_ZIP: Target = Target {
    mend: Some(checksums::zip),
    ..pickled(
        "pth-zip",
        "PyTorch's checkpoints of today: a zip archive with a pickle",
        || {
            narrow(&[
                "zip.pth",
                "half.pth",
                "views.pth",
                "ckpt-train.pth",
                "ckpt-ema.pth",
                "evil.pth",
                "evil-tensor.pth",
                "shape.pth",
            ])
        },
        |folder, bytes, outcome| read("timm", folder, bytes, outcome),
    )
};

pub(super) const PTH_LEGACY: Target = pickled(
    "pth-legacy",
    "PyTorch's checkpoints before 1.6: pickles, then the storages",
    || narrow(&["legacy.pth", "evil-legacy.pth"]),
    |folder, bytes, outcome| read("timm", folder, bytes, outcome),
);

pub(super) const PDPARAMS: Target = pickled(
    "pdparams",
    "Paddle's pickles",
    || {
        narrow(&[
            "paddle26.pdparams",
            "paddle26-protocol2.pdparams",
            "paddle-table.pdparams",
            "paddle-python2.pdparams",
            "paddle-tuples.pdparams",
            "paddle-fortran.pdparams",
            "paddle-evil-system-2.pdparams",
            "paddle-evil-eval-4.pdparams",
        ])
    },
    |folder, bytes, outcome| read("paddle", folder, bytes, outcome),
);

pub(super) const SAFETENSORS: Target = Target {
    name: "safetensors",
    about: "safetensors: a JSON header, then the data",
    seeds: || {
        let whole = narrow(&["narrow.safetensors"])?;
        // A second one, whose header says more than it must.
        let header =
            br#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"#;
        let small = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 8]].concat();
        Ok([whole, vec![small]].concat())
    },
    words: &[
        b"\"dtype\":\"F16\"",
        b"\"BF16\"",
        b"\"F8_E4M3\"",
        b"\"I64\"",
        b"\"BOOL\"",
        b"\"shape\":[]",
        b"[18446744073709551615,2]",
        b"\"data_offsets\":[0,0]",
        b"\"__metadata__\"",
        b"[[[[[[[[",
        b"{\"a\":",
        b"\"\\u0000\"",
    ],
    mend: None,
    memory_bytes: MEMORY_BYTES,
    read: |folder, bytes, outcome| read("timm", folder, bytes, outcome),
};

const H5_WORDS: &[&[u8]] = &[
    b"\x89HDF\r\n\x1a\n",
    b"TREE",
    b"HEAP",
    b"SNOD",
    b"OHDR",
    b"OCHK",
    b"FRHP",
    b"FHDB",
    b"FHIB",
    b"BTHD",
    b"BTLF",
    b"BTIN",
    b"GCOL",
    b"FADB",
    b"EAHD",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"layer_names",
    b"weight_names",
    b"model_config",
    b"keras_version",
];

pub(super) const H5: Target = Target {
    name: "h5",
    about: "Keras's HDF5 files, of Keras 1 to 3",
    seeds: || {
        narrow(&[
            "keras.h5",
            "keras-renumbered.h5",
            "keras-missing.h5",
            "keras3.weights.h5",
            "tf215.weights.h5",
        ])
    },
    words: H5_WORDS,
    mend: None,
    memory_bytes: MEMORY_BYTES,
    read: |folder, bytes, outcome| read("keras", folder, bytes, outcome),
};

pub(super) const KERAS: Target = Target {
    name: "keras",
    about: "Keras's archives: a zip with JSON and HDF5",
    seeds: || narrow(&["keras3.keras", "tf215.keras"]),
    words: &[
        b"PK\x01\x02",
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"PK\x06\x06",
        b"PK\x06\x07",
        b"config.json",
        b"metadata.json",
        b"model.weights.h5",
        b"\"class_name\"",
        b"\"config\"",
        b"\"layers\"",
        b"[[[[[[[[",
        b"\xff\xff\xff\xff",
    ],
    mend: Some(checksums::zip),
    memory_bytes: MEMORY_BYTES,
    read: |folder, bytes, outcome| read("keras", folder, bytes, outcome),
};

fn narrow(names: &[&str]) -> io::Result<Vec<Vec<u8>>> {
    let names: Vec<String> = names
        .iter()
        .map(|name| if name.starts_with("narrow") { (*name).to_owned() } else { format!("narrow-{name}") })
        .collect();
    fixtures("crates/models/tests/fixtures", &names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The network that the fixtures of `source` are of, its weights not set.
fn network(source: &str) -> Network {
    match source {
        "timm" => TIMM.network(),
        "keras" => KERAS_XCEPTION.network(),
        _ => PADDLE.network(),
    }
}

fn read(source: &str, folder: &Path, bytes: &[u8], outcome: &mut Outcome) {
    let path = folder.join("weights");
    put(&path, bytes);
    let Some(checkpoint) = outcome.of(Checkpoint::open(&path)) else { return };
    // Most of the time would go into the data, of which damage changes nothing but numbers.
    let is_chosen =
        bytes.iter().fold(0_u32, |sum, &byte| sum.wrapping_add(byte.into())).is_multiple_of(LOADED);
    if !is_chosen {
        return;
    }
    for tensor in checkpoint.tensors() {
        // What a tensor says it is makes no difference here; a network refuses another shape.
        drop(tensor.to_bytes());
    }
    // As an evaluation loads it: strictly, layer by layer, into the kernels.
    outcome.of(network(source).program(&checkpoint, Isa::best()).map(drop));
}

/// Of how many checkpoints one is read whole and loaded into a network.
const LOADED: u32 = 8;
