//! A forward pass by Burn's tensor operations: what computes on GPUs, and on the CPU where the kernels don't. What Burn
//! sums a product in depends on the operation and the device, so that which operation is taken is decided here.

use burn::nn::conv::Conv2d;
use burn::nn::pool::MaxPool2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::{DType, Tensor, module, s};

use crate::interpret::Interpreter;

/// The operations that multiply matrices, of which a network's arithmetic consists almost wholly. Without autotune Burn's
/// convolutions on a GPU are plain loops that sum in the type of their input. Its matrix product is tiled, and sums f16 and
/// bf16 in f32; but CUDA has it round f32 to TF32 (`adjust_dtypes` of cubek-matmul 0.3), which nobody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Products {
    /// What the modules are: convolutions and linear layers.
    #[default]
    AsModules,
    /// Matrix products where that is possible: 1x1 convolutions too.
    AsMatrices,
    /// Convolutions only: linear layers too.
    AsConvolutions,
}

/// Computes, with Burn's tensor operations.
#[derive(Debug, Default)]
pub(crate) struct Execute {
    products: Products,
    stages: Option<Vec<Stage>>,
}

impl Execute {
    pub(crate) fn new(products: Products) -> Self {
        Self { products, stages: None }
    }

    /// Keeps every stage's statistics on the way, to find the first stage that differs from the
    /// source framework's. Slow: each stage is read back from the device.
    pub(crate) fn observing(products: Products) -> Self {
        Self { products, stages: Some(Vec::new()) }
    }

    /// The stages passed, in order; empty unless [`Execute::observing`].
    pub(crate) fn into_stages(self) -> Vec<Stage> {
        self.stages.unwrap_or_default()
    }
}

impl Interpreter for Execute {
    type Features = Tensor<4>;
    type Vector = Tensor<2>;

    fn conv(&mut self, conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
        let dtype = x.dtype();
        if self.products == Products::AsMatrices && is_pointwise(conv) {
            pointwise(conv, x)
        } else if dtype == DType::F32 {
            conv.forward(x)
        } else {
            // Or it would be summed in a type of 8 or 11 bits.
            in_f32(conv).forward(x.cast(DType::F32)).cast(dtype)
        }
    }

    fn batch_norm(&mut self, norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
        norm.forward(x)
    }

    fn relu(&mut self, x: Tensor<4>) -> Tensor<4> {
        burn::tensor::activation::relu(x)
    }

    fn max_pool(&mut self, pool: &MaxPool2d, x: Tensor<4>) -> Tensor<4> {
        pool.forward(x)
    }

    fn add(&mut self, a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
        a + b
    }

    fn global_average_pool(&mut self, x: Tensor<4>) -> Tensor<2> {
        let [batch, channels, height, width] = x.dims();
        x.reshape([batch, channels, height * width]).mean_dim(2).reshape([batch, channels])
    }

    fn scale(&mut self, x: Tensor<2>, factor: f64) -> Tensor<2> {
        if factor == 1.0 { x } else { x * factor }
    }

    fn linear(&mut self, linear: &Linear, x: Tensor<2>) -> Tensor<2> {
        if self.products != Products::AsConvolutions {
            return linear.forward(x);
        }
        let [batch, channels] = x.dims();
        let weight = linear.weight.val();
        let [_, classes] = weight.dims();
        let weight = weight.transpose().reshape([classes, channels, 1, 1]);
        let bias = linear.bias.as_ref().map(|bias| bias.val());
        let options = burn::tensor::ops::ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        module::conv2d(x.reshape([batch, channels, 1, 1]), weight, bias, options).reshape([batch, classes])
    }

    fn stage(&mut self, name: &str, x: &Tensor<4>) {
        if let Some(stages) = &mut self.stages {
            stages.push(Stage::of(name, x));
        }
    }
}

/// Whether a convolution looks at one pixel. Such a one is never padded by [`Same`](burn::nn::PaddingConfig2d::Same).
fn is_pointwise(conv: &Conv2d) -> bool {
    use burn::nn::PaddingConfig2d::{Explicit, Same, Valid};
    conv.kernel_size == [1, 1]
        && conv.groups == 1
        && matches!(conv.padding, Same | Valid | Explicit(0, 0, 0, 0))
}

/// A 1x1 convolution as the product of `[pixels, channels_in]` and `[channels_in, channels_out]`. What Burn's
/// convolutions put out on a GPU lies in memory by pixel, so that nothing is moved for it.
fn pointwise(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let [down, right] = conv.stride.map(|stride| stride as isize);
    let x = if conv.stride == [1, 1] { x } else { x.slice(s![.., .., ..;down, ..;right]) };
    let [batch, channels_in, height, width] = x.dims();
    let weight = conv.weight.val();
    let [channels_out, ..] = weight.dims();
    let weight = weight.reshape([channels_out, channels_in]).transpose();
    let rows = x.permute([0, 2, 3, 1]).reshape([batch * height * width, channels_in]);
    let bias = conv.bias.as_ref().map(|bias| bias.val());
    let product = module::linear(rows, weight, bias);
    product.reshape([batch, height, width, channels_out]).permute([0, 3, 1, 2])
}

