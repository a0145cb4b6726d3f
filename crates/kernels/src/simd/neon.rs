//! NEON: 32 registers of 4 lanes. Part of every 64-bit ARM, so nothing has to be enabled.

use std::arch::aarch64::*;

use super::{Kernel, Simd};

/// Proves that the CPU has NEON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neon(());

// SAFETY: 4 lanes divide a block of 16, and a word holds one of 16 multiplicands. `vld1q_f32` and `vst1q_f32` access 4
// elements; multiplicands are stored by the trait's own function.
unsafe impl Simd for Neon {
    type V = float32x4_t;
    const NAME: &'static str = "neon";
    const LANES: usize = 4;
    // 24 accumulators, four vectors of weights and a broadcast multiplicand: 29 of 32 registers.
    const MR: usize = 6;
    const NV: usize = 4;
    const WORDS: usize = 16;

    #[inline(always)]
    unsafe fn new() -> Self {
        Self(())
    }

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) {
        kernel.run(self);
    }

    #[inline(always)]
    fn splat(self, x: f32) -> float32x4_t {
        // SAFETY: `self` proves that the CPU has NEON.
        unsafe { vdupq_n_f32(x) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> float32x4_t {
        // SAFETY: `self` proves that the CPU has NEON; the caller lends 4 elements at `from`, and the instruction asks for no
        // alignment.
        unsafe { vld1q_f32(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: float32x4_t) {
        // SAFETY: `self` proves that the CPU has NEON; the caller lends 4 elements at `to`, and the instruction asks for no
        // alignment.
        unsafe { vst1q_f32(to, x) }
    }

    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves that the CPU has NEON.
        unsafe { vaddq_f32(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves that the CPU has NEON.
        unsafe { vsubq_f32(a, b) }
    }

    #[inline(always)]
    fn div(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves that the CPU has NEON.
        unsafe { vdivq_f32(a, b) }
    }

    #[inline(always)]
    fn times_power_of_two(self, x: float32x4_t, exponent: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves that the CPU has NEON.
        unsafe {
            let exponent = vshlq_n_s32::<23>(vreinterpretq_s32_f32(exponent));
            vmulq_f32(x, vreinterpretq_f32_s32(vaddq_s32(exponent, vreinterpretq_s32_f32(vdupq_n_f32(1.0)))))
        }
    }

    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves that the CPU has NEON.
        unsafe { vfmaq_f32(c, a, b) }
    }

    #[inline(always)]
    fn min(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // Gives what is not a number if either is; `a` is one nowhere that this is called.
        // SAFETY: `self` proves that the CPU has NEON.
        unsafe { vminq_f32(a, b) }
    }

    #[inline(always)]
    fn max(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // Gives what is not a number if either is; `a` is one nowhere that this is called.
        // SAFETY: `self` proves that the CPU has NEON.
        unsafe { vmaxq_f32(a, b) }
    }

    #[inline(always)]
    fn max_or_nan(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves that the CPU has NEON.
        unsafe { vmaxq_f32(a, b) }
    }

    #[inline(always)]
    fn prefetch(self, _from: *const f32) {}

    #[inline(always)]
    fn prefetch_far(self, _from: *const f32) {}
}
