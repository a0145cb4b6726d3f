//! Other axes for the same elements, and what changes nothing at inference.

use super::super::call::{Call, Outputs, one};
use super::super::known::{Ints, Known};
use super::super::trouble::Trouble;
use super::Entry;

pub(super) const OPERATIONS: &[Entry] = &[
    ("Reshape", reshape),
    ("Flatten", flatten),
    ("Squeeze", squeeze),
    ("Unsqueeze", unsqueeze),
    ("Identity", identity),
    ("Dropout", dropout),
];

pub(super) fn axes_of(known: &Known) -> Result<&[usize], Trouble> {
    match known {
        Known::Ints(ints) => Ok(&ints.axes),
        Known::Floats(floats) => Ok(&floats.axes),
        Known::Quantised(quantised) => Ok(&quantised.of.axes),
        Known::Nothing => Err("its input is lacking".into()),
    }
}

/// The first input in other `axes`, of as many elements.
fn with_axes(call: &mut Call<'_>, axes: Vec<usize>) -> Outputs {
    let before = axes_of(call.known(0)?)?;
    let count = |axes: &[usize]| axes.iter().try_fold(1_usize, |product, &axis| product.checked_mul(axis));
    if count(before) != count(&axes) {
        return Err(format!(
            "{before:?} cannot become {axes:?}; does the file say of how many images a batch is?"
        )
        .into());
    }
    match call.known(0)? {
        Known::Ints(ints) => one(Ints { axes, ..ints.clone() }),
        _ => {
            let x = call.floats(0)?;
            one(call.on.floats(x.value, axes))
        }
    }
}

fn reshape(call: &mut Call<'_>) -> Outputs {
    let wanted = call.ints(1)?.values.clone();
    let allow_zero = call.flag("allowzero", false)?;
    let before = axes_of(call.known(0)?)?;
    let total: usize = before.iter().product();
    let mut axes = Vec::with_capacity(wanted.len());
    let mut open = None;
    for (place, &size) in wanted.iter().enumerate() {
        axes.push(match size {
            0 if !allow_zero => *before
                .get(place)
                .ok_or_else(|| format!("it keeps axis {place}, which {before:?} has not"))?,
            -1 if open.is_none() => {
                open = Some(place);
                1
            }
            size => usize::try_from(size).map_err(|_| format!("it asks for the shape {wanted:?}"))?,
        });
    }
    if let Some(open) = open {
        let known = axes.iter().try_fold(1_usize, |product, &axis| product.checked_mul(axis)).unwrap_or(0);
        if known == 0 || !total.is_multiple_of(known) {
            return Err(format!("{before:?} cannot become {wanted:?}").into());
        }
        axes[open] = total / known;
    }
    with_axes(call, axes)
}

fn flatten(call: &mut Call<'_>) -> Outputs {
    let axis = call.int("axis", 1)?;
    let before = axes_of(call.known(0)?)?;
    // The number of axes itself is allowed: all of them before.
    let axis = if axis == before.len() as i64 { before.len() } else { Call::axis(axis, before.len())? };
    let axes = vec![before[..axis].iter().product(), before[axis..].iter().product()];
    with_axes(call, axes)
}

/// The axes of an attribute before opset 13, of an input since.
fn listed(call: &Call<'_>) -> Result<Option<Vec<i64>>, Trouble> {
    match call.list("axes")? {
        Some(axes) => Ok(Some(axes.to_vec())),
        None => call.ints_if_given(1),
    }
}

fn squeeze(call: &mut Call<'_>) -> Outputs {
    let before = axes_of(call.known(0)?)?.to_vec();
    let gone = match listed(call)? {
        Some(axes) => {
            axes.into_iter().map(|axis| Call::axis(axis, before.len())).collect::<Result<Vec<_>, _>>()?
        }
        None => (0..before.len()).filter(|&axis| before[axis] == 1).collect(),
    };
    if let Some(&axis) = gone.iter().find(|&&axis| before.get(axis) != Some(&1)) {
        return Err(format!("axis {axis} of {before:?} has other than one element").into());
    }
    let axes = (0..before.len()).filter(|axis| !gone.contains(axis)).map(|axis| before[axis]).collect();
    with_axes(call, axes)
}

fn unsqueeze(call: &mut Call<'_>) -> Outputs {
    let before = axes_of(call.known(0)?)?.to_vec();
    let new = listed(call)?.ok_or("its axes are lacking")?;
    let rank = before.len() + new.len();
    let new = new.into_iter().map(|axis| Call::axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
    let mut rest = before.iter().copied();
    let axes: Vec<usize> =
        (0..rank).filter_map(|axis| if new.contains(&axis) { Some(1) } else { rest.next() }).collect();
    with_axes(call, axes)
}

fn identity(call: &mut Call<'_>) -> Outputs {
    Ok(vec![call.known(0)?.clone()])
}

/// Nothing at inference.
fn dropout(call: &mut Call<'_>) -> Outputs {
    call.ignore(&["ratio", "seed"]);
    if call.ints_if_given(2)?.is_some_and(|training| training.iter().any(|&on| on != 0)) {
        return Err("it drops out as in training; export the network for inference (`.eval()`)".into());
    }
    identity(call)
}
