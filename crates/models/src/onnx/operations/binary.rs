//! Functions of two elements, and the activations that exporters write with them.

use graph::operations::{Activation, Add, Binary, Linear, Operation, Unary};
use graph::{Role, Shape, Value};

use super::super::call::{Call, Outputs, one};
use super::super::emitter::Emitter;
use super::super::known::{Floats, Ints, Known, check_count, indices, place_repeated};
use super::super::trouble::Trouble;
use super::Entry;
use super::recognised::{self, single};

pub(super) const OPERATIONS: &[Entry] = &[
    ("Add", |call| pairwise(call, Binary::Add)),
    ("Sub", |call| pairwise(call, Binary::Sub)),
    ("Mul", |call| pairwise(call, Binary::Mul)),
    ("Div", |call| pairwise(call, Binary::Div)),
    ("Pow", |call| pairwise(call, Binary::Pow)),
    ("PRelu", |call| pairwise(call, Binary::Prelu)),
    ("Mod", modulo),
    ("Max", |call| of_any_number(call, Binary::Max)),
    ("Min", |call| of_any_number(call, Binary::Min)),
    ("Sum", |call| of_any_number(call, Binary::Add)),
    ("Mean", mean),
];

fn pairwise(call: &mut Call<'_>, function: Binary) -> Outputs {
    if let (Known::Ints(a), Known::Ints(b)) = (call.known(0)?, call.known(1)?) {
        return one(of_ints(a, b, function)?);
    }
    // The exponent alone may be of another type.
    let b = match call.known(1)? {
        Known::Ints(ints) if function == Binary::Pow => {
            let values = ints.values.iter().map(|&value| value as f32).collect();
            let axes = ints.axes.clone();
            call.on.values(values, axes)
        }
        _ => call.floats(1)?,
    };
    let a = call.floats(0)?;
    one(of_floats(call.on, function, &a, &b)?)
}

fn of_any_number(call: &mut Call<'_>, function: Binary) -> Outputs {
    if let Known::Ints(first) = call.known(0)? {
        let mut result = first.clone();
        for index in 1..call.inputs.len() {
            result = of_ints(&result, call.ints(index)?, function)?;
        }
        return one(result);
    }
    let mut result = call.floats(0)?;
    for index in 1..call.inputs.len() {
        let next = call.floats(index)?;
        result = of_floats(call.on, function, &result, &next)?;
    }
    one(result)
}

fn mean(call: &mut Call<'_>) -> Outputs {
    let count = call.inputs.len();
    let mut outputs = of_any_number(call, Binary::Add)?;
    if let Some(Known::Floats(sum)) = outputs.pop() {
        let count = call.on.values(vec![count as f32], [1]);
        return one(of_floats(call.on, Binary::Div, &sum, &count)?);
    }
    Err("only of floating-point numbers is it supported".into())
}

