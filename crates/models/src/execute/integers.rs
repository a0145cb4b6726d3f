//! Products of integers, summed in integers on the CPU: Burn's operations sum in floating-point numbers, which have not all of them. On
//! a GPU the values come here and go back.

use burn::tensor::{DType, Tensor, TensorData};
use graph::operations::{Convolution, IntegerProduct, Linear, Product};
use graph::{Geometry, Shape, Weights};
use rayon::prelude::*;

use super::Compute;
use super::axes::matrix;
use super::flow::Flow;

/// Output pixels that are computed together: what they read stays in the cache.
const TILE: usize = 64;

/// What computes `product`.
///
/// # Errors
/// Those of `weights`.
pub(super) fn product<W: Weights>(product: &IntegerProduct, weights: &mut W) -> Result<Compute, W::Error> {
    let bias = product.bias.clone();
    Ok(match &product.of {
        Product::Convolution(convolution) => self::convolution(convolution, bias, weights)?,
        Product::Linear(linear) => self::linear(linear, bias, weights)?,
        Product::MatMul(_) => matmul(bias),
    })
}

/// The integers that `values` are, which are small.
fn small(values: &[f32]) -> Vec<i16> {
    let most = f32::from(IntegerProduct::MOST);
    values.iter().map(|value| value.clamp(-most, most) as i16).collect()
}

fn read(flat: Tensor<2>) -> Vec<i16> {
    small(&flat.cast(DType::F32).into_data().iter::<f32>().collect::<Vec<f32>>())
}

/// The sum of the products of two rows.
fn dot(a: &[i16], b: &[i16]) -> i64 {
    // So many products of numbers up to 255 fit 32 bits.
    const MOST: usize = 1 << 15;
    let parts = a.chunks(MOST).zip(b.chunks(MOST));
    parts
        .map(|(a, b)| a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum::<i32>())
        .map(i64::from)
        .sum()
}

/// A sum with what is added to it, as a number of f32.
fn rounded(sum: i64, bias: &[i32], of: usize) -> f32 {
    (sum + bias.get(of).map_or(0, |&bias| i64::from(bias))) as f32
}

fn convolution<W: Weights>(
    convolution: &Convolution,
    bias: Vec<i32>,
    weights: &mut W,
) -> Result<Compute, W::Error> {
    let kernel = small(&weights.read(&convolution.kernel)?);
    let (window, groups) = (convolution.window, convolution.groups);
    let [channels, out] = convolution.channels();
    let (channels, out) = (channels / groups, out / groups);
    Ok(Box::new(move |inputs| {
        let x = Flow::only(inputs).into_map();
        let [images, _, height, width] = x.dims();
        let Some(geometry) = window.on([height, width]) else {
            panic!("a map of {height} x {width} pixels is smaller than its window");
        };
        let device = x.device();
        let dtype = x.dtype();
        let x = read(Flow::Map(x).into_flat());
        let pixels = geometry.pixels();
        let depth = channels * geometry.kernel[0] * geometry.kernel[1];
        let mut y = vec![0.0; images * groups * out * pixels];
        let maps =
            y.par_chunks_mut((out * pixels).max(1)).zip(x.par_chunks((channels * height * width).max(1)));
        maps.enumerate().for_each(|(index, (y, x))| {
            let group = index % groups;
            let kernel = &kernel[group * out * depth..][..out * depth];
            let tiles: Vec<(usize, Vec<f32>)> = (0..pixels)
                .into_par_iter()
                .step_by(TILE)
                .map(|first| {
                    let count = TILE.min(pixels - first);
                    let rows = rows(x, &geometry, channels, first, count);
                    let sums = (0..out).flat_map(|channel| {
                        let kernel = &kernel[channel * depth..][..depth];
                        rows.chunks(depth.max(1)).map(move |row| (dot(row, kernel), channel))
                    });
                    let sums = sums.map(|(sum, channel)| rounded(sum, &bias, group * out + channel));
                    (first, sums.collect())
                })
                .collect();
            for (first, sums) in tiles {
                let count = TILE.min(pixels - first);
                for (channel, sums) in sums.chunks(count).enumerate() {
                    y[channel * pixels + first..][..count].copy_from_slice(sums);
                }
            }
        });
        let shape = [images, groups * out, geometry.output[0], geometry.output[1]];
        Flow::Map(Tensor::<4>::from_data(TensorData::new(y, shape), &device).cast(dtype))
    }))
}

