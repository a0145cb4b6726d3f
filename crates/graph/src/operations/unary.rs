//! Functions of one element beyond those that have kernels ([`Activation`](super::Activation)). No tool counts them.

use super::{Definition, only};
use crate::shape::{Misfit, Shape};

/// A function of every element. Formulas are those of the ONNX standard; `x` is the element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unary {
    /// The absolute value.
    Abs,
    /// `-x`.
    Neg,
    /// `1 / x`.
    Reciprocal,
    /// The square root.
    Sqrt,
    /// `e^x`.
    Exp,
    /// The natural logarithm.
    Log,
    /// The Gauss error function.
    Erf,
    /// The sine.
    Sin,
    /// The cosine.
    Cos,
    /// The hyperbolic tangent.
    Tanh,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// `min(max(slope * x + offset, 0), 1)`.
    HardSigmoid {
        /// ONNX's alpha.
        slope: f32,
        /// ONNX's beta.
        offset: f32,
    },
    /// `x * sigmoid(beta * x)`; SiLU where `beta` is 1.
    Swish {
        /// The factor inside.
        beta: f32,
    },
    /// `x * tanh(softplus(x))`.
    Mish,
    /// `log(1 + e^x)`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `x / 2 * (1 + erf(x / sqrt(2)))`.
    Gelu,
    /// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))`.
    GeluTanh,
    /// `x` from 0 on, `slope * x` below.
    LeakyRelu {
        /// The slope below 0.
        slope: f32,
    },
    /// `x` from 0 on, `alpha * (e^x - 1)` below, all of it times `gamma`.
    Elu {
        /// What it tends to below 0, negated.
        alpha: f32,
        /// The factor of it all: 1, but for SELU.
        gamma: f32,
    },
    /// `max(0, x) + min(0, alpha * (e^(x / alpha) - 1))`.
    Celu {
        /// Its scale.
        alpha: f32,
    },
    /// `min(max(x, low), high)`.
    Clamp {
        /// The lower bound.
        low: f32,
        /// The upper bound.
        high: f32,
    },
    /// Rounded down.
    Floor,
    /// Rounded up.
    Ceil,
    /// Rounded half to even.
    Round,
    /// -1, 0 or 1.
    Sign,
}

impl Unary {
    /// What it makes of `x`: the definition, in f64, that whatever computes it is tested with.
    pub fn of(self, x: f64) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        match self {
            Self::Abs => x.abs(),
            Self::Neg => -x,
            Self::Reciprocal => 1.0 / x,
            Self::Sqrt => x.sqrt(),
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Erf => erf(x),
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Tanh => x.tanh(),
            Self::Sigmoid => sigmoid(x),
            Self::HardSigmoid { slope, offset } => (f64::from(slope) * x + f64::from(offset)).clamp(0.0, 1.0),
            Self::Swish { beta } => x * sigmoid(f64::from(beta) * x),
            Self::Mish => x * softplus(x).tanh(),
            Self::Softplus => softplus(x),
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Gelu => 0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
            Self::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                0.5 * x * (1.0 + inner.tanh())
            }
            Self::LeakyRelu { slope } if x < 0.0 => f64::from(slope) * x,
            Self::LeakyRelu { .. } => x,
            Self::Elu { alpha, gamma } if x < 0.0 => f64::from(gamma) * f64::from(alpha) * x.exp_m1(),
            Self::Elu { gamma, .. } => f64::from(gamma) * x,
            Self::Celu { alpha } if x < 0.0 => f64::from(alpha) * (x / f64::from(alpha)).exp_m1(),
            Self::Celu { .. } => x,
            Self::Clamp { low, high } => x.max(f64::from(low)).min(f64::from(high)),
            Self::Floor => x.floor(),
            Self::Ceil => x.ceil(),
            Self::Round => x.round_ties_even(),
            Self::Sign if x == 0.0 => 0.0,
            Self::Sign => x.signum(),
        }
    }
}

/// The Gauss error function by its series, and far from 0 by its continued fraction.
fn erf(x: f64) -> f64 {
    let size = x.abs();
    if size > 6.0 {
        return x.signum();
    }
    if size < 3.0 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return sum * std::f64::consts::FRAC_2_SQRT_PI;
    }
    let fraction = (1..100).rev().fold(size, |below, n| size + f64::from(n) / 2.0 / below);
    x.signum() * (1.0 - (-size * size).exp() / fraction / std::f64::consts::PI.sqrt())
}

impl Definition for Unary {
    fn name(&self) -> &'static str {
        match self {
            Self::Abs => "absolute value",
            Self::Neg => "negation",
            Self::Reciprocal => "reciprocal",
            Self::Sqrt => "square root",
            Self::Exp => "exponential",
            Self::Log => "logarithm",
            Self::Erf => "error function",
            Self::Sin => "sine",
            Self::Cos => "cosine",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
            Self::HardSigmoid { .. } => "hard-sigmoid",
            Self::Swish { .. } => "swish",
            Self::Mish => "mish",
            Self::Softplus => "softplus",
            Self::Softsign => "softsign",
            Self::Gelu => "GELU",
            Self::GeluTanh => "GELU by tanh",
            Self::LeakyRelu { .. } => "leaky ReLU",
            Self::Elu { .. } => "ELU",
            Self::Celu { .. } => "CELU",
            Self::Clamp { .. } => "clamp",
            Self::Floor => "floor",
            Self::Ceil => "ceiling",
            Self::Round => "rounding",
            Self::Sign => "sign",
        }
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        only(inputs).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_is_that_of_tables() {
        for (x, expected) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (3.5, 0.999_999_256_901_627_7),
        ] {
            assert!((Unary::Erf.of(x) - expected).abs() < 1e-14, "{x}");
            assert_eq!(Unary::Erf.of(-x), -Unary::Erf.of(x));
        }
    }
}
