//! A network built twice: as a graph with its weights, for the kernels, and computed at once by plain loops.

mod attention;
pub(crate) mod networks;

use std::collections::BTreeMap;

use graph::operations::{
    AveragePool, Binary, Concat, Constant, Convolution, Gather, LayerNorm, MaxPool, Pad, PadWith, Reshape,
    Slice, Transpose, Unary,
};
use graph::{Activation, Builder, Normalisation, Parameter, Role, Shape, Value, Window};
use kernels::reference::{self, Map};
use kernels::{Isa, Lowering, Program};

/// Numbers without a pattern, the same in every run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn one(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub(crate) fn take(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.one()).collect()
    }
}

/// A network built twice: as a graph with its weights, and computed at once by plain loops.
pub(crate) struct Twice {
    numbers: Numbers,
    pub(crate) on: Builder,
    pub(crate) weights: BTreeMap<String, Vec<f32>>,
    /// Of the image.
    size: [usize; 2],
}

pub(crate) type Pair = (Value, Map);

/// Functions that have kernels.
pub(crate) const UNARY: [Unary; 7] = [
    Unary::Swish { beta: 1.0 },
    Unary::HardSigmoid { slope: 0.2, offset: 0.5 },
    Unary::LeakyRelu { slope: 0.1 },
    Unary::Gelu,
    Unary::Mish,
    Unary::Clamp { low: -0.25, high: 0.5 },
    Unary::Elu { alpha: 1.0, gamma: 1.0 },
];

impl Twice {
    /// After an image.
    pub(crate) fn new(image: &Map) -> (Self, Pair) {
        let (on, value) = Builder::new(image.shape[0]);
        let [_, height, width] = image.shape;
        let size = [height, width];
        (Self { numbers: Numbers(7), on, weights: BTreeMap::new(), size }, (value, image.clone()))
    }

    /// A parameter with these values.
    pub(crate) fn parameter(&mut self, role: Role, shape: &[usize], values: &[f32]) -> Parameter {
        let key = format!("parameter {}", self.weights.len());
        self.weights.insert(key.clone(), values.to_vec());
        Parameter::new(key, role, shape)
    }

    pub(crate) fn conv(&mut self, window: Window, to: usize, groups: usize, (value, map): &Pair) -> Pair {
        let from = map.shape[0];
        let inputs = from / groups * window.kernel[0] * window.kernel[1];
        let scale = (inputs as f32).sqrt().recip() * 1.5;
        let kernel: Vec<f32> = self.numbers.take(to * inputs).iter().map(|w| w * scale).collect();
        let bias = (to % 2 == 1).then(|| self.numbers.take(to));
        let shape = [to, from / groups, window.kernel[0], window.kernel[1]];
        let convolution = Convolution {
            window,
            groups,
            kernel: self.parameter(Role::Conv { fan_in: inputs }, &shape, &kernel),
            bias: bias.as_ref().map(|bias| self.parameter(Role::ConvBias, &[to], bias)),
            is_subclass: false,
            norm: None,
        };
        let result = reference::convolution(&convolution, &kernel, bias.as_deref(), map);
        (self.on.push(convolution, &[*value]), result)
    }

    pub(crate) fn pixel(&mut self, to: usize, x: &Pair) -> Pair {
        self.conv(Window::PIXEL, to, 1, x)
    }

    pub(crate) fn depthwise(&mut self, window: Window, x: &Pair) -> Pair {
        self.conv(window, x.1.shape[0], x.1.shape[0], x)
    }

    pub(crate) fn relu(&mut self, (value, map): &Pair) -> Pair {
        (self.on.relu(*value), reference::activation(Activation::Relu, map))
    }

    pub(crate) fn activation(&mut self, activation: Activation, (value, map): &Pair) -> Pair {
        (self.on.activation(activation, *value), reference::activation(activation, map))
    }

    pub(crate) fn max_pool(&mut self, window: Window, (value, map): &Pair) -> Pair {
        (self.on.max_pool(window, *value), reference::max_pool(&window, map))
    }

