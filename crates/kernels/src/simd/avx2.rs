//! AVX2 with FMA: 16 registers of 8 lanes.

use std::arch::x86_64::*;

use super::{Kernel, Simd};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2;

impl Simd for Avx2 {
    type V = __m256;
    const NAME: &'static str = "avx2";
    const LANES: usize = 8;
    // 12 accumulators, two vectors of weights and a broadcast multiplicand: 15 of 16 registers.
    const MR: usize = 6;
    const NV: usize = 2;
    const WORDS: usize = 16;

    #[inline(always)]
    unsafe fn vectorize<K: Kernel>(kernel: K) {
        #[target_feature(enable = "avx2,fma")]
        #[inline]
        unsafe fn with_features<K: Kernel>(kernel: K) {
            kernel.run::<Avx2>();
        }
        with_features(kernel);
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> __m256 {
        _mm256_set1_ps(x)
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        _mm256_loadu_ps(from)
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, x: __m256) {
        _mm256_storeu_ps(to, x);
    }

    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        _mm256_add_ps(a, b)
    }

    #[inline(always)]
    unsafe fn mul_add(a: __m256, b: __m256, c: __m256) -> __m256 {
        _mm256_fmadd_ps(a, b, c)
    }

    #[inline(always)]
    unsafe fn max(a: __m256, b: __m256) -> __m256 {
        _mm256_max_ps(a, b)
    }

    #[inline(always)]
    unsafe fn max_or_nan(a: __m256, b: __m256) -> __m256 {
        // The instruction gives `b` where either is not a number.
        _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a))
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const f32) {
        _mm_prefetch::<_MM_HINT_T0>(from.cast());
    }

    #[inline(always)]
    unsafe fn prefetch_write(to: *mut f32) {
        _mm_prefetch::<_MM_HINT_ET0>(to.cast());
    }

    #[inline(always)]
    unsafe fn prefetch_far(from: *const f32) {
        _mm_prefetch::<_MM_HINT_T1>(from.cast());
    }
}
