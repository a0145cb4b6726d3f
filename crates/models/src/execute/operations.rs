//! What Burn's operations make of each operation of a graph: a function each, which reads the weights and gives what computes.
//! What Burn sums a product in depends on the operation and the device, so that which one is taken is decided here.

use burn::module::Param;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::MaxPool2dConfig;
use burn::tensor::ops::PadMode;
use burn::tensor::{DType, Device, Int, Tensor, TensorData, activation, module, s};
use graph::operations::{AveragePool, BatchNorm, Constant, Convolution, ConvolutionWeights, Linear, MaxPool};
use graph::{Activation, Operation, Padding, Weights, Window};

use super::flow::Flow;
use super::{Compute, axes, elementwise, integers};
use crate::products::Products;
use crate::window;

/// What computes `operation` on `on`.
///
/// # Errors
/// Those of `weights`.
pub(super) fn load<W: Weights>(
    operation: &Operation,
    weights: &mut W,
    on: &Place<'_>,
) -> Result<Compute, W::Error> {
    Ok(match operation {
        Operation::Image(_) | Operation::Given(_) => Box::new(Flow::only),
        Operation::Convolution(convolution) => self::convolution(convolution, weights, on)?,
        Operation::BatchNorm(norm) => batch_norm(norm, weights, on)?,
        &Operation::Activation(activation) => self::activation(activation),
        Operation::MaxPool(pool) => max_pool(pool),
        Operation::Add(_) => Box::new(add),
        Operation::GlobalAveragePool(_) => Box::new(global_average_pool),
        Operation::Scale(scale) => {
            let factor = scale.factor;
            Box::new(move |x| Flow::only(x).map(|x| x * factor, |x| x * factor))
        }
        Operation::Linear(linear) => self::linear(linear, weights, on)?,
        Operation::Constant(constant) => self::constant(constant, weights, on)?,
        Operation::AveragePool(pool) => average_pool(pool),
        &Operation::Unary(function) => elementwise::unary(function),
        &Operation::Binary(function) => elementwise::binary(function),
        Operation::Choice(_) => elementwise::choice(),
        Operation::MatMul(matmul) => axes::matmul(matmul),
        Operation::Softmax(softmax) => axes::softmax(softmax),
        Operation::LayerNorm(norm) => axes::layer_norm(norm),
        Operation::Reduce(reduce) => axes::reduce(reduce),
        Operation::Reshape(reshape) => axes::reshape(reshape),
        Operation::Transpose(transpose) => axes::transpose(transpose),
        Operation::Concat(concat) => axes::concat(concat),
        Operation::Slice(slice) => axes::slice(slice),
        Operation::Gather(gather) => axes::gather(gather, on),
        Operation::Expand(expand) => axes::expand(expand),
        Operation::Pad(pad) => axes::pad(pad, on),
        Operation::Interpolate(interpolate) => axes::interpolate(interpolate, on),
        Operation::IntegerProduct(product) => integers::product(product, weights)?,
    })
}

/// Where and how tensors are computed.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) device: &'a Device,
    pub(super) dtype: DType,
    pub(super) products: Products,
}

impl Place<'_> {
    /// A tensor of these values, rounded to the type.
    pub(super) fn tensor<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        let tensor = Tensor::from_data(TensorData::new(values, shape), self.device);
        if self.dtype == DType::F32 { tensor } else { tensor.cast(self.dtype) }
    }

    /// Places along an axis.
    pub(super) fn places(&self, places: &[usize]) -> Tensor<1, Int> {
        // An axis of more elements than that fits no memory.
        let places: Vec<i32> = places.iter().map(|&place| i32::try_from(place).unwrap_or(i32::MAX)).collect();
        Tensor::from_ints(&places[..], self.device)
    }

    fn vector(&self, values: Vec<f32>) -> Tensor<1> {
        let len = values.len();
        self.tensor(values, [len])
    }
}

fn convolution<W: Weights>(
    convolution: &Convolution,
    weights: &mut W,
    on: &Place<'_>,
) -> Result<Compute, W::Error> {
    let ConvolutionWeights { kernel, bias } = convolution.read(weights)?;
    let window = convolution.window;
    let shape = [0, 1, 2, 3].map(|axis| convolution.kernel.shape[axis]);
    let mut conv = Conv2dConfig::new(convolution.channels(), window.kernel)
        .with_stride(window.stride)
        .with_dilation(window.dilation)
        .with_padding(window::to_burn(window.padding))
        .with_groups(convolution.groups)
        .with_bias(false)
        .init(on.device);
    conv.weight = Param::from_tensor(on.tensor(kernel, shape));
    conv.bias = bias.map(|bias| Param::from_tensor(on.vector(bias)));
    let products = on.products;
    Ok(Box::new(move |x| Flow::Map(convolve(&conv, products, Flow::only(x).into_map()))))
}

