//! Another number of pixels: an axis after the other, each pixel that comes out a weighted sum of some that come in. Weights are
//! computed in f64 from the formulas of the standard.

use graph::operations::{Gather, Interpolate};

use super::super::call::{Call, Outputs, one};
use super::super::trouble::Trouble;
use super::Entry;

pub(super) const OPERATIONS: &[Entry] = &[("Resize", resize), ("Upsample", upsample)];

/// Pixels that come out times those that come in, along an axis.
const MOST_TAPS: usize = 1 << 26;

/// Which pixels an axis takes, and from where.
#[derive(Clone, Copy)]
struct Rule<'a> {
    mode: &'a str,
    /// Where a pixel that comes out lies among those that come in.
    coordinates: &'a str,
    nearest: &'a str,
    cubic: f64,
    exclude_outside: bool,
    antialias: bool,
}

impl<'a> Rule<'a> {
    /// What Upsample does, and Resize did before opset 11.
    fn first(mode: &'a str) -> Self {
        Self {
            mode,
            coordinates: "asymmetric",
            nearest: "floor",
            cubic: 0.0,
            exclude_outside: false,
            antialias: false,
        }
    }
}

fn upsample(call: &mut Call<'_>) -> Outputs {
    let scales = match call.float_list("scales")? {
        Some(scales) => scales.to_vec(),
        None => call.numbers(1)?,
    };
    let mode = call.text("mode", "nearest")?;
    resized(call, &scales, None, Rule::first(mode))
}

fn resize(call: &mut Call<'_>) -> Outputs {
    let mode = call.text("mode", "nearest")?;
    if call.opset < 11 {
        let scales = call.numbers(1)?;
        return resized(call, &scales, None, Rule::first(mode));
    }
    let rule = Rule {
        mode,
        coordinates: call.text("coordinate_transformation_mode", "half_pixel")?,
        nearest: call.text("nearest_mode", "round_prefer_floor")?,
        cubic: f64::from(call.float("cubic_coeff_a", -0.75)?),
        exclude_outside: call.flag("exclude_outside", false)?,
        antialias: call.flag("antialias", false)?,
    };
    call.ignore(&["extrapolation_value"]);
    if call.text("keep_aspect_ratio_policy", "stretch")? != "stretch" {
        return Err("keep_aspect_ratio_policy is another than stretch".into());
    }
    let x = call.floats(0)?;
    let rank = x.axes.len();
    let axes = match call.list("axes")? {
        Some(axes) => axes.iter().map(|&axis| Call::axis(axis, rank)).collect::<Result<Vec<_>, _>>()?,
        None => (0..rank).collect(),
    };
    let mut all_scales = vec![1.0; rank];
    let mut all_sizes = None;
    let count;
    if let Some(sizes) = call.ints_if_given(3)?.filter(|sizes| !sizes.is_empty()) {
        count = sizes.len();
        let mut all = x.axes.clone();
        for (&axis, &size) in axes.iter().zip(&sizes) {
            all[axis] = usize::try_from(size).map_err(|_| format!("a size is {size}"))?;
        }
        all_sizes = Some(all);
    } else {
        let scales = call.numbers(2)?;
        count = scales.len();
        axes.iter().zip(&scales).for_each(|(&axis, &scale)| all_scales[axis] = scale);
    }
    if count != axes.len() {
        return Err(format!("{count} sizes or scales are given for {} axes", axes.len()).into());
    }
    resized(call, &all_scales, all_sizes.as_deref(), rule)
}

fn resized(call: &mut Call<'_>, scales: &[f32], sizes: Option<&[usize]>, rule: Rule<'_>) -> Outputs {
    let mut x = call.floats(0)?;
    if scales.len() != x.axes.len() {
        return Err(format!("{} scales are given for {} axes", scales.len(), x.axes.len()).into());
    }
    for axis in 0..x.axes.len() {
        let size = x.axes[axis];
        let (out, scale) = match sizes {
            Some(sizes) => (sizes[axis], sizes[axis] as f64 / size as f64),
            None => ((size as f64 * f64::from(scales[axis])).floor() as usize, f64::from(scales[axis])),
        };
        if out == size && scale == 1.0 {
            continue;
        }
        // What Burn computes it by is a matrix of both.
        if out == 0 || size == 0 || out > 0xffff || size > 0xffff || out * size > MOST_TAPS {
            return Err(format!("{size} pixels would become {out}").into());
        }
        let mut axes = x.axes.clone();
        axes[axis] = out;
        let (value, at) = call.on.at_axis(&x, axis);
        x = if rule.mode == "nearest" {
            let places =
                (0..out).map(|pixel| nearest(pixel, size, out, scale, rule)).collect::<Result<_, _>>()?;
            call.push(Gather { axis: at, places }, &[value], axes)?
        } else {
            let taps = (0..out).map(|pixel| taps(pixel, size, out, scale, rule)).collect::<Result<_, _>>()?;
            call.push(Interpolate { axis: at, taps }, &[value], axes)?
        };
    }
    one(x)
}

