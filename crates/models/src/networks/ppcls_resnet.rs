//! ResNet as PaddleClas publishes it, after `ppcls/arch/backbone/legendary_models/resnet.py` (plain and "vd") and
//! `model_zoo/resnet_vc.py` of 2.4.0.
//!
//! What differs from timm's: the first block of every layer has a convolution in its shortcut, also where the shape does not
//! change (the first layer of basic blocks). "vc" and "vd" have three 3x3 convolutions of 32, 32 and 64 channels for the 7x7
//! one, and a normalisation after each. In "vd" every shortcut but the first block's is `AvgPool2D(2, stride, padding="SAME",
//! ceil_mode=True)`, whose means leave the padding out, and a 1x1 convolution with stride 1. Epsilon is 1e-5. Keys are those of the
//! fields; "vc" has others, of an older file: an underscore before `conv` and `batch_norm`, stem convolutions `conv1_1` to
//! `conv1_3`, blocks `bb_<layer>_<block>`, and `out` for `fc`.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::Device;
use graph::{Padding, Value, Window};

use crate::build::Walk;
use crate::layers::{batch_norm, conv3x3, pointwise};
use crate::network::{Architecture, Network};
use crate::weights::Framework;

const EPSILON: f64 = 1e-5;
const STEM: usize = 64;
const CLASSES: usize = 1000;
/// Channels of the blocks' 3x3 convolutions, by layer.
const WIDTHS: [usize; 4] = [64, 128, 256, 512];

/// The family's data.
#[derive(Debug, Clone, Copy)]
pub(super) struct PaddleResNetConfig {
    version: Version,
    /// Channels of a block's output for each of its 3x3 convolution's: 1 makes a basic block, 4 a bottleneck.
    expansion: usize,
    /// Blocks of each layer. Each layer but the first begins with a stride of 2.
    blocks: [usize; 4],
}

/// PaddleClas's `version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Vb,
    Vc,
    Vd,
}

/// PaddleClas's `ResNet18`.
pub(super) const RESNET18: PaddleResNetConfig = PaddleResNetConfig::basic([2, 2, 2, 2]);
/// PaddleClas's `ResNet18_vd`.
pub(super) const RESNET18_VD: PaddleResNetConfig = RESNET18.version(Version::Vd);
/// PaddleClas's `ResNet34`.
pub(super) const RESNET34: PaddleResNetConfig = PaddleResNetConfig::basic([3, 4, 6, 3]);
/// PaddleClas's `ResNet34_vd`.
pub(super) const RESNET34_VD: PaddleResNetConfig = RESNET34.version(Version::Vd);
/// PaddleClas's `ResNet50`.
pub(super) const RESNET50: PaddleResNetConfig = PaddleResNetConfig::bottleneck([3, 4, 6, 3]);
/// PaddleClas's `ResNet50_vc`.
pub(super) const RESNET50_VC: PaddleResNetConfig = RESNET50.version(Version::Vc);
/// PaddleClas's `ResNet50_vd`.
pub(super) const RESNET50_VD: PaddleResNetConfig = RESNET50.version(Version::Vd);
/// PaddleClas's `ResNet101`.
pub(super) const RESNET101: PaddleResNetConfig = PaddleResNetConfig::bottleneck([3, 4, 23, 3]);
/// PaddleClas's `ResNet101_vd`.
pub(super) const RESNET101_VD: PaddleResNetConfig = RESNET101.version(Version::Vd);
/// PaddleClas's `ResNet152`.
pub(super) const RESNET152: PaddleResNetConfig = PaddleResNetConfig::bottleneck([3, 8, 36, 3]);
/// PaddleClas's `ResNet152_vd`.
pub(super) const RESNET152_VD: PaddleResNetConfig = RESNET152.version(Version::Vd);
/// PaddleClas's `ResNet200_vd`.
pub(super) const RESNET200_VD: PaddleResNetConfig =
    PaddleResNetConfig::bottleneck([3, 12, 48, 3]).version(Version::Vd);

impl PaddleResNetConfig {
    const fn basic(blocks: [usize; 4]) -> Self {
        Self { version: Version::Vb, expansion: 1, blocks }
    }

    const fn bottleneck(blocks: [usize; 4]) -> Self {
        Self { expansion: 4, ..Self::basic(blocks) }
    }

    const fn version(self, version: Version) -> Self {
        Self { version, ..self }
    }

    /// The network.
    pub(super) fn network(&self) -> Network {
        Network::of(&self.init(&Device::flex()))
    }

    /// The modules, whose weights are never set: they say what there is.
    fn init(&self, device: &Device) -> PaddleResNet {
        let stem = match self.version {
            Version::Vb => {
                let conv = Conv2dConfig::new([3, STEM], [7, 7]).with_stride([2, 2]).with_bias(false);
                vec![conv.with_padding(PaddingConfig2d::Explicit(3, 3, 3, 3)).init(device)]
            }
            Version::Vc | Version::Vd => vec![
                conv3x3([3, 32], 2, device),
                conv3x3([32, 32], 1, device),
                conv3x3([32, STEM], 1, device),
            ],
        };
        let mut blocks = Vec::new();
        let mut from = STEM;
        for (layer, (width, count)) in WIDTHS.into_iter().zip(self.blocks).enumerate() {
            for index in 0..count {
                let stride = if layer > 0 && index == 0 { 2 } else { 1 };
                blocks.push(Block::init(self, [from, width], stride, index == 0, device));
                from = width * self.expansion;
            }
        }
        PaddleResNet {
            stem: stem.into_iter().map(|conv| ConvNorm::new(conv, device)).collect(),
            max_pool: MaxPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(),
            blocks,
            fc: LinearConfig::new(from, CLASSES).init(device),
            blocks_by_layer: self.blocks,
            is_vc: self.version == Version::Vc,
        }
    }
}

