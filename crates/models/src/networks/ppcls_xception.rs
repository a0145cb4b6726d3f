//! Xception as PaddleClas publishes it, after `ppcls/arch/backbone/model_zoo/xception.py` of 2.4.0.
//!
//! What differs from timm and Keras: the pointwise convolution comes *before* the depthwise one and a
//! normalisation follows each; the shortcut has no normalisation; all is padded symmetrically, the stem
//! too; epsilon is 1e-5. The entry flow's first block starts without ReLU, and in 71 two of its blocks
//! have stride 1 but keep their max-pool. Keys are those of the fields with an underscore before each
//! part, blocks and their convolutions numbered as the source does.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::Device;
use graph::Value;

use crate::build::Walk;
use crate::layers::{batch_norm, conv3x3, depthwise3x3, pointwise};
use crate::network::{Architecture, Network};
use crate::weights::Framework;

const EPSILON: f64 = 1e-5;

/// The family's data.
#[derive(Debug, Clone, Copy)]
pub struct PaddleXceptionConfig {
    /// Channels of the two stem convolutions.
    stem: [usize; 2],
    /// Channels and stride of each block of the entry flow.
    entry: &'static [(usize, usize)],
    /// Number of blocks in the middle flow, as wide as the entry flow's last.
    middle: usize,
    /// Channels after the exit flow's block and after its two separable convolutions.
    exit: [usize; 3],
    classes: usize,
}

/// PaddleClas's `Xception41`.
pub(super) const XCEPTION41: PaddleXceptionConfig =
    PaddleXceptionConfig::with_widths([32, 64], &[(128, 2), (256, 2), (728, 2)], [1024, 1536, 2048], 1000);
/// PaddleClas's `Xception65`.
pub(super) const XCEPTION65: PaddleXceptionConfig = PaddleXceptionConfig { middle: 16, ..XCEPTION41 };
/// PaddleClas's `Xception71`.
pub(super) const XCEPTION71: PaddleXceptionConfig =
    PaddleXceptionConfig { entry: &[(128, 2), (256, 1), (256, 2), (728, 1), (728, 2)], ..XCEPTION65 };

impl PaddleXceptionConfig {
    /// `Xception41` at other widths: of the stem, of the entry flow's blocks with their strides, and after
    /// the exit flow's block and its two separable convolutions. Narrow networks make small test files.
    pub const fn with_widths(
        stem: [usize; 2],
        entry: &'static [(usize, usize)],
        exit: [usize; 3],
        classes: usize,
    ) -> Self {
        Self { stem, entry, middle: 8, exit, classes }
    }

    /// The network.
    pub fn network(&self) -> Network {
        Network::of(&self.init(&Device::flex()))
    }

    /// The modules, whose weights are never set: they say what there is.
    fn init(&self, device: &Device) -> PaddleXception {
        let [first, second] = self.stem;
        let mut channels = second;
        let entry_flow = self.entry.iter().enumerate().map(|(index, &(out, stride))| {
            let config = BlockConfig { relu_first: index > 0, ..BlockConfig::projected(stride) };
            let block = Block::init(&config, &[channels, out, out], device);
            channels = out;
            block
        });
        let entry_flow = entry_flow.collect();
        let width = channels;
        let middle = BlockConfig { shortcut_stride: None, relu_first: true };
        let [exit, conv_1, conv_2] = self.exit;
        PaddleXception {
            conv1: ConvNorm::new(conv3x3([3, first], 2, device), device),
            conv2: ConvNorm::new(conv3x3([first, second], 1, device), device),
            entry_flow,
            middle_flow: (0..self.middle).map(|_| Block::init(&middle, &[width; 4], device)).collect(),
            exit_flow: Block::init(&BlockConfig::projected(2), &[width, width, exit], device),
            conv_1: SeparableConv::init([exit, conv_1], device),
            conv_2: SeparableConv::init([conv_1, conv_2], device),
            out: LinearConfig::new(conv_2, self.classes).init(device),
        }
    }
}

/// PaddleClas's `Xception`, its flows unfolded.
#[derive(Module, Debug)]
struct PaddleXception {
    conv1: ConvNorm,
    conv2: ConvNorm,
    entry_flow: Vec<Block>,
    middle_flow: Vec<Block>,
    exit_flow: Block,
    conv_1: SeparableConv,
    conv_2: SeparableConv,
    out: Linear,
}

impl Architecture for PaddleXception {
    fn walk(&self, on: &mut Walk<'_>, images: Value) -> Value {
        let x = self.conv1.walk(on, images);
        let x = on.relu(x);
        let x = self.conv2.walk(on, x);
        let mut x = on.relu(x);
        for (flow, blocks) in [("entry", &self.entry_flow), ("middle", &self.middle_flow)] {
            for (index, block) in blocks.iter().enumerate() {
                x = block.walk(on, x);
                on.stage(&format!("_{flow}_flow._conv_{index}"), x);
            }
        }
        let x = self.exit_flow.walk(on, x);
        on.stage("_exit_flow._conv_0", x);
        let x = self.conv_1.walk(on, x);
        let x = on.relu(x);
        let x = self.conv_2.walk(on, x);
        let x = on.relu(x);
        let x = on.global_average_pool(x);
        on.linear(&self.out, x)
    }

