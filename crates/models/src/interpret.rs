//! Why this file exists: a network's forward pass is needed three times, to compute it with Burn's
//! operations, to count it, and to fuse it for the CPU kernels. Written thrice it would drift, so each
//! family writes it once, over an [`Interpreter`]: [`Execute`] computes with tensors,
//! [`Trace`](crate::complexity::Trace) follows shapes alone, and `Fuse` of `fuse.rs` builds the kernels' graph.

use burn::nn::conv::Conv2d;
use burn::nn::pool::MaxPool2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::Tensor;

/// What a forward pass is made of.
///
/// `Features` stands for a batch of feature maps, `[batch, channels, height, width]`; `Vector`
/// for `[batch, channels]`. The modules are Burn's own and hold the hyperparameters.
pub trait Interpreter {
    /// Feature maps, NCHW. Cloning must be cheap.
    type Features: Clone;
    /// One vector an image.
    type Vector;

    /// 2-D convolution, grouped and dilated as the module says.
    fn conv(&mut self, conv: &Conv2d, x: Self::Features) -> Self::Features;

    /// Batch normalisation by the running statistics.
    fn batch_norm(&mut self, norm: &BatchNorm, x: Self::Features) -> Self::Features;

    /// Rectified linear unit.
    fn relu(&mut self, x: Self::Features) -> Self::Features;

    /// Max-pooling; padding never wins.
    fn max_pool(&mut self, pool: &MaxPool2d, x: Self::Features) -> Self::Features;

    /// Element-wise sum of two maps of one shape.
    fn add(&mut self, a: Self::Features, b: Self::Features) -> Self::Features;

    /// Mean over height and width.
    fn global_average_pool(&mut self, x: Self::Features) -> Self::Vector;

    /// Every element times `factor`; nothing is done for 1.
    fn scale(&mut self, x: Self::Vector, factor: f64) -> Self::Vector;

    /// Fully connected layer.
    fn linear(&mut self, linear: &Linear, x: Self::Vector) -> Self::Vector;

    /// A normalisation that [`Network::fold_norms`](crate::Network::fold_norms) may have merged
    /// into the convolution before it, which leaves `None`.
    fn norm(&mut self, norm: &Option<BatchNorm>, x: Self::Features) -> Self::Features {
        match norm {
            Some(norm) => self.batch_norm(norm, x),
            None => x,
        }
    }

    /// [`Interpreter::norm`] where timm has a `BatchNormAct2d`, which joins the activation to the
    /// normalisation. That computes nothing else (the activation is a step of its own here), but some
    /// tools that count do not know it.
    fn norm_act(&mut self, norm: &Option<BatchNorm>, x: Self::Features) -> Self::Features {
        self.norm(norm, x)
    }

    /// Called at the end of each stage with the name that the source framework gives it.
    fn stage(&mut self, _name: &str, _x: &Self::Features) {}
}

/// Computes, with Burn's tensor operations.
#[derive(Debug, Default)]
pub(crate) struct Execute {
    stages: Option<Vec<Stage>>,
}

impl Execute {
    /// Keeps every stage's statistics on the way, to find the first stage that differs from the
    /// source framework's. Slow: each stage is read back from the device.
    pub(crate) fn observing() -> Self {
        Self { stages: Some(Vec::new()) }
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
        conv.forward(x)
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
        linear.forward(x)
    }

    fn stage(&mut self, name: &str, x: &Tensor<4>) {
        if let Some(stages) = &mut self.stages {
            stages.push(Stage::of(name, x));
        }
    }
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
