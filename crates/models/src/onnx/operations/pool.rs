//! Pooling.

use graph::operations::{AveragePool, GlobalAveragePool, MaxPool, Operation, Reduce, Reduction};
use graph::{Padding, Shape, Window};

use super::super::call::{Call, Outputs, one};
use super::super::known::Floats;
use super::super::trouble::Trouble;
use super::{Entry, window};

pub(super) const OPERATIONS: &[Entry] = &[
    ("MaxPool", max_pool),
    ("AveragePool", average_pool),
    ("GlobalAveragePool", global_average_pool),
    ("GlobalMaxPool", global_max_pool),
];

/// Pixels of a window: each costs a pass over the map.
const MOST_TAPS: usize = 1 << 16;

fn kernel(call: &Call<'_>) -> Result<[usize; 2], Trouble> {
    if !call.has_attribute("kernel_shape") {
        return Err("it has no kernel_shape".into());
    }
    let kernel = window::pair(call, "kernel_shape", [1, 1])?;
    if kernel[0] * kernel[1] > MOST_TAPS {
        return Err(
            format!("its window has {kernel:?} pixels; up to {MOST_TAPS} of them are supported").into()
        );
    }
    Ok(kernel)
}

fn pooled(call: &mut Call<'_>, operation: impl Into<Operation>, of: graph::Value) -> Result<Floats, Trouble> {
    let value = call.on.push(operation, &[of])?;
    let axes = [&[1], call.on.shape(value).axes()].concat();
    Ok(call.on.floats(value, axes))
}

fn max_pool(call: &mut Call<'_>) -> Outputs {
    let (x, [_, height, width]) = window::map(call)?;
    let window = window::window(call, kernel(call)?, [height, width])?;
    let ceil_mode = call.flag("ceil_mode", false)? && !is_exact(&window, [height, width]);
    // It says in which order the second output, which is not read here, counts.
    call.ignore(&["storage_order"]);
    one(pooled(call, MaxPool { window, ceil_mode }, x.value)?)
}

fn average_pool(call: &mut Call<'_>) -> Outputs {
    let x = call.floats(0)?;
    one(average(call, &x)?)
}

/// The means of windows that slide along one axis of three: over channels, as PyTorch exports its LocalResponseNorm. All axes behind it
/// are a map's columns.
fn average_along(call: &mut Call<'_>, x: &Floats) -> Result<Floats, Trouble> {
    let &[1, before, size, height, width] = &x.axes[..] else {
        return Err(format!("the input is {:?}; only [1, ..] of three more axes is supported", x.axes).into());
    };
    let list =
        |name, default: i64| call.list(name).map(|list| list.map_or(vec![default; 3], <[i64]>::to_vec));
    let (kernel, strides) = (list("kernel_shape", 0)?, list("strides", 1)?);
    let pads = call.list("pads")?.map_or(vec![0; 6], <[i64]>::to_vec);
    let others = [&kernel[1..], &strides[1..]].concat();
    let is_along = kernel.len() == 3 && strides.len() == 3 && pads.len() == 6;
    let rest = [1, 2, 4, 5].map(|place| pads.get(place).copied());
    let plain = call.text("auto_pad", "NOTSET")? == "NOTSET" && !call.flag("ceil_mode", false)?;
    if !is_along || others != [1; 4] || rest != [Some(0); 4] || !plain || call.has_attribute("dilations") {
        return Err("its window has three axes; only one along the first of them is supported".into());
    }
    let number = |value: i64| usize::try_from(value).ok().filter(|&value| value <= 0xffff);
    let numbers = [kernel[0], strides[0], pads[0], pads[3]].map(number);
    let [Some(taps), Some(stride), Some(first), Some(last)] = numbers else {
        return Err(
            format!("its window is {kernel:?}, with strides of {strides:?} and pads of {pads:?}").into()
        );
    };
    let padding = Padding::Explicit([first, 0, last, 0]);
    let window = Window { kernel: [taps, 1], stride: [stride, 1], dilation: [1; 2], padding };
    if !window.is_sound() {
        return Err("its window has no size".into());
    }
    let count_padding = call.flag("count_include_pad", false)?;
    let map = call.on.reshape(x.value, Shape::map(before, [size, height * width]));
    let means = call.on.push(AveragePool { window, ceil_mode: false, count_padding }, &[map])?;
    let along = call.on.shape(means).axis(1)?;
    Ok(call.on.floats(means, [1, before, along, height, width]))
}

/// The means of a node's windows of `x`.
pub(super) fn average(call: &mut Call<'_>, x: &Floats) -> Result<Floats, Trouble> {
    if x.axes.len() == 5 {
        return average_along(call, x);
    }
    let [channels, height, width] = window::map_of(x)?;
    let window = window::window(call, kernel(call)?, [height, width])?;
    let ceil_mode = call.flag("ceil_mode", false)? && !is_exact(&window, [height, width]);
    let count_padding = call.flag("count_include_pad", false)?;
    // The whole map is what an adaptive pool of one pixel is exported as.
    if window.kernel == [height, width]
        && window.padding == Padding::Explicit([0; 4])
        && window.dilation == [1, 1]
    {
        let value = call.on.push(GlobalAveragePool, &[x.value])?;
        return Ok(call.on.floats(value, [1, channels, 1, 1]));
    }
    pooled(call, AveragePool { window, ceil_mode, count_padding }, x.value)
}

/// Whether rounding sizes up changes nothing, which is what kernels that round down need to know.
fn is_exact(window: &Window, size: [usize; 2]) -> bool {
    window.output(size) == window.output_rounded_up(size)
}

fn global_average_pool(call: &mut Call<'_>) -> Outputs {
    let (x, [channels, ..]) = window::map(call)?;
    let value = call.on.push(GlobalAveragePool, &[x.value])?;
    one(call.on.floats(value, [1, channels, 1, 1]))
}

fn global_max_pool(call: &mut Call<'_>) -> Outputs {
    let (x, [channels, ..]) = window::map(call)?;
    let value = call.on.push(Reduce { to: Reduction::Max, axes: vec![1, 2] }, &[x.value])?;
    one(call.on.floats(value, [1, channels, 1, 1]))
}
