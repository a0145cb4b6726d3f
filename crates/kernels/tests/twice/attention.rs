//! A block of attention, twice: as exporters write it, full of reshapes and transpositions, and as plain loops over tokens of channels.

use graph::operations::{
    Add, Binary, Concat, Constant, LayerNorm, MatMul, Reduce, Reduction, Reshape, Scale, Slice, Softmax,
    Transpose,
};
use graph::{Operation, Role, Shape, Value};
use kernels::reference::{self, Map};

use super::{Pair, Twice};

/// Tokens of channels: a map of as many rows, one pixel wide.
type Tokens = Pair;

fn tokens(count: usize, channels: usize, value: impl Fn(usize, usize) -> f64) -> Map {
    let values = (0..channels).flat_map(|channel| (0..count).map(move |token| (token, channel)));
    let values = values.map(|(token, channel)| value(token, channel)).collect();
    Map { shape: [channels, count, 1], values }
}

fn at(map: &Map, token: usize, channel: usize) -> f64 {
    map.values[channel * map.shape[1] + token]
}

impl Twice {
    fn rearranged(&mut self, operation: impl Into<Operation>, x: Value) -> Value {
        self.on.push(operation, &[x])
    }

    fn reshaped(&mut self, axes: &[usize], x: Value) -> Value {
        self.rearranged(Reshape { shape: Shape::new(axes) }, x)
    }

    fn transposed(&mut self, axes: &[usize], x: Value) -> Value {
        self.rearranged(Transpose { axes: axes.to_vec() }, x)
    }

    /// Numbers that are known, of these axes.
    fn numbers(&mut self, axes: &[usize]) -> (Value, Vec<f64>) {
        let numbers = self.numbers.take(axes.iter().product());
        let parameter = self.parameter(Role::Constant, axes, &numbers);
        (self.on.push(Constant { parameter }, &[]), numbers.into_iter().map(f64::from).collect())
    }

    /// The pixels of a map as tokens, after one of their own, each with numbers of its place added.
    fn embedded(&mut self, x: &Pair) -> Tokens {
        let [channels, height, width] = x.1.shape;
        let pixels = height * width;
        let value = self.reshaped(&[channels, pixels], x.0);
        let value = self.transposed(&[1, 0], value);
        let (first, of_first) = self.numbers(&[1, channels]);
        let value = self.on.push(Concat { axis: 0 }, &[first, value]);
        let (places, of_places) = self.numbers(&[pixels + 1, channels]);
        let value = self.on.push(Add, &[value, places]);
        let map = tokens(pixels + 1, channels, |token, channel| {
            let of_token = match token {
                0 => of_first[channel],
                _ => x.1.values[channel * pixels + token - 1],
            };
            of_token + of_places[token * channels + channel]
        });
        (value, map)
    }

    /// What attention makes of the pixels of `x` by `heads` heads of `depth` channels, as a map again.
    pub(crate) fn attention(&mut self, [heads, depth]: [usize; 2], x: &Pair) -> Pair {
        let [channels, height, width] = x.1.shape;
        let all = self.embedded(x);
        let all = self.attended([heads, depth], &all);
        let pixels = height * width;
        // Without the first token, which is nobody's pixel.
        let value = self.rearranged(Slice { axis: 0, begin: 1, step: 1, len: pixels }, all.0);
        let value = self.transposed(&[1, 0], value);
        let value = self.reshaped(&[channels, height, width], value);
        let values = (0..channels).flat_map(|channel| (1..=pixels).map(move |token| (token, channel)));
        let values = values.map(|(token, channel)| at(&all.1, token, channel)).collect();
        (value, Map { shape: x.1.shape, values })
    }

    /// The mean of all tokens after attention, as a vector.
    pub(crate) fn mean_of_attention(&mut self, heads: [usize; 2], x: &Pair) -> Pair {
        let channels = x.1.shape[0];
        let all = self.embedded(x);
        let all = self.attended(heads, &all);
        let mean = self.on.push(Reduce { to: Reduction::Mean, axes: vec![0] }, &[all.0]);
        (self.reshaped(&[channels], mean), reference::mean(1.0, &all.1))
    }

    fn attended(&mut self, [heads, depth]: [usize; 2], x: &Tokens) -> Tokens {
        let [channels, count, _] = x.1.shape;
        let normalised = self.on.push(LayerNorm { axes: 1, epsilon: 1e-6 }, &[x.0]);
        let normalised = (normalised, reference::layer_norm(1e-6, &x.1));
        let [(q, of_q), (k, of_k), (v, of_v)] = [&[1, 0, 2], &[1, 2, 0], &[1, 0, 2]].map(|order| {
            let (value, map) = self.linear_of_pixels(heads * depth, &normalised);
            let value = self.reshaped(&[count, heads, depth], value);
            (self.transposed(order, value), map)
        });
        let scores = self.on.push(MatMul, &[q, k]);
        let scores = self.on.push(Scale { factor: 0.5 }, &[scores]);
        let (bias, of_bias) = self.numbers(&[1, count, count]);
        let scores = self.on.push(Binary::Add, &[scores, bias]);
        let weights = self.on.push(Softmax { axis: 2, log: false }, &[scores]);
        let value = self.on.push(MatMul, &[weights, v]);
        let value = self.transposed(&[1, 0, 2], value);
        let value = self.reshaped(&[count, heads * depth], value);
        let mut values = vec![0.0; heads * depth * count];
        for (head, to) in (0..heads).flat_map(|head| (0..count).map(move |to| (head, to))) {
            let of_head = |map: &Map, token, place| at(map, token, head * depth + place);
            let scores: Vec<f64> = (0..count)
                .map(|from| {
                    let places = 0..depth;
                    let product: f64 =
                        places.map(|place| of_head(&of_q, to, place) * of_head(&of_k, from, place)).sum();
                    product * 0.5 + of_bias[to * count + from]
                })
                .collect();
            let weights = reference::softmax(&scores);
            for place in 0..depth {
                let parts = (0..count).map(|from| weights[from] * of_head(&of_v, from, place));
                values[(head * depth + place) * count + to] = parts.sum();
            }
        }
        let attended = (value, Map { shape: [heads * depth, count, 1], values });
        let y = self.linear_of_pixels(channels, &attended);
        self.add(x, &y)
    }
}