    /// A frame of zeros and the max-pool of it.
    pub(crate) fn max_pool_of_frame(&mut self, width: usize, window: Window, (value, map): &Pair) -> Pair {
        let widths = vec![[0; 2], [width; 2], [width; 2]];
        let framed = self.on.push(Pad { widths, with: PadWith::Constant(0.0) }, &[*value]);
        self.max_pool(window, &(framed, reference::frame(width, map)))
    }

    pub(crate) fn average_pool(&mut self, window: Window, (value, map): &Pair) -> Pair {
        (self.on.average_pool(window, *value), reference::average_pool(&window, map))
    }

    /// Two normalisations, of which the first is folded into a convolution before it, and the second is not.
    pub(crate) fn affine(&mut self, (value, map): &Pair) -> Pair {
        let channels = map.shape[0];
        let (mut value, mut map) = (*value, map.clone());
        for _ in 0..2 {
            let [scale, shift] = [0; 2].map(|_| self.numbers.take(channels));
            let mut one = |role, values: &[f32]| self.parameter(role, &[channels], values);
            let norm = Normalisation {
                gamma: one(Role::Gamma, &scale),
                beta: one(Role::Beta, &shift),
                mean: one(Role::Mean, &vec![0.0; channels]),
                variance: one(Role::Variance, &vec![1.0; channels]),
                epsilon: 0.0,
            };
            value = self.on.batch_norm(norm, value);
            map = reference::affine(&scale, &shift, &map);
        }
        (value, map)
    }

    pub(crate) fn add(&mut self, a: &Pair, b: &Pair) -> Pair {
        (self.on.add(a.0, b.0), reference::add(&a.1, &b.1))
    }

    pub(crate) fn unary(&mut self, function: Unary, (value, map): &Pair) -> Pair {
        (self.on.push(function, &[*value]), reference::unary(function, map))
    }

    pub(crate) fn binary(&mut self, function: Binary, a: &Pair, b: &Pair) -> Pair {
        (self.on.push(function, &[a.0, b.0]), reference::binary(function, &a.1, &b.1))
    }

    /// `function` of a map and one number, or one a channel.
    pub(crate) fn with_constant(
        &mut self,
        function: Binary,
        channels: usize,
        is_first: bool,
        (value, map): &Pair,
    ) -> Pair {
        let numbers: Vec<f32> =
            self.numbers.take(channels).iter().map(|x| x.signum() * (x.abs() + 0.5)).collect();
        let parameter = self.parameter(Role::Constant, &[channels, 1, 1], &numbers);
        let constant = self.on.push(Constant { parameter }, &[]);
        let numbers = Map { shape: [channels, 1, 1], values: numbers.into_iter().map(f64::from).collect() };
        if is_first {
            (self.on.push(function, &[constant, *value]), reference::binary(function, &numbers, map))
        } else {
            (self.on.push(function, &[*value, constant]), reference::binary(function, map, &numbers))
        }
    }

    /// Every channel's numbers, such as an image is normalised by.
    pub(crate) fn scaled(&mut self, x: &Pair) -> Pair {
        let x = self.with_constant(Binary::Sub, x.1.shape[0], false, x);
        self.with_constant(Binary::Div, x.1.shape[0], false, &x)
    }

    pub(crate) fn concat(&mut self, all: &[&Pair]) -> Pair {
        let values: Vec<Value> = all.iter().map(|pair| pair.0).collect();
        let maps: Vec<&Map> = all.iter().map(|pair| &pair.1).collect();
        (self.on.push(Concat { axis: 0 }, &values), reference::concat(&maps))
    }

    /// Channels at these places, as a slice where they are one.
    pub(crate) fn channels(&mut self, places: Vec<usize>, (value, map): &Pair) -> Pair {
        let result = reference::channels(&places, map);
        let step = places[1] - places[0];
        let is_slice = step > 0 && places.windows(2).all(|two| two[0] + step == two[1]);
        let value = if is_slice {
            self.on.push(Slice { axis: 0, begin: places[0], step, len: places.len() }, &[*value])
        } else {
            self.on.push(Gather { axis: 0, places }, &[*value])
        };
        (value, result)
    }

