//! Xception as timm publishes it, after `timm/models/xception.py` of v0.6.5 (itself a port of
//! Cadene's, whose weights timm hosts).
//!
//! What differs from the paper and from Keras: the stem has no padding; the shortcut is a strided
//! 1x1 convolution with its own batch normalisation; ReLU stands before each separable convolution
//! but the first of `block1`; the max-pool that ends a strided block is 3/2/1, symmetric; epsilon
//! is 1e-5. Field names (but for `blocks`) and the order in `rep` are those of the checkpoint's keys.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, Linear, LinearConfig, PaddingConfig2d, Relu};
use burn::tensor::Device;
use graph::Value;

use crate::build::Walk;
use crate::layers::{SeparableConv2d, batch_norm, pointwise};
use crate::network::{Architecture, Network};

const EPSILON: f64 = 1e-5;

/// One residual block: `reps` separable convolutions beside a shortcut.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockConfig {
    /// Channels in and out.
    pub(super) channels: [usize; 2],
    /// Number of separable convolutions.
    pub(super) reps: usize,
    /// Stride of the max-pool at the block's end, 1 for none.
    pub(super) stride: usize,
    /// Whether a ReLU stands before the first separable convolution.
    pub(super) start_with_relu: bool,
    /// Whether the channels change in the first separable convolution, not in the last.
    pub(super) grow_first: bool,
}

impl BlockConfig {
    const fn new(channels: [usize; 2], reps: usize, stride: usize) -> Self {
        Self { channels, reps, stride, start_with_relu: true, grow_first: true }
    }

    /// Whether the shortcut needs a convolution to fit.
    pub(super) fn projected(&self) -> bool {
        let [channels_in, channels_out] = self.channels;
        channels_in != channels_out || self.stride != 1
    }

    /// Channels in and out of each separable convolution.
    pub(super) fn steps(self) -> impl Iterator<Item = [usize; 2]> {
        let [channels_in, channels_out] = self.channels;
        (0..self.reps).map(move |index| {
            if self.grow_first {
                [if index == 0 { channels_in } else { channels_out }, channels_out]
            } else {
                [channels_in, if index + 1 < self.reps { channels_in } else { channels_out }]
            }
        })
    }
}

/// The family's data.
#[derive(Debug, Clone, Copy)]
pub struct XceptionConfig {
    /// Channels of the two stem convolutions.
    pub(super) stem: [usize; 2],
    /// `block1` to `block12`.
    pub(super) blocks: [BlockConfig; 12],
    /// Channels of the two separable convolutions before the head.
    pub(super) exit: [usize; 2],
    /// Number of classes.
    pub(super) classes: usize,
}

/// `timm.create_model("xception")`.
pub(super) const TIMM_XCEPTION: XceptionConfig =
    XceptionConfig::with_widths([32, 64], [128, 256, 728, 1024], [1536, 2048], 1000);

impl XceptionConfig {
    /// The published layout of blocks at other widths: after `block1`, `block2`, `block3` to
    /// `block11`, and `block12`. Narrow networks make small test files.
    pub const fn with_widths(
        stem: [usize; 2],
        [a, b, c, d]: [usize; 4],
        exit: [usize; 2],
        classes: usize,
    ) -> Self {
        let middle = BlockConfig::new([c, c], 3, 1);
        let mut first = BlockConfig::new([stem[1], a], 2, 2);
        first.start_with_relu = false;
        let mut last = BlockConfig::new([c, d], 2, 2);
        last.grow_first = false;
        Self {
            stem,
            blocks: [
                first,
                BlockConfig::new([a, b], 2, 2),
                BlockConfig::new([b, c], 2, 2),
                middle,
                middle,
                middle,
                middle,
                middle,
                middle,
                middle,
                middle,
                last,
            ],
            exit,
            classes,
        }
    }

    /// The network.
    pub fn network(&self) -> Network {
        Network::of(&self.init(&Device::flex()))
    }

