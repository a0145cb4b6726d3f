//! AVX-512: 32 registers of 16 lanes. With bf16 multiplicands where the CPU has AVX512-BF16.

use std::arch::x86_64::*;

use super::{Kernel, Simd};

/// Proves that the CPU has AVX-512 (F, VL, BW and DQ), AVX2 and FMA.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512(());

/// Proves that the CPU has what [`Avx512`] proves, and AVX512-BF16.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512Bf16(());

/// What both share.
macro_rules! f32_operations {
    ($features:literal) => {
        type V = __m512;
        const LANES: usize = 16;
        // 28 accumulators, two vectors of weights and a broadcast multiplicand: 31 of 32 registers.
        const MR: usize = 14;
        const NV: usize = 2;

        #[inline(always)]
        unsafe fn new() -> Self {
            Self(())
        }

        #[inline(always)]
        fn vectorize<K: Kernel>(self, kernel: K) {
            /// # Safety
            /// The CPU must have the features, which is what `simd` proves.
            #[target_feature(enable = $features)]
            #[inline]
            fn with_features<K: Kernel, S: Simd>(simd: S, kernel: K) {
                kernel.run(simd);
            }
            // SAFETY: `self` proves that the CPU has these features.
            unsafe { with_features(self, kernel) }
        }

        #[inline(always)]
        fn splat(self, x: f32) -> __m512 {
            // SAFETY: `self` proves that the CPU has AVX-512.
            unsafe { _mm512_set1_ps(x) }
        }

        #[inline(always)]
        unsafe fn load(self, from: *const f32) -> __m512 {
            // SAFETY: `self` proves that the CPU has AVX-512; the caller lends 16 elements at `from`, in any alignment.
            unsafe { _mm512_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32, x: __m512) {
            // SAFETY: `self` proves that the CPU has AVX-512; the caller lends 16 elements at `to`, in any alignment.
            unsafe { _mm512_storeu_ps(to, x) }
        }

        #[inline(always)]
        fn add(self, a: __m512, b: __m512) -> __m512 {
            // SAFETY: `self` proves that the CPU has AVX-512.
            unsafe { _mm512_add_ps(a, b) }
        }

        #[inline(always)]
        fn sub(self, a: __m512, b: __m512) -> __m512 {
            // SAFETY: `self` proves that the CPU has AVX-512.
            unsafe { _mm512_sub_ps(a, b) }
        }

        #[inline(always)]
        fn div(self, a: __m512, b: __m512) -> __m512 {
            // SAFETY: `self` proves that the CPU has AVX-512.
            unsafe { _mm512_div_ps(a, b) }
        }

        #[inline(always)]
        fn times_power_of_two(self, x: __m512, exponent: __m512) -> __m512 {
            // SAFETY: `self` proves that the CPU has AVX-512.
            unsafe {
                let exponent = _mm512_slli_epi32::<23>(_mm512_castps_si512(exponent));
                _mm512_mul_ps(
                    x,
                    _mm512_castsi512_ps(_mm512_add_epi32(exponent, _mm512_castps_si512(_mm512_set1_ps(1.0)))),
                )
            }
        }

        #[inline(always)]
        fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
            // SAFETY: `self` proves that the CPU has AVX-512.
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }

        #[inline(always)]
        fn min(self, a: __m512, b: __m512) -> __m512 {
            // SAFETY: `self` proves that the CPU has AVX-512.
            unsafe { _mm512_min_ps(a, b) }
        }

        #[inline(always)]
        fn max(self, a: __m512, b: __m512) -> __m512 {
            // SAFETY: `self` proves that the CPU has AVX-512.
            unsafe { _mm512_max_ps(a, b) }
        }

        #[inline(always)]
        fn max_or_nan(self, a: __m512, b: __m512) -> __m512 {
            // The instruction gives `b` where either is not a number.
            // SAFETY: `self` proves that the CPU has AVX-512.
            unsafe { _mm512_mask_mov_ps(_mm512_max_ps(a, b), _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a), a) }
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
    };
}

// SAFETY: 16 lanes are a block, and a word holds one of 16 multiplicands. `_mm512_loadu_ps` and `_mm512_storeu_ps` access
// 16 elements; multiplicands are stored by the trait's own function.
unsafe impl Simd for Avx512 {
    const NAME: &'static str = "avx512";
    const WORDS: usize = 16;
    f32_operations!("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma");
}

// SAFETY: as for `Avx512`, but a word holds two multiplicands, so that a block has 8, which is what a multiplicand's vector of
// 256 bits stores.
unsafe impl Simd for Avx512Bf16 {
    const NAME: &'static str = "avx512bf16";
    const WORDS: usize = 8;
    f32_operations!("avx512bf16,avx512f,avx512vl,avx512bw,avx512dq,avx2,fma");

    #[inline(always)]
    fn dot(self, sum: __m512, a: __m512, b: __m512) -> __m512 {
        // The multiplicand last: of one that is used once the instruction itself makes all lanes the same, which takes no load of its own.
        // SAFETY: `self` proves that the CPU has AVX512-BF16. The types have the same 512 bits, of which every pattern is a
        // value of both; a word holds two bf16.
        unsafe {
            _mm512_dpbf16_ps(
                sum,
                std::mem::transmute::<__m512, __m512bh>(b),
                std::mem::transmute::<__m512, __m512bh>(a),
            )
        }
    }

    #[inline(always)]
    unsafe fn store_multiplicand(self, to: *mut f32, at: usize, x: __m512) {
        debug_assert!(at == 0, "a vector is a block");
        // SAFETY: `self` proves that the CPU has AVX512-BF16 and AVX2. The types have the same 256 bits, of which every pattern
        // is a value of both. The caller lends 8 words at `to`, in any alignment, and `at`, a multiple of 16 below 16, is 0.
        unsafe {
            let halves = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(x));
            _mm256_storeu_si256(to.add(at / 2).cast(), halves);
        }
    }
}