fn convolve(conv: &Conv2d, products: Products, x: Tensor<4>) -> Tensor<4> {
    let dtype = x.dtype();
    if products == Products::AsMatrices && is_pointwise(conv) {
        pointwise(conv, x)
    } else if dtype == DType::F32 {
        conv.forward(x)
    } else {
        // Or it would be summed in a type of 8 or 11 bits.
        in_f32(conv).forward(x.cast(DType::F32)).cast(dtype)
    }
}

/// Whether a convolution looks at one pixel. Such a one is never padded by [`Same`](burn::nn::PaddingConfig2d::Same).
fn is_pointwise(conv: &Conv2d) -> bool {
    use PaddingConfig2d::{Explicit, Same, Valid};
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

/// As Burn's `BatchNorm` at inference, of which the device's own operation is a part.
fn batch_norm<W: Weights>(norm: &BatchNorm, weights: &mut W, on: &Place<'_>) -> Result<Compute, W::Error> {
    let epsilon = norm.norm.epsilon;
    let mut read = |parameter| weights.read(parameter).map(|values| on.vector(values));
    let [gamma, beta, mean, variance] = norm.norm.parameters();
    let (gamma, beta, mean, variance) = (read(gamma)?, read(beta)?, read(mean)?, read(variance)?);
    Ok(Box::new(move |x| {
        let x = Flow::only(x).into_map();
        let [gamma, beta, mean, variance] = [&gamma, &beta, &mean, &variance].map(Tensor::clone);
        Flow::Map(module::batch_norm(x, gamma, beta, mean, variance, epsilon))
    }))
}

fn activation(activation: Activation) -> Compute {
    fn of<const D: usize>(activation: Activation, x: Tensor<D>) -> Tensor<D> {
        match activation {
            Activation::Relu => activation::relu(x),
            Activation::Relu6 => x.clamp(0.0, 6.0),
            Activation::HardSwish => x.clone() * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        }
    }
    Box::new(move |x| Flow::only(x).map(|x| of(activation, x), |x| of(activation, x)))
}

fn max_pool(pool: &MaxPool) -> Compute {
    let window = pool.window;
    let pool = MaxPool2dConfig::new(window.kernel)
        .with_strides(window.stride)
        .with_padding(window::to_burn(window.padding))
        .with_dilation(window.dilation)
        .with_ceil_mode(pool.ceil_mode)
        .init();
    Box::new(move |x| Flow::Map(pool.forward(Flow::only(x).into_map())))
}

/// The same for every image: a batch of one.
fn constant<W: Weights>(constant: &Constant, weights: &mut W, on: &Place<'_>) -> Result<Compute, W::Error> {
    let values = weights.read(&constant.parameter)?;
    let len = values.len();
    let value = Flow::of(on.tensor(values, [1, len]), &constant.parameter.shape);
    Ok(Box::new(move |_| value.clone()))
}

/// The sum of what lies in each window, zeros around the map included, over how many elements count. Burn's own pool takes neither
/// padding of two widths nor sizes that are rounded up as PyTorch does.
fn average_pool(pool: &AveragePool) -> Compute {
    let AveragePool { window, ceil_mode, count_padding } = *pool;
    Box::new(move |inputs| {
        let x = Flow::only(inputs).into_map();
        let [_, _, height, width] = x.dims();
        let size = [height, width];
        let output = if ceil_mode { window.output_rounded_up(size) } else { window.output(size) };
        let (Some(output), Some(geometry)) = (output, window.on(size)) else {
            panic!("a map of {size:?} pixels is smaller than its window");
        };
        let [top, left] = geometry.pad;
        let end = [0, 1].map(|axis| {
            (output[axis] - 1) * window.stride[axis] + (window.kernel[axis] - 1) * window.dilation[axis] + 1
        });
        // As far as the last window reaches; what no window reads is cut off.
        let padded = [0, 1].map(|axis| end[axis].max(geometry.pad[axis] + size[axis]));
        let after = [0, 1].map(|axis| padded[axis] - geometry.pad[axis] - size[axis]);
        let x = x.pad((left, after[1], top, after[0]), PadMode::Constant(0.0));
        let mut sum: Option<Tensor<4>> = None;
        for tap in 0..window.kernel[0] * window.kernel[1] {
            let at =
                [tap / window.kernel[1] * window.dilation[0], tap % window.kernel[1] * window.dilation[1]];
            let last = [0, 1].map(|axis| (at[axis] + (output[axis] - 1) * window.stride[axis] + 1) as isize);
            let [down, right] = window.stride.map(|stride| stride as isize);
            let (y, x_at) = (at[0] as isize, at[1] as isize);
            let part = x.clone().slice(s![.., .., y..last[0];down, x_at..last[1];right]);
            sum = Some(match sum {
                Some(sum) => sum + part,
                None => part,
            });
        }
        let counts = counted(&window, geometry.pad, size, output, count_padding);
        let sum = sum.unwrap_or_else(|| panic!("a window has a tap"));
        let counts =
            Tensor::<4>::from_data(TensorData::new(counts, [1, 1, output[0], output[1]]), &sum.device());
        let dtype = sum.dtype();
        Flow::Map(sum / counts.cast(dtype))
    })
}

/// How many elements count in each window.
fn counted(
    window: &Window,
    pad: [usize; 2],
    size: [usize; 2],
    output: [usize; 2],
    count_padding: bool,
) -> Vec<f32> {
    let ends = match window.padding {
        Padding::Explicit(pads) if count_padding => {
            [0, 1].map(|axis| pad[axis] + size[axis] + pads[axis + 2])
        }
        // All that `same` adds is reached.
        Padding::Same if count_padding => [usize::MAX; 2],
        _ => [0, 1].map(|axis| pad[axis] + size[axis]),
    };
    let begins = if count_padding { [0; 2] } else { pad };
    let along = |axis: usize, place: usize| {
        let taps =
            (0..window.kernel[axis]).map(|tap| place * window.stride[axis] + tap * window.dilation[axis]);
        taps.filter(|&at| at >= begins[axis] && at < ends[axis]).count()
    };
    let rows: Vec<usize> = (0..output[0]).map(|place| along(0, place)).collect();
    let columns: Vec<usize> = (0..output[1]).map(|place| along(1, place)).collect();
    rows.iter().flat_map(|row| columns.iter().map(move |column| (row * column) as f32)).collect()
}

fn add(inputs: Vec<Flow>) -> Flow {
    match Flow::two(inputs) {
        [Flow::Map(a), Flow::Map(b)] => Flow::Map(a + b),
        [a, b] => {
            let axes = a.axes();
            Flow::of(a.into_flat() + b.into_flat(), &axes)
        }
    }
}

fn global_average_pool(inputs: Vec<Flow>) -> Flow {
    let x = Flow::only(inputs).into_map();
    let [batch, channels, height, width] = x.dims();
    Flow::Vector(x.reshape([batch, channels, height * width]).mean_dim(2).reshape([batch, channels]))
}

fn linear<W: Weights>(linear: &Linear, weights: &mut W, on: &Place<'_>) -> Result<Compute, W::Error> {
    let weight: Tensor<2> = on.tensor(weights.read(&linear.weight)?, linear.widths());
    let bias = linear.bias.as_ref().map(|bias| weights.read(bias)).transpose()?.map(|bias| on.vector(bias));
    let products = on.products;
    let [depth, width] = linear.widths();
    Ok(Box::new(move |x| {
        let x = Flow::only(x);
        let (batch, mut axes) = (x.batch(), x.axes());
        // Every vector along the last axis is a row.
        let rows = batch * axes.iter().product::<usize>() / depth;
        let product = multiply(weight.clone(), bias.clone(), products, x.into_flat().reshape([rows, depth]));
        axes.pop();
        axes.push(width);
        Flow::of(product.reshape([batch, rows / batch * width]), &axes)
    }))
}

/// `x` times `weight`, `[in, out]`, plus `bias`.
fn multiply(weight: Tensor<2>, bias: Option<Tensor<1>>, products: Products, x: Tensor<2>) -> Tensor<2> {
    if products != Products::AsConvolutions {
        return module::linear(x, weight, bias);
    }
    let [batch, channels] = x.dims();
    let [_, classes] = weight.dims();
    let weight = weight.transpose().reshape([classes, channels, 1, 1]);
    let options = burn::tensor::ops::ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
    module::conv2d(x.reshape([batch, channels, 1, 1]), weight, bias, options).reshape([batch, classes])
}

#[cfg(test)]
mod tests {
    use burn::nn::conv::Conv2dConfig;
    use burn::nn::{LinearConfig, PaddingConfig2d};
    use burn::tensor::{Device, Distribution, Tolerance};
    use graph::operations::{Pad, PadWith};

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
                let by_matrix = convolve(&conv, Products::AsMatrices, x);
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
            let here = convolve(&conv, Products::AsMatrices, x.clone());
            assert_eq!(here.into_data(), conv.forward(x).into_data(), "{conv}");
        }
    }

    #[test]
    fn a_linear_layer_is_a_convolution_of_one_pixel() {
        for bias in [true, false] {
            let linear = LinearConfig::new(5, 7).with_bias(bias).init(&device());
            let x = random([3, 5]);
            let bias = linear.bias.as_ref().map(|bias| bias.val());
            let here = multiply(linear.weight.val(), bias, Products::AsConvolutions, x.clone());
            assert_close(here, linear.forward(x));
        }
    }

    #[test]
    fn activations_are_their_definitions() {
        let values = [-7.0, -3.0, -1.5, -0.0, 0.0, 1.5, 6.0, 7.0, f32::NAN];
        for activation in Activation::ALL {
            let x = Tensor::<2>::from_floats([values], &device());
            let computed = self::activation(activation)(vec![Flow::Vector(x)]).into_vector();
            for (found, x) in computed.into_data().iter::<f32>().zip(values) {
                let expected = activation.of(f64::from(x)) as f32;
                assert!(
                    (found - expected).abs() < 1e-6 || (found.is_nan() && expected.is_nan()),
                    "{activation:?} of {x} is {found}, not {expected}"
                );
            }
        }
    }

    fn map(values: &[f32], [height, width]: [usize; 2]) -> Vec<Flow> {
        let values = TensorData::new(values.to_vec(), [1, 1, height, width]);
        vec![Flow::Map(Tensor::from_data(values, &device()))]
    }

    #[test]
    fn a_mean_leaves_out_what_lies_beyond_the_map() {
        let window = Window { kernel: [2; 2], stride: [2; 2], dilation: [1; 2], padding: Padding::Same };
        let pool = AveragePool { window, ceil_mode: false, count_padding: false };
        let values: Vec<f32> = (1..=9u8).map(f32::from).collect();
        let means = average_pool(&pool)(map(&values, [3, 3])).into_map();
        // torch.nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False) of the same.
        assert_eq!(means.into_data().iter::<f32>().collect::<Vec<_>>(), [3.0, 4.5, 7.5, 9.0]);
    }

    #[test]
    fn a_frame_of_zeros_takes_part_in_the_pool_after_it() {
        let pad = Pad { widths: vec![[0, 0], [1, 2], [0, 1]], with: PadWith::Constant(0.0) };
        let device = device();
        let on = Place { device: &device, dtype: DType::F32, products: Products::AsModules };
        let framed = axes::pad(&pad, &on)(map(&[-1.0, -2.0], [1, 2])).into_map();
        assert_eq!(framed.dims(), [1, 1, 4, 3]);
        let zeros_and = [0.0, 0.0, 0.0, -1.0, -2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(framed.clone().into_data().iter::<f32>().collect::<Vec<_>>(), zeros_and);
        let pool = MaxPool { window: Window { kernel: [2; 2], ..Window::PIXEL }, ceil_mode: false };
        let largest = max_pool(&pool)(vec![Flow::Map(framed)]).into_map();
        assert_eq!(largest.into_data().iter::<f32>().collect::<Vec<_>>(), [0.0; 6]);
    }

    /// What they are summed in is not seen here, where Burn sums in f32 anyway (`tools/gpu.sh` shows it), but that they come
    /// back in their own type, and no further from the sum than that type is.
    #[test]
    fn convolutions_of_narrow_types_keep_their_type() {
        let ones = |shape| Tensor::<4>::ones(shape, (&device(), DType::BF16));
        let mut conv = Conv2dConfig::new([64, 1], [3, 3]).with_bias(false).init(&device());
        conv.weight = conv.weight.map(|_| ones([1, 64, 3, 3]));
        for products in [Products::AsModules, Products::AsMatrices, Products::AsConvolutions] {
            let sum = convolve(&conv, products, ones([1, 64, 3, 3]));
            assert_eq!(sum.dtype(), DType::BF16);
            assert_eq!(sum.into_data().iter::<f32>().collect::<Vec<_>>(), [576.0], "{products:?}");
        }
    }
}
