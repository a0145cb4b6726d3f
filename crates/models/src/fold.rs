//! Merges a batch normalisation into the convolution before it.
//!
//! At inference `norm(conv(x)) = gamma / sqrt(var + eps) * (conv(x) - mean) + beta` is again a
//! convolution: each output channel's kernel is scaled and gains a bias. That takes one pass over
//! every feature map out of the network. The factors are computed in f64 and rounded once, so the
//! folded kernels are the correctly rounded ones.

use burn::module::Param;
use burn::nn::BatchNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::{Tensor, TensorData};

/// Takes `norm` out and changes `conv` so that it computes what both did before.
///
/// Nothing happens when `norm` is `None` (folded before).
pub(crate) fn fold_norm(conv: &mut Conv2d, norm: &mut Option<BatchNorm>) {
    let Some(norm) = norm.take() else { return };
    let device = conv.weight.device();
    let Affine { scale, shift } = Affine::of(&norm);

    let shape = conv.weight.dims();
    let per_channel = shape[1] * shape[2] * shape[3];
    let kernels: Vec<f32> = values(conv.weight.val())
        .chunks_exact(per_channel)
        .zip(&scale)
        .flat_map(|(kernel, scale)| kernel.iter().map(move |weight| (weight * scale) as f32))
        .collect();
    let before = conv.bias.take().map_or_else(|| vec![0.0; scale.len()], |bias| values(bias.val()));
    let bias: Vec<f32> = (0..scale.len()).map(|c| (shift[c] + before[c] * scale[c]) as f32).collect();

    let channels = bias.len();
    conv.weight = Param::from_tensor(Tensor::from_data(TensorData::new(kernels, shape), &device));
    conv.bias = Some(Param::from_tensor(Tensor::from_data(TensorData::new(bias, [channels]), &device)));
}

/// A batch normalisation as what it is at inference: `scale * x + shift`, a channel each.
pub(crate) struct Affine {
    pub(crate) scale: Vec<f64>,
    pub(crate) shift: Vec<f64>,
}

impl Affine {
    /// Of the running statistics.
    pub(crate) fn of(norm: &BatchNorm) -> Self {
        let gamma = values(norm.gamma.val());
        let beta = values(norm.beta.val());
        let mean = values(norm.running_mean.value());
        let variance = values(norm.running_var.value());
        let scale: Vec<f64> = gamma
            .iter()
            .zip(&variance)
            .map(|(gamma, variance)| gamma / (variance + norm.epsilon).sqrt())
            .collect();
        let shift = (0..scale.len()).map(|c| beta[c] - mean[c] * scale[c]).collect();
        Self { scale, shift }
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}
