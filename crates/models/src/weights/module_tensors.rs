//! Lists a module's tensors as its checkpoint would: PyTorch's names, layouts and order, and the
//! role by which seeded weights fill each.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// What a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Convolution kernel.
    Conv {
        /// Inputs that each output sums over: `channels_in / groups * height * width`.
        fan_in: usize,
    },
    /// Weight of a fully connected layer.
    Linear {
        /// Number of inputs.
        fan_in: usize,
    },
    /// Bias of a fully connected layer.
    LinearBias,
    /// Scale of a batch normalisation.
    Gamma,
    /// Shift of a batch normalisation.
    Beta,
    /// Running mean of a batch normalisation.
    Mean,
    /// Running variance of a batch normalisation.
    Variance,
}

/// One tensor of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleTensor {
    /// The checkpoint's key, such as `block1.rep.0.conv1.weight`.
    pub name: String,
    /// Shape in the checkpoint's layout (linear weights are `[out, in]`).
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
}

/// Every tensor of `module`, in PyTorch's order.
///
/// # Panics
/// If the module holds a kind of layer that no network here uses (a programmer's mistake).
pub fn module_tensors<M: Module>(module: &M) -> Vec<ModuleTensor> {
    let mut visitor = Visitor::default();
    module.visit(&mut visitor);
    visitor.tensors
}

/// Names of the tensors with a value that is not finite, or a variance below zero. Found here, that
/// costs a moment; found in the outputs, an evaluation.
pub(super) fn unusable_tensors<M: Module>(module: &M) -> Vec<String> {
    let mut visitor = Visitor { check_values: true, ..Visitor::default() };
    module.visit(&mut visitor);
    visitor.unusable
}

#[derive(Default)]
struct Visitor {
    path: Vec<String>,
    containers: Vec<String>,
    tensors: Vec<ModuleTensor>,
    check_values: bool,
    unusable: Vec<String>,
}

impl ModuleVisitor for Visitor {
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
        let mut shape = param.lazy_shape().to_vec();
        let field = self.path.last().map_or("", String::as_str);
        let (leaf, role) = match (self.containers.last().map_or("", String::as_str), field) {
            ("Struct:Conv2d", "weight") => ("weight", Role::Conv { fan_in: shape[1..].iter().product() }),
            ("Struct:Linear", "weight") => {
                shape.reverse();
                ("weight", Role::Linear { fan_in: shape[1] })
            }
            ("Struct:Linear", "bias") => ("bias", Role::LinearBias),
            ("Struct:BatchNorm", "gamma") => ("weight", Role::Gamma),
            ("Struct:BatchNorm", "beta") => ("bias", Role::Beta),
            ("Struct:BatchNorm", "running_mean") => ("running_mean", Role::Mean),
            ("Struct:BatchNorm", "running_var") => ("running_var", Role::Variance),
            (container, field) => panic!("{container}.{field} has no place in a PyTorch checkpoint"),
        };
        let mut name = self.path.clone();
        if let Some(last) = name.last_mut() {
            leaf.clone_into(last);
        }
        let name = name.join(".");
        if self.check_values {
            let usable = |value: f32| value.is_finite() && (role != Role::Variance || value >= 0.0);
            if !param.val().into_data().iter::<f32>().all(usable) {
                self.unusable.push(name.clone());
            }
        }
        self.tensors.push(ModuleTensor { name, shape, role });
    }
}
