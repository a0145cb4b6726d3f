//! ResNet as timm publishes it, after `timm/models/resnet.py` of v0.6.5 (whose `resnet18` and `tv_resnet50`
//! are torchvision's, weights included).
//!
//! A 7x7 stem with stride 2 and a max-pool 3/2/1 come before four layers of residual blocks. A basic block is two
//! padded 3x3 convolutions, each with its normalisation; a bottleneck is a 1x1, a padded 3x3 and a 1x1 convolution, of which the
//! last has four times the channels. The first 3x3 convolution has the block's stride (which makes a bottleneck NVIDIA's "v1.5";
//! the paper has it in the first 1x1). The last ReLU comes after the sum with the shortcut, which is a strided 1x1
//! convolution with its own normalisation where the shape changes. Epsilon is 1e-5. Field names are those of the checkpoint's keys.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::Device;
use graph::Value;

use crate::build::Walk;
use crate::layers::{batch_norm, conv3x3, pointwise};
use crate::network::{Architecture, Network};

const EPSILON: f64 = 1e-5;
const STEM: usize = 64;
const CLASSES: usize = 1000;

/// The family's data.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResNetConfig {
    kind: BlockKind,
    /// Channels of the 3x3 convolutions and number of blocks of `layer1` to `layer4`. Each but the first begins with a stride of 2.
    layers: [(usize, usize); 4],
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

/// `timm.create_model("resnet18")`.
pub(super) const RESNET18: ResNetConfig =
    ResNetConfig { kind: BlockKind::Basic, layers: [(64, 2), (128, 2), (256, 2), (512, 2)] };
/// `timm.create_model("tv_resnet50")`, which is `resnet50` with torchvision's weights.
pub(super) const RESNET50: ResNetConfig =
    ResNetConfig { kind: BlockKind::Bottleneck, layers: [(64, 3), (128, 4), (256, 6), (512, 3)] };

impl ResNetConfig {
    /// The network.
    pub(super) fn network(&self) -> Network {
        Network::of(&self.init(&Device::flex()))
    }

    /// The modules, whose weights are never set: they say what there is.
    fn init(&self, device: &Device) -> ResNet {
        let layer = |index: usize| {
            let (channels, blocks) = self.layers[index];
            let before = if index == 0 { STEM } else { self.layers[index - 1].0 * self.kind.expansion() };
            let stride = if index == 0 { 1 } else { 2 };
            (0..blocks)
                .map(|block| match block {
                    0 => Block::init(self.kind, [before, channels], stride, device),
                    _ => Block::init(self.kind, [channels * self.kind.expansion(), channels], 1, device),
                })
                .collect()
        };
        ResNet {
            conv1: Conv2dConfig::new([3, STEM], [7, 7])
                .with_stride([2, 2])
                .with_padding(PaddingConfig2d::Explicit(3, 3, 3, 3))
                .with_bias(false)
                .init(device),
            bn1: batch_norm(STEM, EPSILON, device),
            maxpool: MaxPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(),
            layer1: layer(0),
            layer2: layer(1),
            layer3: layer(2),
            layer4: layer(3),
            fc: LinearConfig::new(self.layers[3].0 * self.kind.expansion(), CLASSES).init(device),
        }
    }
}

/// timm's `ResNet`.
#[derive(Module, Debug)]
struct ResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    maxpool: MaxPool2d,
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    layer4: Vec<Block>,
    fc: Linear,
}

impl Architecture for ResNet {
    fn walk(&self, on: &mut Walk<'_>, images: Value) -> Value {
        let x = on.conv(&self.conv1, images);
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
}

impl Block {
    /// `channels`: those in, and those of the 3x3 convolutions.
    fn init(kind: BlockKind, channels: [usize; 2], stride: usize, device: &Device) -> Self {
        let [from, width] = channels;
        let to = width * kind.expansion();
        let norm = |channels| batch_norm(channels, EPSILON, device);
        let projected = from != to || stride != 1;
        let is_bottleneck = matches!(kind, BlockKind::Bottleneck);
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
            downsample: projected.then(|| (pointwise([from, to], stride, device), norm(to))),
        }
    }

    fn walk(&self, on: &mut Walk<'_>, x: Value) -> Value {
        let shortcut = match &self.downsample {
            Some((conv, norm)) => {
                let projected = on.conv(conv, x);
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
