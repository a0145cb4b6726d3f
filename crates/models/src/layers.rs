//! The blocks that families share, with the field names of the frameworks' checkpoints.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::Device;

use crate::interpret::Interpreter;

/// A depthwise convolution and the 1x1 convolution after it, without normalisation between
/// (timm's `SeparableConv2d` in `xception.py`).
#[derive(Module, Debug)]
pub(crate) struct SeparableConv2d {
    /// Depthwise, `[channels_in, 1, kernel, kernel]`.
    pub(crate) conv1: Conv2d,
    /// Pointwise, `[channels_out, channels_in, 1, 1]`.
    pub(crate) pointwise: Conv2d,
}

impl SeparableConv2d {
    /// 3x3, stride 1, padding 1, no biases.
    pub(crate) fn init(channels: [usize; 2], device: &Device) -> Self {
        let [channels_in, _] = channels;
        let conv1 = Conv2dConfig::new([channels_in, channels_in], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_groups(channels_in)
            .with_bias(false)
            .init(device);
        Self { conv1, pointwise: pointwise(channels, 1, device) }
    }

    pub(crate) fn walk<I: Interpreter>(&self, on: &mut I, x: I::Features) -> I::Features {
        let x = on.conv(&self.conv1, x);
        on.conv(&self.pointwise, x)
    }
}

/// A 1x1 convolution without bias.
pub(crate) fn pointwise(channels: [usize; 2], stride: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new(channels, [1, 1]).with_stride([stride; 2]).with_bias(false).init(device)
}

/// A batch normalisation that folding will take out again, hence the `Option`.
pub(crate) fn batch_norm(channels: usize, epsilon: f64, device: &Device) -> Option<BatchNorm> {
    Some(BatchNormConfig::new(channels).with_epsilon(epsilon).init(device))
}
