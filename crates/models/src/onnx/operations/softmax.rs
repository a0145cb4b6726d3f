//! Softmax and its logarithm.

use graph::Shape;
use graph::operations::Softmax;

use super::super::call::{Call, Outputs, one};
use super::Entry;

pub(super) const OPERATIONS: &[Entry] =
    &[("Softmax", |call| softmax(call, false)), ("LogSoftmax", |call| softmax(call, true))];

fn softmax(call: &mut Call<'_>, log: bool) -> Outputs {
    let x = call.floats(0)?;
    let rank = x.axes.len();
    if call.opset >= 13 {
        let axis = Call::axis(call.int("axis", -1)?, rank)?;
        let (value, axis) = call.on.at_axis(&x, axis);
        return one(call.push(Softmax { axis, log }, &[value], x.axes)?);
    }
    // Before opset 13 all axes from this one on are one.
    let axis = Call::axis(call.int("axis", 1)?, rank)?;
    let rows: usize = x.axes[..axis].iter().product();
    let columns: usize = x.axes[axis..].iter().product();
    if rows == 1 && x.axes[axis..].iter().filter(|&&size| size > 1).count() <= 1 {
        let value = call.on.reshape(x.value, Shape::vector(columns));
        return one(call.push(Softmax { axis: 0, log }, &[value], x.axes)?);
    }
    let value = call.on.reshape(x.value, Shape::new([rows, columns]));
    one(call.push(Softmax { axis: 1, log }, &[value], x.axes)?)
}