/// Where the pixel that comes out at `pixel` lies among `size` that come in.
fn coordinate(pixel: usize, size: usize, out: usize, scale: f64, rule: Rule<'_>) -> Result<f64, Trouble> {
    let at = pixel as f64;
    Ok(match rule.coordinates {
        "half_pixel" => (at + 0.5) / scale - 0.5,
        "half_pixel_symmetric" => {
            let wanted = size as f64 * scale;
            let centre = size as f64 / 2.0 * (1.0 - out as f64 / wanted);
            centre + (at + 0.5) / scale - 0.5
        }
        "pytorch_half_pixel" if out == 1 => 0.0,
        "pytorch_half_pixel" => (at + 0.5) / scale - 0.5,
        "align_corners" if out == 1 => 0.0,
        // By the size before it is rounded to whole pixels, as the standard has it.
        "align_corners" => at * (size as f64 - 1.0) / (size as f64 * scale - 1.0),
        "asymmetric" => at / scale,
        "tf_half_pixel_for_nn" => (at + 0.5) / scale,
        other => {
            return Err(format!(
                "coordinate_transformation_mode is `{other}`; half_pixel, half_pixel_symmetric, pytorch_half_pixel, \
                 align_corners and asymmetric are supported"
            )
            .into());
        }
    })
}

fn nearest(pixel: usize, size: usize, out: usize, scale: f64, rule: Rule<'_>) -> Result<usize, Trouble> {
    let at = coordinate(pixel, size, out, scale, rule)?;
    let rounded = match rule.nearest {
        "round_prefer_floor" => (at - 0.5).ceil(),
        "round_prefer_ceil" => (at + 0.5).floor(),
        "floor" => at.floor(),
        "ceil" => at.ceil(),
        other => return Err(format!("nearest_mode is `{other}`").into()),
    };
    Ok(rounded.clamp(0.0, size as f64 - 1.0) as usize)
}

/// The pixels that come in of which the one at `pixel` is made, and their weights.
fn taps(
    pixel: usize,
    size: usize,
    out: usize,
    scale: f64,
    rule: Rule<'_>,
) -> Result<Vec<(usize, f32)>, Trouble> {
    let at = coordinate(pixel, size, out, scale, rule)?;
    let (radius, weight): (f64, &dyn Fn(f64) -> f64) = match rule.mode {
        "linear" | "bilinear" => (1.0, &|distance: f64| (1.0 - distance.abs()).max(0.0)),
        "cubic" => (2.0, &|distance: f64| cubic(distance.abs(), rule.cubic)),
        other => return Err(format!("its mode is `{other}`; nearest, linear and cubic are supported").into()),
    };
    // Where fewer pixels come out, an antialiased window is as many times wider.
    let stretch = if rule.antialias { (1.0 / scale).max(1.0) } else { 1.0 };
    let first = (at - radius * stretch).floor() as i64;
    let last = (at + radius * stretch).ceil() as i64;
    let mut taps: Vec<(usize, f64)> = Vec::new();
    for place in first..=last {
        let share = weight((place as f64 - at) / stretch);
        let is_outside = place < 0 || place >= size as i64;
        if share == 0.0 || (is_outside && rule.exclude_outside) {
            continue;
        }
        // Beyond the edge lies the edge.
        let inside = place.clamp(0, size as i64 - 1) as usize;
        match taps.iter_mut().find(|(place, _)| *place == inside) {
            Some((_, sum)) => *sum += share,
            None => taps.push((inside, share)),
        }
    }
    let total: f64 = taps.iter().map(|(_, share)| share).sum();
    let total = if rule.exclude_outside || rule.antialias { total } else { 1.0 };
    Ok(taps.into_iter().map(|(place, share)| (place, (share / total) as f32)).collect())
}

/// Keys' cubic with the coefficient `a`.
fn cubic(distance: f64, a: f64) -> f64 {
    match distance {
        d if d <= 1.0 => (a + 2.0) * d.powi(3) - (a + 3.0) * d.powi(2) + 1.0,
        d if d < 2.0 => a * d.powi(3) - 5.0 * a * d.powi(2) + 8.0 * a * d - 4.0 * a,
        _ => 0.0,
    }
}