    /// The modules, whose weights are never set: they say what there is.
    fn init(&self, device: &Device) -> Xception {
        let conv = |channels, stride| {
            Conv2dConfig::new(channels, [3, 3]).with_stride([stride; 2]).with_bias(false).init(device)
        };
        let norm = |channels| batch_norm(channels, EPSILON, device);
        let [stem1, stem2] = self.stem;
        let [exit1, exit2] = self.exit;
        let [_, last] = self.blocks[11].channels;
        Xception {
            conv1: conv([3, stem1], 2),
            bn1: norm(stem1),
            conv2: conv([stem1, stem2], 1),
            bn2: norm(stem2),
            blocks: self.blocks.iter().map(|block| Block::init(block, device)).collect(),
            conv3: SeparableConv2d::init([last, exit1], device),
            bn3: norm(exit1),
            conv4: SeparableConv2d::init([exit1, exit2], device),
            bn4: norm(exit2),
            fc: LinearConfig::new(exit2, self.classes).init(device),
        }
    }
}

/// timm's `Xception`; `blocks` are its `block1` to `block12`.
#[derive(Module, Debug)]
struct Xception {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    blocks: Vec<Block>,
    conv3: SeparableConv2d,
    bn3: BatchNorm,
    conv4: SeparableConv2d,
    bn4: BatchNorm,
    fc: Linear,
}

impl Architecture for Xception {
    fn walk(&self, on: &mut Walk<'_>, images: Value) -> Value {
        let x = on.conv(&self.conv1, images);
        let x = on.norm(&self.bn1, x);
        let x = on.relu(x);
        let x = on.conv(&self.conv2, x);
        let x = on.norm(&self.bn2, x);
        let mut x = on.relu(x);
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.walk(on, x);
            on.stage(&format!("block{}", index + 1), x);
        }
        let x = self.conv3.walk(on, x);
        let x = on.norm(&self.bn3, x);
        let x = on.relu(x);
        let x = self.conv4.walk(on, x);
        let x = on.norm(&self.bn4, x);
        let x = on.relu(x);
        let x = on.global_average_pool(x);
        on.linear(&self.fc, x)
    }

    fn key(&self, layer: &str, leaf: &str) -> String {
        // timm has a field for each block, and numbers them from 1.
        let block = layer.strip_prefix("blocks.").and_then(|rest| rest.split_once('.'));
        let block = block.and_then(|(index, rest)| Some((index.parse::<usize>().ok()? + 1, rest)));
        match block {
            Some((number, rest)) => format!("block{number}.{rest}.{leaf}"),
            None => format!("{layer}.{leaf}"),
        }
    }
}

/// timm's `Block`: a shortcut, projected where the shape changes, beside `rep`.
#[derive(Module, Debug)]
pub(super) struct Block {
    skip: Option<Conv2d>,
    skipbn: Option<BatchNorm>,
    rep: Vec<Rep>,
}

/// An element of a block's `nn.Sequential`. Layers without weights keep their place, so that the
/// indices are the checkpoint's.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "a network has a few dozen; boxes would only be in the way")]
enum Rep {
    Relu(Relu),
    Separable(SeparableConv2d),
    Norm(BatchNorm),
    MaxPool(MaxPool2d),
}

impl Block {
    fn init(config: &BlockConfig, device: &Device) -> Self {
        let [_, channels_out] = config.channels;
        let projected = config.projected();
        let mut rep = Vec::new();
        for (index, [from, to]) in config.steps().enumerate() {
            if index > 0 || config.start_with_relu {
                rep.push(Rep::Relu(Relu::new()));
            }
            rep.push(Rep::Separable(SeparableConv2d::init([from, to], device)));
            rep.push(Rep::Norm(batch_norm(to, EPSILON, device)));
        }
        if config.stride != 1 {
            let pool = MaxPool2dConfig::new([3, 3])
                .with_strides([config.stride; 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
            rep.push(Rep::MaxPool(pool.init()));
        }
        Self {
            skip: projected.then(|| pointwise(config.channels, config.stride, device)),
            skipbn: projected.then(|| batch_norm(channels_out, EPSILON, device)),
            rep,
        }
    }

    fn walk(&self, on: &mut Walk<'_>, x: Value) -> Value {
        let mut shortcut = x;
        if let (Some(skip), Some(skipbn)) = (&self.skip, &self.skipbn) {
            shortcut = on.conv(skip, x);
            shortcut = on.norm(skipbn, shortcut);
        }
        let x = self.rep.iter().fold(x, |x, layer| match layer {
            Rep::Relu(_) => on.relu(x),
            Rep::Separable(separable) => separable.walk(on, x),
            Rep::Norm(norm) => on.norm(norm, x),
            Rep::MaxPool(pool) => on.max_pool(pool, x),
        });
        on.add(x, shortcut)
    }
}
