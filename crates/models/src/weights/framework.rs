//! What each framework calls the tensors of a layer, and in which order of axes it keeps them.
//!
//! Networks are computed in Burn's layouts (convolutions `[out, in / groups, height, width]`, linear
//! layers `[in, out]`); names and shapes in messages and in seeded weights are the source's.

use graph::Role;

/// The framework in which a network's weights are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framework {
    /// PyTorch, as timm uses it.
    PyTorch,
    /// Keras with TensorFlow's channels-last kernels.
    Keras,
    /// PaddlePaddle, as PaddleClas uses it.
    Paddle,
}

/// How a tensor of a checkpoint becomes one of a Burn module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AxisOrder {
    /// Burn's own.
    Same,
    /// Axis `i` of Burn's tensor is axis `.0[i]` of the checkpoint's.
    Matrix([usize; 2]),
    /// The same for kernels.
    Kernel([usize; 4]),
}

impl Framework {
    /// The name's last part for a tensor of this role.
    pub(crate) fn leaf(self, role: Role) -> &'static str {
        match (self, role) {
            (Self::Keras, Role::Conv { .. } | Role::Linear { .. }) => "kernel",
            (_, Role::Conv { .. } | Role::Linear { .. }) => "weight",
            (_, Role::ConvBias | Role::LinearBias) => "bias",
            // No module of a framework here has one.
            (_, Role::Constant) => "constant",
            (Self::Keras, Role::Gamma) => "gamma",
            (Self::Keras, Role::Beta) => "beta",
            (_, Role::Gamma) => "weight",
            (_, Role::Beta) => "bias",
            (Self::PyTorch, Role::Mean) => "running_mean",
            (Self::PyTorch, Role::Variance) => "running_var",
            (Self::Keras, Role::Mean) => "moving_mean",
            (Self::Keras, Role::Variance) => "moving_variance",
            (Self::Paddle, Role::Mean) => "_mean",
            (Self::Paddle, Role::Variance) => "_variance",
        }
    }

    /// How a tensor that has `shape` in Burn is kept in this framework's checkpoints.
    pub(super) fn layout(self, role: Role, shape: &[usize]) -> AxisOrder {
        match (self, role) {
            // [out, in] in PyTorch; Keras and Paddle have Burn's order.
            (Self::PyTorch, Role::Linear { .. }) => AxisOrder::Matrix([1, 0]),
            // A depthwise kernel is [height, width, channels, 1]. No network here has an ordinary
            // convolution of a single channel, which would look the same.
            (Self::Keras, Role::Conv { .. }) if shape[1] == 1 => AxisOrder::Kernel([2, 3, 0, 1]),
            // [height, width, in, out].
            (Self::Keras, Role::Conv { .. }) => AxisOrder::Kernel([3, 2, 0, 1]),
            _ => AxisOrder::Same,
        }
    }
}

impl AxisOrder {
    fn axes(&self) -> Option<&[usize]> {
        match self {
            Self::Same => None,
            Self::Matrix(axes) => Some(axes),
            Self::Kernel(axes) => Some(axes),
        }
    }

    /// The checkpoint's shape of a tensor that has `shape` in Burn.
    pub(super) fn source_shape(&self, shape: &[usize]) -> Vec<usize> {
        let mut source = shape.to_vec();
        for (axis, &from) in self.axes().unwrap_or_default().iter().enumerate() {
            source[from] = shape[axis];
        }
        source
    }

    /// Rearranges `values`, which are in the checkpoint's order, for Burn's `shape`.
    pub(super) fn rearrange(&self, values: Vec<f32>, shape: &[usize]) -> Vec<f32> {
        let Some(axes) = self.axes() else { return values };
        let source = self.source_shape(shape);
        let mut source_strides = vec![1; source.len()];
        for axis in (1..source.len()).rev() {
            source_strides[axis - 1] = source_strides[axis] * source[axis];
        }
        // An axis of Burn's tensor advances the checkpoint's by this many elements.
        let strides: Vec<usize> = axes.iter().map(|&from| source_strides[from]).collect();
        gather(&values, shape, &strides)
    }
}

/// The elements of a tensor of `shape` whose axes lie `strides` apart in `values`, the last axis fastest.
pub(super) fn gather(values: &[f32], shape: &[usize], strides: &[usize]) -> Vec<f32> {
    let mut out = Vec::with_capacity(values.len());
    let mut index = vec![0; shape.len()];
    let mut position = 0;
    for _ in 0..values.len() {
        out.push(values[position]);
        // Count up like an odometer.
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            position += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            position -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_moved_with_their_values() {
        let conv = Role::Conv { fan_in: 0 };
        // [height 1, width 2, in 3, out 2] to [out 2, in 3, height 1, width 2].
        let layout = Framework::Keras.layout(conv, &[2, 3, 1, 2]);
        assert_eq!(layout.source_shape(&[2, 3, 1, 2]), [1, 2, 3, 2]);
        let hwio: Vec<f32> = (0..12u8).map(f32::from).collect();
        let oihw = [0., 6., 2., 8., 4., 10., 1., 7., 3., 9., 5., 11.];
        assert_eq!(layout.rearrange(hwio, &[2, 3, 1, 2]), oihw);
        // Depthwise: [height 1, width 2, channels 3, 1] to [channels 3, 1, height 1, width 2].
        let layout = Framework::Keras.layout(conv, &[3, 1, 1, 2]);
        assert_eq!(layout.source_shape(&[3, 1, 1, 2]), [1, 2, 3, 1]);
        let values = layout.rearrange(vec![0., 1., 2., 3., 4., 5.], &[3, 1, 1, 2]);
        assert_eq!(values, [0., 3., 1., 4., 2., 5.]);
        let linear = Framework::PyTorch.layout(Role::Linear { fan_in: 2 }, &[2, 3]);
        assert_eq!(linear.source_shape(&[2, 3]), [3, 2]);
        assert_eq!(linear.rearrange(vec![0., 1., 2., 3., 4., 5.], &[2, 3]), [0., 2., 4., 1., 3., 5.]);
        assert_eq!(Framework::Paddle.layout(Role::Linear { fan_in: 2 }, &[2, 3]), AxisOrder::Same);
    }
}
