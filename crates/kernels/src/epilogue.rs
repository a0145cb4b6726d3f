//! What is done with a result before it is stored.

use crate::simd::{Simd, relu};

/// `relu(scale * (sum + bias + residual) + shift)`, of which every part may be missing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Epilogue<'a> {
    /// An element a channel.
    pub(crate) bias: Option<&'a [f32]>,
    /// A map like the output.
    pub(crate) residual: Option<&'a [f32]>,
    /// Scale and shift, an element a channel.
    pub(crate) affine: Option<[&'a [f32]; 2]>,
    pub(crate) relu: bool,
}

impl<'a> Epilogue<'a> {
    /// Adds a bias and nothing else.
    pub(crate) fn of_bias(bias: &'a [f32]) -> Self {
        Self { bias: Some(bias), ..Self::default() }
    }

    /// Asserts that what is there has `channels` channels, and a residual `elements` elements.
    #[inline]
    pub(crate) fn check(&self, channels: usize, elements: usize) {
        let [scale, shift] = self.affine.map_or([None; 2], |affine| affine.map(Some));
        for a_channel in [self.bias, scale, shift].into_iter().flatten() {
            assert!(channels <= a_channel.len(), "{} elements for {channels} channels", a_channel.len());
        }
        if let Some(residual) = self.residual {
            assert!(elements <= residual.len(), "a residual of {} for {elements} elements", residual.len());
        }
    }

    /// Finishes the vector of channels at `channel`, of the row whose first channel is element `row` of
    /// the output.
    ///
    /// # Safety
    /// [`Epilogue::check`] must hold for `channel + S::LANES` channels and `row + channel + S::LANES` elements.
    #[inline(always)]
    pub(crate) unsafe fn finish<S: Simd>(&self, simd: S, mut x: S::V, row: usize, channel: usize) -> S::V {
        if let Some(bias) = self.bias {
            // SAFETY: `bias` has the channels up to `channel + LANES`, says the caller.
            x = simd.add(x, unsafe { simd.load(bias.as_ptr().add(channel)) });
        }
        if let Some(residual) = self.residual {
            // SAFETY: `residual` has the elements up to `row + channel + LANES`, says the caller.
            x = simd.add(x, unsafe { simd.load(residual.as_ptr().add(row + channel)) });
        }
        if let Some([scale, shift]) = self.affine {
            // SAFETY: both have the channels up to `channel + LANES`, says the caller.
            let (scale, shift) =
                unsafe { (simd.load(scale.as_ptr().add(channel)), simd.load(shift.as_ptr().add(channel))) };
            x = simd.mul_add(x, scale, shift);
        }
        if self.relu {
            x = relu(simd, x);
        }
        x
    }
}
