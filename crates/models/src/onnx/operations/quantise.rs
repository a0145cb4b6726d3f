//! Quantisation: floating-point numbers as integers of few bits, and back. A division, a rounding half to even, the integer that stands
//! for zero, and the ends of the type, in that order.

use graph::operations::{Activation, Binary, Choice, Operation, Reduce, Reduction, Unary};
use graph::{Shape, Value};

use super::super::call::{Call, Outputs, one};
use super::super::constants::Dequantisation;
use super::super::file::ElementType;
use super::super::known::{Floats, Ints, Known, Quantised};
use super::super::scaled::{Dequantised, Scaled, Sums};
use super::super::trouble::Trouble;
use super::{Entry, reshape};

pub(super) const OPERATIONS: &[Entry] = &[
    ("QuantizeLinear", quantize),
    ("DequantizeLinear", dequantize),
    ("DynamicQuantizeLinear", dynamic_quantize),
];

/// What stands for zero in integers of a type, and the type.
pub(super) struct Zero {
    pub(super) element: ElementType,
    /// None where all are 0.
    pub(super) value: Option<Floats>,
}

impl Call<'_> {
    /// The zero at an input; `element` where none is given.
    pub(super) fn zero(&mut self, index: usize, element: ElementType) -> Result<Zero, Trouble> {
        if !self.has(index) {
            return Ok(Zero { element, value: None });
        }
        if let Known::Ints(Ints { values, element, .. }) = self.known(index)?
            && values.iter().all(|&value| value == 0)
        {
            return Ok(Zero { element: *element, value: None });
        }
        let Quantised { of, element } = self.quantised(index)?;
        let is_zero =
            self.on.numbers(of.value)?.is_some_and(|numbers| numbers.iter().all(|&zero| zero == 0.0));
        Ok(Zero { element, value: if is_zero { None } else { Some(of) } })
    }

    /// `numbers`, one for all elements of a value of `axes` or one for each place of an axis, as it is repeated along that value.
    pub(super) fn along(&mut self, numbers: &Floats, axes: &[usize], axis: usize) -> Result<Value, Trouble> {
        let count: usize = numbers.axes.iter().product();
        if count == 1 {
            return Ok(self.on.reshape(numbers.value, Shape::new([1])));
        }
        if numbers.axes.len() != 1 || axes.get(axis) != Some(&count) {
            return Err(format!(
                "scales or zeros are {:?}, for axis {axis} of {axes:?}; one for all, or one for each place of an axis is supported",
                numbers.axes
            )
            .into());
        }
        let mut shape = vec![1; axes.len() - axis];
        shape[0] = count;
        Ok(self.on.reshape(numbers.value, Shape::new(shape)))
    }

    /// `value` rounded half to even, moved to `zero`, and kept within the type.
    pub(super) fn as_integers(
        &mut self,
        value: Value,
        axes: &[usize],
        axis: usize,
        zero: &Zero,
    ) -> Result<Quantised, Trouble> {
        let element = zero.element;
        let [low, high] = element
            .small_integers()
            .ok_or_else(|| format!("it quantises to {element}; integers of 8 and 16 bits are supported"))?;
        let mut value = self.on.push(Unary::Round, &[value])?;
        if let Some(zero) = &zero.value {
            let zero = self.along(zero, axes, axis)?;
            value = self.on.push(Binary::Add, &[value, zero])?;
        }
        let value = self.on.push(Unary::Clamp { low, high }, &[value])?;
        Ok(Quantised { of: self.on.floats(value, axes), element })
    }

    /// The integers of `of` less what stands for zero.
    pub(super) fn less(
        &mut self,
        of: &Quantised,
        zeros: Option<&Floats>,
        axis: usize,
    ) -> Result<Floats, Trouble> {
        let Some(zeros) = zeros else { return Ok(of.of.clone()) };
        let zeros = self.along(zeros, &of.of.axes, axis)?;
        self.push(Binary::Sub, &[of.of.value, zeros], of.of.axes.clone())
    }

    /// `of` times a scale.
    pub(super) fn times(&mut self, of: &Floats, scales: &Floats, axis: usize) -> Result<Floats, Trouble> {
        let scales = self.along(scales, &of.axes, axis)?;
        self.push(Binary::Mul, &[of.value, scales], of.axes.clone())
    }
}

