//! The last layers of a network, whose rows are images: they are computed of all images of a batch at once.

use graph::Window;

use super::epilogue::PlannedFinish;
use super::{PlannedKind, PlannedStep};

/// How many of the last steps are such layers, where what the network puts out is the value `last` of the program: multiplications that
/// read nothing but what the one before puts out, of which the first reads a map whole or the mean of one.
pub(super) fn len(steps: &[PlannedStep], last: usize) -> usize {
    if last != steps.len() {
        return 0;
    }
    let is_alone = |finish: &PlannedFinish| {
        matches!(
            finish,
            PlannedFinish::Affine(_)
                | PlannedFinish::Scale(_)
                | PlannedFinish::Constant { .. }
                | PlannedFinish::Activation(_)
                | PlannedFinish::Unary(_)
        )
    };
    let is_layer = |&(index, step): &(usize, &PlannedStep)| {
        let multiplies =
            matches!(step.kind, PlannedKind::Linear { .. } | PlannedKind::Dense { gate: None, .. });
        multiplies
            && step.window == Window::PIXEL
            && step.input.value == index
            && step.epilogue.iter().all(is_alone)
    };
    // Steps after one another are read by the next alone, or that one would not be a layer.
    let layers = steps.iter().enumerate().rev().take_while(is_layer).count();
    // A convolution is of one pixel where it reads a mean, and a fully connected layer of several is the first.
    let is_first = |index: usize| match steps[index].kind {
        PlannedKind::Linear { pixels, .. } if pixels > 1 => true,
        _ => index > 0 && matches!(steps[index - 1].kind, PlannedKind::Average),
    };
    let first = (steps.len() - layers..steps.len()).find(|&index| is_first(index));
    first.map_or(0, |first| steps.len() - first)
}

#[cfg(test)]
mod tests {
    use graph::{Activation, Graph, Parameter, Role};

    use super::super::Lowering;
    use super::super::tests::Net;

    fn tail(graph: &Graph) -> usize {
        let lowering = Lowering::of(graph).unwrap();
        lowering.end.tail(&lowering.steps)
    }

    fn fc(key: &str, shape: [usize; 2]) -> Parameter {
        Parameter::new(key, Role::Linear { fan_in: shape[0] }, shape)
    }

    #[test]
    fn layers_after_the_mean_are_the_tail() {
        let (mut net, x) = Net::new();
        let x = net.on.global_average_pool(x);
        let x = net.on.linear(fc("one", [8, 6]), None, x);
        let x = net.on.activation(Activation::HardSwish, x);
        let x = net.on.linear(fc("two", [6, 4]), None, x);
        assert_eq!(tail(&net.on.finish(x)), 2);
    }

    #[test]
    fn one_that_reads_something_else_too_begins_none() {
        let (mut net, x) = Net::new();
        let x = net.on.global_average_pool(x);
        let y = net.on.linear(fc("one", [8, 8]), None, x);
        let y = net.on.add(y, x);
        let y = net.on.linear(fc("two", [8, 4]), None, y);
        // The first is no layer, so that the second reads no mean.
        assert_eq!(tail(&net.on.finish(y)), 0);
    }

    #[test]
    fn the_mean_and_one_layer_are_the_head_and_no_tail() {
        let (mut net, x) = Net::new();
        let x = net.on.global_average_pool(x);
        let x = net.on.linear(fc("fc", [8, 4]), None, x);
        assert_eq!(tail(&net.on.finish(x)), 0);
    }
}
