//! A part of a network that the kernels lack, computed by Burn's operations on the CPU between two of their steps.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use burn::tensor::{Device, Tensor, TensorData};
use dataset::guard::guarded;
use graph::{Operation, Part, Shape, Weights};
use kernels::Elsewhere;

use super::Executable;
use super::flow::Flow;
use crate::dtype::Dtype;
use crate::products::Products;

/// A part with its weights.
pub(crate) struct ByBurn {
    /// One image at a time: Burn's modules are no two threads' at once.
    executable: Mutex<Executable>,
    part: Part,
    device: Device,
}

impl fmt::Debug for ByBurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByBurn").field("part", &self.part).finish_non_exhaustive()
    }
}

impl ByBurn {
    /// Reads the weights of `part`.
    ///
    /// # Errors
    /// Those of `weights`.
    pub(crate) fn load<W: Weights>(
        part: &Part,
        weights: &mut W,
        device: &Device,
        products: Products,
    ) -> Result<Self, W::Error> {
        let executable = Executable::load(&part.graph, weights, device, Dtype::F32, products)?;
        Ok(Self { executable: Mutex::new(executable), part: part.clone(), device: device.clone() })
    }

    fn flow(&self, values: Vec<f32>, shape: &Shape) -> Flow {
        let len = values.len();
        Flow::of(Tensor::from_data(TensorData::new(values, [1, len]), &self.device), shape.axes())
    }
}

impl Elsewhere for ByBurn {
    fn compute(&self, inputs: Vec<Vec<f32>>) -> Result<Vec<Vec<f32>>, String> {
        let given = self.part.graph.nodes().iter().filter_map(|node| match &node.operation {
            Operation::Given(given) => Some(given),
            _ => None,
        });
        guarded(|| {
            let flows = given.zip(inputs).map(|(given, values)| self.flow(values, &given.shape)).collect();
            let executable = self.executable.lock().unwrap_or_else(PoisonError::into_inner);
            let outputs = executable.compute(flows, &self.part.outputs, |_, _| {});
            outputs.into_iter().map(|flow| flow.into_flat().into_data().iter::<f32>().collect()).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use graph::operations::{Given, MatMul, Softmax};
    use graph::{Builder, Graph};

    use super::*;
    use crate::device::DeviceName;

    fn network() -> Graph {
        let (mut on, image) = Builder::new(2);
        let x = on.push(Softmax { axis: 2, log: false }, &[image]);
        let y = on.push(MatMul, &[x, image]);
        on.finish(y)
    }

    fn part(outputs: usize) -> ByBurn {
        let graph = network();
        let shapes = graph.shapes(&Shape::map(2, [2, 2])).unwrap();
        let mut part = graph.cut(&shapes, &[false, true, true]).parts.remove(0);
        assert!(matches!(&part.graph.nodes()[0].operation, Operation::Given(Given { place: 0, .. })));
        part.outputs = vec![part.outputs[0]; outputs];
        let device = DeviceName::Flex.init().unwrap_or_else(|error| panic!("{error}"));
        let weights = &mut std::collections::BTreeMap::<String, Vec<f32>>::new();
        ByBurn::load(&part, weights, &device, Products::AsModules).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_part_is_computed_of_what_it_reads() {
        let values = vec![0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 4.0, 6.0];
        // Every row of the softmax is a half and a half, so that columns' means come out.
        let expected = [0.5, 0.5, 0.5, 0.5];
        let found = part(2).compute(vec![values]).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[1][..4], expected);
        assert_eq!(found[0], found[1]);
    }

    #[test]
    fn a_panic_of_burn_is_an_error() {
        let error = part(1).compute(vec![vec![1.0; 3]]).unwrap_err();
        assert!(!error.is_empty());
    }
}
