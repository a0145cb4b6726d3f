//! Functions of one element, of two, and the choice between two.

use burn::tensor::{Tensor, activation};
use graph::Shape;
use graph::operations::{Binary, Unary};

use super::Compute;
use super::flow::{Flow, by_rank};

pub(super) fn unary(function: Unary) -> Compute {
    Box::new(move |inputs| Flow::only(inputs).map(|x| of_one(function, x), |x| of_one(function, x)))
}

fn softplus<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    // Of large elements the exponential alone would be infinite.
    x.clone().clamp_min(0.0) + x.abs().neg().exp().log1p()
}

fn of_one<const D: usize>(function: Unary, x: Tensor<D>) -> Tensor<D> {
    /// `x`, but `below(x)` where it is negative.
    fn below_zero<const D: usize>(x: Tensor<D>, below: impl FnOnce(Tensor<D>) -> Tensor<D>) -> Tensor<D> {
        let negative = x.clone().lower_elem(0.0);
        let below = below(x.clone());
        x.mask_where(negative, below)
    }
    match function {
        Unary::Abs => x.abs(),
        Unary::Neg => x.neg(),
        Unary::Reciprocal => x.recip(),
        Unary::Sqrt => x.sqrt(),
        Unary::Exp => x.exp(),
        Unary::Log => x.log(),
        Unary::Erf => x.erf(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => activation::sigmoid(x),
        Unary::HardSigmoid { slope, offset } => (x * slope + offset).clamp(0.0, 1.0),
        Unary::Swish { beta } => {
            let inner = if beta == 1.0 { x.clone() } else { x.clone() * beta };
            x * activation::sigmoid(inner)
        }
        Unary::Mish => x.clone() * softplus(x).tanh(),
        Unary::Softplus => softplus(x),
        Unary::Softsign => x.clone() / (x.abs() + 1.0),
        Unary::Gelu => {
            let inner = (x.clone() * std::f32::consts::FRAC_1_SQRT_2).erf() + 1.0;
            x * 0.5 * inner
        }
        Unary::GeluTanh => {
            let cubed = x.clone() * x.clone() * x.clone() * 0.044_715;
            let inner = ((x.clone() + cubed) * (2.0 / std::f64::consts::PI).sqrt()).tanh() + 1.0;
            x * 0.5 * inner
        }
        Unary::LeakyRelu { slope } => below_zero(x, |x| x * slope),
        Unary::Elu { alpha, gamma } => below_zero(x, |x| (x.exp() - 1.0) * alpha) * gamma,
        Unary::Celu { alpha } => below_zero(x, |x| ((x / alpha).exp() - 1.0) * alpha),
        Unary::Clamp { low, high } => x.clamp(low, high),
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Round => x.round(),
        Unary::Sign => x.sign(),
    }
}

/// Repeats what is smaller.
pub(super) fn binary(function: Binary) -> Compute {
    Box::new(move |inputs| {
        let [a, b] = Flow::two(inputs);
        match (a, b) {
            (Flow::Map(a), Flow::Map(b)) => Flow::Map(of_two(function, a, b)),
            (Flow::Vector(a), Flow::Vector(b)) => Flow::Vector(of_two(function, a, b)),
            (a, b) => {
                let axes = together(&[&a, &b]);
                by_rank!(axes.len(), repeated(function, a, b, &axes))
            }
        }
    })
}

/// The axes of values that are repeated along each other.
fn together(flows: &[&Flow]) -> Vec<usize> {
    let shapes = flows.iter().map(|flow| Shape::new(flow.axes()));
    let shape = shapes.reduce(|a, b| a.repeated_with(&b).unwrap_or_else(|misfit| panic!("{misfit}")));
    shape.map(|shape| shape.axes().to_vec()).unwrap_or_default()
}

fn repeated<const D: usize>(function: Binary, a: Flow, b: Flow, axes: &[usize]) -> Flow {
    Flow::from_rank(of_two(function, a.at_rank::<D>(), b.at_rank::<D>()), axes)
}

fn of_two<const D: usize>(function: Binary, a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    match function {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Pow => a.powf(b),
        Binary::Max | Binary::Min => {
            // Burn chooses between values of one shape only.
            let dims: [usize; D] = std::array::from_fn(|axis| a.dims()[axis].max(b.dims()[axis]));
            let (a, b) = (a.expand(dims), b.expand(dims));
            if function == Binary::Max { a.max_pair(b) } else { a.min_pair(b) }
        }
        Binary::Prelu => a.clone().clamp_min(0.0) + a.clamp_max(0.0) * b,
    }
}

pub(super) fn choice() -> Compute {
    Box::new(|inputs| {
        let axes = together(&inputs.iter().collect::<Vec<_>>());
        let batch = inputs.iter().map(Flow::batch).max().unwrap_or(1);
        let flat: Vec<Tensor<2>> =
            inputs.into_iter().map(|input| input.repeated(batch, &axes).into_flat()).collect();
        let [condition, a, b] = flat.try_into().unwrap_or_else(|_| panic!("a choice reads three values"));
        Flow::of(b.mask_where(condition.not_equal_elem(0.0), a), &axes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceName;

    #[test]
    fn functions_are_their_definitions() {
        let functions = [
            Unary::Abs,
            Unary::Neg,
            Unary::Reciprocal,
            Unary::Sqrt,
            Unary::Exp,
            Unary::Log,
            Unary::Erf,
            Unary::Sin,
            Unary::Cos,
            Unary::Tanh,
            Unary::Sigmoid,
            Unary::Mish,
            Unary::Softplus,
            Unary::Softsign,
            Unary::Gelu,
            Unary::GeluTanh,
            Unary::Floor,
            Unary::Ceil,
            Unary::Round,
            Unary::Sign,
            Unary::HardSigmoid { slope: 0.2, offset: 0.5 },
            Unary::Swish { beta: 1.0 },
            Unary::Swish { beta: 1.5 },
            Unary::LeakyRelu { slope: 0.1 },
            Unary::Elu { alpha: 1.5, gamma: 1.25 },
            Unary::Celu { alpha: 2.0 },
            Unary::Clamp { low: -0.5, high: 1.25 },
        ];
        let device = DeviceName::Flex.init().unwrap();
        let values = [-40.0, -3.5, -2.5, -1.0, -0.5, -0.0, 0.25, 0.5, 1.0, 1.5, 2.5, 40.0_f32];
        for function in functions {
            let x = Tensor::<2>::from_floats([values], &device);
            let computed = of_one(function, x);
            for (found, x) in computed.into_data().iter::<f32>().zip(values) {
                let expected = function.of(f64::from(x)) as f32;
                let close = (found - expected).abs() <= 2e-6 * expected.abs().max(1.0);
                assert!(
                    close || found == expected || (found.is_nan() && expected.is_nan()),
                    "{function:?} of {x} is {found}, not {expected}"
                );
            }
        }
    }
}
