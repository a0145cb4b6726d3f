//! EfficientNet-Lite, after two sources: the package `efficientnet-lite-pytorch` 0.1.0 (`model.py`, `utils.py`), and timm's
//! `tf_efficientnet_lite0` to `4` (`timm/models/efficientnet.py` of v0.6.5). Both took TensorFlow's weights over.
//!
//! Against EfficientNet: ReLU6 instead of swish, no squeeze-and-excite, and the width of the stem and of the last convolution and the depth
//! of the first and the last stage are not scaled. A block is a 1x1 convolution that widens (not in the first stage), a depthwise
//! one and a 1x1 one without an activation; a sum where neither stride nor width change. Padding is TensorFlow's `same`: asymmetric
//! where the stride is 2. timm computes it for each input. The package computes it once, for the size that the variant is trained at
//! (`Conv2dStaticSamePadding`); at another size its padding stays, so that the networks are equal at that size only. Epsilon is 1e-3.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::Device;
use graph::Value;

use crate::build::Walk;
use crate::layers::{batch_norm, pointwise};
use crate::network::{Architecture, Network};

const EPSILON: f64 = 1e-3;
const STEM: usize = 32;
const HEAD: usize = 1280;
const CLASSES: usize = 1000;
/// Channels are multiples of it.
const DIVISOR: usize = 8;

/// A stage of EfficientNet-B0, which the variants scale.
struct Stage {
    blocks: usize,
    kernel: usize,
    stride: usize,
    expansion: usize,
    channels: usize,
}

const STAGES: [Stage; 7] = {
    const fn of(blocks: usize, kernel: usize, stride: usize, expansion: usize, channels: usize) -> Stage {
        Stage { blocks, kernel, stride, expansion, channels }
    }
    [
        of(1, 3, 1, 1, 16),
        of(2, 3, 2, 6, 24),
        of(2, 5, 2, 6, 40),
        of(3, 3, 2, 6, 80),
        of(3, 5, 1, 6, 112),
        of(4, 5, 2, 6, 192),
        of(1, 3, 1, 6, 320),
    ]
};

/// Whose names the checkpoint has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Names {
    /// `efficientnet-lite-pytorch`: `_blocks.3._depthwise_conv.weight`.
    Package,
    /// timm: `blocks.2.0.conv_dw.weight`.
    Timm,
}

impl Names {
    /// A convolution, of the class that the source has: thop knows none but PyTorch's own. The package's all pad themselves; timm's do
    /// where padding is not the same on all sides, which for these windows is where the stride is 2.
    fn conv(self, on: &mut Walk<'_>, conv: &Conv2d, x: Value) -> Value {
        match self {
            Self::Timm if conv.stride == [1, 1] => on.conv(conv, x),
            _ => on.conv_subclass(conv, x),
        }
    }

    /// A normalisation: PyTorch's in the package, in timm a `BatchNormAct2d`.
    fn norm(self, on: &mut Walk<'_>, norm: &BatchNorm, x: Value) -> Value {
        match self {
            Self::Package => on.norm(norm, x),
            Self::Timm => on.norm_act(norm, x),
        }
    }
}

/// The family's data: how a variant scales EfficientNet-B0, in per cent, and for which input it is padded.
#[derive(Debug, Clone, Copy)]
pub(super) struct EfficientNetLiteConfig {
    width_pct: usize,
    depth_pct: usize,
    names: Names,
    /// Side of the input for which padding is computed, in pixels; none where it is computed for each input.
    padded_for: Option<usize>,
}

const fn package(width_pct: usize, depth_pct: usize, side: usize) -> EfficientNetLiteConfig {
    EfficientNetLiteConfig { width_pct, depth_pct, names: Names::Package, padded_for: Some(side) }
}

const fn timm(width_pct: usize, depth_pct: usize) -> EfficientNetLiteConfig {
    EfficientNetLiteConfig { width_pct, depth_pct, names: Names::Timm, padded_for: None }
}

/// `EfficientNet.from_name("efficientnet-lite0")`.
pub(super) const LITE0: EfficientNetLiteConfig = package(100, 100, 224);
/// `EfficientNet.from_name("efficientnet-lite1")`.
pub(super) const LITE1: EfficientNetLiteConfig = package(100, 110, 240);
/// `EfficientNet.from_name("efficientnet-lite2")`.
pub(super) const LITE2: EfficientNetLiteConfig = package(110, 120, 260);
/// `EfficientNet.from_name("efficientnet-lite3")`.
pub(super) const LITE3: EfficientNetLiteConfig = package(120, 140, 280);
/// `EfficientNet.from_name("efficientnet-lite4")`.
pub(super) const LITE4: EfficientNetLiteConfig = package(140, 180, 300);
/// `timm.create_model("tf_efficientnet_lite0")`.
pub(super) const TF_LITE0: EfficientNetLiteConfig = timm(100, 100);
/// `timm.create_model("tf_efficientnet_lite1")`.
pub(super) const TF_LITE1: EfficientNetLiteConfig = timm(100, 110);
/// `timm.create_model("tf_efficientnet_lite2")`.
pub(super) const TF_LITE2: EfficientNetLiteConfig = timm(110, 120);
/// `timm.create_model("tf_efficientnet_lite3")`.
pub(super) const TF_LITE3: EfficientNetLiteConfig = timm(120, 140);
/// `timm.create_model("tf_efficientnet_lite4")`.
pub(super) const TF_LITE4: EfficientNetLiteConfig = timm(140, 180);

