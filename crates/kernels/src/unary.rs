//! Functions of one element beyond [`graph::Activation`], on vectors. The rarer ones are computed lane by lane in plain code without
//! branches, which the compiler makes vectors of again.

use graph::operations::Unary;

use crate::simd::{BLOCK, Kernel, Simd};

/// Whether `function` has a kernel: those have one that make a number of 0, which is what lies beyond a map's channels.
pub(crate) fn has_kernel(function: Unary) -> bool {
    match function {
        Unary::Abs
        | Unary::Neg
        | Unary::Sqrt
        | Unary::Erf
        | Unary::Tanh
        | Unary::Sigmoid
        | Unary::HardSigmoid { .. }
        | Unary::Swish { .. }
        | Unary::Mish
        | Unary::Softplus
        | Unary::Softsign
        | Unary::Gelu
        | Unary::GeluTanh
        | Unary::LeakyRelu { .. }
        | Unary::Clamp { .. } => true,
        Unary::Elu { alpha, gamma } => alpha.is_finite() && gamma.is_finite(),
        Unary::Celu { alpha } => alpha.is_finite() && alpha != 0.0,
        _ => false,
    }
}

/// Makes of each element what `function` makes of it. What is not a number stays so.
///
/// A function call: inlined, a dozen functions would stand wherever a kernel ends.
///
/// # Panics
/// Where the elements are no whole vectors.
#[inline(always)]
pub(crate) fn apply<S: Simd>(simd: S, function: Unary, values: &mut [f32]) {
    assert!(values.len().is_multiple_of(S::LANES), "{} elements", values.len());
    simd.vectorize(Apply { function, values });
}

/// [`apply`], of a vector.
#[inline(always)]
pub(crate) fn apply_to_one<S: Simd>(simd: S, function: Unary, x: S::V) -> S::V {
    let mut values = [0.0_f32; BLOCK];
    // SAFETY: `LANES` divides `BLOCK`, so that there are as many.
    unsafe { simd.store(values.as_mut_ptr(), x) };
    apply(simd, function, &mut values[..S::LANES]);
    // SAFETY: as for the store.
    unsafe { simd.load(values.as_ptr()) }
}

struct Apply<'a> {
    function: Unary,
    values: &'a mut [f32],
}

impl Kernel for Apply<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { function, values } = self;
        let zero = simd.splat(0.0);
        // `max` and `min` give their second operand where one is not a number.
        let clamp = |x, low, high| simd.min(simd.splat(high), simd.max(simd.splat(low), x));
        match function {
            Unary::Abs => vectors(simd, values, |x| simd.max(simd.mul_add(x, simd.splat(-1.0), zero), x)),
            Unary::Neg => vectors(simd, values, |x| simd.mul_add(x, simd.splat(-1.0), zero)),
            Unary::Clamp { low, high } => vectors(simd, values, |x| clamp(x, low, high)),
            Unary::HardSigmoid { slope, offset } => vectors(simd, values, |x| {
                clamp(simd.mul_add(x, simd.splat(slope), simd.splat(offset)), 0.0, 1.0)
            }),
            Unary::LeakyRelu { slope } => vectors(simd, values, |x| {
                simd.mul_add(simd.min(zero, x), simd.splat(slope), simd.max(zero, x))
            }),
            Unary::Sigmoid => {
                vectors(simd, values, |x| simd.div(simd.splat(1.0), one_and_exp(simd, -1.0, x)));
            }
            Unary::Swish { beta } => vectors(simd, values, |x| simd.div(x, one_and_exp(simd, -beta, x))),
            Unary::Mish => each(values, mish),
            Unary::Tanh => each(values, tanh),
            Unary::Erf => each(values, erf),
            Unary::Gelu => each(values, |x| 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))),
            Unary::GeluTanh => each(values, |x| {
                let inner = 0.797_884_6 * (x + 0.044_715 * x * x * x);
                0.5 * x * (1.0 + tanh(inner))
            }),
            Unary::Elu { alpha, gamma } => each(values, |x| {
                let below = alpha * (exp(x) - 1.0);
                gamma * if x < 0.0 { below } else { x }
            }),
            Unary::Celu { alpha } => each(values, |x| {
                let below = alpha * (exp(x / alpha) - 1.0);
                if x < 0.0 { below } else { x }
            }),
            Unary::Sqrt => each(values, f32::sqrt),
            Unary::Softsign => each(values, |x| x / (1.0 + x.abs())),
            Unary::Softplus => each(values, |x| (if x < 0.0 { 0.0 } else { x }) + exp(-x.abs()).ln_1p()),
            other => unreachable!("{other:?} was refused before"),
        }
    }
}

/// Makes of each vector what `of` makes of it.
#[inline(always)]
fn vectors<S: Simd>(simd: S, values: &mut [f32], of: impl Fn(S::V) -> S::V) {
    for vector in values.chunks_exact_mut(S::LANES) {
        // SAFETY: the chunk has `LANES` elements.
        unsafe { simd.store(vector.as_mut_ptr(), of(simd.load(vector.as_ptr()))) };
    }
}

/// Makes of each element what `of` makes of it: code without branches, of which the compiler makes vectors.
#[inline(always)]
fn each(values: &mut [f32], of: impl Fn(f32) -> f32) {
    for value in values {
        *value = of(*value);
    }
}

