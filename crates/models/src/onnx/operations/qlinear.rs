//! Quantised operations that are ONNX Runtime's own (`com.microsoft`), which its quantisation tool writes beside the standard's
//! (<https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md>). Each input is followed by its scale and zero.

use graph::Shape;
use graph::operations::{Binary, Concat, Reduce, Reduction, Unary};

use super::super::call::{Call, Outputs, one};
use super::super::file::ElementType;
use super::super::known::{Floats, Quantised};
use super::super::trouble::Trouble;
use super::quantise::Zero;
use super::transpose::reordered;
use super::{Entry, integer, pool, window};

pub(super) const OPERATIONS: &[Entry] = &[
    ("com.microsoft.QLinearAdd", add),
    ("com.microsoft.QLinearMul", multiply),
    ("com.microsoft.QLinearConcat", concat),
    ("com.microsoft.QLinearGlobalAveragePool", global_average_pool),
    ("com.microsoft.QLinearAveragePool", average_pool),
    ("com.microsoft.QLinearLeakyRelu", leaky_relu),
    ("com.microsoft.QLinearSigmoid", sigmoid),
    ("com.microsoft.QGemm", gemm),
];

/// The only number of an input.
fn single(call: &Call<'_>, index: usize) -> Result<f32, Trouble> {
    match call.numbers(index)?[..] {
        [number] => Ok(number),
        ref numbers => {
            Err(format!("input {index} has {} elements; one is supported there", numbers.len()).into())
        }
    }
}

/// An input less its zero, and its scale.
fn less(call: &mut Call<'_>, index: usize) -> Result<(Floats, f32, ElementType), Trouble> {
    let of = call.eight_bits(index)?;
    let scale = single(call, index + 1)?;
    let zero = call.zero(index + 2, of.element)?;
    Ok((call.less(&of, zero.value.as_ref(), 0)?, scale, of.element))
}

/// An input as floating-point numbers.
fn dequantised(call: &mut Call<'_>, index: usize) -> Result<(Floats, ElementType), Trouble> {
    let (less, scale, element) = less(call, index)?;
    let scale = call.on.values(vec![scale], [1]);
    Ok((call.times(&less, &scale, 0)?, element))
}

/// `of` times a factor, as integers with the zero at an input.
fn to_integers(call: &mut Call<'_>, of: &Floats, factor: f32, zero: &Zero) -> Result<Quantised, Trouble> {
    let factor = call.on.values(vec![factor], [1]);
    let scaled = call.times(of, &factor, 0)?;
    call.as_integers(scaled.value, &scaled.axes, 0, zero)
}

/// `of` divided by the scale at an input, as integers with the zero that follows it.
fn quantised(call: &mut Call<'_>, of: &Floats, index: usize, element: ElementType) -> Outputs {
    let scale = call.on.values(vec![single(call, index)?], [1]);
    let zero = call.zero(index + 1, element)?;
    let divided = call.push(Binary::Div, &[of.value, scale.value], of.axes.clone())?;
    one(call.as_integers(divided.value, &divided.axes, 0, &zero)?)
}

/// A function of two values, repeated to one shape.
fn of_two(call: &mut Call<'_>, function: Binary, a: &Floats, b: &Floats) -> Result<Floats, Trouble> {
    let axes = Shape::new(a.axes.clone()).repeated_with(&Shape::new(b.axes.clone()))?.axes().to_vec();
    call.push(function, &[a.value, b.value], axes)
}

fn add(call: &mut Call<'_>) -> Outputs {
    let ((a, scale_a, element), (b, scale_b, _)) = (less(call, 0)?, less(call, 3)?);
    let scale = single(call, 6)?;
    let [of_a, of_b] = [scale_a / scale, scale_b / scale].map(|factor| call.on.values(vec![factor], [1]));
    let (a, b) = (call.times(&a, &of_a, 0)?, call.times(&b, &of_b, 0)?);
    let sum = of_two(call, Binary::Add, &a, &b)?;
    let zero = call.zero(7, element)?;
    one(call.as_integers(sum.value, &sum.axes, 0, &zero)?)
}

fn multiply(call: &mut Call<'_>) -> Outputs {
    let ((a, scale_a, element), (b, scale_b, _)) = (less(call, 0)?, less(call, 3)?);
    let scale = single(call, 6)?;
    let product = of_two(call, Binary::Mul, &a, &b)?;
    let zero = call.zero(7, element)?;
    one(to_integers(call, &product, scale_a * scale_b / scale, &zero)?)
}

