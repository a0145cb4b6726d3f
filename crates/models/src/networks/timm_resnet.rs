//! ResNet as timm and torchvision publish it, after `timm/models/resnet.py` and `gluon_resnet.py` of v0.6.5 and
//! `torchvision/models/resnet.py` of 0.9.0, whose networks are the plain ones.
//!
//! A 7x7 stem with stride 2 and a max-pool 3/2/1 come before four layers of residual blocks. A basic block is two
//! padded 3x3 convolutions, each with its normalisation; a bottleneck is a 1x1, a padded 3x3 and a 1x1 convolution, of which the
//! last has four times the channels. The first 3x3 convolution has the block's stride (which makes a bottleneck NVIDIA's "v1.5" and
//! GluonCV's "v1b"; the paper has it in the first 1x1). The last ReLU comes after the sum with the shortcut, which is a strided 1x1
//! convolution with its own normalisation where the shape changes. Epsilon is 1e-5. Field names are those of the checkpoint's keys.
//!
//! GluonCV's variants differ in two places. "c", "d" and "s" have three 3x3 convolutions for the 7x7 one, with 32, 32 and 64
//! channels, in "s" with 64, 64 and 128; in the checkpoint they and the two normalisations between them are `conv1.0` to
//! `conv1.6`, and `bn1` is the last one's. In "d" the shortcut of a strided block is `AvgPool2d(2, 2, ceil_mode=True,
//! count_include_pad=False)` and a 1x1 convolution with stride 1; every shortcut's convolution is then `downsample.1` and its
//! normalisation `downsample.2`, also in the first layer, which has nothing to pool.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::Device;
use graph::{Padding, Value, Window};

use crate::build::Walk;
use crate::layers::{batch_norm, conv3x3, pointwise};
use crate::network::{Architecture, Network};

const EPSILON: f64 = 1e-5;
const CLASSES: usize = 1000;

/// The family's data.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResNetConfig {
    stem: StemKind,
    kind: BlockKind,
    /// Channels of the 3x3 convolutions and number of blocks of `layer1` to `layer4`. Each but the first begins with a stride of 2.
    layers: [(usize, usize); 4],
    /// Whether a strided block's shortcut pools before its convolution.
    pools_shortcut: bool,
}

/// What comes before the first pool.
#[derive(Debug, Clone, Copy)]
enum StemKind {
    /// A 7x7 convolution of 64 channels.
    Plain,
    /// Three 3x3 convolutions of so many channels.
    Deep([usize; 3]),
}

impl StemKind {
    /// Channels of the result.
    fn channels(self) -> usize {
        match self {
            Self::Plain => 64,
            Self::Deep([.., last]) => last,
        }
    }
}

/// What a block is.
#[derive(Debug, Clone, Copy)]
enum BlockKind {
    Basic,
    Bottleneck,
}

impl BlockKind {
    /// Channels of a block's output for each of its 3x3 convolution's.
    fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// timm's and torchvision's `resnet18`.
pub(super) const RESNET18: ResNetConfig = ResNetConfig::basic([2, 2, 2, 2]);
/// timm's `resnet26`.
pub(super) const RESNET26: ResNetConfig = ResNetConfig::bottleneck([2, 2, 2, 2]);
/// timm's and torchvision's `resnet34`.
pub(super) const RESNET34: ResNetConfig = ResNetConfig::basic([3, 4, 6, 3]);
/// timm's and torchvision's `resnet50`; timm's `tv_resnet50` is it with torchvision's weights.
pub(super) const RESNET50: ResNetConfig = ResNetConfig::bottleneck([3, 4, 6, 3]);
/// timm's and torchvision's `resnet101`.
pub(super) const RESNET101: ResNetConfig = ResNetConfig::bottleneck([3, 4, 23, 3]);
/// timm's and torchvision's `resnet152`.
pub(super) const RESNET152: ResNetConfig = ResNetConfig::bottleneck([3, 8, 36, 3]);
/// timm's `gluon_resnet50_v1c`.
pub(super) const RESNET50_C: ResNetConfig = RESNET50.c();
/// timm's `gluon_resnet101_v1c`.
pub(super) const RESNET101_C: ResNetConfig = RESNET101.c();
/// timm's `gluon_resnet152_v1c`.
pub(super) const RESNET152_C: ResNetConfig = RESNET152.c();
/// timm's `gluon_resnet50_v1d`.
pub(super) const RESNET50_D: ResNetConfig = RESNET50.d();
/// timm's `gluon_resnet101_v1d`.
pub(super) const RESNET101_D: ResNetConfig = RESNET101.d();
/// timm's `gluon_resnet152_v1d`.
pub(super) const RESNET152_D: ResNetConfig = RESNET152.d();
/// timm's `gluon_resnet50_v1s`.
pub(super) const RESNET50_S: ResNetConfig = RESNET50.s();
/// timm's `gluon_resnet101_v1s`.
pub(super) const RESNET101_S: ResNetConfig = RESNET101.s();
/// timm's `gluon_resnet152_v1s`.
pub(super) const RESNET152_S: ResNetConfig = RESNET152.s();

impl ResNetConfig {
    const fn plain(kind: BlockKind, blocks: [usize; 4]) -> Self {
        let [first, second, third, fourth] = blocks;
        let layers = [(64, first), (128, second), (256, third), (512, fourth)];
        Self { stem: StemKind::Plain, kind, layers, pools_shortcut: false }
    }