/// The axis along which scales lie, which is read only where there are several.
fn axis_of(call: &Call<'_>, scales: &Floats, rank: usize) -> Result<usize, Trouble> {
    let axis = call.int("axis", 1)?;
    if call.int("block_size", 0)? != 0 {
        return Err(
            "block_size is not 0; one scale for all, or one for each place of an axis is supported".into()
        );
    }
    match scales.axes.iter().product::<usize>() {
        1 => Ok(0),
        _ => Call::axis(axis, rank),
    }
}

fn quantize(call: &mut Call<'_>) -> Outputs {
    let x = match call.known(0)?.clone() {
        Known::Ints(Ints { axes, values, .. }) => {
            call.on.values(values.into_iter().map(|value| value as f32).collect(), axes)
        }
        Known::Quantised(quantised) => quantised.of,
        _ => call.floats(0)?,
    };
    let scales = call.floats(1)?;
    let axis = axis_of(call, &scales, x.axes.len())?;
    let element = match call.element("output_dtype", ElementType(0))? {
        ElementType(0) => ElementType::U8,
        element => element,
    };
    let zero = call.zero(2, element)?;
    // Of floating-point types of eight bits alone.
    call.ignore(&["saturate"]);
    if let Some(value) = rescaled(call, &x, &scales, &zero)? {
        return one(call.as_integers(value, &x.axes, axis, &zero)?);
    }
    let scales = call.along(&scales, &x.axes, axis)?;
    let divided = call.on.push(Binary::Div, &[x.value, scales])?;
    one(call.as_integers(divided, &x.axes, axis, &zero)?)
}

/// Sums of integers times a scale, divided by another, are the sums times the quotient: one multiplication, as in QLinearConv.
fn rescaled(call: &mut Call<'_>, x: &Floats, scale: &Floats, zero: &Zero) -> Result<Option<Value>, Trouble> {
    let Some(&[scale]) = call.on.numbers(scale.value)?.as_deref() else { return Ok(None) };
    let mut value = x.value;
    // What is below 0 is below what the type has.
    if let (Operation::Activation(Activation::Relu), &[before]) = call.on.operation(value)
        && is_lowest(call, zero)?
    {
        value = before;
    }
    let Some(Scaled::Sums(Sums { of, scales, axis })) = call.on.scaled.get(&value).cloned() else {
        return Ok(None);
    };
    let factors: Vec<f32> = scales.iter().map(|&each| each / scale).collect();
    let count = factors.len();
    let factors = call.on.values(factors, [count]);
    Ok(Some(call.times(&of, &factors, axis)?.value))
}

/// Whether 0 is the smallest number that the type has.
fn is_lowest(call: &Call<'_>, zero: &Zero) -> Result<bool, Trouble> {
    let lowest = zero.element.small_integers().map(|[low, _]| low);
    match &zero.value {
        None => Ok(lowest == Some(0.0)),
        Some(zero) => Ok(call
            .on
            .numbers(zero.value)?
            .is_some_and(|numbers| numbers.iter().all(|&number| Some(number) == lowest))),
    }
}

