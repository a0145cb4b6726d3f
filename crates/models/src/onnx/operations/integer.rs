//! Products of integers of eight bits, which are summed in integers: the standard's operations of such, and convolutions and products of
//! dequantised values, which are sums of integers times a scale.

use graph::operations::{IntegerProduct, Product};

use super::super::call::{Call, Outputs, one};
use super::super::file::ElementType;
use super::super::known::{Floats, Known, Quantised};
use super::super::scaled::{Dequantised, Scaled, Sums};
use super::super::trouble::Trouble;
use super::transpose::reordered;
use super::{Entry, conv, matmul};

pub(super) const OPERATIONS: &[Entry] = &[
    ("QLinearConv", qlinear_conv),
    ("ConvInteger", conv_integer),
    ("QLinearMatMul", qlinear_matmul),
    ("MatMulInteger", matmul_integer),
];

/// The sums of a convolution of integers less their zeros.
fn convolved(call: &mut Call<'_>, x: &Floats, weights: &Floats, bias: Vec<i32>) -> Result<Floats, Trouble> {
    let convolution = conv::convolution(call, x, weights)?;
    if !bias.is_empty() && bias.len() != convolution.channels()[1] {
        return Err(format!(
            "its bias has {} elements, for {} channels",
            bias.len(),
            convolution.channels()[1]
        )
        .into());
    }
    let product = IntegerProduct { of: Product::Convolution(convolution), bias };
    let value = call.on.push(product, &[x.value])?;
    let axes = [&[1], call.on.shape(value).axes()].concat();
    Ok(call.on.floats(value, axes))
}

/// The sums of a product of matrices of integers less their zeros.
pub(super) fn multiplied(
    call: &mut Call<'_>,
    a: &Floats,
    b: &Floats,
    bias: Vec<i32>,
) -> Result<Floats, Trouble> {
    if !bias.is_empty() && b.axes.last() != Some(&bias.len()) {
        return Err(format!("its bias has {} elements, for {:?}", bias.len(), b.axes).into());
    }
    matmul::product(call, a, b, |of| IntegerProduct { of, bias }.into())
}

/// The integers of a bias of 32 bits.
pub(super) fn bias(call: &Call<'_>, index: usize) -> Result<Vec<i32>, Trouble> {
    let values = call.ints_if_given(index)?.unwrap_or_default();
    let values = values.into_iter().map(i32::try_from).collect::<Result<_, _>>();
    values.map_err(|_| "its bias is not of int32".into())
}

/// `first * each / last`, of scales that no image changes.
pub(super) fn factors(
    call: &mut Call<'_>,
    first: usize,
    each: usize,
    last: Option<usize>,
) -> Result<Floats, Trouble> {
    let single = |index: usize| match call.numbers(index)?[..] {
        [number] => Ok(number),
        ref numbers => {
            Err(Trouble::from(format!("input {index} has {} scales; one is supported there", numbers.len())))
        }
    };
    let (first, last) = (single(first)?, last.map(single).transpose()?);
    let of = |number: f32| match last {
        Some(last) => first * number / last,
        None => first * number,
    };
    let numbers: Vec<f32> = call.numbers(each)?.into_iter().map(of).collect();
    let count = numbers.len();
    Ok(call.on.values(numbers, [count]))
}

fn qlinear_conv(call: &mut Call<'_>) -> Outputs {
    let (x, weights) = (call.eight_bits(0)?, call.eight_bits(3)?);
    let (x_zero, w_zero) = (call.zero(2, x.element)?, call.zero(5, weights.element)?);
    let x = call.less(&x, x_zero.value.as_ref(), 1)?;
    let weights = call.less(&weights, w_zero.value.as_ref(), 0)?;
    let bias = bias(call, 8)?;
    let sums = convolved(call, &x, &weights, bias)?;
    let factors = factors(call, 1, 4, Some(6))?;
    let scaled = call.times(&sums, &factors, 1)?;
    let zero = call.zero(7, ElementType::U8)?;
    one(call.as_integers(scaled.value, &scaled.axes, 1, &zero)?)
}

fn conv_integer(call: &mut Call<'_>) -> Outputs {
    let (x, weights) = (call.eight_bits(0)?, call.eight_bits(1)?);
    let (x_zero, w_zero) = (call.zero(2, x.element)?, call.zero(3, weights.element)?);
    let x = call.less(&x, x_zero.value.as_ref(), 1)?;
    let weights = call.less(&weights, w_zero.value.as_ref(), 0)?;
    let of = convolved(call, &x, &weights, Vec::new())?;
    one(Quantised { of, element: ElementType::I32 })
}

/// Two matrices less their zeros: one for all of them, one a row of the first, one a column of the second.
fn matrices(
    call: &mut Call<'_>,
    [a, a_zero]: [usize; 2],
    [b, b_zero]: [usize; 2],
) -> Result<[Floats; 2], Trouble> {
    let (a, b) = (call.eight_bits(a)?, call.eight_bits(b)?);
    let (a_zero, b_zero) = (call.zero(a_zero, a.element)?, call.zero(b_zero, b.element)?);
    let a = call.less(&a, a_zero.value.as_ref(), a.of.axes.len().saturating_sub(2))?;
    let b = call.less(&b, b_zero.value.as_ref(), b.of.axes.len().saturating_sub(1))?;
    Ok([a, b])
}

fn qlinear_matmul(call: &mut Call<'_>) -> Outputs {
    let [a, b] = matrices(call, [0, 2], [3, 5])?;
    let sums = multiplied(call, &a, &b, Vec::new())?;
    let factors = factors(call, 1, 4, Some(6))?;
    let last = sums.axes.len().saturating_sub(1);
    let scaled = call.times(&sums, &factors, last)?;
    let zero = call.zero(7, ElementType::U8)?;
    one(call.as_integers(scaled.value, &scaled.axes, last, &zero)?)
}

