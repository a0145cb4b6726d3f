//! What the kernels have to compute, as plain loops over NCHW in f64: slow, and easy to check by eye.

use graph::operations::{Binary, Convolution, Unary};
use graph::{Activation, Padding, Window};

/// A feature map, `[channels, height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// Channels, height and width.
    pub shape: [usize; 3],
    /// The elements.
    pub values: Vec<f64>,
}

impl Map {
    /// The element of `channel` at (`y`, `x`).
    fn at(&self, channel: usize, y: usize, x: usize) -> f64 {
        let [_, height, width] = self.shape;
        self.values[(channel * height + y) * width + x]
    }

    /// Computes every element from its channel and place.
    fn new(shape: [usize; 3], element: impl Fn(usize, usize, usize) -> f64) -> Self {
        let [channels, height, width] = shape;
        let mut values = Vec::with_capacity(channels * height * width);
        for channel in 0..channels {
            for y in 0..height {
                values.extend((0..width).map(|x| element(channel, y, x)));
            }
        }
        Self { shape, values }
    }
}

/// A window along one axis of a map. Sizes and places are computed from the frameworks' definitions, in signed
/// numbers, and not by [`graph::Window`], which the kernels use: a mistake there must not agree with itself.
struct Axis {
    /// Elements of the map.
    size: i64,
    /// Of which element the first window's first tap is; negative in the padding.
    begin: i64,
    /// Windows that there are.
    outputs: usize,
    stride: i64,
    dilation: i64,
    taps: i64,
}

impl Axis {
    /// Axis 0 goes down, axis 1 to the right.
    fn of(window: &Window, axis: usize, size: usize) -> Self {
        let [size, taps, stride, dilation] =
            [size, window.kernel[axis], window.stride[axis], window.dilation[axis]].map(|n| n as i64);
        // From the first tap to the last one.
        let reach = dilation * (taps - 1);
        let every = stride as usize;
        let (begin, outputs) = match window.padding {
            // A window wherever all of it lies on the padded map.
            Padding::Explicit(pads) => {
                let [before, after] = [pads[axis], pads[axis + 2]].map(|n| n as i64);
                let begins = (-before..size + after).step_by(every);
                (-before, begins.take_while(|begin| begin + reach < size + after).count())
            }
            // TensorFlow's guide to padding tells these two cases apart.
            Padding::Same => {
                let uncovered = if size % stride == 0 { stride } else { size % stride };
                let zeros = (reach + 1 - uncovered).max(0);
                (-(zeros / 2), (0..size).step_by(every).count())
            }
        };
        assert!(outputs > 0, "the map is as large as the window");
        Self { size, begin, outputs, stride, dilation, taps }
    }

    /// What output `output` reads: taps that lie on the map, and the element of each.
    fn read(&self, output: usize) -> impl Iterator<Item = (usize, usize)> {
        let begin = self.begin + output as i64 * self.stride;
        let places = (0..self.taps).map(move |tap| (tap, begin + tap * self.dilation));
        places
            .filter(move |(_, place)| (0..self.size).contains(place))
            .map(|(tap, place)| (tap as usize, place as usize))
    }
}

/// The axes of a window on a map.
fn axes(window: &Window, x: &Map) -> [Axis; 2] {
    let [_, height, width] = x.shape;
    [Axis::of(window, 0, height), Axis::of(window, 1, width)]
}

/// The taps of output pixel (`oy`, `ox`) that lie on the map: tap, row, column.
fn taps([down, right]: &[Axis; 2], [oy, ox]: [usize; 2]) -> Vec<(usize, usize, usize)> {
    let kernel_width = right.taps as usize;
    down.read(oy)
        .flat_map(|(ky, y)| right.read(ox).map(move |(kx, x)| (ky * kernel_width + kx, y, x)))
        .collect()
}

/// As [`max_pool`] or [`average_pool`] does, but where sizes are rounded up, as PyTorch's `ceil_mode` does: one window more where the
/// last one leaves pixels or padding out, if it begins on the map or in the padding before it. Padding may count as pixels of zero; what
/// lies beyond it never does.
pub fn pool(is_max: bool, count_padding: bool, ceil_mode: bool, window: &Window, x: &Map) -> Map {
    let Padding::Explicit(pads) = window.padding else { panic!("padding is stated") };
    let [_, rows, columns] = x.shape;
    let sizes = [rows as i64, columns as i64];
    let along = |axis: usize| {
        let [before, after] = [pads[axis] as i64, pads[axis + 2] as i64];
        let (taps, stride) = (window.kernel[axis] as i64, window.stride[axis]);
        let begins = (-before..sizes[axis]).step_by(stride).filter(move |begin| {
            let fits = begin + taps <= sizes[axis] + after;
            let reached = begin - stride as i64 + taps < sizes[axis] + after;
            fits || (ceil_mode && reached)
        });
        begins.collect::<Vec<_>>()
    };
    let begins = [along(0), along(1)];
    Map::new([x.shape[0], begins[0].len(), begins[1].len()], |channel, oy, ox| {
        let mut values = Vec::new();
        for ky in 0..window.kernel[0] as i64 {
            for kx in 0..window.kernel[1] as i64 {
                let at = [begins[0][oy] + ky, begins[1][ox] + kx];
                let inside = |axis: usize| (0..sizes[axis]).contains(&at[axis]);
                let padded = |axis: usize| {
                    (-(pads[axis] as i64)..sizes[axis] + pads[axis + 2] as i64).contains(&at[axis])
                };
                if inside(0) && inside(1) {
                    values.push(x.at(channel, at[0] as usize, at[1] as usize));
                } else if count_padding && padded(0) && padded(1) {
                    values.push(0.0);
                }
            }
        }
        if is_max {
            values.into_iter().fold(f64::NEG_INFINITY, larger)
        } else {
            values.iter().sum::<f64>() / values.len() as f64
        }
    })
}

