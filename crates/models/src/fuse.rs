//! A network as the fused CPU kernels run it: its forward pass once more, over a graph this time.

use std::cell::RefCell;
use std::rc::Rc;

use burn::module::{Param, ParamId};
use burn::nn::conv::Conv2d;
use burn::nn::pool::MaxPool2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::Tensor;
use kernels::{Convolution, Graph, GraphError, Isa, Program, Value, Window};

use crate::fold::{Affine, values};
use crate::interpret::Interpreter;
use crate::network::Architecture;
use crate::weights::{WaitingKernels, WeightsError};
use crate::window;

/// Channels of the images that every network here takes.
const IMAGE_CHANNELS: usize = 3;

/// `network` for `isa`. A normalisation that follows a convolution is folded into its weights on the way to the
/// kernels, and the weights that are still `waiting` in a checkpoint are read layer by layer: neither the network
/// folded before nor the network loaded before is in memory besides the packed weights.
///
/// # Errors
/// [`FuseError`] where the kernels lack something, which Burn's own operations do not, or where the weights cannot be
/// read.
pub(crate) fn fuse(
    network: &impl Architecture,
    waiting: &mut WaitingKernels,
    isa: Isa,
) -> Result<Program, FuseError> {
    let (graph, images) = Graph::new(isa, IMAGE_CHANNELS);
    let mut fuse = Fuse { graph: Some(graph), waiting, first_error: None };
    let logits = network.walk(&mut fuse, Features::of(images));
    match (fuse.first_error, logits) {
        (None, Vector::Logits(program)) => Ok((*program)?),
        (Some(error), _) => Err(error),
        (None, Vector::Pooled { .. }) => Err(GraphError::NoHead.into()),
    }
}

/// Why a network did not become a program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FuseError {
    /// The kernels lack something.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A weight cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// Builds the graph. A walk cannot fail half-way, so the first error is kept until its end.
struct Fuse<'a> {
    /// Taken by the head.
    graph: Option<Graph>,
    waiting: &'a mut WaitingKernels,
    first_error: Option<FuseError>,
}

/// A feature map. Clones are the same map: what one of them becomes, all do.
#[derive(Clone)]
struct Features(Rc<RefCell<Map>>);

enum Map {
    InGraph(Value),
    /// The result of a convolution that a normalisation may still be folded into.
    Convolved {
        conv: Box<Convolved>,
        input: Value,
    },
}

impl Features {
    fn of(value: Value) -> Self {
        Self(Rc::new(RefCell::new(Map::InGraph(value))))
    }
}

struct Convolved {
    window: Window,
    channels: [usize; 2],
    groups: usize,
    kernel: Kernel,
    bias: Option<Tensor<1>>,
}

/// A layer's weight: in a checkpoint by its parameter, or here. Tensors are shared, not copied.
enum Kernel {
    Waiting(ParamId),
    Loaded(Box<dyn FnOnce() -> Vec<f32>>),
}

/// What follows pooling.
enum Vector {
    Pooled { features: Value, factor: f32 },
    Logits(Box<Result<Program, GraphError>>),
}

impl Fuse<'_> {
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
            self.first_error = Some(error.into());
            x
        })
    }

    /// `x` as it is.
    fn value(&mut self, x: &Features) -> Value {
        let input = match *x.0.borrow() {
            Map::InGraph(value) => return value,
            Map::Convolved { input, .. } => input,
        };
        let mut value = input;
        if let Map::Convolved { conv, .. } = x.0.replace(Map::InGraph(input)) {
            value = self.convolution(conv, None, input);
            x.0.replace(Map::InGraph(value));
        }
        value
    }

    fn convolution(&mut self, conv: Box<Convolved>, affine: Option<Affine>, input: Value) -> Value {
        let Convolved { window, channels, groups, kernel, bias } = *conv;
        let Some(mut weights) = self.read(kernel) else { return input };
        let mut bias = bias.map(values);
        if let Some(affine) = affine {
            bias = Some(affine.fold_into(&mut weights, bias.as_deref()));
        }
        let convolution = Convolution { window, channels, groups, weights, bias };
        self.add_to_graph(input, |graph| graph.convolution(&convolution, input))
    }

    /// Where the weight of a layer is.
    fn kernel<const D: usize>(&self, param: &Param<Tensor<D>>) -> Kernel {
        if self.waiting.has(param.id) {
            return Kernel::Waiting(param.id);
        }
        let tensor = param.val();
        Kernel::Loaded(Box::new(move || values(tensor)))
    }

    /// The values of a weight; `None` after an error, which is kept.
    fn read(&mut self, kernel: Kernel) -> Option<Vec<f32>> {
        if self.first_error.is_some() {
            return None;
        }
        match kernel {
            Kernel::Loaded(values) => Some(values()),
            Kernel::Waiting(id) => match self.waiting.read(id) {
                Ok(values) => Some(values),
                Err(error) => {
                    self.first_error = Some(error.into());
                    None
                }
            },
        }
    }

    fn unary(
        &mut self,
        x: &Features,
        build: impl FnOnce(&mut Graph, Value) -> Result<Value, GraphError>,
    ) -> Features {
        let x = self.value(x);
        Features::of(self.add_to_graph(x, |graph| build(graph, x)))
    }
}

