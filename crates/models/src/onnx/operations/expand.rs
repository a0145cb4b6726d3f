//! A value repeated.

use graph::Shape;
use graph::operations::Expand;

use super::super::call::{Call, Outputs, one};
use super::super::known::{Known, kept, place_repeated, strides};
use super::constant::axes_of_ints;
use super::{Entry, reshape};

pub(super) const OPERATIONS: &[Entry] = &[("Expand", expand), ("Tile", tile)];

fn expand(call: &mut Call<'_>) -> Outputs {
    let wanted = Shape::new(axes_of_ints(call.ints(1)?)?);
    let before = Shape::new(reshape::axes_of(call.known(0)?)?);
    let axes = before.repeated_with(&wanted)?.axes().to_vec();
    if let Known::Ints(ints) = call.known(0)? {
        let from = ints.axes.clone();
        return one(ints.picked(axes, |index| place_repeated(&from, index))?);
    }
    let x = call.floats(0)?;
    one(call.push(Expand { shape: kept(&axes) }, &[x.value], axes)?)
}

fn tile(call: &mut Call<'_>) -> Outputs {
    let times = call.ints(1)?.clone();
    let before = reshape::axes_of(call.known(0)?)?.to_vec();
    let times = axes_of_ints(&times)?;
    if times.len() != before.len() {
        return Err(
            format!("{} numbers say how often {} axes are repeated", times.len(), before.len()).into()
        );
    }
    let axes: Option<Vec<usize>> =
        before.iter().zip(&times).map(|(&size, &times)| size.checked_mul(times)).collect();
    let axes = axes.ok_or_else(|| format!("{before:?} would be repeated {times:?} times"))?;
    if let Known::Ints(ints) = call.known(0)? {
        let apart = strides(&before);
        let place = |index: &[usize]| {
            index.iter().zip(&before).zip(&apart).map(|((&at, &size), &stride)| at % size * stride).sum()
        };
        return one(ints.picked(axes, place)?);
    }
    // Before each axis that is repeated stands one of one element, which is.
    let x = call.floats(0)?;
    let (mut split, mut repeated) = (Vec::new(), Vec::new());
    for (&size, &times) in before.iter().zip(&times) {
        if times != 1 {
            split.push(1);
            repeated.push(times);
        }
        split.push(size);
        repeated.push(size);
    }
    let value = call.on.reshape(x.value, Shape::new(split));
    let value = call.on.push(Expand { shape: Shape::new(repeated) }, &[value])?;
    one(call.on.floats(value, axes))
}
