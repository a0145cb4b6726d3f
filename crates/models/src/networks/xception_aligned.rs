//! Modified Aligned Xception, the networks of TensorFlow's DeepLab: as timm publishes them, after
//! `timm/models/xception_aligned.py` of v0.6.5 (with two pre-activation variants of timm's own), and as
//! PaddleClas does, after `ppcls/arch/backbone/model_zoo/xception_deeplab.py` of 2.4.0.
//!
//! What differs from `timm_xception`: strides are in the last depthwise convolution of a block, never
//! in a pool; every convolution is padded symmetrically. In 41, 65 and 71 a normalisation follows the
//! depthwise and the pointwise convolution, ReLU stands before each separable convolution, and the
//! last block has no shortcut and its ReLUs inside instead. In 41p and 65p normalisation and ReLU come
//! first, the shortcut branches off after them and has no normalisation, and a ReLU precedes the head.
//! PaddleClas dilates the last block by 2 and halves the features before its head: at inference its
//! `Dropout(0.5, mode="downscale_in_infer")` is that factor. Field names are those of timm's keys;
//! PaddleClas's follow from them ([`Names::DeepLab`]).

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear, LinearConfig};
use burn::tensor::Device;
use graph::Value;

use crate::build::Walk;
use crate::layers::{batch_norm, conv3x3, depthwise3x3, pointwise};
use crate::network::{Architecture, Network};
use crate::weights::Framework;

/// The family's data.
#[derive(Debug, Clone, Copy)]
pub(super) struct XceptionAlignedConfig {
    /// Channels and stride of each block of the entry flow.
    entry: &'static [(usize, usize)],
    /// Number of blocks in the middle flow.
    middle: usize,
    /// Whether normalisation and ReLU come before the convolutions.
    pre_activation: bool,
    epsilon: f64,
    /// Dilation of the last block's depthwise convolutions.
    last_dilation: usize,
    /// What the features are multiplied by before the head.
    feature_scale: f64,
    names: Names,
}

/// Whose checkpoint keys the tensors have.
#[derive(Debug, Clone, Copy)]
enum Names {
    /// timm's, which the fields mirror.
    Timm,
    /// PaddleClas's, with the name that TensorFlow's DeepLab has for the network.
    DeepLab(&'static str),
}

const STEM: [usize; 2] = [32, 64];
const MIDDLE: usize = 728;
/// Channels of the exit flow's two blocks.
const EXIT: [[usize; 3]; 2] = [[728, 1024, 1024], [1536, 1536, 2048]];
const CLASSES: usize = 1000;

/// `timm.create_model("xception41")`.
pub(super) const XCEPTION41: XceptionAlignedConfig = XceptionAlignedConfig {
    entry: &[(128, 2), (256, 2), (MIDDLE, 2)],
    middle: 8,
    pre_activation: false,
    epsilon: 1e-3,
    last_dilation: 1,
    feature_scale: 1.0,
    names: Names::Timm,
};
/// `timm.create_model("xception65")`.
pub(super) const XCEPTION65: XceptionAlignedConfig = XceptionAlignedConfig { middle: 16, ..XCEPTION41 };
/// `timm.create_model("xception71")`.
pub(super) const XCEPTION71: XceptionAlignedConfig =
    XceptionAlignedConfig { entry: &[(128, 2), (256, 1), (256, 2), (MIDDLE, 1), (MIDDLE, 2)], ..XCEPTION65 };
/// `timm.create_model("xception41p")`.
pub(super) const XCEPTION41P: XceptionAlignedConfig =
    XceptionAlignedConfig { pre_activation: true, epsilon: 1e-5, ..XCEPTION41 };
/// `timm.create_model("xception65p")`.
pub(super) const XCEPTION65P: XceptionAlignedConfig =
    XceptionAlignedConfig { pre_activation: true, ..XCEPTION65 };

/// PaddleClas's `Xception41_deeplab`.
pub(super) const XCEPTION41_DEEPLAB: XceptionAlignedConfig = XceptionAlignedConfig {
    last_dilation: 2,
    feature_scale: 0.5,
    names: Names::DeepLab("xception_41"),
    ..XCEPTION41
};
/// PaddleClas's `Xception65_deeplab`.
pub(super) const XCEPTION65_DEEPLAB: XceptionAlignedConfig =
    XceptionAlignedConfig { middle: 16, names: Names::DeepLab("xception_65"), ..XCEPTION41_DEEPLAB };

/// One block's data.
struct BlockConfig {
    channels_in: usize,
    channels_out: [usize; 3],
    stride: usize,
    dilation: usize,
    /// The last block has no shortcut.
    last: bool,
}

impl XceptionAlignedConfig {
    fn blocks(&self) -> Vec<BlockConfig> {
        let middle = std::iter::repeat_n(([MIDDLE; 3], 1), self.middle);
        let outputs = self.entry.iter().map(|&(channels, stride)| ([channels; 3], stride));
        let outputs = outputs.chain(middle).chain([(EXIT[0], 2), (EXIT[1], 1)]);
        let mut channels_in = STEM[1];
        let mut blocks: Vec<BlockConfig> = outputs
            .map(|(channels_out, stride)| {
                let block = BlockConfig { channels_in, channels_out, stride, dilation: 1, last: false };
                channels_in = channels_out[2];
                block
            })
            .collect();
        if let Some(block) = blocks.last_mut() {
            block.last = true;
            block.dilation = self.last_dilation;
        }
        blocks
    }

