//! AVX-512: 32 registers of 16 lanes. With bf16 multiplicands where the CPU has AVX512-BF16.

use std::arch::x86_64::*;

use super::{Kernel, Simd};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512Bf16;

/// What both share.
macro_rules! f32_operations {
    ($features:literal) => {
        type V = __m512;
        const LANES: usize = 16;
        // 28 accumulators, two vectors of weights and a broadcast multiplicand: 31 of 32 registers.
        const MR: usize = 14;
        const NV: usize = 2;

        #[inline(always)]
        unsafe fn vectorize<K: Kernel>(kernel: K) {
            #[target_feature(enable = $features)]
            #[inline]
            unsafe fn with_features<K: Kernel, S: Simd>(kernel: K) {
                kernel.run::<S>();
            }
            with_features::<K, Self>(kernel);
        }

        #[inline(always)]
        unsafe fn splat(x: f32) -> __m512 {
            _mm512_set1_ps(x)
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> __m512 {
            _mm512_loadu_ps(from)
        }

        #[inline(always)]
        unsafe fn store(to: *mut f32, x: __m512) {
            _mm512_storeu_ps(to, x);
        }

        #[inline(always)]
        unsafe fn add(a: __m512, b: __m512) -> __m512 {
            _mm512_add_ps(a, b)
        }

        #[inline(always)]
        unsafe fn mul_add(a: __m512, b: __m512, c: __m512) -> __m512 {
            _mm512_fmadd_ps(a, b, c)
        }

        #[inline(always)]
        unsafe fn max(a: __m512, b: __m512) -> __m512 {
            _mm512_max_ps(a, b)
        }

        #[inline(always)]
        unsafe fn max_or_nan(a: __m512, b: __m512) -> __m512 {
            // The instruction gives `b` where either is not a number.
            _mm512_mask_mov_ps(_mm512_max_ps(a, b), _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a), a)
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
    };
}

impl Simd for Avx512 {
    const NAME: &'static str = "avx512";
    const WORDS: usize = 16;
    f32_operations!("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma");
}

impl Simd for Avx512Bf16 {
    const NAME: &'static str = "avx512bf16";
    const WORDS: usize = 8;
    f32_operations!("avx512bf16,avx512f,avx512vl,avx512bw,avx512dq,avx2,fma");

    #[inline(always)]
    unsafe fn dot(sum: __m512, a: __m512, b: __m512) -> __m512 {
        // The casts are bit for bit: a word holds two bf16.
        _mm512_dpbf16_ps(
            sum,
            std::mem::transmute::<__m512, __m512bh>(a),
            std::mem::transmute::<__m512, __m512bh>(b),
        )
    }

    #[inline(always)]
    unsafe fn store_multiplicand(to: *mut f32, at: usize, x: __m512) {
        let halves = _mm512_cvtneps_pbh(x);
        _mm256_storeu_si256(to.add(at / 2).cast(), std::mem::transmute::<__m256bh, __m256i>(halves));
    }
}