fn matmul_integer(call: &mut Call<'_>) -> Outputs {
    let [a, b] = matrices(call, [0, 2], [1, 3])?;
    let of = multiplied(call, &a, &b, Vec::new())?;
    one(Quantised { of, element: ElementType::I32 })
}

/// What is known of an input that is dequantised.
fn dequantised(call: &Call<'_>, index: usize) -> Option<Dequantised> {
    let Some(Known::Floats(floats)) = call.inputs.get(index) else { return None };
    match call.on.scaled.get(&floats.value) {
        Some(Scaled::Dequantised(dequantised)) => Some(dequantised.clone()),
        _ => None,
    }
}

/// What a product of dequantised values adds.
enum Added {
    Integers(Vec<i32>),
    Numbers(Floats),
}

/// The bias at an input, where it is of the products' scale in integers, or else in numbers.
fn added(call: &Call<'_>, index: usize, scales: &[f32]) -> Option<Added> {
    let floats = match call.inputs.get(index) {
        None | Some(Known::Nothing) => return Some(Added::Integers(Vec::new())),
        Some(Known::Floats(floats)) => floats,
        Some(_) => return None,
    };
    if let Some(Scaled::Bias { integers, scales: own }) = call.on.scaled.get(&floats.value) {
        let count = integers.len();
        let at = |list: &[f32], place: usize| list.get(place % list.len().max(1)).copied().unwrap_or(1.0);
        let is_same = |place: usize| {
            let (a, b) = (at(own, place), at(scales, place));
            (a - b).abs() <= 1e-5 * b.abs()
        };
        if (0..count).all(is_same) {
            return Some(Added::Integers(integers.clone()));
        }
    }
    Some(Added::Numbers(floats.clone()))
}

/// `sums` times their scales, plus what is added; what quantises that can know.
fn scaled(call: &mut Call<'_>, sums: Sums, more: Option<Floats>) -> Result<Floats, Trouble> {
    let count = sums.scales.len();
    let factors = call.on.values(sums.scales.clone(), [count]);
    let product = call.times(&sums.of, &factors, sums.axis)?;
    let Some(more) = more else {
        call.on.scaled.insert(product.value, Scaled::Sums(sums));
        return Ok(product);
    };
    let more = call.along(&more, &product.axes, sums.axis)?;
    call.push(graph::operations::Binary::Add, &[product.value, more], product.axes)
}

/// A convolution of dequantised values; None where they are none.
pub(super) fn conv_of_dequantised(call: &mut Call<'_>) -> Result<Option<Floats>, Trouble> {
    let (Some(x), Some(weights)) = (dequantised(call, 0), dequantised(call, 1)) else { return Ok(None) };
    let is_a_scale_a_channel = weights.scales.len() == 1 || weights.axis == 0;
    let (&[scale], true) = (&x.scales[..], is_a_scale_a_channel) else { return Ok(None) };
    let scales: Vec<f32> = weights.scales.iter().map(|&each| scale * each).collect();
    let Some(added) = added(call, 2, &scales) else { return Ok(None) };
    let (bias, more) = match added {
        Added::Integers(integers) => (integers, None),
        Added::Numbers(numbers) => (Vec::new(), Some(numbers)),
    };
    let x = call.less(&x.of, x.zeros.as_ref(), 1)?;
    let weights = call.less(&weights.of, weights.zeros.as_ref(), 0)?;
    if call.on.constant(weights.value).is_none() {
        return Ok(None);
    }
    let of = convolved(call, &x, &weights, bias)?;
    scaled(call, Sums { of, scales, axis: 1 }, more).map(Some)
}

/// A product of dequantised matrices, the second transposed or not, and what is added to each column; None where they are none.
pub(super) fn product_of_dequantised(
    call: &mut Call<'_>,
    is_transposed: bool,
    added_at: Option<usize>,
) -> Result<Option<Floats>, Trouble> {
    let (Some(a), Some(b)) = (dequantised(call, 0), dequantised(call, 1)) else { return Ok(None) };
    let rank = b.of.of.axes.len();
    let columns = if is_transposed { 0 } else { rank.saturating_sub(1) };
    let is_a_scale_a_column = b.scales.len() == 1 || (b.axis == columns && rank > 1);
    let (&[scale], true) = (&a.scales[..], is_a_scale_a_column) else { return Ok(None) };
    let scales: Vec<f32> = b.scales.iter().map(|&each| scale * each).collect();
    let added = match added_at {
        Some(index) => added(call, index, &scales),
        None => Some(Added::Integers(Vec::new())),
    };
    let (bias, more) = match added {
        Some(Added::Integers(integers)) => (integers, None),
        Some(Added::Numbers(numbers)) if numbers.axes.len() <= 1 => (Vec::new(), Some(numbers)),
        _ => return Ok(None),
    };
    let a = call.less(&a.of, a.zeros.as_ref(), a.axis)?;
    let mut b = call.less(&b.of, b.zeros.as_ref(), b.axis)?;
    if is_transposed {
        b = reordered(call, &b, &[1, 0])?;
    }
    let bias = match (bias.len(), b.axes.last()) {
        (1, Some(&count)) if count > 1 => vec![bias[0]; count],
        _ => bias,
    };
    let of = multiplied(call, &a, &b, bias)?;
    let axis = of.axes.len().saturating_sub(1);
    scaled(call, Sums { of, scales, axis }, more).map(Some)
}