fn dequantize(call: &mut Call<'_>) -> Outputs {
    let rank = reshape::axes_of(call.known(0)?)?.len();
    let scales = call.floats(1)?;
    let axis = axis_of(call, &scales, rank)?;
    call.ignore(&["output_dtype"]);
    if let Known::Ints(ints) = call.known(0)?.clone()
        && ints.element == ElementType::I32
    {
        return bias(call, &ints, &scales, axis);
    }
    let of = match call.known(0)? {
        // Sums, whose zero is 0.
        Known::Quantised(sums) if sums.element == ElementType::I32 => sums.clone(),
        _ => call.quantised(0)?,
    };
    let zeros = call.zero(2, of.element)?.value;
    let numbers = call.on.numbers(scales.value)?;
    let constant = call.on.constant(of.of.value).is_some();
    let zero_numbers = match &zeros {
        Some(zeros) => call.on.numbers(zeros.value)?,
        None => Some(Vec::new()),
    };
    let floats = match (constant, &numbers, zero_numbers) {
        (true, Some(numbers), Some(zero_numbers)) => {
            // That they fit is checked where they are repeated.
            call.along(&scales, &of.of.axes, axis)?;
            if let Some(zeros) = &zeros {
                call.along(zeros, &of.of.axes, axis)?;
            }
            let apart = of.of.axes.get(axis + 1..).unwrap_or_default().iter().product();
            let by = Dequantisation { zeros: zero_numbers, scales: numbers.clone(), apart };
            call.on.dequantised(&of.of, by).ok_or("it is computed from the image")?
        }
        _ => {
            let less = call.less(&of, zeros.as_ref(), axis)?;
            call.times(&less, &scales, axis)?
        }
    };
    if let Some(scales) = numbers.filter(|_| of.element.is_eight_bits()) {
        let dequantised = Dequantised { of, zeros, scales, axis };
        call.on.scaled.insert(floats.value, Scaled::Dequantised(dequantised));
    }
    one(floats)
}

/// Constants of 32 bits, most of them beyond f32's integers.
fn bias(call: &mut Call<'_>, ints: &Ints, scales: &Floats, axis: usize) -> Outputs {
    if call.zero(2, ElementType::I32)?.value.is_some() {
        return Err("its zero is not 0, which the standard asks for of int32".into());
    }
    let numbers = call.numbers(1)?;
    call.along(scales, &ints.axes, axis)?;
    let apart: usize = ints.axes.get(axis + 1..).unwrap_or_default().iter().product();
    let scale = |place: usize| numbers[place / apart.max(1) % numbers.len()];
    let values = ints.values.iter().enumerate().map(|(place, &value)| value as f32 * scale(place)).collect();
    let floats = call.on.values(values, ints.axes.clone());
    let integers = ints.values.iter().map(|&value| i32::try_from(value)).collect::<Result<Vec<_>, _>>();
    if let (Ok(integers), 1) = (integers, ints.axes.len()) {
        call.on.scaled.insert(floats.value, Scaled::Bias { integers, scales: numbers });
    }
    one(floats)
}

/// To 0 to 255, by the range of the value itself, 0 included.
fn dynamic_quantize(call: &mut Call<'_>) -> Outputs {
    let x = call.floats(0)?;
    let count: usize = x.axes.iter().product();
    let flat = call.on.reshape(x.value, Shape::new([count]));
    let of_all = |to: Reduction| Reduce { to, axes: vec![0] };
    let zero = call.on.values(vec![0.0], [1]).value;
    let [steps, unit] = [255.0, 1.0].map(|number| call.on.values(vec![number], [1]).value);
    let high = call.on.push(of_all(Reduction::Max), &[flat])?;
    let high = call.on.push(Binary::Max, &[high, zero])?;
    let low = call.on.push(of_all(Reduction::Min), &[flat])?;
    let low = call.on.push(Binary::Min, &[low, zero])?;
    let range = call.on.push(Binary::Sub, &[high, low])?;
    let scale = call.on.push(Binary::Div, &[range, steps])?;
    // Where all are 0, any scale does.
    let scale = call.on.push(Choice, &[scale, scale, unit])?;
    let lowest = call.on.push(Binary::Div, &[low, scale])?;
    let raised = call.on.push(Unary::Neg, &[lowest])?;
    let raised = call.on.push(Unary::Clamp { low: 0.0, high: 255.0 }, &[raised])?;
    let raised = call.on.push(Unary::Round, &[raised])?;
    let raised = call.on.floats(raised, [1]);
    let divided = call.on.push(Binary::Div, &[x.value, scale])?;
    let element = ElementType::U8;
    let quantised = call.as_integers(divided, &x.axes, 0, &Zero { element, value: Some(raised.clone()) })?;
    let scale = call.on.floats(scale, []);
    let zero = Quantised { of: call.on.floats(raised.value, []), element };
    Ok(vec![quantised.into(), scale.into(), zero.into()])
}
