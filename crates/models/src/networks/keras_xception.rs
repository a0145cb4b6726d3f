//! Xception as Keras publishes it, after `keras_applications/xception.py` of 1.0.8 (Keras 2.3.1's, which
//! `tf.keras.applications.Xception` still is, layer for layer).
//!
//! What differs from timm's port of it: max-pools are padded as TensorFlow's `same` does, which is
//! asymmetric where the size is even; epsilon is 1e-3; checkpoints name layers flatly
//! (`block2_sepconv1_bn`), are ordered by topology, and keep kernels height, width, in, out. The four
//! shortcuts have no names of their own: Keras numbers them, `conv2d_1` to `conv2d_4` in a fresh
//! process.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::Device;
use graph::Value;

use super::timm_xception::{BlockConfig, TIMM_XCEPTION, XceptionConfig};
use crate::build::Walk;
use crate::layers::{SeparableConv2d, batch_norm, pointwise};
use crate::network::{Architecture, Network};
use crate::weights::Framework;

const EPSILON: f64 = 1e-3;

/// The family's data: the blocks are those that timm ported.
#[derive(Debug, Clone, Copy)]
pub struct KerasXceptionConfig(XceptionConfig);

/// `keras.applications.Xception()`.
pub(super) const KERAS_XCEPTION: KerasXceptionConfig = KerasXceptionConfig(TIMM_XCEPTION);

impl KerasXceptionConfig {
    /// The published layout of blocks at other widths, see [`XceptionConfig::with_widths`].
    pub const fn with_widths(stem: [usize; 2], blocks: [usize; 4], exit: [usize; 2], classes: usize) -> Self {
        Self(XceptionConfig::with_widths(stem, blocks, exit, classes))
    }

    /// The network.
    pub fn network(&self) -> Network {
        Network::of(&self.init(&Device::flex()))
    }

    /// The modules, whose weights are never set: they say what there is.
    fn init(&self, device: &Device) -> KerasXception {
        let Self(config) = self;
        let conv = |channels, stride| {
            Conv2dConfig::new(channels, [3, 3]).with_stride([stride; 2]).with_bias(false).init(device)
        };
        let [stem1, stem2] = config.stem;
        let [exit1, exit2] = config.exit;
        let [_, last] = config.blocks[11].channels;
        KerasXception {
            stem: vec![
                Stem { conv: conv([3, stem1], 2), bn: batch_norm(stem1, EPSILON, device) },
                Stem { conv: conv([stem1, stem2], 1), bn: batch_norm(stem2, EPSILON, device) },
            ],
            blocks: config.blocks.iter().map(|block| Block::init(block, device)).collect(),
            exit: vec![Separable::init([last, exit1], device), Separable::init([exit1, exit2], device)],
            predictions: LinearConfig::new(exit2, config.classes).init(device),
        }
    }
}

/// Keras's `Xception`; the stem is its block 1, `blocks` are 2 to 13 and the exit is 14.
#[derive(Module, Debug)]
struct KerasXception {
    stem: Vec<Stem>,
    blocks: Vec<Block>,
    exit: Vec<Separable>,
    predictions: Linear,
}

impl KerasXception {
    /// Keras's number of the shortcut in the block at `index`.
    fn shortcut_number(&self, index: usize) -> usize {
        self.blocks[..=index].iter().filter(|block| block.shortcut.is_some()).count()
    }
}

