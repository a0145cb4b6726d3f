//! A ReLU that only convolutions, or the mean before the classes, read is applied where they read: the value before it is
//! stored, and the ReLU is no pass over memory. Other activations cost more than that, because a window reads an element many
//! times.

use graph::{Activation, Operation, Value};

use super::Source;
use super::chain::Chain;
use crate::activation::OnRead;

/// Whether `value` is a ReLU that all its readers apply themselves.
pub(super) fn is_applied_on_read(chain: &Chain<'_>, stored: &[Option<usize>], value: Value) -> bool {
    let can = |&reader: &Value| {
        matches!(
            chain.graph().node(reader).operation,
            Operation::Convolution(_) | Operation::GlobalAveragePool(_) | Operation::Linear(_)
        )
    };
    let is_relu = matches!(chain.activation(value), Some((Activation::Relu, _)));
    is_relu
        && value != chain.graph().output()
        && stored[value.index()].is_none()
        && chain.readers(value).iter().all(can)
}

/// Where to read `value`.
pub(super) fn source(chain: &Chain<'_>, stored: &[Option<usize>], value: Value) -> Source {
    let (value, on_read) = match chain.activation(value) {
        Some((_, before)) if is_applied_on_read(chain, stored, value) => (before, OnRead::Relu),
        _ => (value, OnRead::AsStored),
    };
    Source { value: stored[value.index()].expect("what is read was computed before"), on_read }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Net;
    use super::*;

    #[test]
    fn an_activation_beside_a_shortcut_is_applied_where_it_is_read() {
        let (mut net, x) = Net::new();
        let y = net.on.relu(x);
        let y = net.pixel(y);
        let sum = net.on.add(y, x);
        let steps = net.steps(sum);
        assert_eq!(steps.len(), 2, "{steps:#?}");
        assert!(steps[1].contains("Source { value: 1, on_read: Relu }"), "{steps:#?}");
    }

    #[test]
    fn one_that_a_pool_reads_is_stored() {
        let (mut net, x) = Net::new();
        let y = net.on.relu(x);
        let y = net.on.max_pool(graph::Window::PIXEL, y);
        let sum = net.on.add(y, x);
        let steps = net.steps(sum);
        assert!(steps[1].contains("Epilogue") && steps[1].contains("Activation(Relu)"), "{steps:#?}");
    }

    #[test]
    fn another_activation_is_stored() {
        let (mut net, x) = Net::new();
        let y = net.on.activation(Activation::HardSwish, x);
        let y = net.depthwise(y);
        let y = net.pixel(y);
        let z = net.depthwise(x);
        let z = net.pixel(z);
        let sum = net.on.add(y, z);
        let steps = net.steps(sum);
        assert!(steps[1].contains("Epilogue") && steps[1].contains("Activation(HardSwish)"), "{steps:#?}");
        assert!(steps[2].contains("Source { value: 2, on_read: AsStored }"), "{steps:#?}");
    }
}
