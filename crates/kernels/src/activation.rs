//! Activations on vectors: one place for what each computes, by which epilogues apply it and steps read through it.

use graph::Activation;

use crate::simd::Simd;

/// What `activation` makes of a vector. What is not a number stays so, as in every framework.
#[inline(always)]
pub(crate) fn activate<S: Simd>(simd: S, activation: Activation, x: S::V) -> S::V {
    match activation {
        Activation::Relu => simd.max(simd.splat(0.0), x),
        Activation::Relu6 => clamp(simd, x, 6.0),
        Activation::HardSwish => {
            let gate = clamp(simd, simd.add(x, simd.splat(3.0)), 6.0);
            let product = simd.mul_add(x, gate, simd.splat(0.0));
            simd.mul_add(product, simd.splat(1.0 / 6.0), simd.splat(0.0))
        }
    }
}

/// `x`, at least 0 and at most `most`. `max` and `min` give their second operand where one is not a number.
#[inline(always)]
fn clamp<S: Simd>(simd: S, x: S::V, most: f32) -> S::V {
    simd.min(simd.splat(most), simd.max(simd.splat(0.0), x))
}

/// What is applied to what a step reads: only what costs next to nothing there, because a window reads an element many times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnRead {
    /// Nothing.
    AsStored,
    /// A ReLU.
    Relu,
}

impl OnRead {
    /// Below which nothing is read: a ReLU that is not asked for is a maximum with what is below every number.
    pub(crate) fn floor(self) -> f32 {
        match self {
            Self::AsStored => f32::NEG_INFINITY,
            Self::Relu => 0.0,
        }
    }

    /// The vector `x` as it is read.
    #[inline(always)]
    pub(crate) fn apply<S: Simd>(self, simd: S, x: S::V) -> S::V {
        match self {
            Self::AsStored => x,
            Self::Relu => activate(simd, Activation::Relu, x),
        }
    }
}
