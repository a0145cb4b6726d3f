//! The end of a classifier: the mean over all pixels, perhaps a constant factor, and the fully connected layer, of all images
//! of a batch at once.

use graph::{Graph, Operation, Value};

use super::{Source, Unsupported};
use crate::activation::OnRead;

/// The head's operations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// What the mean is taken of.
    pub(super) features: Value,
    pub(super) pool: Value,
    /// What the mean is multiplied by.
    pub(super) factor: f32,
    pub(super) linear: Value,
    /// Where the program has the features.
    pub(super) source: Source,
}

/// Finds the head of `graph`.
pub(super) fn find(graph: &Graph) -> Result<Head, Unsupported> {
    let readers = graph.readers();
    // A value that something else reads too is no step on the way.
    let before = |value: Value| match graph.node(value).inputs[..] {
        [input] if readers[value.index()] == 1 => Ok(input),
        _ => Err(Unsupported::NoHead),
    };
    let linear = graph.output();
    if !matches!(graph.node(linear).operation, Operation::Linear(_)) {
        return Err(Unsupported::NoHead);
    }
    let mut factor = 1.0_f32;
    let mut pool = before(linear)?;
    while let Operation::Scale(scale) = &graph.node(pool).operation {
        factor *= scale.factor as f32;
        pool = before(pool)?;
    }
    if !matches!(graph.node(pool).operation, Operation::GlobalAveragePool(_)) {
        return Err(Unsupported::NoHead);
    }
    let features = before(pool)?;
    if features == Value::IMAGE {
        return Err(Unsupported::Image);
    }
    Ok(Head { features, pool, factor, linear, source: Source { value: 0, on_read: OnRead::AsStored } })
}

#[cfg(test)]
mod tests {
    use graph::{Parameter, Role};

    use super::super::Lowering;
    use super::super::tests::Net;
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
    fn another_end_is_refused() {
        let (mut net, x) = Net::new();
        let pooled = net.on.global_average_pool(x);
        assert_eq!(Lowering::of(&net.on.finish(pooled)).unwrap_err(), Unsupported::NoHead);

        let (mut net, x) = Net::new();
        let x = net.on.global_average_pool(x);
        let fc = |key, shape: [usize; 2]| Parameter::new(key, Role::Linear { fan_in: shape[0] }, shape);
        let x = net.on.linear(fc("one", [8, 6]), None, x);
        let x = net.on.linear(fc("two", [6, 4]), None, x);
        assert_eq!(Lowering::of(&net.on.finish(x)).unwrap_err(), Unsupported::NoHead);
    }
}