/// `conv` with its parameters in f32.
fn in_f32(conv: &Conv2d) -> Conv2d {
    let mut wide = conv.clone();
    wide.weight = wide.weight.map(|weight| weight.cast(DType::F32));
    wide.bias = wide.bias.map(|bias| bias.map(|bias| bias.cast(DType::F32)));
    wide
}

/// What a stage put out, in the terms of `datasets/reference/stages/*.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// The stage's name in the source framework, such as `block3`.
    pub name: String,
    /// `[batch, channels, height, width]`.
    pub shape: [usize; 4],
    /// Mean over all elements, accumulated in f64.
    pub mean: f64,
    /// Population standard deviation over all elements.
    pub std: f64,
    /// Smallest element.
    pub min: f32,
    /// Largest element.
    pub max: f32,
}

impl Stage {
    fn of(name: &str, x: &Tensor<4>) -> Self {
        let shape = x.dims();
        let values: Vec<f32> = x.to_data().iter::<f32>().collect();
        let count = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
        Self {
            name: name.to_owned(),
            shape,
            mean,
            std: variance.sqrt(),
            min: values.iter().copied().fold(f32::INFINITY, f32::min),
            max: values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::conv::Conv2dConfig;
    use burn::nn::{LinearConfig, PaddingConfig2d};
    use burn::tensor::{Device, Distribution, Tolerance};

    use super::*;
    use crate::DeviceName;

    fn device() -> Device {
        DeviceName::Flex.init().expect("flex is always there")
    }

    fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
        Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), &device())
    }

    #[track_caller]
    fn assert_close<const D: usize>(here: Tensor<D>, there: Tensor<D>) {
        let tolerance = Tolerance::<f32>::relative(1e-5).set_absolute(1e-5);
        here.into_data().assert_approx_eq(&there.into_data(), tolerance);
    }

    /// A convolution with a bias that is not nought.
    fn conv(config: &Conv2dConfig) -> Conv2d {
        let [_, channels_out] = config.channels;
        let mut conv = config.init(&device());
        conv.bias = conv.bias.map(|bias| bias.map(|_| random([channels_out])));
        conv
    }

    #[test]
    fn a_convolution_of_single_pixels_is_a_product_of_matrices() {
        let paddings = [PaddingConfig2d::Valid, PaddingConfig2d::Same, PaddingConfig2d::Explicit(0, 0, 0, 0)];
        for padding in paddings {
            for (stride, bias) in [([1, 1], true), ([2, 2], false), ([2, 3], true)] {
                let config = Conv2dConfig::new([5, 7], [1, 1]).with_padding(padding.clone());
                let conv = conv(&config.with_stride(stride).with_bias(bias));
                assert!(is_pointwise(&conv), "{padding:?}");
                let x = random([2, 5, 8, 9]);
                let by_module = conv.forward(x.clone());
                let by_matrix = Execute::new(Products::AsMatrices).conv(&conv, x);
                assert_eq!(by_matrix.dims(), by_module.dims(), "{padding:?}, strides of {stride:?}");
                assert_close(by_matrix, by_module);
            }
        }
    }

    #[test]
    fn other_convolutions_stay_what_they_are() {
        let others = [
            Conv2dConfig::new([6, 6], [1, 1]).with_groups(2),
            Conv2dConfig::new([6, 6], [1, 1]).with_padding(PaddingConfig2d::Explicit(1, 0, 0, 0)),
            Conv2dConfig::new([6, 6], [3, 3]),
            Conv2dConfig::new([6, 6], [1, 3]),
        ];
        for config in others {
            let conv = conv(&config);
            assert!(!is_pointwise(&conv), "{conv}");
            let x = random([2, 6, 5, 4]);
            let here = Execute::new(Products::AsMatrices).conv(&conv, x.clone());
            assert_eq!(here.into_data(), conv.forward(x).into_data(), "{conv}");
        }
    }

    #[test]
    fn a_linear_layer_is_a_convolution_of_one_pixel() {
        for bias in [true, false] {
            let linear = LinearConfig::new(5, 7).with_bias(bias).init(&device());
            let x = random([3, 5]);
            let here = Execute::new(Products::AsConvolutions).linear(&linear, x.clone());
            assert_close(here, linear.forward(x));
        }
    }

    /// What they are summed in is not seen here, where Burn sums in f32 anyway (`tools/gpu.sh` shows it), but that they come
    /// back in their own type, and no further from the sum than that type is.
    #[test]
    fn convolutions_of_narrow_types_keep_their_type() {
        let ones = |shape| Tensor::<4>::ones(shape, (&device(), DType::BF16));
        let mut conv = Conv2dConfig::new([64, 1], [3, 3]).with_bias(false).init(&device());
        conv.weight = conv.weight.map(|_| ones([1, 64, 3, 3]));
        for products in [Products::AsModules, Products::AsMatrices, Products::AsConvolutions] {
            let sum = Execute::new(products).conv(&conv, ones([1, 64, 3, 3]));
            assert_eq!(sum.dtype(), DType::BF16);
            assert_eq!(sum.into_data().iter::<f32>().collect::<Vec<_>>(), [576.0], "{products:?}");
        }
    }
}
