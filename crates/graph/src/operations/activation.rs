//! Activations: functions of one element. No tool that counts FLOPs for these networks counts them.

use super::{Definition, only};
use crate::shape::{Misfit, Shape};

/// A function of every element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
}

impl Activation {
    /// What it makes of `x`: the definition, in f64, that whatever computes it is tested with. What is not a number stays so.
    pub fn of(self, x: f64) -> f64 {
        match self {
            Self::Relu => {
                if x < 0.0 {
                    0.0
                } else {
                    x
                }
            }
        }
    }
}

impl Definition for Activation {
    fn name(&self) -> &'static str {
        match self {
            Self::Relu => "ReLU",
        }
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        only(inputs).cloned()
    }
}