impl EfficientNetLiteConfig {
    /// The network.
    pub(super) fn network(&self) -> Network {
        Network::of(&self.init(&Device::flex()))
    }

    /// Scaled channels: the nearest multiple of 8, and the next one where that takes away more than a tenth.
    fn channels(&self, of_b0: usize) -> usize {
        let scaled = of_b0 * self.width_pct;
        let rounded = (scaled + 100 * DIVISOR / 2) / (100 * DIVISOR) * DIVISOR;
        let rounded = rounded.max(DIVISOR);
        if 1000 * rounded < 9 * scaled { rounded + DIVISOR } else { rounded }
    }

    /// Scaled number of blocks, rounded up; the first and the last stage keep theirs.
    fn blocks(&self, stage: usize) -> usize {
        let of_b0 = STAGES[stage].blocks;
        if stage == 0 || stage == STAGES.len() - 1 { of_b0 } else { (of_b0 * self.depth_pct).div_ceil(100) }
    }

    /// The modules, whose weights are never set: they say what there is.
    fn init(&self, device: &Device) -> EfficientNetLite {
        let mut from = STEM;
        let conv_stem = same([3, STEM], [3, 2], 1, self.padded_for, device);
        // The side of the map that comes next, where padding is computed for one input.
        let halved = |side: Option<usize>, stride: usize| side.map(|side| side.div_ceil(stride));
        let mut side = halved(self.padded_for, 2);
        let stages = (0..STAGES.len()).map(|stage| {
            let Stage { kernel, stride, expansion, channels, .. } = STAGES[stage];
            let to = self.channels(channels);
            let blocks = (0..self.blocks(stage)).map(|block| {
                let stride = if block == 0 { stride } else { 1 };
                let made = Block::init([from, to], [kernel, stride], expansion, side, device);
                (from, side) = (to, halved(side, stride));
                made
            });
            blocks.collect()
        });
        let blocks: Vec<Vec<Block>> = stages.collect();
        EfficientNetLite {
            conv_stem,
            bn1: batch_norm(STEM, EPSILON, device),
            blocks,
            conv_head: pointwise([from, HEAD], 1, device),
            bn2: batch_norm(HEAD, EPSILON, device),
            classifier: LinearConfig::new(HEAD, CLASSES).init(device),
            names: self.names,
        }
    }
}

/// A convolution with TensorFlow's padding, on maps of `side` pixels where that is given, and without bias.
fn same(
    channels: [usize; 2],
    [kernel, stride]: [usize; 2],
    groups: usize,
    side: Option<usize>,
    device: &Device,
) -> Conv2d {
    let padding = side.map_or(PaddingConfig2d::Same, |side| {
        let zeros = ((side.div_ceil(stride) - 1) * stride + kernel).saturating_sub(side);
        let (before, after) = (zeros / 2, zeros - zeros / 2);
        PaddingConfig2d::Explicit(before, before, after, after)
    });
    Conv2dConfig::new(channels, [kernel; 2])
        .with_stride([stride; 2])
        .with_padding(padding)
        .with_groups(groups)
        .with_bias(false)
        .init(device)
}

/// timm's `EfficientNet`, by its names but within the blocks.
#[derive(Module, Debug)]
struct EfficientNetLite {
    conv_stem: Conv2d,
    bn1: BatchNorm,
    /// A list a stage.
    blocks: Vec<Vec<Block>>,
    conv_head: Conv2d,
    bn2: BatchNorm,
    classifier: Linear,
    #[module(skip)]
    names: Names,
}

impl Architecture for EfficientNetLite {
    fn walk(&self, on: &mut Walk<'_>, images: Value) -> Value {
        let x = self.names.conv(on, &self.conv_stem, images);
        let x = self.names.norm(on, &self.bn1, x);
        let mut x = on.relu6(x);
        let mut number = 0;
        for (stage, blocks) in self.blocks.iter().enumerate() {
            for (index, block) in blocks.iter().enumerate() {
                x = block.walk(on, self.names, x);
                match self.names {
                    Names::Timm => on.stage(&format!("blocks.{stage}.{index}"), x),
                    Names::Package => on.stage(&format!("_blocks.{number}"), x),
                }
                number += 1;
            }
        }
        let x = self.names.conv(on, &self.conv_head, x);
        let x = self.names.norm(on, &self.bn2, x);
        let x = on.relu6(x);
        let x = on.global_average_pool(x);
        on.linear(&self.classifier, x)
    }

