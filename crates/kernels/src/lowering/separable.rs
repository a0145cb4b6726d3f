//! A depthwise convolution that only a 1x1 convolution reads, perhaps through an activation: it is computed while that one's
//! multiplicands are laid out, so that its result never goes to memory.

use graph::{Activation, Value, Window};

use super::chain::Chain;
use super::check::is_depthwise;

/// What a 1x1 convolution computes on the way.
pub(super) struct Before {
    pub(super) depthwise: Value,
    /// What is applied to the depthwise convolution's result.
    pub(super) between: Option<Activation>,
}

/// The 1x1 convolution that computes the depthwise convolution `value` on the way.
pub(super) fn pointwise_after(chain: &Chain<'_>, value: Value) -> Option<Value> {
    if !is_depthwise(chain.convolution(value)?) {
        return None;
    }
    let mut reader = chain.only_reader(value)?;
    if chain.activation(reader).is_some() {
        reader = chain.only_reader(reader)?;
    }
    let pointwise = chain.convolution(reader)?;
    (pointwise.groups == 1 && pointwise.window == Window::PIXEL).then_some(reader)
}

/// Whether a 1x1 convolution computes `value` on the way: the depthwise convolution, or the activation between the two.
pub(super) fn is_on_the_way(chain: &Chain<'_>, value: Value) -> bool {
    let depthwise = chain.activation(value).map_or(value, |(_, before)| before);
    pointwise_after(chain, depthwise).is_some()
}

/// The depthwise convolution that the convolution `value` computes on the way.
pub(super) fn depthwise_before(chain: &Chain<'_>, value: Value) -> Option<Before> {
    let x = chain.graph().node(value).inputs[0];
    let (between, depthwise) = match chain.activation(x) {
        Some((activation, before)) => (Some(activation), before),
        None => (None, x),
    };
    (pointwise_after(chain, depthwise) == Some(value)).then_some(Before { depthwise, between })
}

#[cfg(test)]
mod tests {
    use super::super::tests::Net;

    #[test]
    fn a_depthwise_convolution_is_computed_by_the_pointwise_one_after_it() {
        let (mut net, x) = Net::new();
        let y = net.depthwise(x);
        let y = net.on.relu(y);
        let y = net.pixel(y);
        let steps = net.steps(y);
        assert_eq!(steps.len(), 2, "{steps:#?}");
        assert!(steps[1].contains("Separable") && steps[1].contains("between: Some(Relu)"), "{steps:#?}");
    }

    #[test]
    fn any_activation_may_stand_between() {
        let (mut net, x) = Net::new();
        let y = net.depthwise(x);
        let y = net.on.activation(graph::Activation::HardSwish, y);
        let y = net.pixel(y);
        let steps = net.steps(y);
        assert_eq!(steps.len(), 2, "{steps:#?}");
        assert!(steps[1].contains("between: Some(HardSwish)"), "{steps:#?}");
    }

    #[test]
    fn one_that_two_read_is_a_step_of_its_own() {
        let (mut net, x) = Net::new();
        let y = net.depthwise(x);
        let z = net.pixel(y);
        let sum = net.on.add(z, y);
        let steps = net.steps(sum);
        assert!(steps[1].contains("Depthwise") && steps[2].contains("Dense"), "{steps:#?}");
    }
}