    fn framework(&self) -> Framework {
        Framework::Paddle
    }

    fn key(&self, layer: &str, leaf: &str) -> String {
        let parts: Vec<&str> = layer.split('.').collect();
        let from_one = |place: &str| place.parse::<usize>().expect("Burn numbers the elements of a Vec") + 1;
        let (block, rest) = match parts[..] {
            // Convolutions in blocks are counted from 1 in the entry flow, as `_conv1`, ...
            ["entry_flow", block, "conv", conv, ref rest @ ..] => {
                (format!("_entry_flow._conv_{block}._conv{}", from_one(conv)), rest)
            }
            ["entry_flow", block, ref rest @ ..] => (format!("_entry_flow._conv_{block}"), rest),
            // ... from 0 in the middle flow, as `_conv_0`, and from 1 in the exit flow, as `_conv_1`.
            ["middle_flow", block, "conv", conv, ref rest @ ..] => {
                (format!("_middle_flow._conv_{block}._conv_{conv}"), rest)
            }
            ["exit_flow", "conv", conv, ref rest @ ..] => {
                (format!("_exit_flow._conv_0._conv_{}", from_one(conv)), rest)
            }
            ["exit_flow", ref rest @ ..] => ("_exit_flow._conv_0".to_owned(), rest),
            ["conv1" | "conv2", ..] => ("_entry_flow".to_owned(), &parts[..]),
            _ => ("_exit_flow".to_owned(), &parts[..]),
        };
        rest.iter().fold(block, |key, part| format!("{key}._{part}")) + "." + leaf
    }
}

/// PaddleClas's `ConvBNLayer`; whether ReLU follows is its user's business.
#[derive(Module, Debug)]
struct ConvNorm {
    conv: Conv2d,
    batch_norm: BatchNorm,
}

impl ConvNorm {
    fn new(conv: Conv2d, device: &Device) -> Self {
        let [channels, ..] = conv.weight.lazy_shape().dims::<4>();
        Self { conv, batch_norm: batch_norm(channels, EPSILON, device) }
    }

    fn walk(&self, on: &mut Walk<'_>, x: Value) -> Value {
        let x = on.conv(&self.conv, x);
        on.norm(&self.batch_norm, x)
    }
}

/// PaddleClas's `SeparableConv`: first pointwise, then depthwise.
#[derive(Module, Debug)]
struct SeparableConv {
    pointwise_conv: ConvNorm,
    depthwise_conv: ConvNorm,
}

impl SeparableConv {
    fn init(channels: [usize; 2], device: &Device) -> Self {
        Self {
            pointwise_conv: ConvNorm::new(pointwise(channels, 1, device), device),
            depthwise_conv: ConvNorm::new(depthwise3x3(channels[1], 1, 1, device), device),
        }
    }

    fn walk(&self, on: &mut Walk<'_>, x: Value) -> Value {
        let x = self.pointwise_conv.walk(on, x);
        self.depthwise_conv.walk(on, x)
    }
}

/// One block's data.
struct BlockConfig {
    /// Stride of the shortcut's convolution and of the max-pool, where there are such.
    shortcut_stride: Option<usize>,
    /// Whether a ReLU stands before the first separable convolution.
    relu_first: bool,
}

impl BlockConfig {
    fn projected(stride: usize) -> Self {
        Self { shortcut_stride: Some(stride), relu_first: true }
    }
}

/// PaddleClas's `EntryFlowBottleneckBlock`, `MiddleFlowBottleneckBlock` and `ExitFlowBottleneckBlock`,
/// which differ in what is beside the separable convolutions.
#[derive(Module, Debug)]
struct Block {
    short: Option<Conv2d>,
    conv: Vec<SeparableConv>,
    pool: Option<MaxPool2d>,
    relu_first: bool,
}

impl Block {
    /// `channels`: those in, and those after each separable convolution.
    fn init(config: &BlockConfig, channels: &[usize], device: &Device) -> Self {
        let ends = [channels[0], channels[channels.len() - 1]];
        let pool = |stride| {
            let pool = MaxPool2dConfig::new([3, 3]).with_strides([stride; 2]);
            pool.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init()
        };
        Self {
            short: config.shortcut_stride.map(|stride| pointwise(ends, stride, device)),
            conv: channels.windows(2).map(|pair| SeparableConv::init([pair[0], pair[1]], device)).collect(),
            pool: config.shortcut_stride.map(pool),
            relu_first: config.relu_first,
        }
    }

    fn walk(&self, on: &mut Walk<'_>, input: Value) -> Value {
        let mut x = input;
        for (index, conv) in self.conv.iter().enumerate() {
            if index > 0 || self.relu_first {
                x = on.relu(x);
            }
            x = conv.walk(on, x);
        }
        if let Some(pool) = &self.pool {
            x = on.max_pool(pool, x);
        }
        let shortcut = match &self.short {
            Some(short) => on.conv(short, input),
            None => input,
        };
        on.add(shortcut, x)
    }
}