    /// The mean over all pixels, as a map of one pixel.
    pub(crate) fn pooled(&mut self, x: &Pair) -> Pair {
        let (value, map) = self.mean(1.0, x);
        let shape = Shape::map(map.shape[0], [1, 1]);
        (self.on.push(Reshape { shape }, &[value]), map)
    }

    /// The end of ConvNeXt before its classes: the mean over all pixels, whose channels come last, normalised; called so by a
    /// transposition of one pixel's map, or by a reshape.
    pub(crate) fn normalised_mean(&mut self, by_transposition: bool, x: &Pair) -> Pair {
        let channels = x.1.shape[0];
        let y = if by_transposition {
            let x = self.pooled(x);
            (self.on.push(Transpose { axes: vec![1, 2, 0] }, &[x.0]), x.1)
        } else {
            let x = self.mean(1.0, x);
            (self.on.push(Reshape { shape: Shape::new([1, 1, channels]) }, &[x.0]), x.1)
        };
        let mut y =
            (self.on.push(LayerNorm { axes: 1, epsilon: 1e-6 }, &[y.0]), reference::layer_norm(1e-6, &y.1));
        y = self.of_each_channel(Binary::Mul, &y);
        y = self.of_each_channel(Binary::Add, &y);
        if by_transposition {
            y.0 = self.on.push(Transpose { axes: vec![2, 0, 1] }, &[y.0]);
        }
        (self.on.push(Reshape { shape: Shape::vector(channels) }, &[y.0]), y.1)
    }

    /// `function` of a value whose channels come last and of a number a channel.
    fn of_each_channel(&mut self, function: Binary, (value, map): &Pair) -> Pair {
        let channels = map.shape[0];
        let numbers = self.numbers.take(channels);
        let parameter = self.parameter(Role::Constant, &[channels], &numbers);
        let constant = self.on.push(Constant { parameter }, &[]);
        let numbers = Map { shape: [channels, 1, 1], values: numbers.into_iter().map(f64::from).collect() };
        (self.on.push(function, &[*value, constant]), reference::binary(function, map, &numbers))
    }

    /// A block of ConvNeXt, whose channels come last: layer normalisation, two fully connected layers of each pixel, a factor a channel,
    /// the sum with what came in.
    pub(crate) fn channels_last(&mut self, hidden: usize, x: &Pair) -> Pair {
        let channels = x.1.shape[0];
        let last = self.on.push(Transpose { axes: vec![1, 2, 0] }, &[x.0]);
        let normalised = self.on.push(LayerNorm { axes: 1, epsilon: 1e-6 }, &[last]);
        let mut y = (normalised, reference::layer_norm(1e-6, &x.1));
        y = self.of_each_channel(Binary::Mul, &y);
        y = self.of_each_channel(Binary::Add, &y);
        y = self.linear_of_pixels(hidden, &y);
        y = self.unary(Unary::Gelu, &y);
        y = self.linear_of_pixels(channels, &y);
        y.0 = self.on.push(Transpose { axes: vec![2, 0, 1] }, &[y.0]);
        let y = self.with_constant(Binary::Mul, channels, true, &y);
        self.add(x, &y)
    }

    /// A fully connected layer of each pixel, whose channels come last.
    pub(crate) fn linear_of_pixels(&mut self, to: usize, (value, map): &Pair) -> Pair {
        let [from, height, width] = map.shape;
        let weights: Vec<f32> =
            self.numbers.take(from * to).iter().map(|w| w / (from as f32).sqrt()).collect();
        let bias = self.numbers.take(to);
        let of_pixel = |pixel: usize| {
            let values = (0..from).map(|channel| map.values[channel * height * width + pixel]).collect();
            reference::linear(&weights, Some(&bias), &Map { shape: [from, 1, 1], values }).values
        };
        let pixels: Vec<Vec<f64>> = (0..height * width).map(of_pixel).collect();
        let values = (0..to).flat_map(|channel| pixels.iter().map(move |pixel| pixel[channel])).collect();
        let weight = self.parameter(Role::Linear { fan_in: from }, &[from, to], &weights);
        let bias = self.parameter(Role::LinearBias, &[to], &bias);
        (self.on.linear(weight, Some(bias), *value), Map { shape: [to, height, width], values })
    }

