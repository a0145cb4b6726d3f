//! Numbers that are the same for every image, as the steps that take them in hold them.

use graph::operations::Binary;
use graph::{Operation, Value, Weights};
use memory::NoMemory;

use super::load::{LoadError, Loader};
use super::parts::as_pixels;
use crate::buffer::{Buffer, padded};

impl<W: Weights> Loader<'_, W> {
    /// The factors and summands, a channel each, by which `function` of a result and of a constant is computed.
    pub(super) fn constant(
        &mut self,
        function: Binary,
        constant: Value,
        is_first: bool,
        width: usize,
    ) -> Result<[Buffer; 2], LoadError<W::Error>> {
        let Operation::Constant(constant) = &self.graph.node(constant).operation else {
            unreachable!("the planner takes constants only");
        };
        let mut values = self.weights.read(&constant.parameter)?;
        if let &[one] = &values[..] {
            values = vec![one; width];
        }
        let of = |of: fn(f32) -> f32| {
            Buffer::of_channels(&values.iter().map(|&value| of(value)).collect::<Vec<_>>(), width)
        };
        Ok(match (function, is_first) {
            (Binary::Add, _) => [of(|_| 1.0)?, of(|value| value)?],
            (Binary::Sub, false) => [of(|_| 1.0)?, of(|value| -value)?],
            (Binary::Sub, true) => [of(|_| -1.0)?, of(|value| value)?],
            (Binary::Mul, _) => [of(|value| value)?, of(|_| 0.0)?],
            (Binary::Div, false) => [of(|value| 1.0 / value)?, of(|_| 0.0)?],
            _ => unreachable!("{function:?} was refused before"),
        })
    }

    /// Numbers that are known.
    pub(super) fn known(&mut self, value: Value) -> Result<Vec<f32>, LoadError<W::Error>> {
        let Operation::Constant(constant) = &self.graph.node(value).operation else {
            unreachable!("only constants are known");
        };
        self.weights.read(&constant.parameter)
    }

    /// The numbers, as many as the value `like` has elements and as that is held, that `function` adds or multiplies by.
    pub(super) fn constant_map(
        &mut self,
        function: Binary,
        constant: Value,
        like: Value,
    ) -> Result<Buffer, LoadError<W::Error>> {
        let values = self.known(constant)?;
        let Operation::Constant(of) = &self.graph.node(constant).operation else {
            unreachable!("only constants are known");
        };
        let (shape, form) = &self.maps[&like];
        let repeated = repeated(&values, &of.parameter.shape, shape.axes())?;
        let held = as_pixels(*form, shape);
        let pixels = held.size[0] * held.size[1];
        let mut buffer = Buffer::zeroed(pixels * padded(held.width))?;
        held.copy(&repeated, 0..pixels, (padded(held.width), buffer.as_mut_slice()));
        let each = |of: fn(f32) -> f32, buffer: &mut Buffer| {
            // What is beyond the channels stays 0.
            for pixel in buffer.as_mut_slice().chunks_exact_mut(padded(held.width)) {
                pixel[..held.width].iter_mut().for_each(|value| *value = of(*value));
            }
        };
        match function {
            Binary::Sub => each(|value| -value, &mut buffer),
            Binary::Div => each(|value| 1.0 / value, &mut buffer),
            _ => {}
        }
        Ok(buffer)
    }
}

/// `values` of `axes`, repeated to be a value of the axes `to`.
fn repeated(values: &[f32], axes: &[usize], to: &[usize]) -> Result<Vec<f32>, NoMemory> {
    let mut strides = vec![0; to.len()];
    let mut stride = 1;
    for (place, &size) in axes.iter().enumerate().rev() {
        // Axes are compared from the last on.
        strides[to.len() - axes.len() + place] = if size == 1 { 0 } else { stride };
        stride *= size;
    }
    let count = to.iter().product();
    let mut repeated = memory::room(count)?;
    for mut index in 0..count {
        let mut at = 0;
        for (&size, stride) in to.iter().zip(&strides).rev() {
            at += index % size * stride;
            index /= size;
        }
        repeated.push(values[at]);
    }
    Ok(repeated)
}
