//! Convolution.

use graph::Role;
use graph::operations::Convolution;

use super::super::call::{Call, Outputs, one};
use super::{Entry, window};

pub(super) const OPERATIONS: &[Entry] = &[("Conv", conv)];

fn conv(call: &mut Call<'_>) -> Outputs {
    let (x, [channels, height, width]) = window::map(call)?;
    let weights = call.floats(1)?.axes;
    let &[out, per_group, kernel_height, kernel_width] = &weights[..] else {
        return Err(format!("its weights are {weights:?}; only 2-D convolutions are supported").into());
    };
    let kernel = [kernel_height, kernel_width];
    if window::pair(call, "kernel_shape", kernel)? != kernel {
        return Err(format!("kernel_shape is another than that of its weights, {kernel:?}").into());
    }
    let groups = call.int("group", 1)?;
    let groups = usize::try_from(groups).map_err(|_| format!("it has {groups} groups"))?;
    if per_group.checked_mul(groups) != Some(channels) || groups == 0 || out % groups != 0 {
        return Err(
            format!("{channels} channels come in, and its {groups} groups take {per_group} each").into()
        );
    }
    let window = window::window(call, kernel, [height, width])?;
    let fan_in = per_group * kernel_height * kernel_width;
    let kernel = call.parameter(1, Role::Conv { fan_in })?;
    let bias = if call.has(2) { Some(call.parameter(2, Role::ConvBias)?) } else { None };
    if let Some(bias) = bias.as_ref().filter(|bias| bias.shape != [out]) {
        return Err(format!("its bias is {:?}, for {out} channels", bias.shape).into());
    }
    let value = call.on.push(Convolution { window, groups, kernel, bias, is_subclass: false, norm: None }, &[x.value])?;
    let axes = [&[1], call.on.shape(value).axes()].concat();
    one(call.on.floats(value, axes))
}
