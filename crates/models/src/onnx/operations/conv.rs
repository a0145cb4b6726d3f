//! Convolution.

use graph::operations::Convolution;
use graph::{Parameter, Role};

use super::super::call::{Call, Outputs, one};
use super::super::known::Floats;
use super::super::trouble::Trouble;
use super::{Entry, integer, window};

pub(super) const OPERATIONS: &[Entry] = &[("Conv", conv)];

fn conv(call: &mut Call<'_>) -> Outputs {
    if let Some(result) = integer::conv_of_dequantised(call)? {
        return one(result);
    }
    let (x, weights) = (call.floats(0)?, call.floats(1)?);
    let mut convolution = convolution(call, &x, &weights)?;
    if call.has(2) {
        let [_, out] = convolution.channels();
        let bias = call.parameter(2, Role::ConvBias)?;
        if bias.shape != [out] {
            return Err(format!("its bias is {:?}, for {out} channels", bias.shape).into());
        }
        convolution.bias = Some(bias);
    }
    let value = call.on.push(convolution, &[x.value])?;
    let axes = [&[1], call.on.shape(value).axes()].concat();
    one(call.on.floats(value, axes))
}

/// The convolution of a node, of `x` with constant `weights`, without its bias.
pub(super) fn convolution(call: &Call<'_>, x: &Floats, weights: &Floats) -> Result<Convolution, Trouble> {
    let [channels, height, width] = window::map_of(x)?;
    let &[out, per_group, kernel_height, kernel_width] = &weights.axes[..] else {
        return Err(format!("its weights are {:?}; only 2-D convolutions are supported", weights.axes).into());
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
    let Some(constant) = call.on.constant(weights.value) else {
        return Err(
            "its weights are computed from the image; only those that are constant are supported".into()
        );
    };
    let kernel = Parameter::new(constant.key.clone(), Role::Conv { fan_in }, weights.axes.clone());
    Ok(Convolution { window, groups, kernel, bias: None, is_subclass: false, norm: None })
}