    /// The network.
    pub(super) fn network(&self) -> Network {
        Network::of(&self.init(&Device::flex()))
    }

    /// The modules, whose weights are never set: they say what there is.
    fn init(&self, device: &Device) -> XceptionAligned {
        let [first, second] = STEM;
        let stem_end = conv3x3([first, second], 1, device);
        XceptionAligned {
            stem: vec![
                Stem::ConvNormAct(ConvNormAct::new(conv3x3([3, first], 2, device), self.epsilon, device)),
                if self.pre_activation {
                    Stem::Conv(stem_end)
                } else {
                    Stem::ConvNormAct(ConvNormAct::new(stem_end, self.epsilon, device))
                },
            ],
            blocks: self
                .blocks()
                .iter()
                .map(|block| {
                    if self.pre_activation {
                        Block::Pre(PreXceptionModule::init(block, self.epsilon, device))
                    } else {
                        Block::Post(XceptionModule::init(block, self.epsilon, device))
                    }
                })
                .collect(),
            head: Head { fc: LinearConfig::new(EXIT[1][2], CLASSES).init(device) },
            entry_blocks: self.entry.len(),
            middle_blocks: self.middle,
            feature_scale: self.feature_scale,
            names: self.names,
        }
    }
}

/// timm's `XceptionAligned`.
#[derive(Module, Debug)]
struct XceptionAligned {
    stem: Vec<Stem>,
    blocks: Vec<Block>,
    head: Head,
    entry_blocks: usize,
    middle_blocks: usize,
    feature_scale: f64,
    #[module(skip)]
    names: Names,
}

/// An element of the stem's `nn.Sequential`.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there are two of them")]
enum Stem {
    ConvNormAct(ConvNormAct),
    Conv(Conv2d),
}

#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "a network has at most two dozen")]
enum Block {
    Post(XceptionModule),
    Pre(PreXceptionModule),
}

#[derive(Module, Debug)]
struct Head {
    fc: Linear,
}

impl Architecture for XceptionAligned {
    fn walk(&self, on: &mut Walk<'_>, images: Value) -> Value {
        let mut x = self.stem.iter().fold(images, |x, layer| match layer {
            Stem::ConvNormAct(layer) => {
                let x = layer.walk(on, x);
                on.relu(x)
            }
            Stem::Conv(conv) => on.conv(conv, x),
        });
        for (index, block) in self.blocks.iter().enumerate() {
            x = match block {
                Block::Post(block) => block.walk(on, x),
                Block::Pre(block) => block.walk(on, x),
            };
            on.stage(&self.block_key(index), x);
        }
        // In 41, 65 and 71 the last block ends with a ReLU of its own.
        if let Some(Block::Pre(_)) = self.blocks.last() {
            x = on.relu(x);
        }
        let x = on.global_average_pool(x);
        let x = on.scale(x, self.feature_scale);
        on.linear(&self.head.fc, x)
    }