fn modulo(call: &mut Call<'_>) -> Outputs {
    let of_dividend = call.flag("fmod", false)?;
    let (a, b) = (call.ints(0)?, call.ints(1)?);
    let remainder = |a: i64, b: i64| {
        if of_dividend {
            return a.checked_rem(b);
        }
        // The sign is the divisor's.
        let rest = a.checked_rem(b)?;
        Some(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
    };
    one(elementwise(a, b, remainder)?)
}

fn of_ints(a: &Ints, b: &Ints, function: Binary) -> Result<Ints, Trouble> {
    elementwise(a, b, |a, b| match function {
        Binary::Add => a.checked_add(b),
        Binary::Sub => a.checked_sub(b),
        Binary::Mul => a.checked_mul(b),
        Binary::Div => a.checked_div(b),
        Binary::Pow => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        Binary::Max => Some(a.max(b)),
        Binary::Min => Some(a.min(b)),
        Binary::Prelu => None,
    })
}

/// A function of every two integers, repeated to one shape.
pub(super) fn elementwise(a: &Ints, b: &Ints, of: impl Fn(i64, i64) -> Option<i64>) -> Result<Ints, Trouble> {
    let shape = Shape::new(a.axes.clone()).repeated_with(&Shape::new(b.axes.clone()))?;
    let axes = shape.axes().to_vec();
    check_count(&axes)?;
    let values = indices(&axes).map(|index| {
        of(a.values[place_repeated(&a.axes, &index)], b.values[place_repeated(&b.axes, &index)])
            .ok_or_else(|| Trouble::from("an integer is beyond its type, or divided by 0"))
    });
    Ok(Ints { values: values.collect::<Result<_, _>>()?, axes, element: a.element })
}

/// A function of two values, or the operation that exporters write so.
pub(super) fn of_floats(
    on: &mut Emitter,
    function: Binary,
    a: &Floats,
    b: &Floats,
) -> Result<Floats, Trouble> {
    let axes = Shape::new(a.axes.clone()).repeated_with(&Shape::new(b.axes.clone()))?.axes().to_vec();
    let value = match recognised(on, function, a.value, b.value)? {
        Some(value) => value,
        None => {
            let is_plain_sum = function == Binary::Add && on.shape(a.value) == on.shape(b.value);
            let operation: Operation = if is_plain_sum { Add.into() } else { function.into() };
            on.push(operation, &[a.value, b.value])?
        }
    };
    Ok(on.floats(value, axes))
}

/// The operation that is exported as this function of `a` and `b`.
fn recognised(on: &mut Emitter, function: Binary, a: Value, b: Value) -> Result<Option<Value>, Trouble> {
    let written_out = match function {
        Binary::Mul => recognised::gelu(on, a, b)?,
        Binary::Div => recognised::layer_norm(on, a, b)?,
        _ => None,
    };
    if let Some((operation, of)) = written_out {
        return on.push(operation, &[of]).map(Some);
    }
    match function {
        Binary::Mul => match (product(on, a, b)?, product(on, b, a)?) {
            (Some((operation, of)), _) | (None, Some((operation, of))) => on.push(operation, &[of]).map(Some),
            (None, None) => {
                match (hard(on, a, b, |sixth| sixth * 6.0)?, hard(on, b, a, |sixth| sixth * 6.0)?) {
                    (Some((operation, of)), _) | (None, Some((operation, of))) => {
                        on.push(operation, &[of]).map(Some)
                    }
                    (None, None) => Ok(None),
                }
            }
        },
        Binary::Div => match hard(on, a, b, |six| six / 6.0)? {
            Some((operation, of)) => on.push(operation, &[of]).map(Some),
            None => Ok(None),
        },
        Binary::Add => match (bias(on, a, b)?, bias(on, b, a)?) {
            (Some(value), _) | (None, Some(value)) => Ok(Some(value)),
            (None, None) => Ok(None),
        },
        _ => Ok(None),
    }
}

/// `x * sigmoid(x)` is swish, `x * hard-sigmoid(x)` with the slope 1/6 hard-swish.
fn product(on: &Emitter, x: Value, gate: Value) -> Result<Option<(Operation, Value)>, Trouble> {
    Ok(match on.operation(gate) {
        (Operation::Unary(Unary::Sigmoid), &[of]) if of == x => Some((Unary::Swish { beta: 1.0 }.into(), x)),
        (&Operation::Unary(Unary::HardSigmoid { slope, offset }), &[of])
            if of == x && (slope - 1.0 / 6.0).abs() < 1e-6 && offset == 0.5 =>
        {
            Some((Activation::HardSwish.into(), x))
        }
        _ => None,
    })
}

/// `relu6(x + 3) / 6` is hard-sigmoid, and `x * relu6(x + 3) / 6` hard-swish. `unit` makes 1 of the constant that is multiplied or
/// divided by.
fn hard(
    on: &Emitter,
    numerator: Value,
    constant: Value,
    unit: impl Fn(f32) -> f32,
) -> Result<Option<(Operation, Value)>, Trouble> {
    if single(on, constant)?.is_none_or(|number| (unit(number) - 1.0).abs() > 1e-6) {
        return Ok(None);
    }
    if let Some(of) = shifted_relu6(on, numerator)? {
        return Ok(Some((Unary::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 }.into(), of)));
    }
    if let (Operation::Binary(Binary::Mul), &[a, b]) = on.operation(numerator) {
        for (x, gate) in [(a, b), (b, a)] {
            if shifted_relu6(on, gate)? == Some(x) {
                return Ok(Some((Activation::HardSwish.into(), x)));
            }
        }
    }
    Ok(None)
}

/// The `x` of `relu6(x + 3)`.
fn shifted_relu6(on: &Emitter, value: Value) -> Result<Option<Value>, Trouble> {
    let (Operation::Activation(Activation::Relu6), &[sum]) = on.operation(value) else { return Ok(None) };
    let (Operation::Binary(Binary::Add), &[a, b]) = on.operation(sum) else { return Ok(None) };
    for (x, constant) in [(a, b), (b, a)] {
        if single(on, constant)? == Some(3.0) {
            return Ok(Some(x));
        }
    }
    Ok(None)
}

/// The sum of a product with a weight and a constant, an element a column each, is a fully connected layer with a bias.
fn bias(on: &mut Emitter, product: Value, constant: Value) -> Result<Option<Value>, Trouble> {
    let (Operation::Linear(Linear { weight, bias: None }), &[x]) = on.operation(product) else {
        return Ok(None);
    };
    let weight = weight.clone();
    let Some(parameter) = on.constant(constant) else { return Ok(None) };
    if parameter.len() != weight.shape[1] || on.shape(constant).axes().last() != Some(&weight.shape[1]) {
        return Ok(None);
    }
    let bias = graph::Parameter::new(parameter.key.clone(), Role::LinearBias, [parameter.len()]);
    on.push(Linear { weight, bias: Some(bias) }, &[x]).map(Some)
}