impl Interpreter for Fuse<'_> {
    type Features = Features;
    type Vector = Vector;

    fn conv(&mut self, conv: &Conv2d, x: Features) -> Features {
        let [to, inputs, ..]: [usize; 4] = conv.weight.lazy_shape().dims();
        let convolved = Convolved {
            window: window::of_conv(conv),
            channels: [inputs * conv.groups, to],
            groups: conv.groups,
            kernel: self.kernel(&conv.weight),
            bias: conv.bias.as_ref().map(|bias| bias.val()),
        };
        let input = self.value(&x);
        Features(Rc::new(RefCell::new(Map::Convolved { conv: Box::new(convolved), input })))
    }

    fn batch_norm(&mut self, norm: &BatchNorm, x: Features) -> Features {
        let affine = Affine::of(norm);
        // What others read too has to stay as it is.
        match Rc::try_unwrap(x.0).map(RefCell::into_inner) {
            Ok(Map::Convolved { conv, input }) => Features::of(self.convolution(conv, Some(affine), input)),
            others => {
                let x = others.map_or_else(Features, |map| Features(Rc::new(RefCell::new(map))));
                let [scale, shift] =
                    [affine.scale, affine.shift].map(|values| values.iter().map(|&v| v as f32).collect());
                self.unary(&x, |graph, x| graph.affine(scale, shift, x))
            }
        }
    }

    fn relu(&mut self, x: Features) -> Features {
        self.unary(&x, Graph::relu)
    }

    fn max_pool(&mut self, pool: &MaxPool2d, x: Features) -> Features {
        self.unary(&x, |graph, x| graph.max_pool(window::of_pool(pool)?, x))
    }

    fn add(&mut self, a: Features, b: Features) -> Features {
        let b = self.value(&b);
        self.unary(&a, |graph, a| graph.add(a, b))
    }

    fn global_average_pool(&mut self, x: Features) -> Vector {
        Vector::Pooled { features: self.value(&x), factor: 1.0 }
    }

    fn scale(&mut self, x: Vector, by: f64) -> Vector {
        match x {
            Vector::Pooled { features, factor } => Vector::Pooled { features, factor: factor * by as f32 },
            Vector::Logits(_) => Vector::Logits(Box::new(Err(GraphError::NoHead))),
        }
    }

    fn linear(&mut self, linear: &Linear, x: Vector) -> Vector {
        let kernel = self.kernel(&linear.weight);
        let weights = self.read(kernel);
        let (Vector::Pooled { features, factor }, Some(graph), Some(weights)) =
            (x, self.graph.take(), weights)
        else {
            return Vector::Logits(Box::new(Err(GraphError::NoHead)));
        };
        let bias = linear.bias.as_ref().map(|bias| values(bias.val()));
        Vector::Logits(Box::new(graph.finish(features, factor, &weights, bias.as_deref())))
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::nn::LinearConfig;
    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::TensorData;
    use kernels::{Images, Threads};

    use super::*;
    use crate::DeviceName;
    use crate::execute::Execute;
    use crate::layers::batch_norm;

    /// A convolution that two read, one of them a normalisation, which must not be folded then.
    #[derive(Module, Debug)]
    struct ReadTwice {
        conv: Conv2d,
        norm: BatchNorm,
        fc: Linear,
    }

    impl Architecture for ReadTwice {
        fn walk<I: Interpreter>(&self, on: &mut I, images: I::Features) -> I::Vector {
            let x = on.conv(&self.conv, images);
            let normalised = on.batch_norm(&self.norm, x.clone());
            let activated = on.relu(normalised);
            let sum = on.add(activated, x);
            let pooled = on.global_average_pool(sum);
            on.linear(&self.fc, pooled)
        }

        fn fold_norms(&mut self) {}
    }

    #[test]
    fn a_convolution_that_two_read_is_computed_once_and_stays_as_it_is() {
        let device = DeviceName::Flex.init().unwrap();
        let mut norm = batch_norm(5, 1e-3, &device).unwrap();
        norm.gamma = Param::from_tensor(Tensor::from_floats([0.5, 2.0, -1.0, 0.1, 3.0], &device));
        let network = ReadTwice {
            conv: Conv2dConfig::new([3, 5], [3, 3]).init(&device),
            norm,
            fc: LinearConfig::new(5, 4).init(&device),
        };
        let values: Vec<f32> = crate::weights::unit("image", 3 * 8 * 8, 0).collect();
        let image = Tensor::from_data(TensorData::new(values.clone(), [1, 3, 8, 8]), &device);
        let expected = super::values(network.walk(&mut Execute::default(), image));

        let program = fuse(&network, &mut WaitingKernels::default(), Isa::best()).unwrap();
        let images = Images::Planar { values: &values, channels: 3, size: [8, 8] };
        let found = program.run(&images, &Threads::new(1).unwrap()).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-5, "{found} where {expected} belongs");
        }
        assert_eq!(found.len(), expected.len());
        // The convolution's matrix and the head's, once, with the channels that they put out padded to 16.
        assert_eq!(program.weight_bytes(), (3 * 3 * 3 + 5) * 16 * size_of::<f32>());
    }
}
