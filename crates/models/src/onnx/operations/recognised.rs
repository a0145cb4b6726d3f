//! What exporters write out of simpler operations because their opset has no name for it: layer normalisation before opset 17, GELU
//! before opset 20. Taken for what it is, it is one pass over memory instead of eight.

use std::f32::consts::SQRT_2;

use graph::Value;
use graph::operations::{Binary, LayerNorm, Operation, Reduction, Unary};

use super::super::emitter::Emitter;
use super::super::trouble::Trouble;

/// The number of a constant that has one.
pub(super) fn single(on: &Emitter, value: Value) -> Result<Option<f32>, Trouble> {
    if on.constant(value).is_none_or(|parameter| parameter.len() != 1) {
        return Ok(None);
    }
    Ok(on.numbers(value)?.and_then(|numbers| numbers.first().copied()))
}

/// What `of` finds of two values or of the same in the other order.
fn either<T>(
    [a, b]: [Value; 2],
    of: impl Fn(Value, Value) -> Result<Option<T>, Trouble>,
) -> Result<Option<T>, Trouble> {
    match of(a, b)? {
        Some(found) => Ok(Some(found)),
        None => of(b, a),
    }
}

fn is_near(number: f32, to: f32) -> bool {
    (number - to).abs() < 1e-4 * to
}

/// The value and the number of a sum of both.
fn sum_with_number(on: &Emitter, value: Value) -> Result<Option<(Value, f32)>, Trouble> {
    match on.operation(value) {
        (Operation::Binary(Binary::Add) | Operation::Add(_), &[a, b]) => {
            either([a, b], |x, number| Ok(single(on, number)?.map(|number| (x, number))))
        }
        _ => Ok(None),
    }
}

/// `(x - mean) / sqrt(mean of (x - mean)^2 + epsilon)`, means over the last axes, is layer normalisation of `x`.
pub(super) fn layer_norm(
    on: &Emitter,
    centred: Value,
    deviation: Value,
) -> Result<Option<(Operation, Value)>, Trouble> {
    let (Operation::Binary(Binary::Sub), &[x, mean]) = on.operation(centred) else { return Ok(None) };
    let (Operation::Unary(Unary::Sqrt), &[sum]) = on.operation(deviation) else { return Ok(None) };
    let Some((variance, epsilon)) = sum_with_number(on, sum)? else { return Ok(None) };
    let mean_of = |value: Value| match on.operation(value) {
        (Operation::Reduce(reduce), &[of]) if reduce.to == Reduction::Mean => Some((&reduce.axes, of)),
        _ => None,
    };
    let (Some((axes, of)), Some((axes_of_squares, squares))) = (mean_of(mean), mean_of(variance)) else {
        return Ok(None);
    };
    let is_square = match on.operation(squares) {
        (Operation::Binary(Binary::Mul), &[a, b]) => [a, b] == [centred; 2],
        (Operation::Binary(Binary::Pow), &[a, two]) => a == centred && single(on, two)? == Some(2.0),
        _ => false,
    };
    let rank = on.shape(x).axes().len();
    let are_last = axes.iter().copied().eq(rank - axes.len()..rank);
    if of != x || !is_square || axes != axes_of_squares || !are_last {
        return Ok(None);
    }
    Ok(Some((LayerNorm { axes: axes.len(), epsilon: f64::from(epsilon) }.into(), x)))
}

/// `x * (1 + erf(x / sqrt(2)))` times a half, in either order of the products, is GELU of `x`.
pub(super) fn gelu(on: &Emitter, a: Value, b: Value) -> Result<Option<(Operation, Value)>, Trouble> {
    let factors = |value: Value| match on.operation(value) {
        (Operation::Binary(Binary::Mul), &[a, b]) => Some([a, b]),
        _ => None,
    };
    let half_of = |x: Value, half: Value| Ok((single(on, half)? == Some(0.5)).then_some(x));
    let of_gate = |x: Value, gate: Value| Ok((gelus_gate(on, gate)? == Some(x)).then_some(x));
    let found = either([a, b], |one, other| {
        let Some(factors) = factors(one) else { return Ok(None) };
        // Of `one` the half, and `other` the gate of what it is the half of.
        if let Some(x) = either(factors, half_of)? {
            return of_gate(x, other);
        }
        // Of `one` the gate, and `other` the half.
        match either(factors, of_gate)? {
            Some(x) => half_of(x, other),
            None => Ok(None),
        }
    })?;
    Ok(found.map(|x| (Unary::Gelu.into(), x)))
}

/// The `x` of `1 + erf(x / sqrt(2))`.
fn gelus_gate(on: &Emitter, value: Value) -> Result<Option<Value>, Trouble> {
    let Some((erf, one)) = sum_with_number(on, value)? else { return Ok(None) };
    let (Operation::Unary(Unary::Erf), &[inner]) = on.operation(erf) else { return Ok(None) };
    if one != 1.0 {
        return Ok(None);
    }
    match on.operation(inner) {
        (Operation::Binary(Binary::Div), &[x, root]) => {
            Ok(single(on, root)?.filter(|&root| is_near(root, SQRT_2)).map(|_| x))
        }
        (Operation::Binary(Binary::Mul), &[a, b]) => either([a, b], |x, number| {
            Ok(single(on, number)?.filter(|&number| is_near(number, 1.0 / SQRT_2)).map(|_| x))
        }),
        _ => Ok(None),
    }
}
