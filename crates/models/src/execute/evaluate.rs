//! One operation of values that no image changes, computed while a file is imported.

use dataset::guard::guarded_or;
use graph::{Operation, Shape, Weights};

use super::flow::Flow;
use super::operations::{self, Place};
use crate::device::DeviceName;
use crate::dtype::Dtype;

/// What `operation` makes of `inputs`, in f32 on the CPU.
///
/// # Errors
/// In words: a weight that cannot be read, or where the operation gives up.
pub(crate) fn evaluate<W: Weights>(
    operation: &Operation,
    weights: &mut W,
    inputs: Vec<(Shape, Vec<f32>)>,
) -> Result<Vec<f32>, String> {
    let compute = || {
        let device = DeviceName::Flex.init().map_err(|error| error.to_string())?;
        let on = Place {
            device: &device,
            dtype: Dtype::F32.burn(),
            products: Dtype::F32.products(DeviceName::Flex),
        };
        let compute = operations::load(operation, weights, &on).map_err(|error| error.to_string())?;
        let flows = inputs.into_iter().map(|(shape, values)| {
            let len = values.len();
            Flow::of(on.tensor(values, [1, len]), shape.axes())
        });
        Ok(compute(flows.collect()).into_flat().into_data().iter::<f32>().collect())
    };
    guarded_or(compute, |panic| panic)
}