/// PaddleClas's `ResNet`.
#[derive(Module, Debug)]
struct PaddleResNet {
    stem: Vec<ConvNorm>,
    max_pool: MaxPool2d,
    blocks: Vec<Block>,
    fc: Linear,
    #[module(skip)]
    blocks_by_layer: [usize; 4],
    is_vc: bool,
}

impl PaddleResNet {
    /// What "vc" calls the block at `index`.
    fn vc_block(&self, mut index: usize) -> String {
        let mut layer = 0;
        while index >= self.blocks_by_layer[layer] {
            index -= self.blocks_by_layer[layer];
            layer += 1;
        }
        format!("bb_{layer}_{index}")
    }

    fn block_name(&self, index: usize) -> String {
        if self.is_vc { self.vc_block(index) } else { format!("blocks.{index}") }
    }
}

impl Architecture for PaddleResNet {
    fn walk(&self, on: &mut Walk<'_>, images: Value) -> Value {
        let mut x = images;
        for layer in &self.stem {
            x = layer.walk(on, x);
            x = on.relu(x);
        }
        x = on.max_pool(&self.max_pool, x);
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.walk(on, x);
            on.stage(&self.block_name(index), x);
        }
        let x = on.global_average_pool(x);
        on.linear(&self.fc, x)
    }

    fn framework(&self) -> Framework {
        Framework::Paddle
    }

    fn key(&self, layer: &str, leaf: &str) -> String {
        let place = |index: &str| index.parse::<usize>().expect("Burn numbers the elements of a Vec");
        let parts: Vec<&str> = layer.split('.').collect();
        // What "vc" calls the two layers of a `ConvBNLayer`.
        let within = |part: &str| if part == "conv" { "_conv" } else { "_batch_norm" };
        match parts[..] {
            ["stem", index, part] if self.is_vc => {
                format!("conv1_{}.{}.{leaf}", place(index) + 1, within(part))
            }
            ["blocks", index, conv, part] if self.is_vc => {
                format!("{}.{conv}.{}.{leaf}", self.block_name(place(index)), within(part))
            }
            ["fc"] if self.is_vc => format!("out.{leaf}"),
            _ => format!("{layer}.{leaf}"),
        }
    }
}

/// PaddleClas's `ConvBNLayer`; whether a pool comes before it or ReLU after is its user's business.
#[derive(Module, Debug)]
struct ConvNorm {
    conv: Conv2d,
    bn: BatchNorm,
}

impl ConvNorm {
    fn new(conv: Conv2d, device: &Device) -> Self {
        let [channels, ..] = conv.weight.lazy_shape().dims::<4>();
        Self { conv, bn: batch_norm(channels, EPSILON, device) }
    }

    fn walk(&self, on: &mut Walk<'_>, x: Value) -> Value {
        let x = on.conv(&self.conv, x);
        on.norm(&self.bn, x)
    }
}

/// PaddleClas's `BasicBlock`, which has no third convolution, or `BottleneckBlock`.
#[derive(Module, Debug)]
struct Block {
    conv0: ConvNorm,
    conv1: ConvNorm,
    conv2: Option<ConvNorm>,
    short: Option<ConvNorm>,
    /// The stride of the shortcut's pool, if it has one.
    pool_stride: Option<usize>,
}

impl Block {
    /// `channels`: those in, and those of the 3x3 convolutions.
    fn init(
        config: &PaddleResNetConfig,
        channels: [usize; 2],
        stride: usize,
        is_first_of_layer: bool,
        device: &Device,
    ) -> Self {
        let [from, width] = channels;
        let to = width * config.expansion;
        let is_bottleneck = config.expansion > 1;
        // The first block of all, whose stride is 1, has nothing to pool.
        let pools = config.version == Version::Vd && stride != 1;
        let conv = |conv| ConvNorm::new(conv, device);
        Self {
            conv0: conv(if is_bottleneck {
                pointwise(channels, 1, device)
            } else {
                conv3x3(channels, stride, device)
            }),
            conv1: conv(conv3x3([width; 2], if is_bottleneck { stride } else { 1 }, device)),
            conv2: is_bottleneck.then(|| conv(pointwise([width, to], 1, device))),
            short: is_first_of_layer
                .then(|| conv(pointwise([from, to], if pools { 1 } else { stride }, device))),
            pool_stride: pools.then_some(stride),
        }
    }

    fn walk(&self, on: &mut Walk<'_>, input: Value) -> Value {
        let x = self.conv0.walk(on, input);
        let x = on.relu(x);
        let mut x = self.conv1.walk(on, x);
        if let Some(conv2) = &self.conv2 {
            x = on.relu(x);
            x = conv2.walk(on, x);
        }
        let shortcut = match (&self.short, self.pool_stride) {
            (None, _) => input,
            (Some(short), None) => short.walk(on, input),
            (Some(short), Some(stride)) => {
                let window =
                    Window { kernel: [2; 2], stride: [stride; 2], padding: Padding::Same, ..Window::PIXEL };
                let pooled = on.average_pool(window, input);
                short.walk(on, pooled)
            }
        };
        let x = on.add(x, shortcut);
        on.relu(x)
    }
}