    fn key(&self, layer: &str, leaf: &str) -> String {
        let parts: Vec<&str> = layer.split('.').collect();
        let place = |index: &str| index.parse::<usize>().expect("Burn numbers the elements of a Vec");
        let layer = match (parts[..].as_ref(), self.names) {
            (["blocks", stage, block, layer], Names::Timm) => {
                let layer = match (*layer, place(stage)) {
                    // A depthwise-separable block has nothing before its depthwise convolution.
                    ("depthwise", _) => "conv_dw",
                    ("depthwise_norm", 0) => "bn1",
                    ("projection", 0) => "conv_pw",
                    ("projection_norm", 0) => "bn2",
                    ("expansion", _) => "conv_pw",
                    ("expansion_norm", _) => "bn1",
                    ("depthwise_norm", _) => "bn2",
                    ("projection", _) => "conv_pwl",
                    _ => "bn3",
                };
                format!("blocks.{stage}.{block}.{layer}")
            }
            (["blocks", stage, block, layer], Names::Package) => {
                let before: usize = self.blocks[..place(stage)].iter().map(Vec::len).sum();
                let layer = match *layer {
                    "expansion" => "_expand_conv",
                    "expansion_norm" => "_bn0",
                    "depthwise" => "_depthwise_conv",
                    "depthwise_norm" => "_bn1",
                    "projection" => "_project_conv",
                    _ => "_bn2",
                };
                format!("_blocks.{}.{layer}", before + place(block))
            }
            (_, Names::Timm) => layer.to_owned(),
            (_, Names::Package) => match layer {
                "conv_stem" => "_conv_stem",
                "bn1" => "_bn0",
                "conv_head" => "_conv_head",
                "bn2" => "_bn1",
                _ => "_fc",
            }
            .to_owned(),
        };
        format!("{layer}.{leaf}")
    }
}

/// The package's `MBConvBlock`; timm's `DepthwiseSeparableConv` in the first stage, else its `InvertedResidual`.
#[derive(Module, Debug)]
struct Block {
    expansion: Option<Conv2d>,
    expansion_norm: Option<BatchNorm>,
    depthwise: Conv2d,
    depthwise_norm: BatchNorm,
    projection: Conv2d,
    projection_norm: BatchNorm,
    has_sum: bool,
}

impl Block {
    fn init(
        [from, to]: [usize; 2],
        [kernel, stride]: [usize; 2],
        expansion: usize,
        side: Option<usize>,
        device: &Device,
    ) -> Self {
        let wide = from * expansion;
        let norm = |channels| batch_norm(channels, EPSILON, device);
        Self {
            expansion: (expansion > 1).then(|| pointwise([from, wide], 1, device)),
            expansion_norm: (expansion > 1).then(|| norm(wide)),
            depthwise: same([wide; 2], [kernel, stride], wide, side, device),
            depthwise_norm: norm(wide),
            projection: pointwise([wide, to], 1, device),
            projection_norm: norm(to),
            has_sum: stride == 1 && from == to,
        }
    }

    fn walk(&self, on: &mut Walk<'_>, names: Names, input: Value) -> Value {
        let mut x = input;
        if let (Some(conv), Some(norm)) = (&self.expansion, &self.expansion_norm) {
            x = names.conv(on, conv, x);
            x = names.norm(on, norm, x);
            x = on.relu6(x);
        }
        x = names.conv(on, &self.depthwise, x);
        x = names.norm(on, &self.depthwise_norm, x);
        x = on.relu6(x);
        x = names.conv(on, &self.projection, x);
        x = names.norm(on, &self.projection_norm, x);
        if self.has_sum { on.add(x, input) } else { x }
    }
}

#[cfg(test)]
mod tests {
    use graph::complexity::{FlopsRule, ParamsRule};

    use super::*;

    /// What thop 0.1.1 and PyTorch count of `tf_efficientnet_lite0` of timm 0.6.5 and of the package's `efficientnet-lite0` at 224
    /// pixels. thop passes over the classes that it does not know: timm's padded convolutions and normalisations, and all of the
    /// package's convolutions.
    #[test]
    fn counts_are_those_of_thop() {
        for (config, thop_macs, thop_params) in
            [(TF_LITE0, 367_635_072, 4_585_704), (LITE0, 28_294_784, 1_323_016)]
        {
            let costs = config.network().costs(224).unwrap();
            assert_eq!(FlopsRule::ThopMacs.count(&costs), thop_macs, "{config:?}");
            assert_eq!(ParamsRule::Thop.count(&costs), thop_params, "{config:?}");
            assert_eq!(ParamsRule::Trainable.count(&costs), 4_652_008, "{config:?}");
        }
    }

    #[test]
    fn tensors_are_called_as_the_checkpoints_call_them() {
        for (config, first, last, block) in [
            (TF_LITE4, "conv_stem.weight", "classifier.bias", "blocks.1.0.conv_pwl.weight"),
            (LITE4, "_conv_stem.weight", "_fc.bias", "_blocks.1._project_conv.weight"),
        ] {
            let network = config.network();
            let names: Vec<&str> = network.tensors().map(|tensor| tensor.name.as_str()).collect();
            assert_eq!((names[0], names.last().copied()), (first, Some(last)));
            assert!(names.contains(&block), "{names:?}");
        }
    }
}
