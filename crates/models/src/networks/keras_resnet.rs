//! ResNet and ResNetV2 as Keras publishes them, after `keras_applications/resnet_common.py` of 1.0.8 (Keras 2.3.1's, which
//! `tf.keras.applications` still are, layer for layer).
//!
//! What differs from timm's: a bottleneck of v1 has its stride in the first 1x1 convolution and in the shortcut's, as the paper
//! has, and every convolution has a bias. In v2 normalisation and ReLU come first, the shortcut's convolution reads what they put out
//! and has no normalisation, and only it, the last 1x1 convolution of each block and the stem have biases; the *last* block of a layer has the
//! stride, in its padded 3x3 convolution, and its shortcut is a max-pool of single pixels; a normalisation and ReLU follow the last block,
//! none the stem. Epsilon is 1.001e-5. Before the stem's max-pool there is a frame of zeros, which win where all else is below zero: in v2,
//! after whose stem no ReLU stands.
//!
//! Checkpoints name layers flatly (`conv2_block1_1_conv`) and are ordered by topology, so that the shortcut's layers come
//! between the others of its block.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::Device;
use graph::Value;

use crate::build::Walk;
use crate::layers::batch_norm;
use crate::network::{Architecture, Network};
use crate::weights::Framework;

const EPSILON: f64 = 1.001e-5;
const STEM: usize = 64;
const CLASSES: usize = 1000;
/// Channels of the 3x3 convolutions, by stack; a block puts out four times as many.
const WIDTHS: [usize; 4] = [64, 128, 256, 512];
const EXPANSION: usize = 4;

/// The family's data.
#[derive(Debug, Clone, Copy)]
pub(super) struct KerasResNetConfig {
    /// Blocks of each stack.
    blocks: [usize; 4],
    /// Whether normalisation and ReLU come before the convolutions: v2.
    preactivated: bool,
}

/// `keras.applications.ResNet50()`.
pub(super) const RESNET50: KerasResNetConfig =
    KerasResNetConfig { blocks: [3, 4, 6, 3], preactivated: false };
/// `keras.applications.ResNet101()`.
pub(super) const RESNET101: KerasResNetConfig = KerasResNetConfig { blocks: [3, 4, 23, 3], ..RESNET50 };
/// `keras.applications.ResNet152()`.
pub(super) const RESNET152: KerasResNetConfig = KerasResNetConfig { blocks: [3, 8, 36, 3], ..RESNET50 };
/// `keras.applications.ResNet50V2()`.
pub(super) const RESNET50V2: KerasResNetConfig = KerasResNetConfig { preactivated: true, ..RESNET50 };
/// `keras.applications.ResNet101V2()`.
pub(super) const RESNET101V2: KerasResNetConfig = KerasResNetConfig { preactivated: true, ..RESNET101 };
/// `keras.applications.ResNet152V2()`.
pub(super) const RESNET152V2: KerasResNetConfig = KerasResNetConfig { preactivated: true, ..RESNET152 };

/// A convolution whose window keeps the size of a map, but for its stride.
fn conv(channels: [usize; 2], kernel: usize, stride: usize, bias: bool, device: &Device) -> Conv2d {
    let pad = kernel / 2;
    Conv2dConfig::new(channels, [kernel; 2])
        .with_stride([stride; 2])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .with_bias(bias)
        .init(device)
}

impl KerasResNetConfig {
    /// The network.
    pub(super) fn network(&self) -> Network {
        Network::of(&self.init(&Device::flex()))
    }

    /// The modules, whose weights are never set: they say what there is.
    fn init(&self, device: &Device) -> KerasResNet {
        let norm = |channels| batch_norm(channels, EPSILON, device);
        let mut from = STEM;
        let mut stacks = Vec::new();
        for (stack, (width, count)) in WIDTHS.into_iter().zip(self.blocks).enumerate() {
            let mut blocks = Vec::new();
            for index in 0..count {
                // v1 strides at the beginning of every stack but the first, v2 at the end of every stack but the last.
                let strided =
                    if self.preactivated { stack < 3 && index + 1 == count } else { stack > 0 && index == 0 };
                let stride = if strided { 2 } else { 1 };
                blocks.push(Block::init(self.preactivated, [from, width], stride, index == 0, device));
                from = width * EXPANSION;
            }
            stacks.push(blocks);
        }
        KerasResNet {
            stem: conv([3, STEM], 7, 2, true, device),
            stem_bn: (!self.preactivated).then(|| norm(STEM)),
            pool: MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).init(),
            stacks,
            post_bn: self.preactivated.then(|| norm(from)),
            predictions: LinearConfig::new(from, CLASSES).init(device),
        }
    }
}

