//! An activation that only convolutions, or the mean before the classes, read is applied where they read: the value before it
//! is stored, and the activation is no pass over memory.

use graph::{Operation, Value};

use super::Source;
use super::chain::Chain;

/// Whether `value` is an activation that all its readers apply themselves.
pub(super) fn is_applied_on_read(chain: &Chain<'_>, stored: &[Option<usize>], value: Value) -> bool {
    let can = |&reader: &Value| {
        matches!(
            chain.graph().node(reader).operation,
            Operation::Convolution(_) | Operation::GlobalAveragePool(_)
        )
    };
    chain.activation(value).is_some()
        && stored[value.index()].is_none()
        && chain.readers(value).iter().all(can)
}

/// Where to read `value`.
pub(super) fn source(chain: &Chain<'_>, stored: &[Option<usize>], value: Value) -> Source {
    let (value, activation) = match chain.activation(value) {
        Some((activation, before)) if is_applied_on_read(chain, stored, value) => (before, Some(activation)),
        _ => (value, None),
    };
    Source { value: stored[value.index()].expect("what is read was computed before"), activation }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Net;

    #[test]
    fn an_activation_beside_a_shortcut_is_applied_where_it_is_read() {
        let (mut net, x) = Net::new();
        let y = net.on.relu(x);
        let y = net.pixel(y);
        let sum = net.on.add(y, x);
        let steps = net.steps(sum);
        assert_eq!(steps.len(), 2, "{steps:#?}");
        assert!(steps[1].contains("Source { value: 1, activation: Some(Relu) }"), "{steps:#?}");
    }

    #[test]
    fn one_that_a_pool_reads_is_stored() {
        let (mut net, x) = Net::new();
        let y = net.on.relu(x);
        let y = net.on.max_pool(graph::Window::PIXEL, y);
        let sum = net.on.add(y, x);
        let steps = net.steps(sum);
        assert!(steps[1].contains("Finish") && steps[1].contains("Activation(Relu)"), "{steps:#?}");
    }
}
