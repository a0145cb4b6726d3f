//! Functions of one element.

use graph::Activation;
use graph::operations::{Operation, Unary};

use super::super::call::{Call, Outputs, one};
use super::super::known::{Ints, Known};
use super::super::trouble::Trouble;
use super::Entry;

pub(super) const OPERATIONS: &[Entry] = &[
    ("Abs", |call| of(call, Unary::Abs)),
    ("Neg", |call| of(call, Unary::Neg)),
    ("Reciprocal", |call| of(call, Unary::Reciprocal)),
    ("Sqrt", |call| of(call, Unary::Sqrt)),
    ("Exp", |call| of(call, Unary::Exp)),
    ("Log", |call| of(call, Unary::Log)),
    ("Erf", |call| of(call, Unary::Erf)),
    ("Sin", |call| of(call, Unary::Sin)),
    ("Cos", |call| of(call, Unary::Cos)),
    ("Tanh", |call| of(call, Unary::Tanh)),
    ("Sigmoid", |call| of(call, Unary::Sigmoid)),
    ("Mish", |call| of(call, Unary::Mish)),
    ("Softplus", |call| of(call, Unary::Softplus)),
    ("Softsign", |call| of(call, Unary::Softsign)),
    ("Floor", |call| of(call, Unary::Floor)),
    ("Ceil", |call| of(call, Unary::Ceil)),
    ("Round", |call| of(call, Unary::Round)),
    ("Sign", |call| of(call, Unary::Sign)),
    ("Relu", |call| of(call, Activation::Relu)),
    ("HardSwish", |call| of(call, Activation::HardSwish)),
    ("LeakyRelu", leaky_relu),
    ("Elu", elu),
    ("Selu", selu),
    ("Celu", celu),
    ("HardSigmoid", hard_sigmoid),
    ("Swish", swish),
    ("Gelu", gelu),
    ("Clip", clip),
];

fn of(call: &mut Call<'_>, function: impl Into<Operation>) -> Outputs {
    let function = function.into();
    if let Known::Ints(ints) = call.known(0)? {
        let of = |value: i64| match function {
            Operation::Unary(Unary::Abs) => value.checked_abs(),
            Operation::Unary(Unary::Neg) => value.checked_neg(),
            Operation::Unary(Unary::Sign) => Some(value.signum()),
            Operation::Activation(Activation::Relu) => Some(value.max(0)),
            _ => None,
        };
        let values: Option<Vec<i64>> = ints.values.iter().map(|&value| of(value)).collect();
        let values = values.ok_or_else(|| format!("of {} it is not supported", ints.element))?;
        return one(Ints { values, ..ints.clone() });
    }
    let x = call.floats(0)?;
    one(call.push(function, &[x.value], x.axes)?)
}

fn leaky_relu(call: &mut Call<'_>) -> Outputs {
    let slope = call.float("alpha", 0.01)?;
    of(call, Unary::LeakyRelu { slope })
}

fn elu(call: &mut Call<'_>) -> Outputs {
    let alpha = call.float("alpha", 1.0)?;
    of(call, Unary::Elu { alpha, gamma: 1.0 })
}

fn selu(call: &mut Call<'_>) -> Outputs {
    let alpha = call.float("alpha", 1.673_263_2)?;
    let gamma = call.float("gamma", 1.050_701)?;
    of(call, Unary::Elu { alpha, gamma })
}

fn celu(call: &mut Call<'_>) -> Outputs {
    let alpha = call.float("alpha", 1.0)?;
    of(call, Unary::Celu { alpha })
}

fn hard_sigmoid(call: &mut Call<'_>) -> Outputs {
    let (slope, offset) = (call.float("alpha", 0.2)?, call.float("beta", 0.5)?);
    of(call, Unary::HardSigmoid { slope, offset })
}

fn swish(call: &mut Call<'_>) -> Outputs {
    let beta = call.float("alpha", 1.0)?;
    of(call, Unary::Swish { beta })
}

fn gelu(call: &mut Call<'_>) -> Outputs {
    match call.text("approximate", "none")? {
        "none" => of(call, Unary::Gelu),
        "tanh" => of(call, Unary::GeluTanh),
        other => Err(format!("approximate is `{other}`; none and tanh are known").into()),
    }
}

/// Bounds are attributes before opset 11 and inputs since. With those of ReLU and ReLU6 it is one of them, which have kernels.
fn clip(call: &mut Call<'_>) -> Outputs {
    let mut bounds = [call.float("min", f32::MIN)?, call.float("max", f32::MAX)?];
    if let Known::Ints(ints) = call.known(0)? {
        let bound = |index: usize, default: i64| -> Result<i64, Trouble> {
            Ok(call.ints_if_given(index)?.and_then(|values| values.first().copied()).unwrap_or(default))
        };
        let [low, high] = [bound(1, i64::MIN)?, bound(2, i64::MAX)?];
        let values = ints.values.iter().map(|&value| value.max(low).min(high)).collect();
        return one(Ints { values, ..ints.clone() });
    }
    for (bound, index) in bounds.iter_mut().zip(1..) {
        if call.has(index) {
            match call.numbers(index)?[..] {
                [number] => *bound = number,
                ref numbers => return Err(format!("a bound has {} elements", numbers.len()).into()),
            }
        }
    }
    let is_unbounded = |bound: f32| bound == f32::MAX || bound == f32::INFINITY;
    match bounds {
        [0.0, 6.0] => of(call, Activation::Relu6),
        [0.0, high] if is_unbounded(high) => of(call, Activation::Relu),
        [low, high] => of(call, Unary::Clamp { low, high }),
    }
}
