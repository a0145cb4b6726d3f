//! The inverse transform of a block, by the "slow" integer algorithm, twice: as libjpeg-turbo's vector code computes it
//! (`jidctint-sse2.asm`, `jidctint-avx2.asm`, alike), which Pillow's wheels have, and as its C code does (`jidctint.c`), which
//! OpenCV's have. The vector code has 16 bits between the passes and cuts off what does not fit; the C code has more, and
//! wraps at the end. What an encoder writes is far from both limits; damaged coefficients need not be.

use super::header::BLOCK;

/// Fraction bits of the constants.
const CONST_BITS: u32 = 13;
/// Fraction bits of what the first pass hands to the second.
const PASS1_BITS: u32 = 2;

const F_0_298: i32 = 2446;
const F_0_390: i32 = 3196;
const F_0_541: i32 = 4433;
const F_0_765: i32 = 6270;
const F_0_899: i32 = 7373;
const F_1_175: i32 = 9633;
const F_1_501: i32 = 12299;
const F_1_847: i32 = 15137;
const F_1_961: i32 = 16069;
const F_2_053: i32 = 16819;
const F_2_562: i32 = 20995;
const F_3_072: i32 = 25172;

type BlockValues = [[i16; 8]; 8];

/// The samples of a block, a row each.
pub(super) type Samples = [[u8; 8]; 8];

/// Below this sum of absolute coefficients no sample is further from the middle than 511, where the C code wraps, because
/// none counts more than a quarter; and nothing on the way exceeds 16 bits.
const HARMLESS: u64 = 2040;

/// The samples of a block from its coefficients in natural order: the vector code's, and the C code's where they differ.
#[inline(always)]
pub(super) fn samples(
    coefficients: &[i16; BLOCK],
    quantisation: &[u16; BLOCK],
) -> (Samples, Option<Samples>) {
    let mut rows: BlockValues = [[0; 8]; 8];
    let mut sum = 0;
    for (row, (c, q)) in rows.iter_mut().zip(coefficients.chunks_exact(8).zip(quantisation.chunks_exact(8))) {
        for (value, (&c, &q)) in row.iter_mut().zip(c.iter().zip(q)) {
            let product = i32::from(c).wrapping_mul(i32::from(q));
            *value = product as i16;
            sum += u64::from(product.unsigned_abs());
        }
    }
    let vector = by_vector_code(coefficients, &rows);
    if sum < HARMLESS {
        return (vector, None);
    }
    let c = by_c_code(coefficients, quantisation);
    (vector, (c != vector).then_some(c))
}

#[inline(always)]
fn by_vector_code(coefficients: &[i16; BLOCK], rows: &BlockValues) -> Samples {
    if coefficients[1..].iter().fold(0, |any, &c| any | c) == 0 {
        let mean = i32::from(rows[0][0] << PASS1_BITS) << CONST_BITS;
        return [[sample(descale::<{ CONST_BITS + PASS1_BITS + 3 }>(mean)); 8]; 8];
    }
    let columns = if coefficients[8..].iter().fold(0, |any, &c| any | c) == 0 {
        // Without the rounding and saturation that the pass would do.
        [rows[0].map(|value| value << PASS1_BITS); 8]
    } else {
        pass::<{ CONST_BITS - PASS1_BITS }>(rows)
    };
    let rows = transposed(&pass::<{ CONST_BITS + PASS1_BITS + 3 }>(&transposed(&columns)));
    rows.map(|row| row.map(sample))
}

/// Into 8 bits, around the middle.
#[inline(always)]
fn sample(value: i16) -> u8 {
    (value.clamp(-128, 127) + 128) as u8
}