/// What `count` output pixels from `first` on read of a group's map, a row each, in the order of the kernel. Around the map is 0.
fn rows(x: &[i16], geometry: &Geometry, channels: usize, first: usize, count: usize) -> Vec<i16> {
    let [kernel_height, kernel_width] = geometry.kernel;
    let size = geometry.input[0] * geometry.input[1];
    let depth = channels * kernel_height * kernel_width;
    let mut rows = vec![0; count * depth];
    for (row, pixel) in rows.chunks_mut(depth.max(1)).zip(first..) {
        let (oy, ox) = (pixel / geometry.output[1], pixel % geometry.output[1]);
        for ky in 0..kernel_height {
            for kx in 0..kernel_width {
                let Some(at) = geometry.input_pixel(oy, ox, ky, kx) else { continue };
                for channel in 0..channels {
                    row[(channel * kernel_height + ky) * kernel_width + kx] = x[channel * size + at];
                }
            }
        }
    }
    rows
}

fn linear<W: Weights>(linear: &Linear, bias: Vec<i32>, weights: &mut W) -> Result<Compute, W::Error> {
    let [depth, columns] = linear.widths();
    let weight = transposed(&small(&weights.read(&linear.weight)?), [depth, columns]);
    Ok(Box::new(move |inputs| {
        let x = Flow::only(inputs);
        let (batch, mut axes) = (x.batch(), x.axes());
        if let Some(last) = axes.last_mut() {
            *last = columns;
        }
        let flat = x.into_flat();
        let (device, dtype) = (flat.device(), flat.dtype());
        let y = products(&read(flat), &weight, [depth, columns], &bias);
        let len = y.len() / batch.max(1);
        let y = Tensor::<2>::from_data(TensorData::new(y, [batch, len]), &device).cast(dtype);
        Flow::of(y, &axes)
    }))
}

/// Rows of `a` times columns of a matrix, which are the rows of `b`.
fn products(a: &[i16], b: &[i16], [depth, columns]: [usize; 2], bias: &[i32]) -> Vec<f32> {
    let mut y = vec![0.0; a.len() / depth.max(1) * columns];
    let rows = y.par_chunks_mut(columns.max(1)).zip(a.par_chunks(depth.max(1)));
    rows.for_each(|(y, a)| {
        for (column, (y, b)) in y.iter_mut().zip(b.chunks(depth.max(1))).enumerate() {
            *y = rounded(dot(a, b), bias, column);
        }
    });
    y
}

fn transposed(matrix: &[i16], [rows, columns]: [usize; 2]) -> Vec<i16> {
    let at = |column: usize| (0..rows).map(move |row| matrix[row * columns + column]);
    (0..columns).flat_map(at).collect()
}