/// The scale and the zero of what comes out come first.
fn concat(call: &mut Call<'_>) -> Outputs {
    let mut parts = Vec::new();
    let mut element = ElementType::U8;
    for index in (2..call.inputs.len()).step_by(3) {
        let (part, of) = dequantised(call, index)?;
        element = of;
        parts.push(part);
    }
    let first = parts.first().ok_or("it has no values")?;
    let (rank, mut axes) = (first.axes.len(), first.axes.clone());
    let axis = Call::axis(call.int("axis", 1)?, rank)?;
    if parts.iter().any(|part| part.axes.len() != rank) {
        return Err("its values have not as many axes as each other".into());
    }
    axes[axis] = parts.iter().map(|part| part.axes[axis]).fold(0, usize::saturating_add);
    let values: Vec<_> = parts.iter().map(|part| call.on.whole(part)).collect();
    let together = call.push(Concat { axis }, &values, axes)?;
    quantised(call, &together, 0, element)
}

/// Sums in integers: f32 has all of them, of a map of so many pixels.
fn global_average_pool(call: &mut Call<'_>) -> Outputs {
    const MOST: usize = 1 << 16;
    if call.flag("channels_last", false)? {
        return Err("channels_last is 1; only [batch, channels, height, width] is supported".into());
    }
    let (x, scale, element) = less(call, 0)?;
    let [channels, height, width] = window::map_of(&x)?;
    let pixels = height.saturating_mul(width);
    if pixels > MOST {
        return Err(format!("a map has {pixels} pixels; up to {MOST} are supported").into());
    }
    let sums = call.push(Reduce { to: Reduction::Sum, axes: vec![1, 2] }, &[x.value], [1, channels, 1, 1])?;
    let factor = scale / (single(call, 3)? * pixels as f32);
    let zero = call.zero(4, element)?;
    one(to_integers(call, &sums, factor, &zero)?)
}

fn average_pool(call: &mut Call<'_>) -> Outputs {
    if call.flag("channels_last", false)? {
        return Err("channels_last is 1; only [batch, channels, height, width] is supported".into());
    }
    let (x, element) = dequantised(call, 0)?;
    let means = pool::average(call, &x)?;
    quantised(call, &means, 3, element)
}

fn leaky_relu(call: &mut Call<'_>) -> Outputs {
    let slope = call.float("alpha", 0.01)?;
    of_one(call, Unary::LeakyRelu { slope })
}

fn sigmoid(call: &mut Call<'_>) -> Outputs {
    of_one(call, Unary::Sigmoid)
}

fn of_one(call: &mut Call<'_>, function: Unary) -> Outputs {
    let (x, element) = dequantised(call, 0)?;
    let result = call.push(function, &[x.value], x.axes)?;
    quantised(call, &result, 3, element)
}

/// A product of matrices and a bias of 32 bits; without a scale, floating-point numbers come out.
fn gemm(call: &mut Call<'_>) -> Outputs {
    let alpha = call.float("alpha", 1.0)?;
    let (a, b) = (call.eight_bits(0)?, call.eight_bits(3)?);
    let (a_zero, b_zero) = (call.zero(2, a.element)?, call.zero(5, b.element)?);
    let is_transposed = call.flag("transB", false)?;
    let element = a.element;
    let mut a = call.less(&a, a_zero.value.as_ref(), 0)?;
    let mut b = call.less(&b, b_zero.value.as_ref(), usize::from(!is_transposed))?;
    if a.axes.len() != 2 || b.axes.len() != 2 {
        return Err(format!("{:?} and {:?} are multiplied; it is of matrices", a.axes, b.axes).into());
    }
    if call.flag("transA", false)? {
        a = reordered(call, &a, &[1, 0])?;
    }
    if is_transposed {
        b = reordered(call, &b, &[1, 0])?;
    }
    let bias = integer::bias(call, 6)?;
    let sums = integer::multiplied(call, &a, &b, bias)?;
    let last = if call.has(7) { Some(7) } else { None };
    let factors = integer::factors(call, 1, 4, last)?;
    if alpha != 1.0 {
        return Err(format!("alpha is {alpha}; only 1 is supported").into());
    }
    let scaled = call.times(&sums, &factors, 1)?;
    if last.is_none() {
        return one(scaled);
    }
    let zero = call.zero(8, element)?;
    one(call.as_integers(scaled.value, &scaled.axes, 1, &zero)?)
}
