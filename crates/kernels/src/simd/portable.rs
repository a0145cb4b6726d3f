//! Plain Rust for every other CPU. The compiler makes vectors of the arrays where it can.

use super::{Kernel, Simd};

/// Proves nothing: every CPU has what this needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

const LANES: usize = 4;

// SAFETY: 4 lanes divide a block of 16, and a word holds one of 16 multiplicands. `load` and `store` access an array of
// `LANES` elements; multiplicands are stored by the trait's own function.
unsafe impl Simd for Portable {
    type V = [f32; LANES];
    const NAME: &'static str = "portable";
    const LANES: usize = LANES;
    const MR: usize = 2;
    const NV: usize = 4;
    const WORDS: usize = 16;

    #[inline(always)]
    unsafe fn new() -> Self {
        Self
    }

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) {
        kernel.run(self);
    }

    #[inline(always)]
    fn splat(self, x: f32) -> [f32; LANES] {
        [x; LANES]
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> [f32; LANES] {
        // SAFETY: the caller lends `LANES` elements at `from`, in any alignment.
        unsafe { from.cast::<[f32; LANES]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: [f32; LANES]) {
        // SAFETY: the caller lends `LANES` elements at `to`, in any alignment.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(x) }
    }

    #[inline(always)]
    fn add(self, a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]]
    }

    #[inline(always)]
    fn sub(self, a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        [a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3]]
    }

    #[inline(always)]
    fn div(self, a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        [a[0] / b[0], a[1] / b[1], a[2] / b[2], a[3] / b[3]]
    }

    #[inline(always)]
    fn times_power_of_two(self, x: [f32; LANES], exponent: [f32; LANES]) -> [f32; LANES] {
        let power = |e: f32| f32::from_bits(e.to_bits().wrapping_shl(23).wrapping_add(1.0_f32.to_bits()));
        [
            x[0] * power(exponent[0]),
            x[1] * power(exponent[1]),
            x[2] * power(exponent[2]),
            x[3] * power(exponent[3]),
        ]
    }

    #[inline(always)]
    fn mul_add(self, a: [f32; LANES], b: [f32; LANES], c: [f32; LANES]) -> [f32; LANES] {
        // Not f32::mul_add, which is a function call where the hardware has no such instruction.
        [a[0] * b[0] + c[0], a[1] * b[1] + c[1], a[2] * b[2] + c[2], a[3] * b[3] + c[3]]
    }

    #[inline(always)]
    fn min(self, a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        let smaller = |a: f32, b: f32| if a < b { a } else { b };
        [smaller(a[0], b[0]), smaller(a[1], b[1]), smaller(a[2], b[2]), smaller(a[3], b[3])]
    }

    #[inline(always)]
    fn max(self, a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        let larger = |a: f32, b: f32| if a > b { a } else { b };
        [larger(a[0], b[0]), larger(a[1], b[1]), larger(a[2], b[2]), larger(a[3], b[3])]
    }

    #[inline(always)]
    fn max_or_nan(self, a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        let larger = |a: f32, b: f32| if a > b || a.is_nan() { a } else { b };
        [larger(a[0], b[0]), larger(a[1], b[1]), larger(a[2], b[2]), larger(a[3], b[3])]
    }

    #[inline(always)]
    fn prefetch(self, _from: *const f32) {}

    #[inline(always)]
    fn prefetch_far(self, _from: *const f32) {}
}
