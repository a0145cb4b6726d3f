//! The blocks that families share, with the field names of the frameworks' checkpoints.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::Device;
use graph::Value;

use crate::build::Walk;

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
        Self { conv1: depthwise3x3(channels_in, 1, 1, device), pointwise: pointwise(channels, 1, device) }
    }

    pub(crate) fn walk(&self, on: &mut Walk<'_>, x: Value) -> Value {
        let x = on.conv(&self.conv1, x);
        on.conv(&self.pointwise, x)
    }
}

/// A 3x3 convolution with padding 1, which keeps `ceil(size / stride)`, and without bias.
pub(crate) fn conv3x3(channels: [usize; 2], stride: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new(channels, [3, 3])
        .with_stride([stride; 2])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .with_bias(false)
        .init(device)
}

/// A 3x3 depthwise convolution, padded by its dilation so that it keeps `ceil(size / stride)`, and
/// without bias.
pub(crate) fn depthwise3x3(channels: usize, stride: usize, dilation: usize, device: &Device) -> Conv2d {
    let pad = dilation;
    Conv2dConfig::new([channels; 2], [3, 3])
        .with_stride([stride; 2])
        .with_dilation([dilation; 2])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .with_groups(channels)
        .with_bias(false)
        .init(device)
}

/// A 1x1 convolution without bias.
pub(crate) fn pointwise(channels: [usize; 2], stride: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new(channels, [1, 1]).with_stride([stride; 2]).with_bias(false).init(device)
}

/// A batch normalisation.
pub(crate) fn batch_norm(channels: usize, epsilon: f64, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).with_epsilon(epsilon).init(device)
}
