//! Elements put into a value, where no image changes either: what exporters make of assignments to parts of a mask.

use super::super::call::{Call, Outputs, one};
use super::super::known::{Ints, Known, strides};
use super::super::trouble::Trouble;
use super::Entry;

pub(super) const OPERATIONS: &[Entry] = &[("ScatterND", scatter_nd)];

fn scatter_nd(call: &mut Call<'_>) -> Outputs {
    if call.text("reduction", "none")? != "none" {
        return Err("only the reduction `none` is supported".into());
    }
    let indices = call.ints(1)?.clone();
    match call.known(0)? {
        Known::Ints(into) => {
            let mut into = into.clone();
            let updates = &call.ints(2)?.values;
            put(&mut into.values, &into.axes, &indices, updates)?;
            one(into)
        }
        _ => {
            let axes = call.floats(0)?.axes;
            let mut into = call.numbers(0)?;
            put(&mut into, &axes, &indices, &call.numbers(2)?)?;
            one(call.on.values(into, axes))
        }
    }
}

/// Puts `updates`, a slice an index, into `into`.
fn put<T: Copy>(into: &mut [T], axes: &[usize], indices: &Ints, updates: &[T]) -> Result<(), Trouble> {
    let depth = indices.axes.last().copied().unwrap_or(0);
    if depth == 0 || depth > axes.len() {
        return Err(format!("an index has {depth} numbers, for {} axes", axes.len()).into());
    }
    let apart = strides(axes);
    let width: usize = axes[depth..].iter().product();
    let rows = indices.values.chunks_exact(depth);
    if updates.len() != rows.len() * width {
        return Err("it has not as many updates as indices".into());
    }
    for (row, index) in rows.enumerate() {
        let mut place = 0;
        for ((&at, &size), &stride) in index.iter().zip(axes).zip(&apart) {
            let counted = if at < 0 { at.saturating_add_unsigned(size as u64) } else { at };
            let found = usize::try_from(counted).ok().filter(|&at| at < size);
            place += found.ok_or_else(|| Trouble::from(format!("there is no element {at} among {size}")))?
                * stride;
        }
        into[place..place + width].copy_from_slice(&updates[row * width..(row + 1) * width]);
    }
    Ok(())
}