    fn framework(&self) -> Framework {
        match self.names {
            Names::Timm => Framework::PyTorch,
            Names::DeepLab(_) => Framework::Paddle,
        }
    }

    fn key(&self, layer: &str, leaf: &str) -> String {
        match self.names {
            Names::Timm => format!("{layer}.{leaf}"),
            Names::DeepLab(_) => format!("{}.{leaf}", self.deeplab_layer(layer)),
        }
    }
}

impl XceptionAligned {
    /// What the source calls the block at `index`.
    fn block_key(&self, index: usize) -> String {
        let Names::DeepLab(network) = self.names else { return format!("blocks.{index}") };
        let exit = self.entry_blocks + self.middle_blocks;
        match index.checked_sub(self.entry_blocks) {
            None => format!("{network}/entry_flow/block{}", index + 1),
            Some(middle) if index < exit => format!("{network}/middle_flow/block{}", middle + 1),
            Some(_) => format!("_exit_flow_{}", index - exit + 1),
        }
    }

    /// PaddleClas's name of the layer that timm calls `layer`.
    fn deeplab_layer(&self, layer: &str) -> String {
        let parts: Vec<&str> = layer.split('.').collect();
        let place = |index: &str| index.parse::<usize>().expect("Burn numbers the elements of a Vec");
        match parts[..] {
            ["stem", index, layer] => format!("_conv{}._{layer}", place(index) + 1),
            ["blocks", index, "shortcut", layer] => {
                format!("{}._short._{layer}", self.block_key(place(index)))
            }
            ["blocks", index, "stack", conv, layer] => {
                let layer = match layer {
                    "conv_dw" => "conv1",
                    "bn_dw" => "bn1",
                    "conv_pw" => "conv2",
                    _ => "bn2",
                };
                format!("{}._{conv}._{layer}", self.block_key(place(index)))
            }
            _ => "_fc".to_owned(),
        }
    }
}

/// timm's `ConvNormAct`; whether the activation is applied is its user's business.
#[derive(Module, Debug)]
struct ConvNormAct {
    conv: Conv2d,
    bn: BatchNorm,
}

impl ConvNormAct {
    fn new(conv: Conv2d, epsilon: f64, device: &Device) -> Self {
        let [channels, ..] = conv.weight.lazy_shape().dims::<4>();
        Self { conv, bn: batch_norm(channels, epsilon, device) }
    }

    fn walk(&self, on: &mut Walk<'_>, x: Value) -> Value {
        let x = on.conv(&self.conv, x);
        on.norm_act(&self.bn, x)
    }
}

/// timm's `XceptionModule`: normalisations after the convolutions.
#[derive(Module, Debug)]
struct XceptionModule {
    shortcut: Option<ConvNormAct>,
    stack: Stack<SeparableConv2d>,
    last: bool,
}

/// The three separable convolutions of a block.
#[derive(Module, Debug)]
struct Stack<M: Module> {
    conv1: M,
    conv2: M,
    conv3: M,
}

impl<M: Module> Stack<M> {
    /// `init` gets each convolution's place, channels and stride; the last one has the block's.
    fn init(config: &BlockConfig, init: impl Fn(usize, [usize; 2], usize) -> M) -> Self {
        let [first, second, third] = config.channels_out;
        Self {
            conv1: init(0, [config.channels_in, first], 1),
            conv2: init(1, [first, second], 1),
            conv3: init(2, [second, third], config.stride),
        }
    }

