//! The operations, a file each: its parameters, its shape rule, its cost and how a normalisation after it folds into it. A new
//! one is a file and a line in [`Operation`]'s list.

mod activation;
mod add;
mod average_pool;
mod batch_norm;
mod binary;
mod choice;
mod concat;
mod constant;
mod convolution;
mod expand;
mod gather;
mod given;
mod image;
mod integer_product;
mod interpolate;
mod layer_norm;
mod linear;
mod matmul;
mod max_pool;
mod pad;
mod reduce;
mod reshape;
mod scale;
mod slice;
mod softmax;
mod transpose;
mod unary;
mod window_mean;

pub use activation::Activation;
pub use add::Add;
pub use average_pool::GlobalAveragePool;
pub use batch_norm::{Affine, BatchNorm, Normalisation};
pub use binary::Binary;
pub use choice::Choice;
pub use concat::Concat;
pub use constant::Constant;
pub use convolution::{Convolution, ConvolutionWeights};
pub use expand::Expand;
pub use gather::Gather;
pub use given::Given;
pub use image::Image;
pub use integer_product::{IntegerProduct, Product};
pub use interpolate::Interpolate;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use matmul::MatMul;
pub use max_pool::MaxPool;
pub use pad::{Pad, PadWith};
pub use reduce::{Reduce, Reduction};
pub use reshape::Reshape;
pub use scale::Scale;
pub use slice::Slice;
pub use softmax::Softmax;
pub use transpose::Transpose;
pub use unary::Unary;
pub use window_mean::AveragePool;

use crate::complexity::Cost;
use crate::parameter::Parameter;
use crate::shape::{Misfit, Shape};

/// What every operation states of itself.
trait Definition {
    /// What a person calls it.
    fn name(&self) -> &'static str;

    /// Its parameters, the one that it is known by first.
    fn parameters(&self) -> Vec<&Parameter> {
        Vec::new()
    }

    /// The shape of what it makes of `inputs`.
    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit>;

    /// What counting rules see of it; most operations are seen by none.
    fn cost(&self, _inputs: &[&Shape], _output: &Shape) -> Result<Option<Cost>, Misfit> {
        Ok(None)
    }

    /// The one operation that computes this and `norm` after it, where there is one.
    fn fold_norm(&self, _norm: &Normalisation) -> Option<Operation> {
        None
    }
}

macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        /// An operation.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Operation {
            $(
                #[doc = concat!("See [`", stringify!($name), "`](super::operations::", stringify!($name), ").")]
                $name($name),
            )*
        }

        impl Operation {
            fn definition(&self) -> &dyn Definition {
                match self {
                    $(Self::$name(operation) => operation,)*
                }
            }
        }

        $(
            impl From<$name> for Operation {
                fn from(operation: $name) -> Self {
                    Self::$name(operation)
                }
            }
        )*
    };
}

operations![
    Image,
    Constant,
    Convolution,
    BatchNorm,
    Activation,
    MaxPool,
    Add,
    GlobalAveragePool,
    Scale,
    Linear,
    AveragePool,
    Unary,
    Binary,
    Choice,
    MatMul,
    Softmax,
    LayerNorm,
    Reduce,
    Reshape,
    Transpose,
    Concat,
    Slice,
    Gather,
    Expand,
    Pad,
    Interpolate,
    IntegerProduct,
    Given,
];

impl Operation {
    /// What a person calls it.
    pub fn name(&self) -> &'static str {
        self.definition().name()
    }

    /// Its parameters, the one that it is known by first.
    pub fn parameters(&self) -> Vec<&Parameter> {
        self.definition().parameters()
    }

    /// The shape of what it makes of `inputs`.
    ///
    /// # Errors
    /// [`Misfit`] where it cannot take them.
    pub fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        self.definition().shape(inputs)
    }

    /// What counting rules see of it.
    ///
    /// # Errors
    /// [`Misfit`] where what it computes cannot be counted.
    pub fn cost(&self, inputs: &[&Shape], output: &Shape) -> Result<Option<Cost>, Misfit> {
        self.definition().cost(inputs, output)
    }

    /// The one operation that computes this and `norm` after it, where there is one.
    pub fn fold_norm(&self, norm: &Normalisation) -> Option<Self> {
        self.definition().fold_norm(norm)
    }
}

/// The only input of an operation that reads one.
fn only<'a>(inputs: &[&'a Shape]) -> Result<&'a Shape, Misfit> {
    match inputs {
        [input] => Ok(input),
        _ => Err(Misfit::Inputs { expected: 1, found: inputs.len() }),
    }
}
