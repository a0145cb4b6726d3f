//! Pooling.

use graph::operations::{AveragePool, GlobalAveragePool, MaxPool, Operation, Reduce, Reduction};
use graph::{Padding, Window};

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

/// The means of a node's windows of `x`.
pub(super) fn average(call: &mut Call<'_>, x: &Floats) -> Result<Floats, Trouble> {
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
