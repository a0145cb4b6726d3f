//! How a family's forward pass becomes a graph: its modules, whose fields are the checkpoint's keys, give the operations their
//! data, and [`Layers`] the keys of their parameters.

use std::collections::HashMap;

use burn::module::ParamId;
use burn::nn::conv::Conv2d;
use burn::nn::pool::MaxPool2d;
use burn::nn::{BatchNorm, Linear};
use graph::operations::{BatchNorm as Norm, MaxPool};
use graph::{Activation, Builder, Graph, Normalisation, Parameter, Role, Value};

use crate::weights::Slot;
use crate::window;

/// Channels of the images that every family here takes.
pub(crate) const IMAGE_CHANNELS: usize = 3;

/// The parameters of each layer, by the identity of its first one in the Burn module.
pub(crate) struct Layers<'a>(HashMap<ParamId, Vec<&'a Parameter>>);

impl<'a> Layers<'a> {
    /// Of a module's slots, which come a layer after the other.
    pub(crate) fn of(slots: &'a [Slot]) -> Self {
        let mut layers = HashMap::new();
        for layer in slots.chunk_by(|a, b| a.layer == b.layer) {
            layers.insert(layer[0].id, layer.iter().map(|slot| &slot.parameter).collect());
        }
        Self(layers)
    }

    /// The parameter of the layer that begins with `first` for which `role` holds.
    ///
    /// # Panics
    /// If the layer is not one of the module's fields (a programmer's mistake).
    fn find(&self, first: ParamId, role: fn(Role) -> bool) -> Option<Parameter> {
        let layer = self.0.get(&first).expect("a family's forward pass goes through its own layers");
        layer.iter().find(|parameter| role(parameter.role)).map(|&parameter| parameter.clone())
    }

    fn get(&self, first: ParamId, role: fn(Role) -> bool) -> Parameter {
        self.find(first, role).expect("a layer has all its parameters")
    }
}

/// A forward pass being written down.
pub(crate) struct Walk<'a> {
    on: Builder,
    layers: Layers<'a>,
}

impl<'a> Walk<'a> {
    /// Begins with the image.
    pub(crate) fn new(layers: Layers<'a>) -> (Self, Value) {
        let (on, image) = Builder::new(IMAGE_CHANNELS);
        (Self { on, layers }, image)
    }

    /// The graph that puts out `logits`.
    pub(crate) fn finish(self, logits: Value) -> Graph {
        self.on.finish(logits)
    }

    /// 2-D convolution, grouped and dilated as the module says.
    pub(crate) fn conv(&mut self, conv: &Conv2d, x: Value) -> Value {
        let kernel = self.layers.get(conv.weight.id, |role| matches!(role, Role::Conv { .. }));
        let bias = self.layers.find(conv.weight.id, |role| role == Role::ConvBias);
        self.on.convolution(window::of_conv(conv), conv.groups, kernel, bias, x)
    }

    /// Batch normalisation by the running statistics.
    pub(crate) fn norm(&mut self, norm: &BatchNorm, x: Value) -> Value {
        self.normalise(norm, false, x)
    }

    /// [`Walk::norm`] where timm has a `BatchNormAct2d`, which some tools that count do not know. Its activation is an
    /// operation of its own.
    pub(crate) fn norm_act(&mut self, norm: &BatchNorm, x: Value) -> Value {
        self.normalise(norm, true, x)
    }

    fn normalise(&mut self, norm: &BatchNorm, with_activation: bool, x: Value) -> Value {
        let get = |role| self.layers.get(norm.gamma.id, role);
        let norm = Normalisation {
            gamma: get(|role| role == Role::Gamma),
            beta: get(|role| role == Role::Beta),
            mean: get(|role| role == Role::Mean),
            variance: get(|role| role == Role::Variance),
            epsilon: norm.epsilon,
        };
        self.on.push(Norm { norm, with_activation }, &[x])
    }

    /// Rectified linear unit.
    pub(crate) fn relu(&mut self, x: Value) -> Value {
        self.on.activation(Activation::Relu, x)
    }

    /// Max-pooling; padding never wins.
    pub(crate) fn max_pool(&mut self, pool: &MaxPool2d, x: Value) -> Value {
        self.on.push(MaxPool { window: window::of_pool(pool), ceil_mode: pool.ceil_mode }, &[x])
    }

    /// Element-wise sum of two maps of one shape.
    pub(crate) fn add(&mut self, a: Value, b: Value) -> Value {
        self.on.add(a, b)
    }

    /// Mean over height and width.
    pub(crate) fn global_average_pool(&mut self, x: Value) -> Value {
        self.on.global_average_pool(x)
    }

    /// Every element times `factor`; nothing is done for 1.
    pub(crate) fn scale(&mut self, x: Value, factor: f64) -> Value {
        if factor == 1.0 { x } else { self.on.scale(factor, x) }
    }

    /// Fully connected layer.
    pub(crate) fn linear(&mut self, linear: &Linear, x: Value) -> Value {
        let weight = self.layers.get(linear.weight.id, |role| matches!(role, Role::Linear { .. }));
        let bias = self.layers.find(linear.weight.id, |role| role == Role::LinearBias);
        self.on.linear(weight, bias, x)
    }

    /// The end of a stage, by the name that the source framework gives it.
    pub(crate) fn stage(&mut self, name: &str, x: Value) {
        self.on.stage(name, x);
    }
}
