//! What is done with a result before it is stored.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "the functions are unsafe for their pointers, which is all they handle"
)]

use crate::simd::{Simd, relu};

/// What is done with the sums before they are stored: `relu(scale * (sum + bias + residual) + shift)`.
/// Pointers are to whole channels; null where there is nothing of the kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epilogue {
    pub(crate) bias: *const f32,
    /// Rows like the output's.
    pub(crate) residual: *const f32,
    pub(crate) scale: *const f32,
    pub(crate) shift: *const f32,
    pub(crate) relu: bool,
}

impl Epilogue {
    /// Adds a bias and nothing else.
    pub(crate) fn of_bias(bias: *const f32) -> Self {
        let null = std::ptr::null();
        Self { bias, residual: null, scale: null, shift: null, relu: false }
    }

    /// Finishes the vector of channels at `channel`, of the row whose first channel is element `row` of
    /// the output.
    #[inline(always)]
    pub(crate) unsafe fn finish<S: Simd>(&self, mut x: S::V, row: usize, channel: usize) -> S::V {
        if !self.bias.is_null() {
            x = S::add(x, S::load(self.bias.add(channel)));
        }
        if !self.residual.is_null() {
            x = S::add(x, S::load(self.residual.add(row + channel)));
        }
        if !self.scale.is_null() {
            x = S::mul_add(x, S::load(self.scale.add(channel)), S::load(self.shift.add(channel)));
        }
        if self.relu {
            x = relu::<S>(x);
        }
        x
    }
}