/// `1 + e^(factor * x)`, by [`exp`]'s road, but for a shorter series, which is the best of its length.
#[inline(always)]
fn one_and_exp<S: Simd>(simd: S, factor: f32, x: S::V) -> S::V {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const SERIES: [f32; 6] = [8.368_781e-3, 4.166_839_3e-2, 1.666_652e-1, 4.999_999_4e-1, 1.0, 1.0];
    let zero = simd.splat(0.0);
    let x = simd.mul_add(x, simd.splat(factor), zero);
    let x = simd.min(simd.splat(88.0), simd.max(simd.splat(-87.0), x));
    let shifted = simd.mul_add(x, simd.splat(LOG2_E), simd.splat(ROUND));
    let power = simd.sub(shifted, simd.splat(ROUND));
    let rest = simd.mul_add(power, simd.splat(-LN_2[0]), x);
    let rest = simd.mul_add(power, simd.splat(-LN_2[1]), rest);
    let mut sum = simd.splat(1.381_446_7e-3);
    for factor in SERIES {
        sum = simd.mul_add(sum, rest, simd.splat(factor));
    }
    simd.add(simd.splat(1.0), simd.times_power_of_two(sum, shifted))
}

/// ln 2 in two parts, the first of few digits, so that its multiples are exact (Cody and Waite).
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// Added, it leaves the nearest integer in the last bits.
const ROUND: f32 = 12_582_912.0;

/// `e^x`, to 1e-7 of it, from e^-87 to e^88; what lies beyond is taken for these.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * LOG2_E + ROUND;
    let power = shifted - ROUND;
    let rest = (x - power * LN_2[0]) - power * LN_2[1];
    // Its Taylor series, of which the next term is below 1e-8 for |rest| < 0.35.
    const SERIES: [f32; 7] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let mut sum = 1.0 / 5040.0;
    for factor in &SERIES {
        sum = sum * rest + factor;
    }
    let scale = f32::from_bits(shifted.to_bits().wrapping_shl(23).wrapping_add(1.0_f32.to_bits()));
    sum * scale
}

#[inline(always)]
fn tanh(x: f32) -> f32 {
    let squared = exp(2.0 * x);
    // Of large numbers the quotient of two infinities never arises: `exp` is bounded.
    (squared - 1.0) / (squared + 1.0)
}

/// `x * tanh(ln(1 + e^x))`, whose hyperbolic tangent is a quotient of powers of `e^x`.
#[inline(always)]
fn mish(x: f32) -> f32 {
    let e = exp(if x > 20.0 { 20.0 } else { x });
    let product = e * (e + 2.0);
    x * (product / (product + 2.0))
}

/// The Gauss error function, to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let size = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * size);
    let sum = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_7) * t - 0.284_496_74) * t + 0.254_829_6) * t;
    let positive = 1.0 - sum * exp(-size * size);
    if x < 0.0 { -positive } else { positive }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    struct On<'a>(Unary, &'a mut [f32]);

    impl Kernel for On<'_> {
        fn run<S: Simd>(self, simd: S) {
            for vector in self.1.chunks_exact_mut(S::LANES) {
                // SAFETY: the chunk has `LANES` elements.
                unsafe {
                    let x = apply_to_one(simd, self.0, simd.load(vector.as_ptr()));
                    simd.store(vector.as_mut_ptr(), x);
                }
            }
        }
    }

    const ALL: [Unary; 17] = [
        Unary::Erf,
        Unary::Abs,
        Unary::Neg,
        Unary::Sqrt,
        Unary::Tanh,
        Unary::Sigmoid,
        Unary::HardSigmoid { slope: 0.2, offset: 0.5 },
        Unary::Swish { beta: 1.0 },
        Unary::Swish { beta: 1.7 },
        Unary::Mish,
        Unary::Softplus,
        Unary::Softsign,
        Unary::Gelu,
        Unary::GeluTanh,
        Unary::LeakyRelu { slope: 0.1 },
        Unary::Clamp { low: -0.5, high: 3.0 },
        Unary::Elu { alpha: 1.5, gamma: 1.1 },
    ];

    #[test]
    fn functions_are_their_definitions_on_every_instruction_set() {
        let many: Vec<f32> =
            (-2000..=2000).map(|step| step as f32 / 64.0).chain([-90.0, -200.0, 90.0, 200.0]).collect();
        for isa in Isa::available() {
            for function in ALL.into_iter().chain([Unary::Celu { alpha: 0.7 }]) {
                assert!(has_kernel(function), "{function:?}");
                for chunk in many.chunks(BLOCK) {
                    let mut values = [1.0; BLOCK];
                    values[..chunk.len()].copy_from_slice(chunk);
                    if function == Unary::Sqrt {
                        values = values.map(f32::abs);
                    }
                    let mut found = values;
                    isa.run(On(function, &mut found));
                    for (x, found) in values.into_iter().zip(found) {
                        let expected = function.of(f64::from(x));
                        let most = 1e-6 * expected.abs().max(1.0);
                        assert!(
                            (f64::from(found) - expected).abs() <= most,
                            "{isa:?} {function:?} of {x}: {found}, not {expected}"
                        );
                    }
                }
                let mut nothing = [f32::NAN; BLOCK];
                isa.run(On(function, &mut nothing));
                assert!(
                    nothing.iter().all(|x| x.is_nan()),
                    "{isa:?} {function:?} of what is not a number: {nothing:?}"
                );
                let mut zero = [0.0; BLOCK];
                isa.run(On(function, &mut zero));
                assert!(zero.iter().all(|x| x.is_finite()), "{function:?}");
            }
        }
    }
}
