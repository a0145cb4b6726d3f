//! NEON: 32 registers of 4 lanes. Part of every 64-bit ARM, so nothing has to be enabled.

use std::arch::aarch64::*;

use super::{Kernel, Simd};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Neon;

impl Simd for Neon {
    type V = float32x4_t;
    const NAME: &'static str = "neon";
    const LANES: usize = 4;
    // 24 accumulators, four vectors of weights and a broadcast multiplicand: 29 of 32 registers.
    const MR: usize = 6;
    const NV: usize = 4;
    const WORDS: usize = 16;

    #[inline(always)]
    unsafe fn vectorize<K: Kernel>(kernel: K) {
        kernel.run::<Neon>();
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> float32x4_t {
        vdupq_n_f32(x)
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> float32x4_t {
        vld1q_f32(from)
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, x: float32x4_t) {
        vst1q_f32(to, x);
    }

    #[inline(always)]
    unsafe fn add(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vaddq_f32(a, b)
    }

    #[inline(always)]
    unsafe fn mul_add(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        vfmaq_f32(c, a, b)
    }

    #[inline(always)]
    unsafe fn max(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // Gives what is not a number if either is; `a` is one nowhere that this is called.
        vmaxq_f32(a, b)
    }

    #[inline(always)]
    unsafe fn max_or_nan(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vmaxq_f32(a, b)
    }

    #[inline(always)]
    unsafe fn prefetch(_from: *const f32) {}

    #[inline(always)]
    unsafe fn prefetch_far(_from: *const f32) {}
}
