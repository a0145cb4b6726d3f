//! What follows an operation and reads nothing else is done before its result is stored: a sum with something that is there
//! already, a normalisation, an activation, in this order.

use graph::{Activation, Operation, Value};

use super::chain::Chain;

/// Something done to a result before it is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Finish {
    /// A value of the program is added.
    Residual(usize),
    /// The normalisation that puts out this value of the graph, as a factor and a summand a channel.
    Affine(Value),
    /// A function of each element.
    Activation(Activation),
}

impl Finish {
    /// In which order the kernels do these.
    fn rank(self) -> usize {
        match self {
            Self::Residual(_) => 0,
            Self::Affine(_) => 1,
            Self::Activation(_) => 2,
        }
    }
}

/// Takes into `epilogue` what can be done to `value` before it is stored. Gives the values that are computed then, `value`
/// first.
pub(super) fn follow(
    chain: &Chain<'_>,
    stored: &[Option<usize>],
    value: Value,
    epilogue: &mut Vec<Finish>,
) -> Vec<Value> {
    let mut done = vec![value];
    let mut last = value;
    while let Some(reader) = chain.only_reader(last) {
        let node = chain.graph().node(reader);
        let finish = match node.operation {
            Operation::Activation(activation) => Finish::Activation(activation),
            Operation::BatchNorm(_) => Finish::Affine(reader),
            Operation::Add(_) => {
                let other = if node.inputs[0] == last { node.inputs[1] } else { node.inputs[0] };
                let Some(value) = stored[other.index()] else { break };
                Finish::Residual(value)
            }
            _ => break,
        };
        if epilogue.last().is_some_and(|last| last.rank() >= finish.rank()) {
            break;
        }
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
    fn what_comes_in_another_order_is_a_step_of_its_own() {
        let (mut net, x) = Net::new();
        let y = net.pixel(x);
        let y = net.on.relu(y);
        let y = net.on.add(y, x);
        let steps = net.steps(y);
        assert!(steps[1].contains("then [Activation(Relu)]"), "{steps:#?}");
        assert!(steps[2].contains("Finish") && steps[2].contains("then [Residual(1)]"), "{steps:#?}");
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
