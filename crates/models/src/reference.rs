//! What the source frameworks compute for seeded weights, frozen by `tools/reference/make_logits.py`
//! and embedded, so that equality can be claimed on any machine.

use std::collections::HashMap;

use safetensors::SafeTensors;
use serde::Deserialize;

use crate::execute::StageStatistics;

/// Each source's answers, by the first part of a network's name.
static SOURCES: [(&str, &[u8]); 5] = [
    ("timm", include_bytes!("../../../datasets/reference/timm.safetensors")),
    ("torchvision", include_bytes!("../../../datasets/reference/torchvision.safetensors")),
    ("keras", include_bytes!("../../../datasets/reference/keras.safetensors")),
    ("ppcls", include_bytes!("../../../datasets/reference/ppcls.safetensors")),
    ("pypi", include_bytes!("../../../datasets/reference/pypi.safetensors")),
];

/// An entry by a network's name.
macro_rules! stages {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../datasets/reference/stages/", $name, ".json")))),*]
    };
}

/// Statistics of a network's stages for the seeded probe in the source framework, as JSON, where they were frozen.
static STAGES: &[(&str, &str)] = &stages![
    "timm-xception",
    "timm-xception41",
    "timm-xception41p",
    "timm-xception65",
    "timm-xception65p",
    "timm-xception71",
    "timm-resnet18",
    "timm-tv_resnet50",
    "timm-gluon_resnet50_v1d",
    "timm-tf_efficientnet_lite0",
    "timm-tf_efficientnet_lite2",
    "torchvision-resnet18",
    "torchvision-resnet50",
    "keras-xception",
    "keras-resnet50",
    "keras-resnet50v2",
    "ppcls-xception41",
    "ppcls-xception41_deeplab",
    "ppcls-xception65",
    "ppcls-xception65_deeplab",
    "ppcls-xception71",
    "ppcls-resnet18",
    "ppcls-resnet50_vc",
    "ppcls-resnet50_vd",
    "pypi-efficientnet-lite0",
    "pypi-efficientnet-lite2",
];

/// Number of images in the embedded sample, each with a frozen answer.
pub const SAMPLE_IMAGES: usize = 24;

/// The frozen answers for one network.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// Bias of the last layer, part of the seeded weights: it centres the logits. `[classes]`.
    pub fc_bias: Vec<f32>,
    /// Logits for the sample by the model's own recipe, `[24, classes]` row by row.
    pub logits: Vec<f32>,
    /// Logits for the seeded input ([`probe_input`]), `[classes]`.
    pub probe: Vec<f32>,
}

impl Answers {
    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.fc_bias.len()
    }

    /// The logits for image `index` of the sample, in file-name order.
    pub fn image(&self, index: usize) -> &[f32] {
        &self.logits[index * self.classes()..][..self.classes()]
    }
}

/// The frozen answers for the network that the catalog calls `network`, if there are any.
///
/// # Panics
/// If the embedded file is damaged, which only a change of the repository can do.
pub fn answers(network: &str) -> Option<Answers> {
    let (source, arch) = network.split_once('-')?;
    let (_, bytes) = SOURCES.iter().find(|(name, _)| *name == source)?;
    let file = SafeTensors::deserialize(bytes).expect("the embedded reference is a safetensors file");
    let read = |key: &str| -> Option<Vec<f32>> {
        let tensor = file.tensor(&format!("{arch}.{key}")).ok()?;
        let (values, _) = tensor.data().as_chunks::<4>();
        Some(values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
    };
    Some(Answers { fc_bias: read("fc_bias")?, logits: read("logits")?, probe: read("probe")? })
}

/// What a stage puts out in the source framework.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct FrozenStage {
    shape: Vec<usize>,
    mean: f64,
    std: f64,
    min: f32,
    max: f32,
}

/// The first of `stages`, observed for [`probe_input`], that is not what the source framework
/// computed, in words; `None` when all agree. Where no stages were frozen, the words say so.
///
/// # Panics
/// If the embedded statistics are damaged, which only a change of the repository can do.
pub fn first_difference(network: &str, stages: &[StageStatistics]) -> Option<String> {
    let Some((_, frozen)) = STAGES.iter().find(|(name, _)| *name == network) else {
        return Some(format!("no stage of {network} was frozen, so that it cannot be told"));
    };
    let frozen: HashMap<String, FrozenStage> =
        serde_json::from_str(frozen).expect("the embedded statistics are valid");
    stages.iter().find_map(|stage| {
        let Some(reference) = frozen.get(&stage.name) else {
            return Some(format!("{} has no frozen statistics", stage.name));
        };
        if stage.shape[..] != reference.shape[..] {
            return Some(format!("{} has shape {:?}, not {:?}", stage.name, stage.shape, reference.shape));
        }
        // Statistics over thousands of values: rounding moves them by far less than this.
        let tolerance = 1e-3 * reference.std;
        [
            ("mean", stage.mean, reference.mean),
            ("standard deviation", stage.std, reference.std),
            ("minimum", f64::from(stage.min), f64::from(reference.min)),
            ("maximum", f64::from(stage.max), f64::from(reference.max)),
        ]
        .into_iter()
        .find(|(_, here, there)| (here - there).abs() > tolerance || here.is_nan())
        .map(|(what, here, there)| format!("{} has {what} {here:.6}, not {there:.6}", stage.name))
    })
}

/// The seeded input of [`Answers::probe`], `[1, 3, size, size]`, fed to the network as it is. `size` is the side
/// of what the network's recipe crops, in pixels.
pub fn probe_input(size: usize) -> Vec<f32> {
    crate::weights::unit("input", 3 * size * size, 0).collect()
}
