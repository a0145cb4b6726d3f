//! Axes made one element.

use graph::operations::{Binary, GlobalAveragePool, Reduce, Reduction, Unary};

use super::super::call::{Call, Outputs, one};
use super::super::known::{Ints, Known, indices, is_first_left_out, kept, strides};
use super::super::trouble::Trouble;
use super::{Entry, reshape};

pub(super) const OPERATIONS: &[Entry] = &[
    ("ReduceMean", |call| reduce(call, Reduction::Mean, Around::Nothing)),
    ("ReduceSum", |call| reduce(call, Reduction::Sum, Around::Nothing)),
    ("ReduceMax", |call| reduce(call, Reduction::Max, Around::Nothing)),
    ("ReduceMin", |call| reduce(call, Reduction::Min, Around::Nothing)),
    ("ReduceProd", |call| reduce(call, Reduction::Product, Around::Nothing)),
    ("ReduceL1", |call| reduce(call, Reduction::Sum, Around::Absolute)),
    ("ReduceL2", |call| reduce(call, Reduction::Sum, Around::RootOfSquares)),
    ("ReduceSumSquare", |call| reduce(call, Reduction::Sum, Around::Squares)),
    ("ReduceLogSum", |call| reduce(call, Reduction::Sum, Around::Logarithm)),
];

/// What is done before and after.
#[derive(Clone, Copy, PartialEq)]
enum Around {
    Nothing,
    Absolute,
    Squares,
    RootOfSquares,
    Logarithm,
}

fn reduce(call: &mut Call<'_>, to: Reduction, around: Around) -> Outputs {
    let rank = reshape::axes_of(call.known(0)?)?.len();
    // An attribute first, an input since: of ReduceSum since 13, of the others since 18.
    let listed = match call.list("axes")? {
        Some(axes) => Some(axes.to_vec()),
        None => call.ints_if_given(1)?,
    };
    let keep = call.flag("keepdims", true)?;
    let none_is_all = !call.flag("noop_with_empty_axes", false)?;
    let axes = match listed.filter(|axes| !axes.is_empty()) {
        Some(axes) => {
            let axes = axes.into_iter().map(|axis| Call::axis(axis, rank));
            let mut axes = axes.collect::<Result<Vec<_>, Trouble>>()?;
            axes.sort_unstable();
            axes.dedup();
            axes
        }
        None if none_is_all => (0..rank).collect(),
        None => Vec::new(),
    };
    if let Known::Ints(ints) = call.known(0)? {
        if around != Around::Nothing {
            return Err("of integers, only sums, products, extremes are supported".into());
        }
        return one(of_ints(ints, to, &axes, keep)?);
    }
    let x = call.floats(0)?;
    let mut value = x.value;
    value = match around {
        Around::Nothing | Around::Logarithm => value,
        Around::Absolute => call.on.push(Unary::Abs, &[value])?,
        Around::Squares | Around::RootOfSquares => call.on.push(Binary::Mul, &[value, value])?,
    };
    // The first axis, where the graph leaves it out, has one element, which is its sum, mean and extreme.
    let left_out = usize::from(is_first_left_out(&x.axes));
    let kept_axes: Vec<usize> = axes.iter().filter_map(|&axis| axis.checked_sub(left_out)).collect();
    if !kept_axes.is_empty() {
        let is_map = call.on.shape(value).axes().len() == 3 && call.on.constant(value).is_none();
        value = if is_map && to == Reduction::Mean && kept_axes == [1, 2] {
            call.on.push(GlobalAveragePool, &[value])?
        } else {
            call.on.push(Reduce { to, axes: kept_axes }, &[value])?
        };
    }
    let all_kept: Vec<usize> =
        (0..rank).map(|axis| if axes.contains(&axis) { 1 } else { x.axes[axis] }).collect();
    let out = if keep {
        all_kept
    } else {
        (0..rank).filter(|axis| !axes.contains(axis)).map(|axis| x.axes[axis]).collect()
    };
    value = match around {
        Around::RootOfSquares => call.on.push(Unary::Sqrt, &[value])?,
        Around::Logarithm => call.on.push(Unary::Log, &[value])?,
        _ => value,
    };
    debug_assert_eq!(kept(&out).elements().ok(), call.on.shape(value).elements().ok());
    one(call.on.floats(value, out))
}

fn of_ints(ints: &Ints, to: Reduction, axes: &[usize], keep: bool) -> Result<Ints, Trouble> {
    let out: Vec<usize> = ints
        .axes
        .iter()
        .enumerate()
        .map(|(axis, &size)| if axes.contains(&axis) { 1 } else { size })
        .collect();
    let combine = |a: i64, b: i64| match to {
        Reduction::Sum => a.checked_add(b),
        Reduction::Product => a.checked_mul(b),
        Reduction::Max => Some(a.max(b)),
        Reduction::Min => Some(a.min(b)),
        Reduction::Mean => None,
    };
    let places = strides(&out);
    let mut values: Vec<Option<i64>> = vec![None; out.iter().product()];
    for (index, &value) in indices(&ints.axes).zip(&ints.values) {
        let place: usize = index
            .iter()
            .zip(&out)
            .zip(&places)
            .map(|((&index, &size), &stride)| if size == 1 { 0 } else { index * stride })
            .sum();
        let slot = &mut values[place];
        *slot = Some(match *slot {
            None => value,
            Some(before) => combine(before, value).ok_or("a mean, or a sum beyond any integer")?,
        });
    }
    let values = values.into_iter().collect::<Option<Vec<_>>>().ok_or("there is nothing to reduce")?;
    let axes = if keep {
        out
    } else {
        (0..ints.axes.len()).filter(|axis| !axes.contains(axis)).map(|axis| ints.axes[axis]).collect()
    };
    Ok(Ints { axes, values, element: ints.element })
}
