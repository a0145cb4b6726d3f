//! What moves elements, and what sums up along an axis. All but a transposition sees an axis with what is before and after it as
//! one each (`Flow::around`).

use burn::tensor::{Int, Tensor, activation};
use graph::Shape;
use graph::operations::{
    Concat, Expand, Gather, Interpolate, LayerNorm, MatMul, Pad, PadWith, Reduce, Reduction, Reshape, Slice,
    Softmax, Transpose,
};

use super::Compute;
use super::flow::{Flow, by_rank};
use super::operations::Place;

pub(super) fn reshape(reshape: &Reshape) -> Compute {
    let axes = reshape.shape.axes().to_vec();
    Box::new(move |inputs| Flow::of(Flow::only(inputs).into_flat(), &axes))
}

pub(super) fn transpose(transpose: &Transpose) -> Compute {
    fn permuted<const D: usize>(x: Flow, order: &[usize]) -> Flow {
        let before = x.axes();
        let axes: Vec<usize> = order.iter().map(|&axis| before[axis]).collect();
        let mut with_batch = [0; D];
        for (to, &from) in with_batch[1..].iter_mut().zip(order) {
            *to = from + 1;
        }
        Flow::from_rank(x.at_rank::<D>().permute(with_batch), &axes)
    }
    let order = transpose.axes.clone();
    Box::new(move |inputs| {
        let x = Flow::only(inputs);
        by_rank!(order.len(), permuted(x, &order))
    })
}

pub(super) fn concat(concat: &Concat) -> Compute {
    let axis = concat.axis;
    Box::new(move |inputs| {
        // What no image changes is the same beside each.
        let batch = inputs.iter().map(Flow::batch).max().unwrap_or(1);
        let mut axes = inputs[0].axes();
        axes[axis] = inputs.iter().map(|input| input.axes()[axis]).sum();
        let parts = inputs.into_iter().map(|input| {
            let own = input.axes();
            input.repeated(batch, &own).around(axis)
        });
        Flow::from_around(Tensor::cat(parts.collect(), 1), batch, &axes)
    })
}

/// Replaces the size along `axis`, and computes.
fn along(x: Flow, axis: usize, size: usize, compute: impl FnOnce(Tensor<3>) -> Tensor<3>) -> Flow {
    let (batch, mut axes) = (x.batch(), x.axes());
    axes[axis] = size;
    Flow::from_around(compute(x.around(axis)), batch, &axes)
}

pub(super) fn slice(slice: &Slice) -> Compute {
    let Slice { axis, begin, step, len } = *slice;
    Box::new(move |inputs| {
        along(Flow::only(inputs), axis, len, |x| {
            let end = begin + (len - 1) * step + 1;
            let (begin, end, step) = (begin as isize, end as isize, step as isize);
            x.slice(burn::tensor::s![.., begin..end;step, ..])
        })
    })
}

pub(super) fn gather(gather: &Gather, on: &Place<'_>) -> Compute {
    let (axis, len) = (gather.axis, gather.places.len());
    let places = on.places(&gather.places);
    Box::new(move |inputs| along(Flow::only(inputs), axis, len, |x| x.select(1, places.clone())))
}

pub(super) fn expand(expand: &Expand) -> Compute {
    let axes = expand.shape.axes().to_vec();
    Box::new(move |inputs| {
        let x = Flow::only(inputs);
        let batch = x.batch();
        x.repeated(batch, &axes)
    })
}

pub(super) fn pad(pad: &Pad, on: &Place<'_>) -> Compute {
    let (widths, with) = (pad.widths.clone(), pad.with);
    let device = on.device.clone();
    Box::new(move |inputs| {
        let mut x = Flow::only(inputs);
        for (axis, &[before, after]) in widths.iter().enumerate().filter(|(_, widths)| **widths != [0, 0]) {
            let size = x.axes()[axis];
            x = along(x, axis, before + size + after, |x| match with {
                PadWith::Constant(number) => {
                    let [rows, _, columns] = x.dims();
                    let (device, dtype) = (x.device(), x.dtype());
                    let parts = [before, after].map(|width| {
                        (width > 0).then(|| Tensor::full([rows, width, columns], number, (&device, dtype)))
                    });
                    let [first, last] = parts;
                    Tensor::cat(first.into_iter().chain([x]).chain(last).collect(), 1)
                }
                PadWith::Edge | PadWith::Reflection => {
                    let place = |at: usize| match (with, at.checked_sub(before)) {
                        (PadWith::Edge, None) => 0,
                        (PadWith::Edge, Some(at)) => at.min(size - 1),
                        (_, None) => before - at,
                        (_, Some(at)) if at < size => at,
                        (_, Some(at)) => 2 * (size - 1) - at,
                    };
                    let places: Vec<i32> =
                        (0..before + size + after).map(|at| i32::try_from(place(at)).unwrap_or(0)).collect();
                    x.select(1, Tensor::<1, Int>::from_ints(&places[..], &device))
                }
            });
        }
        x
    })
}

