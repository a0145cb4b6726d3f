//! AVX2 with FMA: 16 registers of 8 lanes.

use std::arch::x86_64::*;

use super::{Kernel, Simd};

/// Proves that the CPU has AVX2 and FMA.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

// SAFETY: 8 lanes divide a block of 16, and a word holds one of 16 multiplicands. `_mm256_loadu_ps` and `_mm256_storeu_ps`
// access 8 elements; multiplicands are stored by the trait's own function.
unsafe impl Simd for Avx2 {
    type V = __m256;
    const NAME: &'static str = "avx2";
    const LANES: usize = 8;
    // 12 accumulators, two vectors of weights and a broadcast multiplicand: 15 of 16 registers.
    const MR: usize = 6;
    const NV: usize = 2;
    const WORDS: usize = 16;

    #[inline(always)]
    unsafe fn new() -> Self {
        Self(())
    }

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) {
        /// # Safety
        /// The CPU must have the features, which is what `simd` proves.
        #[target_feature(enable = "avx2,fma")]
        #[inline]
        fn with_features<K: Kernel>(simd: Avx2, kernel: K) {
            kernel.run(simd);
        }
        // SAFETY: `self` proves that the CPU has both features.
        unsafe { with_features(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: `self` proves that the CPU has AVX2; the caller lends 8 elements at `from`, in any alignment.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: __m256) {
        // SAFETY: `self` proves that the CPU has AVX2; the caller lends 8 elements at `to`, in any alignment.
        unsafe { _mm256_storeu_ps(to, x) }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe { _mm256_div_ps(a, b) }
    }

    #[inline(always)]
    fn times_power_of_two(self, x: __m256, exponent: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe {
            let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(exponent));
            _mm256_mul_ps(
                x,
                _mm256_castsi256_ps(_mm256_add_epi32(exponent, _mm256_castps_si256(_mm256_set1_ps(1.0)))),
            )
        }
    }

    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has FMA.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe { _mm256_min_ps(a, b) }
    }

    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe { _mm256_max_ps(a, b) }
    }

    #[inline(always)]
    fn max_or_nan(self, a: __m256, b: __m256) -> __m256 {
        // The instruction gives `b` where either is not a number.
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe { _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a)) }
    }

    #[inline(always)]
    fn prefetch(self, from: *const f32) {
        // SAFETY: every x86-64 has SSE; a prefetch is a hint, which reads nothing and faults nowhere.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }

    #[inline(always)]
    fn prefetch_write(self, to: *mut f32) {
        // SAFETY: as for a read: a hint, which writes nothing; a CPU without the instruction takes it for a NOP.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(to.cast()) }
    }

    #[inline(always)]
    fn prefetch_far(self, from: *const f32) {
        // SAFETY: every x86-64 has SSE; a prefetch is a hint, which reads nothing and faults nowhere.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
    }
}