/// Each pixel's channels less their mean, over the root of their variance plus `epsilon`.
pub fn layer_norm(epsilon: f64, x: &Map) -> Map {
    let [channels, ..] = x.shape;
    let mean = |of: &dyn Fn(usize) -> f64| (0..channels).map(of).sum::<f64>() / channels as f64;
    Map::new(x.shape, |channel, y, column| {
        let middle = mean(&|at| x.at(at, y, column));
        let variance = mean(&|at| (x.at(at, y, column) - middle).powi(2));
        (x.at(channel, y, column) - middle) / (variance + epsilon).sqrt()
    })
}

/// Exponentials over their sum.
pub fn softmax(x: &[f64]) -> Vec<f64> {
    let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = x.iter().map(|x| (x - most).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|x| x / sum).collect()
}

/// The channels of several maps, one map after the other.
pub fn concat(maps: &[&Map]) -> Map {
    let [_, height, width] = maps[0].shape;
    let channels = maps.iter().map(|map| map.shape[0]).sum();
    Map { shape: [channels, height, width], values: maps.iter().flat_map(|map| map.values.clone()).collect() }
}

/// The channels at `places`.
pub fn channels(places: &[usize], x: &Map) -> Map {
    let [_, height, width] = x.shape;
    Map::new([places.len(), height, width], |channel, y, column| x.at(places[channel], y, column))
}

/// The pixels whose rows and columns are at these places; none is a zero.
pub fn pixels(rows: &[Option<usize>], columns: &[Option<usize>], x: &Map) -> Map {
    Map::new([x.shape[0], rows.len(), columns.len()], |channel, y, column| match (rows[y], columns[column]) {
        (Some(y), Some(column)) => x.at(channel, y, column),
        _ => 0.0,
    })
}

/// What `function` makes of each element.
pub fn unary(function: Unary, x: &Map) -> Map {
    Map { shape: x.shape, values: x.values.iter().map(|&x| function.of(x)).collect() }
}

/// What `function` makes of the elements of two maps, of which one pixel or one channel may be that of all.
pub fn binary(function: Binary, a: &Map, b: &Map) -> Map {
    let shape = [0, 1, 2].map(|axis| a.shape[axis].max(b.shape[axis]));
    Map::new(shape, |channel, y, column| {
        let [a, b] = [a, b].map(|map| {
            let at = |axis: usize, place: usize| if map.shape[axis] == 1 { 0 } else { place };
            map.at(at(0, channel), at(1, y), at(2, column))
        });
        match function {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Div => a / b,
            other => panic!("{other:?} has no kernel"),
        }
    })
}

/// A convolution with the weights `kernel`, `[channels out, channels in / groups, height, width]`, and `bias`.
pub fn convolution(convolution: &Convolution, kernel: &[f32], bias: Option<&[f32]>, x: &Map) -> Map {
    let window = &convolution.window;
    let [from, to] = convolution.channels();
    let inputs = from / convolution.groups;
    let count = window.kernel[0] * window.kernel[1];
    let axes = axes(window, x);
    let [height, width] = [axes[0].outputs, axes[1].outputs];
    Map::new([to, height, width], |channel, oy, ox| {
        let taps = taps(&axes, [oy, ox]);
        let group = channel / (to / convolution.groups);
        let products = (0..inputs).flat_map(|input| {
            taps.iter().map(move |&(tap, y, column)| {
                let weight = kernel[(channel * inputs + input) * count + tap];
                f64::from(weight) * x.at(group * inputs + input, y, column)
            })
        });
        products.sum::<f64>() + bias.map_or(0.0, |bias| f64::from(bias[channel]))
    })
}

/// The larger, or what is not a number if one of them is.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// Max-pooling.
pub fn max_pool(window: &Window, x: &Map) -> Map {
    let axes = axes(window, x);
    let [height, width] = [axes[0].outputs, axes[1].outputs];
    Map::new([x.shape[0], height, width], |channel, oy, ox| {
        let taps = taps(&axes, [oy, ox]);
        taps.iter().map(|&(_, y, column)| x.at(channel, y, column)).fold(f64::NEG_INFINITY, larger)
    })
}

