//! Sliding windows as convolutions and pools state them: kernel, strides, dilations, pads, `auto_pad`.

use graph::{Padding, Window};

use super::super::call::Call;
use super::super::known::Floats;
use super::super::trouble::Trouble;

/// The window of a node over a map of `[height, width]`, whose kernel is `kernel`.
pub(super) fn window(call: &Call<'_>, kernel: [usize; 2], size: [usize; 2]) -> Result<Window, Trouble> {
    let stride = pair(call, "strides", [1, 1])?;
    let dilation = pair(call, "dilations", [1, 1])?;
    let pads = call.list("pads")?;
    let padding = match call.text("auto_pad", "NOTSET")? {
        "NOTSET" => Padding::Explicit(explicit(pads)?),
        "VALID" => Padding::Explicit([0; 4]),
        "SAME_UPPER" => Padding::Same,
        // As SAME_UPPER, but the larger part of an odd number goes first.
        "SAME_LOWER" => {
            let mut both = [0; 4];
            for axis in 0..2 {
                let outputs = size[axis].div_ceil(stride[axis].max(1));
                let extent = (kernel[axis] - 1) * dilation[axis] + 1;
                let total = (outputs.saturating_sub(1) * stride[axis] + extent).saturating_sub(size[axis]);
                both[axis] = total.div_ceil(2);
                both[axis + 2] = total / 2;
            }
            Padding::Explicit(both)
        }
        other => {
            return Err(
                format!("auto_pad is `{other}`; NOTSET, VALID, SAME_UPPER and SAME_LOWER are known").into()
            );
        }
    };
    let window = Window { kernel, stride, dilation, padding };
    if window.is_sound() { Ok(window) } else { Err("its window has no size".into()) }
}

/// The two numbers of an attribute, for height and width.
pub(super) fn pair(call: &Call<'_>, name: &'static str, default: [usize; 2]) -> Result<[usize; 2], Trouble> {
    match call.list(name)? {
        None => Ok(default),
        Some(&[height, width]) => match (usize::try_from(height), usize::try_from(width)) {
            // As large as any side, so that products of them can be counted.
            (Ok(height @ 1..=0xffff), Ok(width @ 1..=0xffff)) => Ok([height, width]),
            _ => Err(format!("{name} are {height} and {width}").into()),
        },
        Some(list) => {
            Err(format!("{name} has {} numbers; only images, of two, are supported", list.len()).into())
        }
    }
}

fn explicit(pads: Option<&[i64]>) -> Result<[usize; 4], Trouble> {
    let Some(pads) = pads else { return Ok([0; 4]) };
    let sound: Vec<usize> =
        pads.iter().filter_map(|&pad| usize::try_from(pad).ok().filter(|&pad| pad <= 0xffff)).collect();
    match (sound[..].try_into(), pads.len()) {
        (Ok(pads), 4) => Ok(pads),
        _ => Err(format!("pads are {pads:?}; four numbers from 0 on are supported").into()),
    }
}

/// Channels, height and width of the first input, which must be a map of each image.
pub(super) fn map(call: &Call<'_>) -> Result<(Floats, [usize; 3]), Trouble> {
    let x = call.floats(0)?;
    let sizes = map_of(&x)?;
    Ok((x, sizes))
}

/// Channels, height and width of `x`, which must be a map of each image.
pub(super) fn map_of(x: &Floats) -> Result<[usize; 3], Trouble> {
    match x.axes[..] {
        [1, channels, height, width] => Ok([channels, height, width]),
        [_, _, _, _] => {
            let reason = "its batch is made of parts of an image, and only whole images are supported there";
            Err(format!("the input is {:?}: {reason}", x.axes).into())
        }
        _ => Err(format!(
            "the input has {} axes; only maps, [batch, channels, height, width], are supported",
            x.axes.len()
        )
        .into()),
    }
}
