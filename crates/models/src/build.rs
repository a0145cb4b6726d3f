//! How a family's forward pass becomes a graph: its modules, whose fields are the checkpoint's keys, give the operations their
//! data. Which parameter of a layer is which follows from the operation that the forward pass makes of it.

use std::collections::HashMap;

use burn::module::{Module, ParamId};
use burn::nn::conv::Conv2d;
use burn::nn::pool::MaxPool2d;
use burn::nn::{BatchNorm, Linear};
use graph::operations::{BatchNorm as Norm, Convolution, MaxPool, Pad, PadWith};
use graph::{Activation, Builder, Graph, Normalisation, Parameter, Role, Value, Window};

use crate::network::Architecture;
use crate::weights::{Framework, Slot, parameters};
use crate::window;

/// Channels of the images that every family here takes.
pub(crate) const IMAGE_CHANNELS: usize = 3;

/// Burn's modules keep a layer's parameters in this order.
const NORM_ROLES: [Role; 4] = [Role::Gamma, Role::Beta, Role::Mean, Role::Variance];

/// A forward pass being written down.
pub(crate) struct Walk<'a> {
    on: Builder,
    framework: Framework,
    /// What the checkpoint calls the tensor of a layer.
    key: &'a dyn Fn(&str, &str) -> String,
    /// The layer of each parameter of the module, and its place among them.
    layers: HashMap<ParamId, (usize, String)>,
    /// The module's parameters in their order, once the forward pass has come by.
    slots: Vec<Option<Slot>>,
}

/// The graph of `architecture`, and its tensors in the order of its fields.
///
/// # Panics
/// If the forward pass goes past a parameter, or through a layer that is none of the module's (a programmer's mistake, which every
/// test of the network shows).
pub(crate) fn graph_of<A: Architecture>(architecture: &A) -> (Graph, Vec<Slot>) {
    let parameters = parameters(architecture);
    let places = parameters.iter().enumerate();
    let (on, image) = Builder::new(IMAGE_CHANNELS);
    let mut walk = Walk {
        on,
        framework: architecture.framework(),
        key: &|layer, leaf| architecture.key(layer, leaf),
        layers: places.map(|(place, it)| (it.id, (place, it.layer.clone()))).collect(),
        slots: vec![None; parameters.len()],
    };
    let logits = architecture.walk(&mut walk, image);
    let slots = walk.slots.into_iter().zip(&parameters);
    let slots =
        slots.map(|(slot, it)| slot.unwrap_or_else(|| panic!("the forward pass goes past {}", it.layer)));
    let slots = slots.collect();
    (walk.on.finish(logits), slots)
}

impl Walk<'_> {
    /// The parameters of `layer`, which have these roles in the order of its fields; a bias may be missing.
    fn parameters(&mut self, layer: &impl Module, roles: &[Role]) -> Vec<Parameter> {
        let of_layer = parameters(layer);
        assert!(of_layer.len() <= roles.len(), "a layer has a parameter without a role");
        let named = of_layer.into_iter().zip(roles).map(|(parameter, &role)| {
            let (place, layer) = &self.layers[&parameter.id];
            let name = (self.key)(layer, self.framework.leaf(role));
            let slot = Slot::new(self.framework, name, role, parameter.shape);
            self.slots[*place].insert(slot).parameter.clone()
        });
        named.collect()
    }

    /// The parameters of a layer with a weight and perhaps a bias.
    fn weight_and_bias(&mut self, layer: &impl Module, roles: [Role; 2]) -> (Parameter, Option<Parameter>) {
        let mut parameters = self.parameters(layer, &roles).into_iter();
        (parameters.next().expect("a layer has a weight"), parameters.next())
    }

    /// 2-D convolution, grouped and dilated as the module says.
    pub(crate) fn conv(&mut self, conv: &Conv2d, x: Value) -> Value {
        self.convolve(conv, false, x)
    }

    /// [`Walk::conv`] where the source has a class of its own, which some tools that count do not know.
    pub(crate) fn conv_subclass(&mut self, conv: &Conv2d, x: Value) -> Value {
        self.convolve(conv, true, x)
    }

    fn convolve(&mut self, conv: &Conv2d, is_subclass: bool, x: Value) -> Value {
        let [_, inputs, height, width]: [usize; 4] = conv.weight.lazy_shape().dims();
        let role = Role::Conv { fan_in: inputs * height * width };
        let (kernel, bias) = self.weight_and_bias(conv, [role, Role::ConvBias]);
        let (window, groups) = (window::of_conv(conv), conv.groups);
        self.on.push(Convolution { window, groups, kernel, bias, is_subclass, norm: None }, &[x])
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
        let parameters = self.parameters(norm, &NORM_ROLES);
        let parameters: [Parameter; 4] = parameters.try_into().expect("a normalisation has four parameters");
        let [gamma, beta, mean, variance] = parameters;
        let norm = Normalisation { gamma, beta, mean, variance, epsilon: norm.epsilon };
        self.on.push(Norm { norm, with_activation }, &[x])
    }

    /// Rectified linear unit.
    pub(crate) fn relu(&mut self, x: Value) -> Value {
        self.on.activation(Activation::Relu, x)
    }

    /// Rectified linear unit, cut off at 6.
    pub(crate) fn relu6(&mut self, x: Value) -> Value {
        self.on.activation(Activation::Relu6, x)
    }

    /// Max-pooling; padding never wins.
    pub(crate) fn max_pool(&mut self, pool: &MaxPool2d, x: Value) -> Value {
        self.on.push(MaxPool { window: window::of_pool(pool), ceil_mode: pool.ceil_mode }, &[x])
    }

    /// A frame of zeros, so many pixels wide on each side.
    pub(crate) fn pad_zeros(&mut self, width: usize, x: Value) -> Value {
        let widths = vec![[0; 2], [width; 2], [width; 2]];
        self.on.push(Pad { widths, with: PadWith::Constant(0.0) }, &[x])
    }

    /// Average-pooling; padding is no part of a mean.
    pub(crate) fn average_pool(&mut self, window: Window, x: Value) -> Value {
        self.on.average_pool(window, x)
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
        let [fan_in, _]: [usize; 2] = linear.weight.lazy_shape().dims();
        let (weight, bias) = self.weight_and_bias(linear, [Role::Linear { fan_in }, Role::LinearBias]);
        self.on.linear(weight, bias, x)
    }

    /// The end of a stage, by the name that the source framework gives it.
    pub(crate) fn stage(&mut self, name: &str, x: Value) {
        self.on.stage(name, x);
    }
}
