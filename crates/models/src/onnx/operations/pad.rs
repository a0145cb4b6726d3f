//! Elements around a value.

use graph::operations::{Pad, PadWith, Slice};

use super::super::call::{Call, Outputs, one};
use super::super::known::is_first_left_out;
use super::Entry;

pub(super) const OPERATIONS: &[Entry] = &[("Pad", pad)];

/// Widths are an attribute before opset 11, an input since.
fn pad(call: &mut Call<'_>) -> Outputs {
    let mut x = call.floats(0)?;
    let rank = x.axes.len();
    let listed = match call.list("pads")? {
        Some(pads) => pads.to_vec(),
        None => call.ints_if_given(1)?.ok_or("its widths are lacking")?,
    };
    let axes = match call.ints_if_given(3)? {
        Some(axes) => axes.into_iter().map(|axis| Call::axis(axis, rank)).collect::<Result<Vec<_>, _>>()?,
        None => (0..rank).collect(),
    };
    if listed.len() != 2 * axes.len() {
        return Err(format!("{} widths are given for {} axes", listed.len(), axes.len()).into());
    }
    let number = if call.has(2) {
        call.numbers(2)?.first().copied().unwrap_or(0.0)
    } else {
        call.float("value", 0.0)?
    };
    let with = match call.text("mode", "constant")? {
        "constant" => PadWith::Constant(number),
        "edge" => PadWith::Edge,
        "reflect" => PadWith::Reflection,
        other => {
            return Err(format!("its mode is `{other}`; constant, edge and reflect are supported").into());
        }
    };
    let mut widths = vec![[0; 2]; rank];
    for (place, &axis) in axes.iter().enumerate() {
        let both = [listed[place], listed[place + axes.len()]];
        // Negative widths cut off.
        let size = x.axes[axis];
        let cut = both.map(|width| usize::try_from(width.saturating_neg()).unwrap_or(0));
        if cut != [0; 2] {
            let len =
                size.checked_sub(cut[0]).and_then(|rest| rest.checked_sub(cut[1])).filter(|&len| len > 0);
            let len = len.ok_or("it cuts off more than there is")?;
            let (value, at) = call.on.at_axis(&x, axis);
            let mut axes = x.axes.clone();
            axes[axis] = len;
            x = call.push(Slice { axis: at, begin: cut[0], step: 1, len }, &[value], axes)?;
        }
        widths[axis] = both.map(|width| usize::try_from(width).unwrap_or(0));
        if widths[axis].iter().any(|&width| width > 0xffff) {
            return Err(format!("a width is {}", widths[axis][0].max(widths[axis][1])).into());
        }
    }
    if widths.iter().all(|width| *width == [0; 2]) {
        return one(x);
    }
    let axes: Vec<usize> =
        x.axes.iter().zip(&widths).map(|(&size, [before, after])| before + size + after).collect();
    if is_first_left_out(&x.axes) && widths[0] == [0; 2] {
        return one(call.push(Pad { widths: widths[1..].to_vec(), with }, &[x.value], axes)?);
    }
    let whole = call.on.whole(&x);
    one(call.push(Pad { widths, with }, &[whole], axes)?)
}
