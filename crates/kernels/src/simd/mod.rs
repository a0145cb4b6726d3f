//! The few vector operations that the kernels are written in, and one implementation of them an
//! instruction set. A kernel is generic over [`Simd`] and inlined whole into [`Simd::vectorize`], which
//! is the only place where the compiler is told that the instructions exist.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::{Avx512, Avx512Bf16};
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
pub(crate) use portable::Portable;

/// Channels are padded to a multiple of this, so that no kernel has a remainder: a multiple of every
/// instruction set's lanes, and the length of a cache line of `f32`.
pub(crate) const BLOCK: usize = 16;

/// Work that is generic over the instruction set.
pub(crate) trait Kernel {
    /// Does it. Called by [`Simd::vectorize`] only: elsewhere the compiler would make a function call of every instruction.
    fn run<S: Simd>(self, simd: S);
}

/// Vectors of `f32` of one instruction set. A value of the type proves that the CPU has the instructions, because
/// [`Simd::new`] is the only way to one.
///
/// # Safety
/// The kernels rely on it that `LANES` divides [`BLOCK`], that `WORDS` is at most [`BLOCK`], and that [`Simd::load`],
/// [`Simd::store`] and [`Simd::store_multiplicand`] access nothing but what they say.
pub(crate) unsafe trait Simd: Copy {
    /// A vector.
    type V: Copy;
    /// The instruction set's name, as reports give it.
    const NAME: &'static str;
    /// Lanes of a vector; divides [`BLOCK`].
    const LANES: usize;
    /// Rows of the largest tile of the matrix multiplication.
    const MR: usize;
    /// Vectors of the widest tile.
    const NV: usize;
    /// Words (of 32 bits) that [`BLOCK`] elements of a multiplicand take: 16 of f32, 8 of bf16.
    const WORDS: usize;

    /// The proof.
    ///
    /// # Safety
    /// The CPU must have every instruction that the type's [`Simd::vectorize`] enables.
    unsafe fn new() -> Self;
    /// Calls `kernel` where the compiler may use the instruction set.
    fn vectorize<K: Kernel>(self, kernel: K);
    /// All lanes `x`.
    fn splat(self, x: f32) -> Self::V;
    /// Loads a vector.
    ///
    /// # Safety
    /// `from` must be valid for reads of `LANES` elements. It need not be aligned.
    unsafe fn load(self, from: *const f32) -> Self::V;
    /// Stores a vector.
    ///
    /// # Safety
    /// `to` must be valid for writes of `LANES` elements. It need not be aligned.
    unsafe fn store(self, to: *mut f32, x: Self::V);
    /// `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`.
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `x` times the power of two whose exponent is the whole number in the last bits of `exponent`; where that is outside of -126 to 127,
    /// any number.
    fn times_power_of_two(self, x: Self::V, exponent: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the hardware does so.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger of each pair, `b` where one of them is not a number.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The smaller of each pair, `b` where one of them is not a number.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// The larger of each pair, or what is not a number if either is.
    fn max_or_nan(self, a: Self::V, b: Self::V) -> Self::V;
    /// `sum` plus products of a word of multiplicand (all lanes the same) and of weights.
    #[inline(always)]
    fn dot(self, sum: Self::V, a: Self::V, b: Self::V) -> Self::V {
        self.mul_add(a, b, sum)
    }
    /// Stores a vector as multiplicand, where a block's words begin at `to` and the vector's first lane
    /// is its element `at`.
    ///
    /// # Safety
    /// `to` must be valid for writes of `WORDS` elements, aligned or not; `at` must be a multiple of `LANES` below [`BLOCK`].
    #[inline(always)]
    unsafe fn store_multiplicand(self, to: *mut f32, at: usize, x: Self::V) {
        const { assert!(Self::WORDS == BLOCK, "a word an element") };
        // SAFETY: a block has `WORDS == BLOCK` elements, of which those from `at` to `at + LANES` are there, because `LANES`
        // divides both.
        unsafe { self.store(to.add(at), x) }
    }
    /// Loads the cache line at `from` ahead of its use. A hint: `from` need not be valid.
    fn prefetch(self, from: *const f32);
    /// Asks for the cache line at `to`, which will be written. A hint: `to` need not be valid.
    #[inline(always)]
    fn prefetch_write(self, _to: *mut f32) {}
    /// [`Simd::prefetch`], into the second-level cache only.
    fn prefetch_far(self, from: *const f32);
}