    fn convs(&self) -> [&M; 3] {
        [&self.conv1, &self.conv2, &self.conv3]
    }
}

/// timm's `SeparableConv2d` of this file.
#[derive(Module, Debug)]
struct SeparableConv2d {
    conv_dw: Conv2d,
    bn_dw: BatchNorm,
    conv_pw: Conv2d,
    bn_pw: BatchNorm,
}

/// Whether a block's shortcut needs a convolution to fit.
fn projected(config: &BlockConfig) -> bool {
    !config.last && (config.channels_in != config.channels_out[2] || config.stride != 1)
}

fn shortcut(config: &BlockConfig, device: &Device) -> Option<Conv2d> {
    let channels = [config.channels_in, config.channels_out[2]];
    projected(config).then(|| pointwise(channels, config.stride, device))
}

impl XceptionModule {
    fn init(config: &BlockConfig, epsilon: f64, device: &Device) -> Self {
        Self {
            shortcut: shortcut(config, device).map(|conv| ConvNormAct::new(conv, epsilon, device)),
            stack: Stack::init(config, |_, channels, stride| SeparableConv2d {
                conv_dw: depthwise3x3(channels[0], stride, config.dilation, device),
                bn_dw: batch_norm(channels[0], epsilon, device),
                conv_pw: pointwise(channels, 1, device),
                bn_pw: batch_norm(channels[1], epsilon, device),
            }),
            last: config.last,
        }
    }

    fn walk(&self, on: &mut Walk<'_>, input: Value) -> Value {
        // The last block has its ReLUs inside the separable convolutions instead of before them.
        let relu_if = |on: &mut Walk<'_>, wanted: bool, x| if wanted { on.relu(x) } else { x };
        let x = self.stack.convs().into_iter().fold(input, |x, conv| {
            let x = relu_if(on, !self.last, x);
            let x = on.conv(&conv.conv_dw, x);
            let x = on.norm(&conv.bn_dw, x);
            let x = relu_if(on, self.last, x);
            let x = on.conv(&conv.conv_pw, x);
            let x = on.norm(&conv.bn_pw, x);
            relu_if(on, self.last, x)
        });
        if self.last {
            return x;
        }
        let skip = match &self.shortcut {
            Some(shortcut) => shortcut.walk(on, input),
            None => input,
        };
        on.add(x, skip)
    }
}

/// timm's `PreXceptionModule`: normalisation and ReLU before the convolutions.
#[derive(Module, Debug)]
struct PreXceptionModule {
    shortcut: Option<Conv2d>,
    norm: BatchNorm,
    stack: Stack<PreSeparableConv2d>,
    last: bool,
}

/// timm's `PreSeparableConv2d`. A block's first has no normalisation and ReLU: the block's serve.
#[derive(Module, Debug)]
struct PreSeparableConv2d {
    norm: Option<BatchNorm>,
    conv_dw: Conv2d,
    conv_pw: Conv2d,
}

impl PreXceptionModule {
    fn init(config: &BlockConfig, epsilon: f64, device: &Device) -> Self {
        Self {
            shortcut: shortcut(config, device),
            norm: batch_norm(config.channels_in, epsilon, device),
            stack: Stack::init(config, |place, channels, stride| PreSeparableConv2d {
                norm: (place > 0).then(|| batch_norm(channels[0], epsilon, device)),
                conv_dw: depthwise3x3(channels[0], stride, config.dilation, device),
                conv_pw: pointwise(channels, 1, device),
            }),
            last: config.last,
        }
    }

    fn walk(&self, on: &mut Walk<'_>, input: Value) -> Value {
        let input = on.norm_act(&self.norm, input);
        let input = on.relu(input);
        let mut x = input;
        for conv in self.stack.convs() {
            if let Some(norm) = &conv.norm {
                x = on.norm_act(norm, x);
                x = on.relu(x);
            }
            x = on.conv(&conv.conv_dw, x);
            x = on.conv(&conv.conv_pw, x);
        }
        if self.last {
            return x;
        }
        let skip = match &self.shortcut {
            Some(shortcut) => on.conv(shortcut, input),
            None => input,
        };
        on.add(x, skip)
    }
}