/// Axes that follow each other are one.
pub(super) fn reduce(reduce: &Reduce) -> Compute {
    let Reduce { to, ref axes } = *reduce;
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &axis in axes {
        match runs.last_mut() {
            Some((first, len)) if *first + *len == axis => *len += 1,
            _ => runs.push((axis, 1)),
        }
    }
    Box::new(move |inputs| {
        let mut x = Flow::only(inputs);
        for &(first, len) in &runs {
            let (batch, mut axes) = (x.batch(), x.axes());
            let together: usize = axes[first..first + len].iter().product();
            let merged = [&axes[..first], &[together], &axes[first + len..]].concat();
            let reduced = Flow::of(x.into_flat(), &merged).around(first);
            let reduced = match to {
                Reduction::Sum => reduced.sum_dim(1),
                Reduction::Mean => reduced.mean_dim(1),
                Reduction::Max => reduced.max_dim(1),
                Reduction::Min => reduced.min_dim(1),
                Reduction::Product => reduced.prod_dim(1),
            };
            axes[first..first + len].fill(1);
            x = Flow::from_around(reduced, batch, &axes);
        }
        x
    })
}

pub(super) fn softmax(softmax: &Softmax) -> Compute {
    let Softmax { axis, log } = *softmax;
    Box::new(move |inputs| {
        let x = Flow::only(inputs);
        let size = x.axes()[axis];
        along(x, axis, size, |x| if log { activation::log_softmax(x, 1) } else { activation::softmax(x, 1) })
    })
}

pub(super) fn layer_norm(norm: &LayerNorm) -> Compute {
    let LayerNorm { axes: count, epsilon } = *norm;
    Box::new(move |inputs| {
        let x = Flow::only(inputs);
        let (batch, axes) = (x.batch(), x.axes());
        let (rows, columns) = axes.split_at(axes.len() - count);
        let (rows, columns): (usize, usize) = (rows.iter().product(), columns.iter().product());
        let x = x.into_flat().reshape([batch * rows, columns]);
        let centred = x.clone() - x.mean_dim(1);
        let variance = (centred.clone() * centred.clone()).mean_dim(1);
        let normalised = centred / (variance + epsilon).sqrt();
        Flow::of(normalised.reshape([batch, rows * columns]), &axes)
    })
}

pub(super) fn interpolate(interpolate: &Interpolate, on: &Place<'_>) -> Compute {
    let (axis, out) = (interpolate.axis, interpolate.taps.len());
    let last = interpolate.taps.iter().flatten().map(|&(place, _)| place).max().unwrap_or(0);
    // After the last that something is made of, the axis may have more.
    let size = last + 1;
    let mut matrix = vec![0.0; out * size];
    for (row, taps) in interpolate.taps.iter().enumerate() {
        for &(place, weight) in taps {
            matrix[row * size + place] = weight;
        }
    }
    let matrix: Tensor<3> = on.tensor(matrix, [1, out, size]);
    Box::new(move |inputs| {
        along(Flow::only(inputs), axis, out, |x| {
            let x = x.slice(burn::tensor::s![.., 0..size, ..]);
            matrix.clone().matmul(x)
        })
    })
}

pub(super) fn matmul(_: &MatMul) -> Compute {
    Box::new(|inputs| {
        let [a, b] = Flow::two(inputs);
        let batch = a.batch().max(b.batch());
        let (axes_a, axes_b) = (a.axes(), b.axes());
        let (before_a, [rows, depth]) = matrix(&axes_a);
        let (before_b, [_, columns]) = matrix(&axes_b);
        let before = Shape::new(before_a).repeated_with(&Shape::new(before_b));
        let before = before.unwrap_or_else(|misfit| panic!("{misfit}")).axes().to_vec();
        let count: usize = before.iter().product();
        let with = |sizes: [usize; 2]| [&before[..], &sizes].concat();
        let a = a.repeated(batch, &with([rows, depth])).into_flat().reshape([batch * count, rows, depth]);
        let b =
            b.repeated(batch, &with([depth, columns])).into_flat().reshape([batch * count, depth, columns]);
        Flow::of(a.matmul(b).reshape([batch, count * rows * columns]), &with([rows, columns]))
    })
}

/// The axes before the last two, and those.
pub(super) fn matrix(axes: &[usize]) -> (&[usize], [usize; 2]) {
    match axes {
        &[ref before @ .., rows, columns] => (before, [rows, columns]),
        _ => panic!("{axes:?} where matrices belong"),
    }
}