#[inline(always)]
fn descale<const BITS: u32>(value: i32) -> i16 {
    let rounded = value.wrapping_add(1 << (BITS - 1)) >> BITS;
    rounded.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

/// Eight transforms beside each other, each down a column.
#[inline(always)]
fn pass<const BITS: u32>(input: &BlockValues) -> BlockValues {
    let mut output: BlockValues = [[0; 8]; 8];
    for lane in 0..8 {
        let x = |row: usize| input[row][lane];
        let wide = |value: i16| i32::from(value);

        let (z2, z3) = (wide(x(2)), wide(x(6)));
        let even2 = z2 * F_0_541 + z3 * (F_0_541 - F_1_847);
        let even3 = z2 * (F_0_541 + F_0_765) + z3 * F_0_541;
        let even0 = wide(x(0).wrapping_add(x(4))) << CONST_BITS;
        let even1 = wide(x(0).wrapping_sub(x(4))) << CONST_BITS;
        let (sum0, sum3) = (even0.wrapping_add(even3), even0.wrapping_sub(even3));
        let (sum1, sum2) = (even1.wrapping_add(even2), even1.wrapping_sub(even2));

        let (t0, t1, t2, t3) = (wide(x(7)), wide(x(5)), wide(x(3)), wide(x(1)));
        let (z3, z4) = (wide(x(7).wrapping_add(x(3))), wide(x(5).wrapping_add(x(1))));
        let p3 = z3 * (F_1_175 - F_1_961) + z4 * F_1_175;
        let p4 = z3 * F_1_175 + z4 * (F_1_175 - F_0_390);
        let odd0 = (t0 * (F_0_298 - F_0_899) + t3 * -F_0_899).wrapping_add(p3);
        let odd1 = (t1 * (F_2_053 - F_2_562) + t2 * -F_2_562).wrapping_add(p4);
        let odd2 = (t1 * -F_2_562 + t2 * (F_3_072 - F_2_562)).wrapping_add(p3);
        let odd3 = (t0 * -F_0_899 + t3 * (F_1_501 - F_0_899)).wrapping_add(p4);

        output[0][lane] = descale::<BITS>(sum0.wrapping_add(odd3));
        output[7][lane] = descale::<BITS>(sum0.wrapping_sub(odd3));
        output[1][lane] = descale::<BITS>(sum1.wrapping_add(odd2));
        output[6][lane] = descale::<BITS>(sum1.wrapping_sub(odd2));
        output[2][lane] = descale::<BITS>(sum2.wrapping_add(odd1));
        output[5][lane] = descale::<BITS>(sum2.wrapping_sub(odd1));
        output[3][lane] = descale::<BITS>(sum3.wrapping_add(odd0));
        output[4][lane] = descale::<BITS>(sum3.wrapping_sub(odd0));
    }
    output
}

#[inline(always)]
fn transposed(rows: &BlockValues) -> BlockValues {
    /// A step interleaves rows that are four apart; three of them transpose.
    #[inline(always)]
    fn step(rows: &BlockValues) -> BlockValues {
        let mut out: BlockValues = [[0; 8]; 8];
        for i in 0..4 {
            for j in 0..4 {
                out[2 * i][2 * j] = rows[i][j];
                out[2 * i][2 * j + 1] = rows[i + 4][j];
                out[2 * i + 1][2 * j] = rows[i][j + 4];
                out[2 * i + 1][2 * j + 1] = rows[i + 4][j + 4];
            }
        }
        out
    }
    step(&step(&step(rows)))
}

/// `jpeg_idct_islow` of `jidctint.c`.
#[inline(never)]
fn by_c_code(coefficients: &[i16; BLOCK], quantisation: &[u16; BLOCK]) -> Samples {
    let mut work = [[0_i32; 8]; 8];
    for column in 0..8 {
        let input = std::array::from_fn(|row| {
            i64::from(coefficients[row * 8 + column]) * i64::from(quantisation[row * 8 + column])
        });
        if input[1..] == [0; 7] {
            work.iter_mut().for_each(|row| row[column] = (input[0] << PASS1_BITS) as i32);
            continue;
        }
        let sums = wide_pass(input);
        for (row, sum) in work.iter_mut().zip(sums) {
            row[column] = ((sum + (1 << (CONST_BITS - PASS1_BITS - 1))) >> (CONST_BITS - PASS1_BITS)) as i32;
        }
    }
    work.map(|row| {
        wide_pass(row.map(i64::from)).map(|sum| {
            const BITS: u32 = CONST_BITS + PASS1_BITS + 3;
            let value = (sum + (1 << (BITS - 1))) >> BITS;
            // A table of 1024 entries limits the range.
            let wrapped = ((value + 512) & 1023) - 512;
            (wrapped.clamp(-128, 127) + 128) as u8
        })
    })
}

fn wide_pass(x: [i64; 8]) -> [i64; 8] {
    let f = i64::from;
    let even2 = x[2] * f(F_0_541) + x[6] * f(F_0_541 - F_1_847);
    let even3 = x[2] * f(F_0_541 + F_0_765) + x[6] * f(F_0_541);
    let (even0, even1) = ((x[0] + x[4]) << CONST_BITS, (x[0] - x[4]) << CONST_BITS);
    let (sum0, sum3, sum1, sum2) = (even0 + even3, even0 - even3, even1 + even2, even1 - even2);
    let (z3, z4) = (x[7] + x[3], x[5] + x[1]);
    let p3 = z3 * f(F_1_175 - F_1_961) + z4 * f(F_1_175);
    let p4 = z3 * f(F_1_175) + z4 * f(F_1_175 - F_0_390);
    let odd0 = x[7] * f(F_0_298 - F_0_899) - x[1] * f(F_0_899) + p3;
    let odd1 = x[5] * f(F_2_053 - F_2_562) - x[3] * f(F_2_562) + p4;
    let odd2 = -x[5] * f(F_2_562) + x[3] * f(F_3_072 - F_2_562) + p3;
    let odd3 = -x[7] * f(F_0_899) + x[1] * f(F_1_501 - F_0_899) + p4;
    [sum0 + odd3, sum1 + odd2, sum2 + odd1, sum3 + odd0, sum3 - odd0, sum2 - odd1, sum1 - odd2, sum0 - odd3]
}
