//! The few vector operations that the kernels are written in, and one implementation of them an
//! instruction set. A kernel is generic over [`Simd`] and inlined whole into [`Simd::vectorize`], which
//! is the only place where the compiler is told that the instructions exist.

#![allow(unsafe_op_in_unsafe_fn, reason = "every function here is unsafe for the one reason in Simd's docs")]

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
    /// Does it.
    ///
    /// # Safety
    /// Call it from [`Simd::vectorize`] only; the kernel's own pointers must be valid.
    unsafe fn run<S: Simd>(self);
}

/// Vectors of `f32` of one instruction set.
///
/// # Safety
/// Every function needs the instruction set, and pointers that are valid for what is loaded or stored;
/// alignment is not required.
pub(crate) trait Simd: Copy {
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

    /// Calls `kernel` where the instruction set may be used.
    unsafe fn vectorize<K: Kernel>(kernel: K);
    /// All lanes `x`.
    unsafe fn splat(x: f32) -> Self::V;
    /// Loads a vector.
    unsafe fn load(from: *const f32) -> Self::V;
    /// Stores a vector.
    unsafe fn store(to: *mut f32, x: Self::V);
    /// `a + b`.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the hardware does so.
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger of each pair, `b` where one of them is not a number.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// The larger of each pair, or what is not a number if either is.
    unsafe fn max_or_nan(a: Self::V, b: Self::V) -> Self::V;
    /// `sum` plus products of a word of multiplicand (all lanes the same) and of weights.
    unsafe fn dot(sum: Self::V, a: Self::V, b: Self::V) -> Self::V {
        Self::mul_add(a, b, sum)
    }
    /// Stores a vector as multiplicand, where a block's words begin at `to` and the vector's first lane
    /// is its element `at`.
    unsafe fn store_multiplicand(to: *mut f32, at: usize, x: Self::V) {
        Self::store(to.add(at), x);
    }
    /// Loads the cache line at `from` ahead of its use. A hint: `from` need not be valid.
    unsafe fn prefetch(from: *const f32);
    /// Asks for the cache line at `to`, which will be written. A hint: `to` need not be valid.
    unsafe fn prefetch_write(_to: *mut f32) {}
    /// [`Simd::prefetch`], into the second-level cache only.
    unsafe fn prefetch_far(from: *const f32);
}

/// `max(x, 0)` that keeps what is not a number, as every framework's ReLU does.
#[inline(always)]
pub(crate) unsafe fn relu<S: Simd>(x: S::V) -> S::V {
    S::max(S::splat(0.0), x)
}
