//! What is done with a result before it is stored: a short list of operations, each of which saves a pass over memory.

use graph::Activation;
use graph::operations::Unary;

use crate::activation::activate;
use crate::simd::Simd;
use crate::unary;

/// Operations that an epilogue has at most.
pub(crate) const MOST: usize = 6;

/// One operation of an epilogue.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Finish<'a> {
    /// A summand a channel.
    Bias(&'a [f32]),
    /// A map like the output, which is added.
    Residual(&'a [f32]),
    /// A map like the output, which is a factor.
    Product(&'a [f32]),
    /// A factor a channel, which was computed: a gate.
    Gate(&'a [f32]),
    /// A factor and then a summand a channel.
    Affine([&'a [f32]; 2]),
    /// A function of each element.
    Activation(Activation),
    /// Another function of each element.
    Unary(Unary),
}

/// Operations in the order in which they are done.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Epilogue<'a> {
    operations: [Option<Finish<'a>>; MOST],
}

impl<'a> Epilogue<'a> {
    /// Of these operations.
    ///
    /// # Panics
    /// If there are more than [`MOST`], which no step has.
    pub(crate) fn of(operations: impl IntoIterator<Item = Finish<'a>>) -> Self {
        let mut epilogue = Self::default();
        for (place, operation) in operations.into_iter().enumerate() {
            epilogue.operations[place] = Some(operation);
        }
        epilogue
    }

    /// The operations, in order.
    #[inline(always)]
    pub(crate) fn operations(&self) -> impl Iterator<Item = Finish<'a>> + '_ {
        self.operations.iter().map_while(|&operation| operation)
    }

    /// The operations before the first [`Finish::Unary`], and those from it on.
    pub(crate) fn before_unary(&self) -> (Self, Self) {
        let is_unary = |operation: &Option<Finish<'_>>| matches!(operation, Some(Finish::Unary(_)));
        let first = self.operations.iter().position(is_unary).unwrap_or(MOST);
        let (mut before, mut from) = (Self::default(), Self::default());
        before.operations[..first].copy_from_slice(&self.operations[..first]);
        from.operations[..MOST - first].copy_from_slice(&self.operations[first..]);
        (before, from)
    }

    /// What it begins with of a summand a channel and an activation, where the summands are `none` if it has none, and what follows.
    pub(crate) fn clamped(&self, none: &'a [f32]) -> (Clamped<'a>, Self) {
        let mut clamped =
            Clamped { bias: none, low: f32::NEG_INFINITY, high: f32::INFINITY, is_hard_swish: false };
        let mut operations = self.operations().peekable();
        if let Some(Finish::Bias(bias)) = operations.next_if(|next| matches!(next, Finish::Bias(_))) {
            clamped.bias = bias;
        }
        let next = operations.next_if(|next| matches!(next, Finish::Activation(_)));
        if let Some(Finish::Activation(activation)) = next {
            match activation {
                Activation::Relu => clamped.low = 0.0,
                Activation::Relu6 => (clamped.low, clamped.high) = (0.0, 6.0),
                Activation::HardSwish => clamped.is_hard_swish = true,
            }
        }
        (clamped, Self::of(operations))
    }

    /// For an output whose first element is this one's element `first`.
    ///
    /// # Panics
    /// Where a residual has not so many.
    pub(crate) fn from(&self, first: usize) -> Self {
        Self::of(self.operations().map(|operation| match operation {
            Finish::Residual(residual) => Finish::Residual(&residual[first..]),
            Finish::Product(factor) => Finish::Product(&factor[first..]),
            other => other,
        }))
    }

    /// Asserts that what is there has `channels` channels, and each residual `elements` elements.
    #[inline]
    pub(crate) fn check(&self, channels: usize, elements: usize) {
        let a_channel = |values: &[f32]| {
            assert!(channels <= values.len(), "{} elements for {channels} channels", values.len());
        };
        for operation in self.operations() {
            match operation {
                Finish::Bias(values) | Finish::Gate(values) => a_channel(values),
                Finish::Affine(affine) => affine.into_iter().for_each(a_channel),
                Finish::Residual(residual) | Finish::Product(residual) => {
                    let found = residual.len();
                    assert!(elements <= found, "a residual of {found} for {elements} elements");
                }
                Finish::Activation(_) | Finish::Unary(_) => {}
            }
        }
    }

    /// Finishes the vector of channels at `channel`, of the row whose first channel is element `row` of
    /// the output.
    ///
    /// # Safety
    /// [`Epilogue::check`] must hold for `channel + S::LANES` channels and `row + channel + S::LANES` elements.
    #[inline(always)]
    pub(crate) unsafe fn finish<S: Simd>(&self, simd: S, x: S::V, row: usize, channel: usize) -> S::V {
        let function = |function, x| unary::apply_to_one(simd, function, x);
        // SAFETY: what the caller promises is what is asked for.
        unsafe { self.finish_with(simd, x, [row, channel], function) }
    }

    /// [`Epilogue::finish`] of an epilogue without a [`Finish::Unary`]: nothing is called, so that a loop around it keeps its vectors in
    /// registers.
    ///
    /// # Safety
    /// As for [`Epilogue::finish`].
    ///
    /// # Panics
    /// Where there is a [`Finish::Unary`].
    #[inline(always)]
    pub(crate) unsafe fn finish_in_registers<S: Simd>(
        &self,
        simd: S,
        x: S::V,
        row: usize,
        channel: usize,
    ) -> S::V {
        // SAFETY: what the caller promises is what is asked for.
        unsafe {
            self.finish_with(simd, x, [row, channel], |_, _| {
                unreachable!("a function is called once for many pixels")
            })
        }
    }

    /// [`Epilogue::finish`], where `function` applies functions.
    ///
    /// # Safety
    /// As for [`Epilogue::finish`].
    #[inline(always)]
    unsafe fn finish_with<S: Simd>(
        &self,
        simd: S,
        mut x: S::V,
        [row, channel]: [usize; 2],
        function: impl Fn(Unary, S::V) -> S::V,
    ) -> S::V {
        for operation in self.operations() {
            x = match operation {
                // SAFETY: `bias` has the channels up to `channel + LANES`, says the caller.
                Finish::Bias(bias) => simd.add(x, unsafe { simd.load(bias.as_ptr().add(channel)) }),
                Finish::Residual(residual) => {
                    // SAFETY: `residual` has the elements up to `row + channel + LANES`, says the caller.
                    simd.add(x, unsafe { simd.load(residual.as_ptr().add(row + channel)) })
                }
                Finish::Product(factor) => {
                    // SAFETY: as for a residual.
                    simd.mul_add(x, unsafe { simd.load(factor.as_ptr().add(row + channel)) }, simd.splat(0.0))
                }
                Finish::Gate(gate) => {
                    // SAFETY: `gate` has the channels up to `channel + LANES`, says the caller.
                    simd.mul_add(x, unsafe { simd.load(gate.as_ptr().add(channel)) }, simd.splat(0.0))
                }
                Finish::Affine([scale, shift]) => {
                    // SAFETY: both have the channels up to `channel + LANES`, says the caller.
                    let (scale, shift) = unsafe {
                        (simd.load(scale.as_ptr().add(channel)), simd.load(shift.as_ptr().add(channel)))
                    };
                    simd.mul_add(x, scale, shift)
                }
                Finish::Activation(activation) => activate(simd, activation, x),
                Finish::Unary(unary) => function(unary, x),
            };
        }
        x
    }
}

/// A summand a channel and an activation: what most epilogues are, without a choice to be made for each vector.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clamped<'a> {
    bias: &'a [f32],
    /// What the result is at least and at most; all numbers where nothing is asked for.
    low: f32,
    high: f32,
    /// Whether hard swish follows.
    is_hard_swish: bool,
}

/// [`Clamped`], of a vector of channels.
#[derive(Clone, Copy)]
pub(crate) struct ClampedVector<V> {
    bias: V,
    low: V,
    high: V,
    is_hard_swish: bool,
}

impl Clamped<'_> {
    /// Asserts that there are summands for so many channels.
    #[inline]
    pub(crate) fn check(&self, channels: usize) {
        let found = self.bias.len();
        assert!(channels <= found, "{found} elements for {channels} channels");
    }

    /// That of the channels from `channel` on.
    ///
    /// # Safety
    /// [`Clamped::check`] must hold for `channel + S::LANES`.
    #[inline(always)]
    pub(crate) unsafe fn at<S: Simd>(&self, simd: S, channel: usize) -> ClampedVector<S::V> {
        ClampedVector {
            // SAFETY: as many summands are there, says the caller.
            bias: unsafe { simd.load(self.bias.as_ptr().add(channel)) },
            low: simd.splat(self.low),
            high: simd.splat(self.high),
            is_hard_swish: self.is_hard_swish,
        }
    }
}

impl<V: Copy> ClampedVector<V> {
    /// What it makes of `x`. What is not a number stays so: `max` and `min` give their second operand then.
    #[inline(always)]
    pub(crate) fn finish<S: Simd<V = V>>(&self, simd: S, x: V) -> V {
        let x = simd.min(self.high, simd.max(self.low, simd.add(x, self.bias)));
        if self.is_hard_swish { activate(simd, Activation::HardSwish, x) } else { x }
    }
}