impl Architecture for KerasXception {
    fn walk(&self, on: &mut Walk<'_>, images: Value) -> Value {
        let mut x = images;
        for layer in &self.stem {
            x = on.conv(&layer.conv, x);
            x = on.norm(&layer.bn, x);
            x = on.relu(x);
        }
        on.stage("block1_conv2_act", x);
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.walk(on, x);
            on.stage(&format!("add_{}", index + 1), x);
        }
        for separable in &self.exit {
            x = separable.walk(on, x);
            x = on.relu(x);
        }
        on.stage("block14_sepconv2_act", x);
        let x = on.global_average_pool(x);
        on.linear(&self.predictions, x)
    }

    fn framework(&self) -> Framework {
        Framework::Keras
    }

    fn key(&self, layer: &str, leaf: &str) -> String {
        let place = |index: &str| index.parse::<usize>().expect("Burn numbers the elements of a Vec");
        let separable = |block: usize, index: &str, part: &str| {
            let layer = format!("block{block}_sepconv{}", place(index) + 1);
            match part {
                "conv1" => format!("{layer}/depthwise_{leaf}"),
                "pointwise" => format!("{layer}/pointwise_{leaf}"),
                _ => format!("{layer}_bn/{leaf}"),
            }
        };
        let parts: Vec<&str> = layer.split('.').collect();
        match parts[..] {
            ["stem", index, "conv"] => format!("block1_conv{}/{leaf}", place(index) + 1),
            ["stem", index, _] => format!("block1_conv{}_bn/{leaf}", place(index) + 1),
            ["blocks", block, "shortcut", "conv"] => {
                format!("conv2d_{}/{leaf}", self.shortcut_number(place(block)))
            }
            ["blocks", block, "shortcut", _] => {
                format!("batch_normalization_{}/{leaf}", self.shortcut_number(place(block)))
            }
            ["blocks", block, "separable", index, .., part] => separable(place(block) + 2, index, part),
            ["exit", index, .., part] => separable(14, index, part),
            _ => format!("predictions/{leaf}"),
        }
    }
}

/// A convolution of the stem.
#[derive(Module, Debug)]
struct Stem {
    conv: Conv2d,
    bn: BatchNorm,
}

/// Keras's `SeparableConv2D` and the normalisation after it.
#[derive(Module, Debug)]
struct Separable {
    sepconv: SeparableConv2d,
    bn: BatchNorm,
}

impl Separable {
    fn init(channels: [usize; 2], device: &Device) -> Self {
        Self {
            sepconv: SeparableConv2d::init(channels, device),
            bn: batch_norm(channels[1], EPSILON, device),
        }
    }

    fn walk(&self, on: &mut Walk<'_>, x: Value) -> Value {
        let x = self.sepconv.walk(on, x);
        on.norm(&self.bn, x)
    }
}

/// The projection beside a strided block.
#[derive(Module, Debug)]
struct Shortcut {
    conv: Conv2d,
    bn: BatchNorm,
}

/// One residual block.
#[derive(Module, Debug)]
struct Block {
    separable: Vec<Separable>,
    shortcut: Option<Shortcut>,
    pool: Option<MaxPool2d>,
    start_with_relu: bool,
}

impl Block {
    fn init(config: &BlockConfig, device: &Device) -> Self {
        let [_, channels_out] = config.channels;
        let projected = config.projected();
        let pool = || {
            let pool = MaxPool2dConfig::new([3, 3]).with_strides([config.stride; 2]);
            pool.with_padding(PaddingConfig2d::Same).init()
        };
        Self {
            separable: config.steps().map(|channels| Separable::init(channels, device)).collect(),
            shortcut: projected.then(|| Shortcut {
                // `same` adds nothing to a 1x1 window, whatever the stride.
                conv: pointwise(config.channels, config.stride, device),
                bn: batch_norm(channels_out, EPSILON, device),
            }),
            pool: (config.stride != 1).then(pool),
            start_with_relu: config.start_with_relu,
        }
    }

    fn walk(&self, on: &mut Walk<'_>, input: Value) -> Value {
        let mut x = input;
        for (index, separable) in self.separable.iter().enumerate() {
            if index > 0 || self.start_with_relu {
                x = on.relu(x);
            }
            x = separable.walk(on, x);
        }
        if let Some(pool) = &self.pool {
            x = on.max_pool(pool, x);
        }
        let shortcut = match &self.shortcut {
            Some(shortcut) => {
                let projected = on.conv(&shortcut.conv, input);
                on.norm(&shortcut.bn, projected)
            }
            None => input,
        };
        on.add(x, shortcut)
    }
}
