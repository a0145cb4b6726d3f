//! Chosen elements of an axis, at places that no image changes.

use graph::operations::{Gather, Slice};

use super::super::call::{Call, Outputs, one};
use super::super::known::{Ints, Known, strides};
use super::super::trouble::Trouble;
use super::{Entry, reshape};

pub(super) const OPERATIONS: &[Entry] = &[("Gather", gather)];

fn gather(call: &mut Call<'_>) -> Outputs {
    let before = reshape::axes_of(call.known(0)?)?.to_vec();
    let axis = Call::axis(call.int("axis", 0)?, before.len())?;
    let size = *before.get(axis).ok_or("it chooses from a value without axes")?;
    let wanted = call.ints(1)?.clone();
    let places = wanted.values.iter().map(|&place| {
        let counted = if place < 0 { place.saturating_add_unsigned(size as u64) } else { place };
        let found = usize::try_from(counted).ok().filter(|&place| place < size);
        found.ok_or_else(|| Trouble::from(format!("there is no element {place} among {size}")))
    });
    let places = places.collect::<Result<Vec<_>, _>>()?;
    let axes = [&before[..axis], &wanted.axes[..], &before[axis + 1..]].concat();
    if let Known::Ints(ints) = call.known(0)? {
        let mut chosen = before.clone();
        chosen[axis] = places.len();
        let apart = strides(&before);
        let place = |index: &[usize]| {
            index
                .iter()
                .zip(&apart)
                .enumerate()
                .map(
                    |(at, (&index, &stride))| {
                        if at == axis { places[index] * stride } else { index * stride }
                    },
                )
                .sum()
        };
        let picked = ints.picked(chosen, place)?;
        return one(Ints { axes, ..picked });
    }
    let x = call.floats(0)?;
    let (value, at) = call.on.at_axis(&x, axis);
    let is_part = places.windows(2).all(|pair| pair[1] == pair[0] + 1);
    match (places.first(), is_part) {
        (Some(&begin), true) => {
            one(call.push(Slice { axis: at, begin, step: 1, len: places.len() }, &[value], axes)?)
        }
        _ => one(call.push(Gather { axis: at, places }, &[value], axes)?),
    }
}
