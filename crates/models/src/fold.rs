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
    let shape = conv.weight.dims();
    let mut kernels = values(conv.weight.val());
    let before = conv.bias.take().map(|bias| values(bias.val()));
    let bias = Affine::of(&norm).fold_into(&mut kernels, before.as_deref());

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
        let [gamma, beta] = [&norm.gamma, &norm.beta].map(|param| values(param.val()));
        let [mean, variance] = [&norm.running_mean, &norm.running_var].map(|state| values(state.value()));
        let scale: Vec<f64> = gamma
            .iter()
            .zip(&variance)
            .map(|(&gamma, &variance)| f64::from(gamma) / (f64::from(variance) + norm.epsilon).sqrt())
            .collect();
        let shift = (0..scale.len()).map(|c| f64::from(beta[c]) - f64::from(mean[c]) * scale[c]).collect();
        Self { scale, shift }
    }

    /// Scales the `kernels` of a convolution, an output channel after the other, and gives the bias that it has then.
    pub(crate) fn fold_into(&self, kernels: &mut [f32], bias: Option<&[f32]>) -> Vec<f32> {
        let Self { scale, shift } = self;
        let per_channel = kernels.len() / scale.len();
        for (kernel, scale) in kernels.chunks_exact_mut(per_channel).zip(scale) {
            kernel.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * scale) as f32);
        }
        let before = |channel: usize| bias.map_or(0.0, |bias| f64::from(bias[channel]));
        (0..scale.len()).map(|c| (shift[c] + before(c) * scale[c]) as f32).collect()
    }
}

/// The elements of a tensor, in the order of its axes.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("parameters are of f32 until they are cast")
}