    /// Of so many basic blocks.
    const fn basic(blocks: [usize; 4]) -> Self {
        Self::plain(BlockKind::Basic, blocks)
    }

    /// Of so many bottlenecks.
    const fn bottleneck(blocks: [usize; 4]) -> Self {
        Self::plain(BlockKind::Bottleneck, blocks)
    }

    /// GluonCV's "c".
    const fn c(self) -> Self {
        Self { stem: StemKind::Deep([32, 32, 64]), ..self }
    }

    /// GluonCV's "d".
    const fn d(self) -> Self {
        Self { pools_shortcut: true, ..self.c() }
    }

    /// GluonCV's "s".
    const fn s(self) -> Self {
        Self { stem: StemKind::Deep([64, 64, 128]), ..self }
    }

    /// The network.
    pub(super) fn network(&self) -> Network {
        Network::of(&self.init(&Device::flex()))
    }

    /// The modules, whose weights are never set: they say what there is.
    fn init(&self, device: &Device) -> ResNet {
        let layer = |index: usize| {
            let (channels, blocks) = self.layers[index];
            let before = if index == 0 {
                self.stem.channels()
            } else {
                self.layers[index - 1].0 * self.kind.expansion()
            };
            let stride = if index == 0 { 1 } else { 2 };
            (0..blocks)
                .map(|block| match block {
                    0 => Block::init(self, [before, channels], stride, device),
                    _ => Block::init(self, [channels * self.kind.expansion(), channels], 1, device),
                })
                .collect()
        };
        let (conv1, between) = match self.stem {
            StemKind::Plain => {
                let conv = Conv2dConfig::new([3, self.stem.channels()], [7, 7]).with_stride([2, 2]);
                let conv = conv.with_padding(PaddingConfig2d::Explicit(3, 3, 3, 3)).with_bias(false);
                (vec![conv.init(device)], Vec::new())
            }
            StemKind::Deep([first, second, third]) => (
                vec![
                    conv3x3([3, first], 2, device),
                    conv3x3([first, second], 1, device),
                    conv3x3([second, third], 1, device),
                ],
                [first, second].map(|channels| batch_norm(channels, EPSILON, device)).into(),
            ),
        };
        ResNet {
            conv1,
            between,
            bn1: batch_norm(self.stem.channels(), EPSILON, device),
            maxpool: MaxPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(),
            layer1: layer(0),
            layer2: layer(1),
            layer3: layer(2),
            layer4: layer(3),
            fc: LinearConfig::new(self.layers[3].0 * self.kind.expansion(), CLASSES).init(device),
            pools_shortcut: self.pools_shortcut,
        }
    }
}

/// timm's `ResNet`.
#[derive(Module, Debug)]
struct ResNet {
    /// One convolution, or those of `nn.Sequential`.
    conv1: Vec<Conv2d>,
    /// The normalisations between them.
    between: Vec<BatchNorm>,
    bn1: BatchNorm,
    maxpool: MaxPool2d,
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    layer4: Vec<Block>,
    fc: Linear,
    pools_shortcut: bool,
}

impl Architecture for ResNet {
    fn walk(&self, on: &mut Walk<'_>, images: Value) -> Value {
        let mut x = images;
        for (index, conv) in self.conv1.iter().enumerate() {
            x = on.conv(conv, x);
            if let Some(norm) = self.between.get(index) {
                x = on.norm(norm, x);
                x = on.relu(x);
            }
        }
        let x = on.norm(&self.bn1, x);
        let x = on.relu(x);
        let mut x = on.max_pool(&self.maxpool, x);
        let layers = [&self.layer1, &self.layer2, &self.layer3, &self.layer4];
        for (layer, blocks) in layers.into_iter().enumerate() {
            for (index, block) in blocks.iter().enumerate() {
                x = block.walk(on, x);
                on.stage(&format!("layer{}.{index}", layer + 1), x);
            }
        }
        let x = on.global_average_pool(x);
        on.linear(&self.fc, x)
    }