/// Keras's `ResNet`, without or with `preact`; the stacks are its `conv2` to `conv5`.
#[derive(Module, Debug)]
struct KerasResNet {
    stem: Conv2d,
    stem_bn: Option<BatchNorm>,
    pool: MaxPool2d,
    stacks: Vec<Vec<Block>>,
    post_bn: Option<BatchNorm>,
    predictions: Linear,
}

impl Architecture for KerasResNet {
    fn walk(&self, on: &mut Walk<'_>, images: Value) -> Value {
        let mut x = on.conv(&self.stem, images);
        if let Some(norm) = &self.stem_bn {
            x = on.norm(norm, x);
            x = on.relu(x);
        }
        x = on.pad_zeros(1, x);
        x = on.max_pool(&self.pool, x);
        for (stack, blocks) in self.stacks.iter().enumerate() {
            for (index, block) in blocks.iter().enumerate() {
                x = block.walk(on, x);
                on.stage(&format!("conv{}_block{}_out", stack + 2, index + 1), x);
            }
        }
        if let Some(norm) = &self.post_bn {
            x = on.norm(norm, x);
            x = on.relu(x);
            on.stage("post_relu", x);
        }
        let x = on.global_average_pool(x);
        on.linear(&self.predictions, x)
    }

    fn framework(&self) -> Framework {
        Framework::Keras
    }

    fn key(&self, layer: &str, leaf: &str) -> String {
        let place = |index: &str| index.parse::<usize>().expect("Burn numbers the elements of a Vec");
        let parts: Vec<&str> = layer.split('.').collect();
        match parts[..] {
            ["stem"] => format!("conv1_conv/{leaf}"),
            ["stem_bn"] => format!("conv1_bn/{leaf}"),
            ["stacks", stack, block, part] => {
                let part = match part.split_at(part.len() - 1) {
                    ("preact_b", _) => "preact_bn".to_owned(),
                    (kind, number) => format!("{number}_{kind}"),
                };
                format!("conv{}_block{}_{part}/{leaf}", place(stack) + 2, place(block) + 1)
            }
            _ => format!("{layer}/{leaf}"),
        }
    }
}

/// Keras's `block1` or `block2`, its layers in the order of its files. The number is that of Keras's names (`_1_conv`); 0 is the
/// shortcut.
#[derive(Module, Debug)]
struct Block {
    preact_bn: Option<BatchNorm>,
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    conv0: Option<Conv2d>,
    conv3: Conv2d,
    bn0: Option<BatchNorm>,
    bn3: Option<BatchNorm>,
    /// What is beside a strided block whose shortcut has no convolution.
    pool: Option<MaxPool2d>,
}

impl Block {
    /// `channels`: those in, and those of the 3x3 convolution.
    fn init(
        preactivated: bool,
        channels: [usize; 2],
        stride: usize,
        projected: bool,
        device: &Device,
    ) -> Self {
        let [from, width] = channels;
        let to = width * EXPANSION;
        let norm = |channels| batch_norm(channels, EPSILON, device);
        let [first, middle] = if preactivated { [1, stride] } else { [stride, 1] };
        let pools = stride != 1 && !projected;
        Self {
            preact_bn: preactivated.then(|| norm(from)),
            conv1: conv(channels, 1, first, !preactivated, device),
            bn1: norm(width),
            conv2: conv([width; 2], 3, middle, !preactivated, device),
            bn2: norm(width),
            conv0: projected.then(|| conv([from, to], 1, stride, true, device)),
            conv3: conv([width, to], 1, 1, true, device),
            bn0: (projected && !preactivated).then(|| norm(to)),
            bn3: (!preactivated).then(|| norm(to)),
            pool: pools.then(|| MaxPool2dConfig::new([1, 1]).with_strides([stride; 2]).init()),
        }
    }

    fn walk(&self, on: &mut Walk<'_>, input: Value) -> Value {
        // What the convolutions read, the shortcut's among them.
        let activated = match &self.preact_bn {
            Some(norm) => {
                let x = on.norm(norm, input);
                on.relu(x)
            }
            None => input,
        };
        let mut shortcut = match (&self.conv0, &self.pool) {
            (Some(conv), _) => on.conv(conv, activated),
            (None, Some(pool)) => on.max_pool(pool, input),
            (None, None) => input,
        };
        if let Some(norm) = &self.bn0 {
            shortcut = on.norm(norm, shortcut);
        }
        let x = on.conv(&self.conv1, activated);
        let x = on.norm(&self.bn1, x);
        let x = on.relu(x);
        let x = on.conv(&self.conv2, x);
        let x = on.norm(&self.bn2, x);
        let x = on.relu(x);
        let mut x = on.conv(&self.conv3, x);
        if let Some(norm) = &self.bn3 {
            x = on.norm(norm, x);
        }
        let x = on.add(shortcut, x);
        if self.preact_bn.is_some() { x } else { on.relu(x) }
    }
}
