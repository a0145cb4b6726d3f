//! The end of most classifiers: the mean over all pixels, perhaps a constant factor, and the fully connected layer, which is
//! computed of all images of a batch at once, so that its weights are read once. Where the same operations stand elsewhere, or
//! something follows them, they are steps as all others.

use graph::{Graph, Operation, Value};

/// The head's operations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// What the mean is taken of.
    pub(super) features: Value,
    pub(super) pool: Value,
    /// What the mean is multiplied by.
    pub(super) factor: f32,
    pub(super) linear: Value,
}

/// The head that `graph` ends with, if it does.
pub(super) fn find(graph: &Graph) -> Option<Head> {
    let readers = graph.readers();
    // A value that something else reads too is no step on the way.
    let before = |value: Value| match graph.node(value).inputs[..] {
        [input] if readers[value.index()] == 1 => Some(input),
        _ => None,
    };
    let linear = graph.output();
    if !matches!(graph.node(linear).operation, Operation::Linear(_)) {
        return None;
    }
    let mut factor = 1.0_f32;
    let mut pool = before(linear)?;
    while let Operation::Scale(scale) = &graph.node(pool).operation {
        factor *= scale.factor as f32;
        pool = before(pool)?;
    }
    if !matches!(graph.node(pool).operation, Operation::GlobalAveragePool(_)) {
        return None;
    }
    Some(Head { features: before(pool)?, pool, factor, linear })
}

#[cfg(test)]
mod tests {
    use graph::{Activation, Parameter, Role};

    use super::super::tests::Net;
    use super::super::{Lowering, Unsupported};
    use super::*;

    #[test]
    fn factors_are_the_means() {
        let (mut net, x) = Net::new();
        let x = net.on.global_average_pool(x);
        let x = net.on.scale(0.5, x);
        let x = net.on.scale(3.0, x);
        let x = net.on.linear(Parameter::new("fc", Role::Linear { fan_in: 8 }, [8, 4]), None, x);
        assert_eq!(find(&net.on.finish(x)).unwrap().factor, 1.5);
    }

    #[test]
    fn another_end_is_made_of_steps() {
        let fc = |key, shape: [usize; 2]| Parameter::new(key, Role::Linear { fan_in: shape[0] }, shape);
        let (mut net, x) = Net::new();
        let x = net.on.global_average_pool(x);
        let x = net.on.linear(fc("one", [8, 6]), None, x);
        let x = net.on.activation(Activation::HardSwish, x);
        let x = net.on.linear(fc("two", [6, 4]), None, x);
        let graph = net.on.finish(x);
        assert!(find(&graph).is_none());
        let steps = Lowering::of(&graph).unwrap().described();
        assert!(steps[1].contains("Average") && steps[1].ends_with("then []"), "{steps:#?}");
        assert!(
            steps[2].contains("Linear") && steps[2].ends_with("then [Activation(HardSwish)]"),
            "{steps:#?}"
        );
        assert!(steps[3].contains("Linear") && steps[3].ends_with("then []"), "{steps:#?}");
    }

    #[test]
    fn feature_maps_are_no_logits() {
        let (net, x) = Net::new();
        assert_eq!(Lowering::of(&net.on.finish(x)).unwrap_err(), Unsupported::NoLogits);
    }
}
