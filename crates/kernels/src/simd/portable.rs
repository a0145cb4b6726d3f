//! Plain Rust for every other CPU. The compiler makes vectors of the arrays where it can.

use super::{Kernel, Simd};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

const LANES: usize = 4;

impl Simd for Portable {
    type V = [f32; LANES];
    const NAME: &'static str = "portable";
    const LANES: usize = LANES;
    const MR: usize = 2;
    const NV: usize = 4;
    const WORDS: usize = 16;

    #[inline(always)]
    unsafe fn vectorize<K: Kernel>(kernel: K) {
        kernel.run::<Portable>();
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> [f32; LANES] {
        [x; LANES]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; LANES] {
        from.cast::<[f32; LANES]>().read_unaligned()
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, x: [f32; LANES]) {
        to.cast::<[f32; LANES]>().write_unaligned(x);
    }

    #[inline(always)]
    unsafe fn add(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]]
    }

    #[inline(always)]
    unsafe fn mul_add(a: [f32; LANES], b: [f32; LANES], c: [f32; LANES]) -> [f32; LANES] {
        // Not f32::mul_add, which is a function call where the hardware has no such instruction.
        [a[0] * b[0] + c[0], a[1] * b[1] + c[1], a[2] * b[2] + c[2], a[3] * b[3] + c[3]]
    }

    #[inline(always)]
    unsafe fn max(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        let larger = |a: f32, b: f32| if a > b { a } else { b };
        [larger(a[0], b[0]), larger(a[1], b[1]), larger(a[2], b[2]), larger(a[3], b[3])]
    }

    #[inline(always)]
    unsafe fn max_or_nan(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        let larger = |a: f32, b: f32| if a > b || a.is_nan() { a } else { b };
        [larger(a[0], b[0]), larger(a[1], b[1]), larger(a[2], b[2]), larger(a[3], b[3])]
    }

    #[inline(always)]
    unsafe fn prefetch(_from: *const f32) {}

    #[inline(always)]
    unsafe fn prefetch_far(_from: *const f32) {}
}
