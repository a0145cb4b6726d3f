//! A network as the fused CPU kernels run it: its forward pass once more, over a graph this time.

use burn::nn::conv::Conv2d;
use burn::nn::pool::MaxPool2d;
use burn::nn::{BatchNorm, Linear, PaddingConfig2d};
use burn::tensor::Tensor;
use kernels::{Convolution, Graph, GraphError, Isa, Padding, Program, Value, Window};

use crate::fold::Affine;
use crate::interpret::Interpreter;
use crate::network::Architecture;

/// Channels of the images that every network here takes.
const IMAGE_CHANNELS: usize = 3;

/// `network` for `isa`. A normalisation that follows a convolution is folded into its weights on the way to the
/// kernels: folding the network before would need its weights once more in memory.
///
/// # Errors
/// [`GraphError`] where the kernels lack something. Burn's own operations do not.
pub(crate) fn fuse(network: &impl Architecture, isa: Isa) -> Result<Program, GraphError> {
    let (graph, images) = Graph::new(isa, IMAGE_CHANNELS);
    let mut fuse = Fuse { graph: Some(graph), first_error: None };
    let logits = network.walk(&mut fuse, Features::InGraph(images));
    match (fuse.first_error, logits) {
        (None, Vector::Logits(program)) => *program,
        (Some(error), _) => Err(error),
        (None, Vector::Pooled { .. }) => Err(GraphError::NoHead),
    }
}

/// Builds the graph. A walk cannot fail half-way, so the first error is kept until its end.
struct Fuse {
    /// Taken by the head.
    graph: Option<Graph>,
    first_error: Option<GraphError>,
}

/// A feature map.
#[derive(Clone)]
enum Features {
    InGraph(Value),
    /// The result of a convolution that a normalisation may still be folded into. Tensors are shared, not copied.
    Convolved {
        conv: Box<Convolved>,
        input: Value,
    },
}

#[derive(Clone)]
struct Convolved {
    window: Window,
    channels: [usize; 2],
    groups: usize,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
}

impl Convolved {
    /// With its output scaled and shifted, a channel each; the factors are applied in f64 and rounded once.
    fn weights(self, affine: Option<Affine>) -> Convolution {
        let Self { window, channels, groups, weight, bias } = self;
        let mut weights = values(weight);
        let mut bias = bias.map(values);
        if let Some(Affine { scale, shift }) = affine {
            let kernel = weights.len() / channels[1];
            for (kernel, scale) in weights.chunks_exact_mut(kernel).zip(&scale) {
                kernel.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * scale) as f32);
            }
            let before = |channel: usize| bias.as_ref().map_or(0.0, |bias| f64::from(bias[channel]));
            let folded = (0..channels[1]).map(|c| (shift[c] + before(c) * scale[c]) as f32).collect();
            bias = Some(folded);
        }
        Convolution { window, channels, groups, weights, bias }
    }
}

/// What follows pooling.
enum Vector {
    Pooled { features: Value, factor: f32 },
    Logits(Box<Result<Program, GraphError>>),
}

impl Fuse {
    /// The value that `build` adds; `x` again if it cannot.
    fn add_to_graph(
        &mut self,
        x: Value,
        build: impl FnOnce(&mut Graph) -> Result<Value, GraphError>,
    ) -> Value {
        let result = match &mut self.graph {
            Some(graph) if self.first_error.is_none() => build(graph),
            Some(_) => return x,
            None => Err(GraphError::NoHead),
        };
        result.unwrap_or_else(|error| {
            self.first_error = Some(error);
            x
        })
    }

    /// `x` as it is.
    fn value(&mut self, x: Features) -> Value {
        match x {
            Features::InGraph(value) => value,
            Features::Convolved { conv, input } => self.convolution(*conv, None, input),
        }
    }

    fn convolution(&mut self, conv: Convolved, affine: Option<Affine>, input: Value) -> Value {
        self.add_to_graph(input, |graph| graph.convolution(&conv.weights(affine), input))
    }

    fn unary(
        &mut self,
        x: Features,
        build: impl FnOnce(&mut Graph, Value) -> Result<Value, GraphError>,
    ) -> Features {
        let x = self.value(x);
        Features::InGraph(self.add_to_graph(x, |graph| build(graph, x)))
    }
}

impl Interpreter for Fuse {
    type Features = Features;
    type Vector = Vector;

    fn conv(&mut self, conv: &Conv2d, x: Features) -> Features {
        let [to, inputs, ..] = conv.weight.dims();
        let convolved = Convolved {
            window: Window {
                kernel: conv.kernel_size,
                stride: conv.stride,
                dilation: conv.dilation,
                padding: padding(&conv.padding),
            },
            channels: [inputs * conv.groups, to],
            groups: conv.groups,
            weight: conv.weight.val(),
            bias: conv.bias.as_ref().map(|bias| bias.val()),
        };
        Features::Convolved { conv: Box::new(convolved), input: self.value(x) }
    }

    fn batch_norm(&mut self, norm: &BatchNorm, x: Features) -> Features {
        let affine = Affine::of(norm);
        match x {
            Features::Convolved { conv, input } => {
                Features::InGraph(self.convolution(*conv, Some(affine), input))
            }
            x => {
                let [scale, shift] =
                    [affine.scale, affine.shift].map(|values| values.iter().map(|&v| v as f32).collect());
                self.unary(x, |graph, x| graph.affine(scale, shift, x))
            }
        }
    }

    fn relu(&mut self, x: Features) -> Features {
        self.unary(x, Graph::relu)
    }

    fn max_pool(&mut self, pool: &MaxPool2d, x: Features) -> Features {
        let window = Window {
            kernel: pool.kernel_size,
            stride: pool.stride,
            dilation: pool.dilation,
            padding: padding(&pool.padding),
        };
        self.unary(x, |graph, x| match pool.ceil_mode {
            false => graph.max_pool(window, x),
            true => Err(GraphError::CeilMode),
        })
    }

    fn add(&mut self, a: Features, b: Features) -> Features {
        let b = self.value(b);
        self.unary(a, |graph, a| graph.add(a, b))
    }

    fn global_average_pool(&mut self, x: Features) -> Vector {
        Vector::Pooled { features: self.value(x), factor: 1.0 }
    }

    fn scale(&mut self, x: Vector, by: f64) -> Vector {
        match x {
            Vector::Pooled { features, factor } => Vector::Pooled { features, factor: factor * by as f32 },
            Vector::Logits(_) => Vector::Logits(Box::new(Err(GraphError::NoHead))),
        }
    }

    fn linear(&mut self, linear: &Linear, x: Vector) -> Vector {
        let graph = self.graph.take().filter(|_| self.first_error.is_none());
        let (Vector::Pooled { features, factor }, Some(graph)) = (x, graph) else {
            return Vector::Logits(Box::new(Err(GraphError::NoHead)));
        };
        let weights = values(linear.weight.val());
        let bias = linear.bias.as_ref().map(|bias| values(bias.val()));
        Vector::Logits(Box::new(graph.finish(features, factor, &weights, bias.as_deref())))
    }
}

fn padding(padding: &PaddingConfig2d) -> Padding {
    match *padding {
        PaddingConfig2d::Same => Padding::Same,
        PaddingConfig2d::Valid => Padding::Explicit([0; 4]),
        PaddingConfig2d::Explicit(top, left, bottom, right) => Padding::Explicit([top, left, bottom, right]),
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}
