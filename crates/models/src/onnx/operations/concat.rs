//! Values one after the other, and a value divided.

use graph::operations::{Concat, Slice};

use super::super::call::{Call, Outputs, one};
use super::super::known::{Floats, Ints, Known, check_count, strides};
use super::super::trouble::Trouble;
use super::{Entry, reshape};

pub(super) const OPERATIONS: &[Entry] = &[("Concat", concat), ("Split", split)];

fn concat(call: &mut Call<'_>) -> Outputs {
    let rank = reshape::axes_of(call.known(0)?)?.len();
    let axis = Call::axis(call.int("axis", 1)?, rank)?;
    if call.inputs.iter().all(|input| matches!(input, Known::Ints(_))) {
        let inputs: Vec<&Ints> =
            (0..call.inputs.len()).map(|index| call.ints(index)).collect::<Result<_, _>>()?;
        return one(of_ints(&inputs, axis)?);
    }
    let inputs: Vec<Floats> =
        (0..call.inputs.len()).map(|index| call.floats(index)).collect::<Result<_, _>>()?;
    if let Some(other) = inputs.iter().find(|input| input.axes.len() != rank) {
        return Err(format!("{:?} and {:?} do not go together", inputs[0].axes, other.axes).into());
    }
    let mut axes = inputs[0].axes.clone();
    axes[axis] = inputs.iter().map(|input| input.axes[axis]).sum();
    // What has no elements adds none.
    let inputs: Vec<Floats> = inputs.into_iter().filter(|input| input.axes[axis] > 0).collect();
    // Along the first axis, or where an input has another first axis than one image has, all of it has to be there.
    let is_first_left_out = |input: &Floats| input.axes[0] == 1 && rank > 1;
    if axis > 0 && inputs.iter().all(is_first_left_out) {
        let values: Vec<_> = inputs.iter().map(|input| input.value).collect();
        return one(call.push(Concat { axis: axis - 1 }, &values, axes)?);
    }
    let values: Vec<_> = inputs.iter().map(|input| call.on.whole(input)).collect();
    one(call.push(Concat { axis }, &values, axes)?)
}

fn of_ints(inputs: &[&Ints], axis: usize) -> Result<Ints, Trouble> {
    let first = inputs[0];
    let mut axes = first.axes.clone();
    let alike = |other: &&&Ints| {
        other.axes.len() == axes.len() && (0..axes.len()).all(|at| at == axis || other.axes[at] == axes[at])
    };
    if !inputs.iter().all(|input| alike(&input)) {
        return Err("values of different shapes do not go together".into());
    }
    axes[axis] = inputs.iter().map(|input| input.axes[axis]).sum();
    check_count(&axes)?;
    let rows: usize = axes[..axis].iter().product();
    let mut values = Vec::new();
    for row in 0..rows {
        for input in inputs {
            let width: usize = input.axes[axis..].iter().product();
            values.extend_from_slice(&input.values[row * width..(row + 1) * width]);
        }
    }
    Ok(Ints { axes, values, element: first.element })
}

fn split(call: &mut Call<'_>) -> Outputs {
    let before = reshape::axes_of(call.known(0)?)?.to_vec();
    let axis = Call::axis(call.int("axis", 0)?, before.len())?;
    let listed = match call.list("split")? {
        Some(sizes) => Some(sizes.to_vec()),
        None => call.ints_if_given(1)?,
    };
    let parts = match call.int("num_outputs", 0)? {
        0 => call.node.outputs.len(),
        parts => usize::try_from(parts).map_err(|_| format!("it has {parts} outputs"))?,
    };
    let sizes: Vec<usize> = match listed {
        Some(sizes) => sizes.into_iter().filter_map(|size| usize::try_from(size).ok()).collect(),
        // The last part is smaller where they cannot be equal.
        None => {
            let most = before[axis].div_ceil(parts.max(1));
            (0..parts).map(|part| most.min(before[axis].saturating_sub(part * most))).collect()
        }
    };
    if sizes.iter().sum::<usize>() != before[axis] || sizes.len() != parts {
        return Err(format!("{} elements are no parts of {sizes:?}", before[axis]).into());
    }
    let mut begin = 0;
    let mut outputs = Vec::with_capacity(sizes.len());
    for size in sizes {
        outputs.push(part(call, axis, begin, size)?);
        begin += size;
    }
    Ok(outputs)
}

/// `size` elements of an axis of the first input.
fn part(call: &mut Call<'_>, axis: usize, begin: usize, size: usize) -> Result<Known, Trouble> {
    if let Known::Ints(ints) = call.known(0)? {
        let apart = strides(&ints.axes);
        let mut axes = ints.axes.clone();
        axes[axis] = size;
        let place = |index: &[usize]| {
            let at = index.iter().zip(&apart).map(|(&at, &stride)| at * stride).sum::<usize>();
            at + begin * apart[axis]
        };
        return Ok(ints.picked(axes, place)?.into());
    }
    let x = call.floats(0)?;
    let mut axes = x.axes.clone();
    axes[axis] = size;
    let (value, at) = call.on.at_axis(&x, axis);
    Ok(call.push(Slice { axis: at, begin, step: 1, len: size }, &[value], axes)?.into())
}
