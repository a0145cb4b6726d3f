//! What follows an operation and reads nothing else is done before its result is stored: sums with something that is there
//! already, normalisations, activations, as many as an epilogue has room for.

use graph::operations::{Binary, Unary};
use graph::{Activation, Operation, Value};

use super::chain::Chain;
use super::held::{Form, Held, is_a_channel};
use super::view::View;
use crate::epilogue::MOST;

/// Something done to a result before it is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum PlannedFinish {
    /// A value of the program is added, pixel by pixel.
    Residual(usize),
    /// A value of the program is a factor, pixel by pixel.
    Product(usize),
    /// A value of one pixel is a factor of every pixel.
    Gate(usize),
    /// A value of one pixel is added to every pixel.
    Shift(usize),
    /// The normalisation that puts out this value of the graph, as a factor and a summand a channel.
    Affine(Value),
    /// A constant factor.
    Scale(f32),
    /// What this function makes of the result and of numbers that are known, which stand before it or after it.
    Constant { function: Binary, constant: Value, is_first: bool },
    /// The same of as many numbers that are known as this value of the graph has elements.
    ConstantMap { function: Binary, constant: Value, like: Value },
    /// A function of each element.
    Activation(Activation),
    /// Another one.
    Unary(Unary),
}

/// How many of them a step has at most: there is room for a bias beside them.
const MOST_PLANNED: usize = MOST - 1;

/// Whether an operation only calls the same elements otherwise: pixels are held with their channels last, whatever the order of the
/// axes.
pub(super) fn is_a_name(operation: &Operation) -> bool {
    matches!(operation, Operation::Reshape(_) | Operation::Transpose(_))
}

/// What the rules of an epilogue know.
pub(super) struct Known<'a> {
    pub(super) chain: &'a Chain<'a>,
    pub(super) held: &'a [Held],
    pub(super) views: &'a [Option<View>],
    pub(super) stored: &'a [Option<usize>],
}

impl Known<'_> {
    /// How `reader` is computed of `base`, which it reads, before that is stored; none where it cannot be.
    pub(super) fn finish(&self, reader: Value, base: Value) -> Option<PlannedFinish> {
        let node = self.chain.graph().node(reader);
        match node.operation {
            Operation::Activation(activation) => return Some(PlannedFinish::Activation(activation)),
            Operation::Unary(function) => return Some(PlannedFinish::Unary(function)),
            Operation::BatchNorm(_) => return Some(PlannedFinish::Affine(reader)),
            Operation::Scale(ref scale) => return Some(PlannedFinish::Scale(scale.factor as f32)),
            Operation::Add(_) | Operation::Binary(_) => {}
            _ => return None,
        }
        let is_first = node.inputs[0] != base;
        let other = if is_first { node.inputs[0] } else { node.inputs[1] };
        let (base, held) = (self.held[base.index()], self.held[other.index()]);
        if held.form == Form::Constant {
            let function = match node.operation {
                Operation::Binary(function) => function,
                _ => Binary::Add,
            };
            let of_channels = match &self.chain.graph().node(other).operation {
                Operation::Constant(constant) => is_a_channel(base, &constant.parameter.shape),
                _ => false,
            };
            return Some(match of_channels {
                true => PlannedFinish::Constant { function, constant: other, is_first },
                false => PlannedFinish::ConstantMap { function, constant: other, like: reader },
            });
        }
        let value = self.stored[other.index()]?;
        let product = matches!(node.operation, Operation::Binary(Binary::Mul));
        match (base.form, held.form) {
            (Form::Map, Form::Pixel) if product => Some(PlannedFinish::Gate(value)),
            (Form::Map, Form::Pixel) => Some(PlannedFinish::Shift(value)),
            // A value of one pixel becomes no map in the place of the pixel.
            (Form::Pixel, Form::Map) => None,
            _ if product => Some(PlannedFinish::Product(value)),
            _ => Some(PlannedFinish::Residual(value)),
        }
    }

    /// Takes into `epilogue` what can be done to `value` before it is stored. Gives the values that are computed then, `value`
    /// first.
    pub(super) fn follow(&self, value: Value, epilogue: &mut Vec<PlannedFinish>) -> Vec<Value> {
        let mut done = vec![value];
        let mut last = value;
        while epilogue.len() < MOST_PLANNED
            && let Some(reader) = self.chain.only_reader(last)
        {
            if self.views[reader.index()].is_some() {
                break;
            }
            if !is_a_name(&self.chain.graph().node(reader).operation) {
                let Some(finish) = self.finish(reader, last) else { break };
                epilogue.push(finish);
            }
            last = reader;
            done.push(last);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Net;

    #[test]
    fn sum_normalisation_and_activation_are_done_before_a_result_is_stored() {
        let (mut net, x) = Net::new();
        let y = net.pixel(x);
        let y = net.on.add(y, x);
        let y = net.norm(y);
        let y = net.on.relu(y);
        let steps = net.steps(y);
        assert_eq!(steps.len(), 2, "{steps:#?}");
        assert!(steps[1].contains("then [Residual(1), Affine(Value(4)), Activation(Relu)]"), "{steps:#?}");
    }

    #[test]
    fn they_are_done_in_any_order_as_far_as_there_is_room() {
        let (mut net, x) = Net::new();
        let mut y = net.pixel(x);
        y = net.on.relu(y);
        for _ in 0..5 {
            y = net.on.add(y, x);
        }
        let steps = net.steps(y);
        let four = ["Residual(1)"; 4].join(", ");
        assert!(steps[1].ends_with(&format!("then [Activation(Relu), {four}]")), "{steps:#?}");
        assert!(steps[2].contains("Epilogue") && steps[2].ends_with("then [Residual(1)]"), "{steps:#?}");
    }

    #[test]
    fn a_sum_with_what_is_not_there_yet_waits() {
        let (mut net, x) = Net::new();
        let y = net.pixel(x);
        let z = net.pixel(x);
        let sum = net.on.add(y, z);
        let steps = net.steps(sum);
        assert!(steps[1].ends_with("then []") && steps[2].contains("Residual(2)"), "{steps:#?}");
    }
}