/// A frame of zeros, so many pixels wide on each side.
pub fn frame(width: usize, x: &Map) -> Map {
    let [channels, height, columns] = x.shape;
    Map::new([channels, height + 2 * width, columns + 2 * width], |channel, y, column| {
        let inside = |at: usize, size: usize| (width..width + size).contains(&at);
        if inside(y, height) && inside(column, columns) {
            x.at(channel, y - width, column - width)
        } else {
            0.0
        }
    })
}

/// Average pooling: the mean of a window's pixels, without its padding.
pub fn average_pool(window: &Window, x: &Map) -> Map {
    let axes = axes(window, x);
    let [height, width] = [axes[0].outputs, axes[1].outputs];
    Map::new([x.shape[0], height, width], |channel, oy, ox| {
        let taps = taps(&axes, [oy, ox]);
        taps.iter().map(|&(_, y, column)| x.at(channel, y, column)).sum::<f64>() / taps.len() as f64
    })
}

/// An activation, by its definition.
pub fn activation(activation: Activation, x: &Map) -> Map {
    Map { shape: x.shape, values: x.values.iter().map(|&x| activation.of(x)).collect() }
}

/// Element-wise sum.
pub fn add(a: &Map, b: &Map) -> Map {
    Map { shape: a.shape, values: a.values.iter().zip(&b.values).map(|(a, b)| a + b).collect() }
}

/// `scale * x + shift`, a channel each.
pub fn affine(scale: &[f32], shift: &[f32], x: &Map) -> Map {
    Map::new(x.shape, |channel, y, column| {
        f64::from(scale[channel]) * x.at(channel, y, column) + f64::from(shift[channel])
    })
}

/// The mean over the pixels times `factor`: a map of one pixel.
pub fn mean(factor: f32, x: &Map) -> Map {
    let [channels, height, width] = x.shape;
    Map::new([channels, 1, 1], |channel, _, _| {
        let pixels = &x.values[channel * height * width..(channel + 1) * height * width];
        pixels.iter().sum::<f64>() / (height * width) as f64 * f64::from(factor)
    })
}

/// A fully connected layer of a map of one pixel: times `weights` (`[in, out]`), plus `bias`.
pub fn linear(weights: &[f32], bias: Option<&[f32]>, x: &Map) -> Map {
    let outputs = weights.len() / x.values.len();
    Map::new([outputs, 1, 1], |output, _, _| {
        let products = x.values.iter().enumerate().map(|(i, x)| x * f64::from(weights[i * outputs + output]));
        products.sum::<f64>() + bias.map_or(0.0, |bias| f64::from(bias[output]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_where_tensorflows_documentation_draws_them() {
        // `tf.nn.convolution`: 13 elements, 6 taps, stride 5. SAME pads one element before and two after; without padding
        // two elements are not read.
        let window = |padding| Window { kernel: [6; 2], stride: [5; 2], dilation: [1; 2], padding };
        let same = Axis::of(&window(Padding::Same), 0, 13);
        assert_eq!((same.begin, same.outputs), (-1, 3));
        assert_eq!(same.read(2).collect::<Vec<_>>(), [(0, 9), (1, 10), (2, 11), (3, 12)]);
        let valid = Axis::of(&window(Padding::Explicit([0; 4])), 1, 13);
        assert_eq!((valid.begin, valid.outputs), (0, 2));
    }

    #[test]
    fn the_kernels_windows_are_these() {
        let paddings = [[0; 4], [1; 4], [0, 2, 1, 3], [2, 1, 0, 0]].map(Padding::Explicit);
        for padding in paddings.into_iter().chain([Padding::Same]) {
            for (kernel, stride, dilation) in
                (1..6).flat_map(|kernel| (1..5).flat_map(move |s| (1..4).map(move |d| (kernel, s, d))))
            {
                let window =
                    Window { kernel: [kernel, 2], stride: [stride, 3], dilation: [dilation, 2], padding };
                // As many rows as make every remainder by the stride, with and without padding; never none.
                for height in kernel * dilation..kernel * dilation + 12 {
                    let map = Map::new([1, height, 7], |_, _, _| 0.0);
                    let axes = axes(&window, &map);
                    let geometry = window.on([height, 7]).unwrap();
                    let what = format!("{window:?} on {height} rows");
                    assert_eq!(geometry.output, [axes[0].outputs, axes[1].outputs], "{what}");
                    for pixel in 0..geometry.pixels() {
                        let [oy, ox] = [pixel / geometry.output[1], pixel % geometry.output[1]];
                        let all = (0..kernel * 2)
                            .filter_map(|tap| Some((tap, geometry.input_pixel(oy, ox, tap / 2, tap % 2)?)))
                            .map(|(tap, from)| (tap, from / 7, from % 7));
                        assert_eq!(all.collect::<Vec<_>>(), taps(&axes, [oy, ox]), "{what}");
                    }
                }
            }
        }
    }
}
