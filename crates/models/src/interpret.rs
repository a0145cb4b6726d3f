//! Why this file exists: a network's forward pass is needed three times, to compute it with Burn's
//! operations, to count it, and to fuse it for the CPU kernels. Written thrice it would drift, so each
//! family writes it once, over an [`Interpreter`]: `Execute` of `execute.rs` computes with tensors,
//! [`Trace`](crate::complexity::Trace) follows shapes alone, and `Fuse` of `fuse.rs` builds the kernels' graph.

use burn::nn::conv::Conv2d;
use burn::nn::pool::MaxPool2d;
use burn::nn::{BatchNorm, Linear};

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