fn matmul(bias: Vec<i32>) -> Compute {
    Box::new(move |inputs| {
        let [a, b] = Flow::two(inputs);
        let batch = a.batch().max(b.batch());
        let (axes_a, axes_b) = (a.axes(), b.axes());
        let (before_a, [rows, depth]) = matrix(&axes_a);
        let (before_b, [_, columns]) = matrix(&axes_b);
        let before = Shape::new(before_a).repeated_with(&Shape::new(before_b));
        let before = before.unwrap_or_else(|misfit| panic!("{misfit}")).axes().to_vec();
        let with = |sizes: [usize; 2]| [&before[..], &sizes].concat();
        let a = a.repeated(batch, &with([rows, depth])).into_flat();
        let b = b.repeated(batch, &with([depth, columns])).into_flat();
        let (device, dtype) = (a.device(), a.dtype());
        let (a, b) = (read(a), read(b));
        let matrices = a.chunks((rows * depth).max(1)).zip(b.chunks((depth * columns).max(1)));
        let y: Vec<f32> = matrices
            .flat_map(|(a, b)| products(a, &transposed(b, [depth, columns]), [depth, columns], &bias))
            .collect();
        let axes = with([rows, columns]);
        let len = axes.iter().product();
        Flow::of(Tensor::<2>::from_data(TensorData::new(y, [batch, len]), &device).cast(dtype), &axes)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use graph::operations::{MatMul, Operation};
    use graph::{Padding, Parameter, Role, Window};

    use super::*;
    use crate::execute::evaluate;

    fn numbers(count: usize, seed: i64) -> Vec<f32> {
        (0..count as i64).map(|at| ((at * 7919 + seed * 104_729) % 511 - 255) as f32).collect()
    }

    #[test]
    fn sums_are_exact_where_f32_has_not_all_integers() {
        // 255 * 255 * 999 + 1 = 64,959,976 lies between two numbers of f32, and so do most sums on the way.
        let depth = 1000;
        let (mut a, mut b) = (vec![255.0; depth], vec![255.0; depth]);
        (a[500], b[500]) = (1.0, 1.0);
        let weight = Parameter::new("w", Role::Linear { fan_in: depth }, [depth, 1]);
        let mut weights = BTreeMap::from([("w".to_owned(), b)]);
        let linear = Product::Linear(Linear { weight, bias: None });
        for (bias, expected) in
            [(vec![], 64_959_976_i64), (vec![-64_959_977], -1), (vec![-60_000_000], 4_959_976)]
        {
            let product = IntegerProduct { of: linear.clone(), bias };
            let found =
                evaluate(&product.into(), &mut weights, vec![(Shape::vector(depth), a.clone())]).unwrap();
            assert_eq!(found, [expected as f32]);
        }
    }

    #[test]
    fn convolutions_are_plain_loops() {
        for (groups, channels, out, kernel, stride, dilation, pads) in [
            (1, 3, 4, [3, 3], [2, 1], [1, 1], [1, 0, 2, 1]),
            (2, 4, 6, [1, 3], [1, 2], [1, 2], [0, 2, 0, 2]),
            (5, 5, 5, [3, 3], [1, 1], [1, 1], [1, 1, 1, 1]),
            (1, 2, 3, [1, 1], [1, 1], [1, 1], [0, 0, 0, 0]),
        ] {
            let (height, width) = (9, 11);
            let window = Window { kernel, stride, dilation, padding: Padding::Explicit(pads) };
            let per_group: usize = channels / groups;
            let fan_in = per_group * kernel[0] * kernel[1];
            let shape = [out, per_group, kernel[0], kernel[1]];
            let kernel_of = Parameter::new("k", Role::Conv { fan_in }, shape);
            let convolution =
                Convolution { window, groups, kernel: kernel_of, bias: None, is_subclass: false, norm: None };
            let (x, k) = (numbers(channels * height * width, 1), numbers(out * fan_in, 2));
            let bias: Vec<i32> = (0..out as i32).map(|at| at * 1000 - 3).collect();
            let product = IntegerProduct { of: Product::Convolution(convolution), bias: bias.clone() };
            let mut weights = BTreeMap::from([("k".to_owned(), k.clone())]);
            let input = vec![(Shape::map(channels, [height, width]), x.clone())];
            let found = evaluate(&Operation::from(product), &mut weights, input).unwrap();
            let geometry = window.on([height, width]).unwrap();
            let mut expected = Vec::new();
            for channel in 0..out {
                for pixel in 0..geometry.pixels() {
                    let (oy, ox) = (pixel / geometry.output[1], pixel % geometry.output[1]);
                    let mut sum = i64::from(bias[channel]);
                    for at in 0..fan_in {
                        let (c, ky, kx) =
                            (at / (kernel[0] * kernel[1]), at / kernel[1] % kernel[0], at % kernel[1]);
                        let Some(place) = geometry.input_pixel(oy, ox, ky, kx) else { continue };
                        let from = channel / (out / groups) * per_group + c;
                        sum += (x[from * height * width + place] * k[channel * fan_in + at]) as i64;
                    }
                    expected.push(sum as f32);
                }
            }
            assert_eq!(found, expected, "{groups} groups");
        }
    }

    #[test]
    fn matrices_are_multiplied_as_plain_loops_do() {
        let (a, b) = (numbers(2 * 3 * 5, 3), numbers(5 * 4, 4));
        let product = IntegerProduct { of: Product::MatMul(MatMul), bias: vec![1, -2, 3, 400] };
        let inputs = vec![(Shape::new([2, 3, 5]), a.clone()), (Shape::new([5, 4]), b.clone())];
        let found = evaluate(&product.into(), &mut BTreeMap::new(), inputs).unwrap();
        let expected: Vec<f32> = (0..2 * 3 * 4)
            .map(|at| {
                let (row, column) = (at / 4, at % 4);
                let sum: f32 = (0..5).map(|k| a[row * 5 + k] * b[k * 4 + column]).sum();
                sum + [1.0, -2.0, 3.0, 400.0][column]
            })
            .collect();
        assert_eq!(found, expected);
    }
}
