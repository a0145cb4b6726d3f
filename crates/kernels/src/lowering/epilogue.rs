//! What follows an operation and reads nothing else is done before its result is stored: sums with something that is there
//! already, normalisations, activations, as many as an epilogue has room for.

use graph::{Activation, Operation, Value};

use super::chain::Chain;
use crate::epilogue::MOST;

/// Something done to a result before it is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum PlannedFinish {
    /// A value of the program is added.
    Residual(usize),
    /// The normalisation that puts out this value of the graph, as a factor and a summand a channel.
    Affine(Value),
    /// A constant factor.
    Scale(f32),
    /// A function of each element.
    Activation(Activation),
}

/// How many of them a step has at most: there is room for a bias beside them.
const MOST_PLANNED: usize = MOST - 1;

/// Takes into `epilogue` what can be done to `value` before it is stored. Gives the values that are computed then, `value`
/// first.
pub(super) fn follow(
    chain: &Chain<'_>,
    stored: &[Option<usize>],
    value: Value,
    epilogue: &mut Vec<PlannedFinish>,
) -> Vec<Value> {
    let mut done = vec![value];
    let mut last = value;
    while epilogue.len() < MOST_PLANNED
        && let Some(reader) = chain.only_reader(last)
    {
        let node = chain.graph().node(reader);
        let finish = match node.operation {
            Operation::Activation(activation) => PlannedFinish::Activation(activation),
            Operation::BatchNorm(_) => PlannedFinish::Affine(reader),
            Operation::Scale(ref scale) => PlannedFinish::Scale(scale.factor as f32),
            Operation::Add(_) => {
                let other = if node.inputs[0] == last { node.inputs[1] } else { node.inputs[0] };
                let Some(value) = stored[other.index()] else { break };
                PlannedFinish::Residual(value)
            }
            _ => break,
        };
        epilogue.push(finish);
        last = reader;
        done.push(last);
    }
    done
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