    pub(crate) fn pool(
        &mut self,
        is_max: bool,
        count_padding: bool,
        ceil_mode: bool,
        window: Window,
        (value, map): &Pair,
    ) -> Pair {
        let result = reference::pool(is_max, count_padding, ceil_mode, &window, map);
        let value = if is_max {
            self.on.push(MaxPool { window, ceil_mode }, &[*value])
        } else {
            self.on.push(AveragePool { window, ceil_mode, count_padding }, &[*value])
        };
        (value, result)
    }

    /// Pixels around a map: at the top, left, bottom and right.
    pub(crate) fn framed(&mut self, with: PadWith, pads: [usize; 4], (value, map): &Pair) -> Pair {
        let [top, left, bottom, right] = pads;
        let along = |before: usize, size: usize, after: usize| {
            let place = |at: usize| {
                let at = at as i64 - before as i64;
                let last = size as i64 - 1;
                match with {
                    _ if (0..=last).contains(&at) => Some(at as usize),
                    PadWith::Constant(_) => None,
                    PadWith::Edge => Some(at.clamp(0, last) as usize),
                    PadWith::Reflection => Some(if at < 0 { -at } else { 2 * last - at } as usize),
                }
            };
            (0..before + size + after).map(place).collect::<Vec<_>>()
        };
        let [_, height, width] = map.shape;
        let result = reference::pixels(&along(top, height, bottom), &along(left, width, right), map);
        let widths = vec![[0, 0], [top, bottom], [left, right]];
        (self.on.push(Pad { widths, with }, &[*value]), result)
    }

    /// Every row and every column twice: upsampling by the nearest.
    pub(crate) fn doubled(&mut self, (value, map): &Pair) -> Pair {
        let [_, height, width] = map.shape;
        let twice = |size: usize| (0..2 * size).map(|at| at / 2).collect::<Vec<_>>();
        let value = self.on.push(Gather { axis: 1, places: twice(height) }, &[*value]);
        let value = self.on.push(Gather { axis: 2, places: twice(width) }, &[value]);
        let some = |places: Vec<usize>| places.into_iter().map(Some).collect::<Vec<_>>();
        (value, reference::pixels(&some(twice(height)), &some(twice(width)), map))
    }

    /// The mean over all pixels, times a factor where it is not 1.
    pub(crate) fn mean(&mut self, factor: f32, (value, map): &Pair) -> Pair {
        let mut value = self.on.global_average_pool(*value);
        if factor != 1.0 {
            value = self.on.scale(f64::from(factor), value);
        }
        (value, reference::mean(factor, map))
    }

    pub(crate) fn linear(&mut self, to: usize, (value, map): &Pair) -> Pair {
        let from = map.values.len();
        let scale = (from as f32).sqrt().recip();
        let weights: Vec<f32> = self.numbers.take(from * to).iter().map(|w| w * scale).collect();
        let bias = self.numbers.take(to);
        let result = reference::linear(&weights, Some(&bias), map);
        let weight = self.parameter(Role::Linear { fan_in: from }, &[from, to], &weights);
        let bias = self.parameter(Role::LinearBias, &[to], &bias);
        (self.on.linear(weight, Some(bias), *value), result)
    }

    /// The program that puts out classes of the mean of `features`, and what plain loops make of them.
    pub(crate) fn finish(mut self, isa: Isa, features: &Pair, classes: usize) -> (Program, Vec<f64>) {
        let x = self.mean(0.5, features);
        let x = self.linear(classes, &x);
        self.end(isa, x)
    }

    /// The program that puts out `logits`, and what plain loops make of them.
    pub(crate) fn end(mut self, isa: Isa, (value, map): Pair) -> (Program, Vec<f64>) {
        let lowering = Lowering::in_parts(&self.on.finish(value), self.size).unwrap();
        assert_eq!(lowering.shares(), None, "what has no kernel");
        (lowering.load(&mut self.weights, isa).unwrap(), map.values)
    }
}