    fn key(&self, layer: &str, leaf: &str) -> String {
        let place = |index: &str| index.parse::<usize>().expect("Burn numbers the elements of a Vec");
        let parts: Vec<&str> = layer.split('.').collect();
        match parts[..] {
            // In `nn.Sequential` a convolution, its normalisation and its ReLU follow each other.
            ["conv1", _] if self.conv1.len() == 1 => format!("conv1.{leaf}"),
            ["conv1", index] => format!("conv1.{}.{leaf}", 3 * place(index)),
            ["between", index] => format!("conv1.{}.{leaf}", 3 * place(index) + 1),
            // And a pool, or what stands for it, comes before a convolution and its normalisation.
            [ref block @ .., "downsample", index] if self.pools_shortcut => {
                format!("{}.downsample.{}.{leaf}", block.join("."), place(index) + 1)
            }
            _ => format!("{layer}.{leaf}"),
        }
    }
}

/// timm's `BasicBlock`, whose third convolution is not there, or `Bottleneck`.
#[derive(Module, Debug)]
struct Block {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    conv3: Option<Conv2d>,
    bn3: Option<BatchNorm>,
    /// timm's `nn.Sequential` of a convolution and its normalisation.
    downsample: Option<(Conv2d, BatchNorm)>,
    /// The stride of the pool before it, if there is one.
    pool_stride: Option<usize>,
}

impl Block {
    /// `channels`: those in, and those of the 3x3 convolutions.
    fn init(config: &ResNetConfig, channels: [usize; 2], stride: usize, device: &Device) -> Self {
        let kind = config.kind;
        let [from, width] = channels;
        let to = width * kind.expansion();
        let norm = |channels| batch_norm(channels, EPSILON, device);
        let projected = from != to || stride != 1;
        let is_bottleneck = matches!(kind, BlockKind::Bottleneck);
        let pools = config.pools_shortcut && stride != 1;
        Self {
            conv1: match kind {
                BlockKind::Basic => conv3x3(channels, stride, device),
                BlockKind::Bottleneck => pointwise(channels, 1, device),
            },
            bn1: norm(width),
            conv2: conv3x3([width; 2], if is_bottleneck { stride } else { 1 }, device),
            bn2: norm(width),
            conv3: is_bottleneck.then(|| pointwise([width, to], 1, device)),
            bn3: is_bottleneck.then(|| norm(to)),
            downsample: projected
                .then(|| (pointwise([from, to], if pools { 1 } else { stride }, device), norm(to))),
            pool_stride: pools.then_some(stride),
        }
    }

    fn walk(&self, on: &mut Walk<'_>, x: Value) -> Value {
        let shortcut = match &self.downsample {
            Some((conv, norm)) => {
                let pooled = match self.pool_stride {
                    // What `ceil_mode` adds is padding that does not count.
                    Some(stride) => {
                        let (kernel, padding) = ([stride; 2], Padding::Same);
                        on.average_pool(Window { kernel, stride: kernel, padding, ..Window::PIXEL }, x)
                    }
                    None => x,
                };
                let projected = on.conv(conv, pooled);
                on.norm(norm, projected)
            }
            None => x,
        };
        let x = on.conv(&self.conv1, x);
        let x = on.norm(&self.bn1, x);
        let x = on.relu(x);
        let x = on.conv(&self.conv2, x);
        let mut x = on.norm(&self.bn2, x);
        if let (Some(conv3), Some(bn3)) = (&self.conv3, &self.bn3) {
            x = on.relu(x);
            x = on.conv(conv3, x);
            x = on.norm(bn3, x);
        }
        let x = on.add(x, shortcut);
        on.relu(x)
    }
}
