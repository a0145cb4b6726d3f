//! What the kernels have to compute, as plain loops over NCHW in f64: slow, and easy to check by eye.

use crate::shape::Window;

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

/// The taps of output pixel (`y`, `x`) that lie on the map: tap, row, column.
fn taps(window: &Window, x: &Map, [oy, ox]: [usize; 2]) -> Vec<(usize, usize, usize)> {
    let [_, height, width] = x.shape;
    let geometry = window.on([height, width]).expect("the map is as large as the window");
    let [kernel_height, kernel_width] = window.kernel;
    let all = (0..kernel_height).flat_map(|ky| (0..kernel_width).map(move |kx| (ky, kx)));
    all.filter_map(|(ky, kx)| {
        let pixel = geometry.input_pixel(oy, ox, ky, kx)?;
        Some((ky * kernel_width + kx, pixel / width, pixel % width))
    })
    .collect()
}

fn output(window: &Window, x: &Map, channels: usize) -> [usize; 3] {
    let [_, height, width] = x.shape;
    let [height, width] = window.on([height, width]).expect("the map is as large as the window").output;
    [channels, height, width]
}

/// A convolution.
pub fn convolution(convolution: &crate::Convolution, x: &Map) -> Map {
    let window = &convolution.window;
    let [from, to] = convolution.channels;
    let inputs = from / convolution.groups;
    let count = window.kernel[0] * window.kernel[1];
    Map::new(output(window, x, to), |channel, oy, ox| {
        let taps = taps(window, x, [oy, ox]);
        let group = channel / (to / convolution.groups);
        let products = (0..inputs).flat_map(|input| {
            taps.iter().map(move |&(tap, y, column)| {
                let weight = convolution.weights[(channel * inputs + input) * count + tap];
                f64::from(weight) * x.at(group * inputs + input, y, column)
            })
        });
        products.sum::<f64>() + convolution.bias.as_ref().map_or(0.0, |bias| f64::from(bias[channel]))
    })
}

/// The larger, or what is not a number if one of them is.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// Max-pooling.
pub fn max_pool(window: &Window, x: &Map) -> Map {
    Map::new(output(window, x, x.shape[0]), |channel, oy, ox| {
        let taps = taps(window, x, [oy, ox]);
        taps.iter().map(|&(_, y, column)| x.at(channel, y, column)).fold(f64::NEG_INFINITY, larger)
    })
}

/// `max(x, 0)`.
pub fn relu(x: &Map) -> Map {
    Map { shape: x.shape, values: x.values.iter().map(|&x| larger(x, 0.0)).collect() }
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

/// The mean over the pixels times `factor`, times `weights` (`[features, classes]`), plus `bias`.
pub fn head(x: &Map, factor: f32, weights: &[f32], bias: Option<&[f32]>) -> Vec<f64> {
    let [channels, height, width] = x.shape;
    let classes = weights.len() / channels;
    let mean = |channel: usize| {
        let pixels = &x.values[channel * height * width..(channel + 1) * height * width];
        pixels.iter().sum::<f64>() / (height * width) as f64 * f64::from(factor)
    };
    let means: Vec<f64> = (0..channels).map(mean).collect();
    (0..classes)
        .map(|class| {
            let sum: f64 = means
                .iter()
                .enumerate()
                .map(|(i, mean)| mean * f64::from(weights[i * classes + class]))
                .sum();
            sum + bias.map_or(0.0, |bias| f64::from(bias[class]))
        })
        .collect()
}
