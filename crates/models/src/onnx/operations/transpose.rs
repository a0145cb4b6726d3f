//! Axes in another order.

use graph::operations::Transpose;

use super::super::call::{Call, Outputs, one};
use super::super::known::{Floats, Known, is_first_left_out, strides};
use super::super::trouble::Trouble;
use super::{Entry, reshape};

pub(super) const OPERATIONS: &[Entry] = &[("Transpose", transpose)];

fn transpose(call: &mut Call<'_>) -> Outputs {
    let rank = reshape::axes_of(call.known(0)?)?.len();
    let order = match call.list("perm")? {
        None => (0..rank).rev().collect(),
        Some(order) => {
            let order = order.iter().map(|&axis| Call::axis(axis, rank));
            order.collect::<Result<Vec<_>, Trouble>>()?
        }
    };
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..rank) {
        return Err(format!("perm is {order:?}, for {rank} axes").into());
    }
    match call.known(0)? {
        Known::Ints(ints) => {
            let apart = strides(&ints.axes);
            let axes = order.iter().map(|&axis| ints.axes[axis]).collect();
            one(ints
                .picked(axes, |index| index.iter().zip(&order).map(|(&at, &axis)| at * apart[axis]).sum())?)
        }
        _ => {
            let x = call.floats(0)?;
            one(reordered(call, &x, &order)?)
        }
    }
}

/// `x` with its axes in another order: axis `i` is axis `order[i]`.
pub(super) fn reordered(call: &mut Call<'_>, x: &Floats, order: &[usize]) -> Result<Floats, Trouble> {
    let out: Vec<usize> = order.iter().map(|&axis| x.axes[axis]).collect();
    if is_first_left_out(&x.axes) && order[0] == 0 {
        let rest = order[1..].iter().map(|&axis| axis - 1).collect();
        return call.push(Transpose { axes: rest }, &[x.value], out);
    }
    let whole = call.on.whole(x);
    call.push(Transpose { axes: order.to_vec() }, &[whole], out)
}
