//! A network built twice: as a graph with its weights, for the kernels, and computed at once by plain loops.

use std::collections::BTreeMap;

use graph::operations::{Convolution, Pad, PadWith};
use graph::{Activation, Builder, Normalisation, Parameter, Role, Value, Window};
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
}

pub(crate) type Pair = (Value, Map);

impl Twice {
    /// After an image.
    pub(crate) fn new(image: &Map) -> (Self, Pair) {
        let (on, value) = Builder::new(image.shape[0]);
        (Self { numbers: Numbers(7), on, weights: BTreeMap::new() }, (value, image.clone()))
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
        let lowering = Lowering::of(&self.on.finish(value)).unwrap();
        (lowering.load(&mut self.weights, isa).unwrap(), map.values)
    }
}
