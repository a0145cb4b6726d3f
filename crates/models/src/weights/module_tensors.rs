//! A network's tensors as its source's checkpoint has them: names, layouts and order of the source framework, and the role by
//! which seeded weights fill each.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use graph::{Parameter, Role};

use super::framework::{AxisOrder, Framework};

/// One tensor of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleTensor {
    /// The checkpoint's key, such as `block1.rep.0.conv1.weight`.
    pub name: String,
    /// Shape in the checkpoint's layout (PyTorch's linear weights are `[out, in]`).
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
}

/// A tensor of a network: what the checkpoint calls it, and which parameter of the graph it becomes.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    /// As the checkpoint has it.
    pub(crate) tensor: ModuleTensor,
    /// As the graph has it, under the same name.
    pub(crate) parameter: Parameter,
    /// From the checkpoint's axes to the graph's, which are Burn's.
    pub(super) layout: AxisOrder,
}

impl Slot {
    /// The tensor of `framework` called `name`, which has `shape` in Burn.
    pub(crate) fn new(framework: Framework, name: String, role: Role, shape: Vec<usize>) -> Self {
        let layout = framework.layout(role, &shape);
        let tensor = ModuleTensor { name: name.clone(), shape: layout.source_shape(&shape), role };
        Self { tensor, parameter: Parameter::new(name, role, shape), layout }
    }
}

/// A parameter of a Burn module.
#[derive(Debug, Clone)]
pub(crate) struct ModuleParameter {
    pub(crate) id: ParamId,
    /// Path of its layer in the module, enum variants left out.
    pub(crate) layer: String,
    pub(crate) shape: Vec<usize>,
}

/// The parameters of `module` that hold numbers, in the order of its fields.
pub(crate) fn parameters(module: &impl Module) -> Vec<ModuleParameter> {
    let mut visitor = Visitor::default();
    module.visit(&mut visitor);
    visitor.parameters
}

#[derive(Default)]
struct Visitor {
    path: Vec<String>,
    parameters: Vec<ModuleParameter>,
}

/// Whether the module's derive macro calls a container an enum, whose variants' names are no part of a checkpoint's key.
fn is_enum(container: &str) -> bool {
    container.starts_with("Enum:")
}

impl ModuleVisitor for Visitor {
    fn enter_module(&mut self, name: &str, container: &str) {
        if !is_enum(container) {
            self.path.push(name.to_owned());
        }
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        if !is_enum(container) {
            self.path.pop();
        }
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // The last part is the parameter's own field.
        let layer = self.path.split_last().map_or(&[][..], |(_, layer)| layer).join(".");
        self.parameters.push(ModuleParameter { id: param.id, layer, shape: param.lazy_shape().to_vec() });
    }
}
