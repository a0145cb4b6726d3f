//! Normalisations: by running statistics, and by those of the image itself.

use graph::operations::{AveragePool, BatchNorm, Binary, LayerNorm};
use graph::{Normalisation, Padding, Role, Shape, Value, Window};

use super::super::call::{Call, Outputs, one};
use super::super::known::{Floats, kept};
use super::super::trouble::Trouble;
use super::{Entry, window};

pub(super) const OPERATIONS: &[Entry] = &[
    ("BatchNormalization", batch),
    ("InstanceNormalization", instance),
    ("GroupNormalization", group),
    ("LayerNormalization", layer),
    ("LRN", local_response),
];

/// Channels, and how many elements each has, of an input `[batch, channels, ..]` of one image.
fn channels(x: &Floats) -> Result<[usize; 2], Trouble> {
    match &x.axes[..] {
        [1, channels, places @ ..] => Ok([*channels, places.iter().product()]),
        _ => {
            Err(format!("the input is {:?}; only [batch, channels, ..] of whole images is supported", x.axes)
                .into())
        }
    }
}

fn batch(call: &mut Call<'_>) -> Outputs {
    let x = call.floats(0)?;
    let [channels, places] = channels(&x)?;
    let epsilon = f64::from(call.float("epsilon", 1e-5)?);
    call.ignore(&["momentum"]);
    if call.int("spatial", 1)? != 1 {
        return Err("spatial is 0; only a normalisation a channel is supported".into());
    }
    if call.flag("training_mode", false)? {
        return of_own_statistics(call, &x, [channels, places], epsilon);
    }
    let norm = Normalisation {
        gamma: call.parameter(1, Role::Gamma)?,
        beta: call.parameter(2, Role::Beta)?,
        mean: call.parameter(3, Role::Mean)?,
        variance: call.parameter(4, Role::Variance)?,
        epsilon,
    };
    if let Some(wrong) = norm.parameters().into_iter().find(|parameter| parameter.len() != channels) {
        return Err(format!("`{}` has {} elements, for {channels} channels", wrong.key, wrong.len()).into());
    }
    let map = match kept(&x.axes) {
        shape if shape.axes().len() == 3 => shape,
        _ => Shape::map(channels, [places, 1]),
    };
    let map = call.on.reshape(x.value, map);
    one(call.push(BatchNorm { norm, with_activation: false }, &[map], x.axes)?)
}

/// A normalisation as in training, which networks with standardised weights apply to their weights. Of the image it would mix
/// the images of a batch.
fn of_own_statistics(call: &mut Call<'_>, x: &Floats, sizes: [usize; 2], epsilon: f64) -> Outputs {
    if call.on.constant(x.value).is_none() {
        return Err("training_mode is 1: its result would depend on the other images. Export the network for inference (`.eval()`)".into());
    }
    let rows = call.on.reshape(x.value, Shape::new(sizes));
    let normalised = call.on.push(LayerNorm { axes: 1, epsilon }, &[rows])?;
    one(scaled(call, normalised, x, sizes[0])?)
}

/// `normalised` times the scale at input 1 plus the bias at input 2, an element a channel, as the ONNX value of `like`.
fn scaled(call: &mut Call<'_>, normalised: Value, like: &Floats, channels: usize) -> Result<Floats, Trouble> {
    let whole = call
        .on
        .reshape(normalised, Shape::new([channels, like.axes.iter().product::<usize>() / channels.max(1)]));
    let (scale, bias) = (call.floats(1)?, call.floats(2)?);
    let scale = call.on.reshape(scale.value, Shape::new([channels, 1]));
    let bias = call.on.reshape(bias.value, Shape::new([channels, 1]));
    let product = call.on.push(Binary::Mul, &[whole, scale])?;
    call.push(Binary::Add, &[product, bias], like.axes.clone())
}

fn instance(call: &mut Call<'_>) -> Outputs {
    let x = call.floats(0)?;
    let [channels, places] = channels(&x)?;
    let epsilon = f64::from(call.float("epsilon", 1e-5)?);
    let rows = call.on.reshape(x.value, Shape::new([channels, places]));
    let normalised = call.on.push(LayerNorm { axes: 1, epsilon }, &[rows])?;
    one(scaled(call, normalised, &x, channels)?)
}

fn group(call: &mut Call<'_>) -> Outputs {
    let x = call.floats(0)?;
    let [channels, places] = channels(&x)?;
    let epsilon = f64::from(call.float("epsilon", 1e-5)?);
    call.ignore(&["stash_type"]);
    let groups = usize::try_from(call.int("num_groups", 0)?).unwrap_or(0);
    if groups == 0 || channels % groups != 0 {
        return Err(format!("{channels} channels cannot be divided into {groups} groups").into());
    }
    let rows = call.on.reshape(x.value, Shape::new([groups, channels / groups * places]));
    let normalised = call.on.push(LayerNorm { axes: 1, epsilon }, &[rows])?;
    // A factor a group before opset 21, a factor a channel since.
    let factors = if call.opset < 21 { groups } else { channels };
    one(scaled(call, normalised, &x, factors)?)
}

fn layer(call: &mut Call<'_>) -> Outputs {
    let x = call.floats(0)?;
    let axis = Call::axis(call.int("axis", -1)?, x.axes.len())?;
    let epsilon = f64::from(call.float("epsilon", 1e-5)?);
    if call.int("stash_type", 1)? != 1 {
        return Err("stash_type is another than 1; sums are in f32 here".into());
    }
    if axis == 0 && x.axes.first() == Some(&1) {
        return Err("it normalises over the batch's axis".into());
    }
    let axes = x.axes.len() - axis;
    let mut value = call.on.push(LayerNorm { axes, epsilon }, &[x.value])?;
    let scale = call.floats(1)?;
    value = call.on.push(Binary::Mul, &[value, scale.value])?;
    if call.has(2) {
        let bias = call.floats(2)?;
        value = call.on.push(Binary::Add, &[value, bias.value])?;
    }
    one(call.on.floats(value, x.axes))
}

/// `x / (bias + alpha / size * sum of the squares of neighbouring channels) ^ beta`: the sum over `size` is a mean of a window
/// that slides over the channels.
fn local_response(call: &mut Call<'_>) -> Outputs {
    let (x, [channels, height, width]) = window::map(call)?;
    let size = usize::try_from(call.int("size", 0)?).unwrap_or(0);
    if !(1..=0xffff).contains(&size) {
        return Err(format!("its size is {size}").into());
    }
    let numbers = [call.float("alpha", 1e-4)?, call.float("bias", 1.0)?, call.float("beta", 0.75)?];
    let [alpha, bias, beta] = numbers.map(|number| call.on.values(vec![number], [1]).value);
    let squares = call.on.push(Binary::Mul, &[x.value, x.value])?;
    let columns = call.on.reshape(squares, Shape::map(1, [channels, height * width]));
    let padding = Padding::Explicit([(size - 1) / 2, 0, size / 2, 0]);
    let window = Window { kernel: [size, 1], padding, ..Window::PIXEL };
    let means = call.on.push(AveragePool { window, ceil_mode: false, count_padding: true }, &[columns])?;
    let means = call.on.reshape(means, Shape::map(channels, [height, width]));
    let scaled = call.on.push(Binary::Mul, &[means, alpha])?;
    let raised = call.on.push(Binary::Add, &[scaled, bias])?;
    let root = call.on.push(Binary::Pow, &[raised, beta])?;
    one(call.push(Binary::Div, &[x.value, root], x.axes)?)
}
