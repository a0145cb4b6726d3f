//! A part of a value.

use graph::operations::{Gather, Slice};

use super::super::call::{Call, Outputs, one};
use super::super::known::{Floats, Ints, Known, strides};
use super::super::trouble::Trouble;
use super::{Entry, reshape};

pub(super) const OPERATIONS: &[Entry] = &[("Slice", slice)];

/// Which elements of an axis.
struct Part {
    axis: usize,
    places: Vec<usize>,
    step: i64,
}

fn slice(call: &mut Call<'_>) -> Outputs {
    let before = reshape::axes_of(call.known(0)?)?.to_vec();
    let parts = parts(call, &before)?;
    if let Known::Ints(ints) = call.known(0)? {
        let mut result = ints.clone();
        for Part { axis, places, .. } in parts {
            result = of_ints(&result, axis, &places)?;
        }
        return one(result);
    }
    let mut x = call.floats(0)?;
    for part in parts {
        x = of_floats(call, &x, &part)?;
    }
    one(x)
}

/// Bounds are attributes before opset 10, and inputs since.
fn parts(call: &Call<'_>, before: &[usize]) -> Result<Vec<Part>, Trouble> {
    let lacking = || Trouble::from("its bounds are lacking");
    let (starts, ends, axes, steps) = match call.list("starts")? {
        Some(starts) => {
            let ends = call.list("ends")?.ok_or_else(lacking)?.to_vec();
            (starts.to_vec(), ends, call.list("axes")?.map(<[i64]>::to_vec), None)
        }
        None => {
            let starts = call.ints_if_given(1)?.ok_or_else(lacking)?;
            let ends = call.ints_if_given(2)?.ok_or_else(lacking)?;
            (starts, ends, call.ints_if_given(3)?, call.ints_if_given(4)?)
        }
    };
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err("it has not as many starts as ends, axes and steps".into());
    }
    let mut parts = Vec::with_capacity(axes.len());
    for (((&start, &end), &axis), &step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        let axis = Call::axis(axis, before.len())?;
        let size = *before.get(axis).ok_or("it is of a value without axes")?;
        parts.push(Part { axis, places: places(start, end, step, size)?, step });
    }
    Ok(parts)
}

/// The elements of an axis of `size` that bounds mean, cut off where they lie beyond it, as numpy's are.
fn places(start: i64, end: i64, step: i64, size: usize) -> Result<Vec<usize>, Trouble> {
    let len = i64::try_from(size).unwrap_or(i64::MAX);
    let from_end = |bound: i64| if bound < 0 { bound.saturating_add(len) } else { bound };
    let (mut at, end) = match step {
        0 => return Err("its step is 0".into()),
        1.. => (from_end(start).clamp(0, len), from_end(end).clamp(0, len)),
        _ => (from_end(start).clamp(0, len - 1), from_end(end).clamp(-1, len - 1)),
    };
    let mut places = Vec::new();
    while (step > 0 && at < end) || (step < 0 && at > end) {
        places.push(usize::try_from(at).unwrap_or(0));
        at = at.saturating_add(step);
    }
    Ok(places)
}

fn of_ints(ints: &Ints, axis: usize, places: &[usize]) -> Result<Ints, Trouble> {
    let apart = strides(&ints.axes);
    let mut axes = ints.axes.clone();
    axes[axis] = places.len();
    ints.picked(axes, |index| {
        let along = |at: usize| if at == axis { places[index[at]] } else { index[at] };
        (0..index.len()).map(|at| along(at) * apart[at]).sum()
    })
}

fn of_floats(call: &mut Call<'_>, x: &Floats, part: &Part) -> Result<Floats, Trouble> {
    let mut axes = x.axes.clone();
    axes[part.axis] = part.places.len();
    let Some(&begin) = part.places.first() else {
        return Ok(call.on.values(Vec::new(), axes));
    };
    let (value, axis) = call.on.at_axis(x, part.axis);
    match usize::try_from(part.step) {
        Ok(step) => call.push(Slice { axis, begin, step, len: part.places.len() }, &[value], axes),
        Err(_) => call.push(Gather { axis, places: part.places.clone() }, &[value], axes),
    }
}
