//! Lists a network's tensors as its source's checkpoint would: names, layouts and order of the
//! source framework, and the role by which seeded weights fill each.

use burn::module::{ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use graph::{Parameter, Role};

use super::framework::Layout;
use crate::network::Architecture;

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

/// A tensor's place in a network: what the checkpoint calls it, and which parameter of the graph it becomes.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    /// As the checkpoint has it.
    pub(crate) tensor: ModuleTensor,
    /// As the graph has it, under the same name.
    pub(crate) parameter: Parameter,
    /// The identity of the parameter in the Burn module.
    pub(crate) id: ParamId,
    /// Path of its layer in the Burn module, enum variants left out.
    pub(crate) layer: String,
    /// From the checkpoint's axes to the graph's, which are Burn's.
    pub(super) layout: Layout,
}

/// Every tensor of `network`, in the order of its fields.
///
/// # Panics
/// If the module holds a kind of layer that no network here uses (a programmer's mistake).
pub(crate) fn slots<A: Architecture>(network: &A) -> Vec<Slot> {
    let mut visitor = Visitor { network, path: Vec::new(), containers: Vec::new(), slots: Vec::new() };
    network.visit(&mut visitor);
    visitor.slots
}

struct Visitor<'a, A> {
    network: &'a A,
    path: Vec<String>,
    containers: Vec<String>,
    slots: Vec<Slot>,
}

impl<A: Architecture> ModuleVisitor for Visitor<'_, A> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.containers.push(container.to_owned());
        // A variant's name is no part of a checkpoint's key.
        if !container.starts_with("Enum:") {
            self.path.push(name.to_owned());
        }
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.containers.pop();
        if !container.starts_with("Enum:") {
            self.path.pop();
        }
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.lazy_shape().to_vec();
        let (field, layer) =
            self.path.split_last().map_or(("", &[][..]), |(last, rest)| (last.as_str(), rest));
        let role = match (self.containers.last().map_or("", String::as_str), field) {
            ("Struct:Conv2d", "weight") => Role::Conv { fan_in: shape[1..].iter().product() },
            ("Struct:Conv2d", "bias") => Role::ConvBias,
            ("Struct:Linear", "weight") => Role::Linear { fan_in: shape[0] },
            ("Struct:Linear", "bias") => Role::LinearBias,
            ("Struct:BatchNorm", "gamma") => Role::Gamma,
            ("Struct:BatchNorm", "beta") => Role::Beta,
            ("Struct:BatchNorm", "running_mean") => Role::Mean,
            ("Struct:BatchNorm", "running_var") => Role::Variance,
            (container, field) => panic!("{container}.{field} has no place in a checkpoint"),
        };
        let framework = self.network.framework();
        let layout = framework.layout(role, &shape);
        let layer = layer.join(".");
        let name = self.network.key(&layer, framework.leaf(role));
        let parameter = Parameter::new(name.clone(), role, shape);
        let tensor = ModuleTensor { name, shape: layout.source_shape(&parameter.shape), role };
        self.slots.push(Slot { tensor, parameter, id: param.id, layer, layout });
    }
}
