//! Activations: functions of one element. No tool that counts FLOPs for these networks counts them.

use super::{Definition, only};
use crate::shape::{Misfit, Shape};

/// A function of every element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x * min(max(x + 3, 0), 6) / 6`.
    HardSwish,
}

impl Activation {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Relu, Self::Relu6, Self::HardSwish];

    /// What it makes of `x`: the definition, in f64, that whatever computes it is tested with. What is not a number stays so.
    pub fn of(self, x: f64) -> f64 {
        // Unlike `f64::max`, comparisons and `clamp` keep what is not a number.
        match self {
            Self::Relu if x < 0.0 => 0.0,
            Self::Relu => x,
            Self::Relu6 => x.clamp(0.0, 6.0),
            Self::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        }
    }
}

impl Definition for Activation {
    fn name(&self) -> &'static str {
        match self {
            Self::Relu => "ReLU",
            Self::Relu6 => "ReLU6",
            Self::HardSwish => "hard-swish",
        }
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        only(inputs).cloned()
    }
}
