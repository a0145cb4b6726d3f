//! The elements of a tensor as numbers: floating-point ones widened or rounded to f32, integers as i64.

use memory::NoMemory;

use super::element::{ElementType, Layout};
use super::proto::Numbers;

/// What a tensor's bytes hold, one value an element.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Elements {
    /// Floating-point numbers.
    Floats(Vec<f32>),
    /// Integers, and 0 and 1 of a bool.
    Ints(Vec<i64>),
}

/// Why bytes are no elements.
pub(super) type Reason = String;

impl Elements {
    /// None yet, with room for `len` of a layout.
    ///
    /// # Errors
    /// [`NoMemory`] where the system does not give it.
    pub(super) fn room(layout: Layout, len: usize) -> Result<Self, NoMemory> {
        Ok(match layout {
            Layout::F32 | Layout::F64 | Layout::F16 | Layout::Bf16 => Self::Floats(memory::room(len)?),
            Layout::Bool | Layout::Int { .. } => Self::Ints(memory::room(len)?),
        })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Ints(values) => values.len(),
        }
    }

    /// Adds those that lie in `bytes` as they do in memory.
    pub(super) fn extend_raw(&mut self, bytes: &[u8], layout: Layout) {
        match self {
            Self::Floats(to) => match layout {
                Layout::F32 => {
                    to.extend(bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)));
                }
                Layout::F64 => {
                    let (chunks, _) = bytes.as_chunks::<8>();
                    to.extend(chunks.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32));
                }
                _ => {
                    let of = |bytes| float_of_two(u16::from_le_bytes(bytes), layout);
                    to.extend(bytes.as_chunks::<2>().0.iter().map(|&bytes| of(bytes)));
                }
            },
            Self::Ints(to) => match layout {
                Layout::Int { bytes: size, signed } => to.extend(bytes.chunks_exact(size).map(|chunk| {
                    let mut wide = [if signed && chunk[size - 1] >= 0x80 { 0xff } else { 0 }; 8];
                    wide[..size].copy_from_slice(chunk);
                    i64::from_le_bytes(wide)
                })),
                _ => to.extend(bytes.iter().map(|&byte| i64::from(byte != 0))),
            },
        }
    }
}

/// The number of these bits, of half precision or bf16.
fn float_of_two(bits: u16, layout: Layout) -> f32 {
    match layout {
        Layout::F16 => half(bits),
        _ => f32::from_bits(u32::from(bits) << 16),
    }
}

/// The elements that lie in `bytes` as they do in memory.
fn of_raw(bytes: &[u8], layout: Layout) -> Result<Elements, Reason> {
    let mut elements =
        Elements::room(layout, bytes.len() / layout.bytes()).map_err(|error| error.to_string())?;
    elements.extend_raw(bytes, layout);
    Ok(elements)
}

/// The elements of a typed field, whose `bytes` hold `len` numbers in its encoding.
pub(super) fn of_typed(
    bytes: &[u8],
    numbers: Numbers,
    element: ElementType,
    layout: Layout,
    len: usize,
) -> Result<Elements, Reason> {
    let is_float = element.is_float();
    match (numbers, layout) {
        (Numbers::F32, Layout::F32) => of_raw(bytes, Layout::F32),
        (Numbers::F64, Layout::F64) => of_raw(bytes, Layout::F64),
        (Numbers::Varint, Layout::F16 | Layout::Bf16 | Layout::Bool | Layout::Int { .. }) => {
            // As many as it says, and never more than it has bytes.
            let mut ints = Vec::with_capacity(len.min(bytes.len()));
            let mut value = 0_u64;
            let mut shift = 0;
            for &byte in bytes {
                if shift > 63 {
                    return Err("a number is longer than any".to_owned());
                }
                value |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    ints.push(value.cast_signed());
                    (value, shift) = (0, 0);
                }
            }
            if !is_float {
                return Ok(Elements::Ints(ints));
            }
            // Bit patterns, as the standard says.
            Ok(Elements::Floats(ints.iter().map(|&bits| float_of_two(bits as u16, layout)).collect()))
        }
        _ => Err(format!("elements of {element} stand in a field of another type")),
    }
}

/// The number whose half-precision bits are given.
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2.0_f32.powi(-24),
        0x1f if fraction == 0.0 => f32::INFINITY,
        0x1f => f32::NAN,
        _ => (1024.0 + fraction) * 2.0_f32.powi(exponent - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_ieee_754s() {
        let cases = [
            (0x0000, 0.0),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x7c00, f32::INFINITY),
        ];
        for (bits, expected) in cases {
            assert_eq!(half(bits), expected, "{bits:#06x}");
        }
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn integers_keep_their_sign() {
        let signed = Layout::Int { bytes: 2, signed: true };
        assert_eq!(of_raw(&[0xfe, 0xff, 1, 0], signed), Ok(Elements::Ints(vec![-2, 1])));
        let unsigned = Layout::Int { bytes: 1, signed: false };
        assert_eq!(of_raw(&[0xfe, 1], unsigned), Ok(Elements::Ints(vec![254, 1])));
    }

    #[test]
    fn typed_fields_are_read_by_their_encoding() {
        let ints = of_typed(
            &[0xac, 2, 7],
            Numbers::Varint,
            ElementType::I64,
            Layout::Int { bytes: 8, signed: true },
            2,
        );
        assert_eq!(ints, Ok(Elements::Ints(vec![300, 7])));
        // 0x3c00, half precision's 1.
        let halves = of_typed(&[0x80, 0x78], Numbers::Varint, ElementType(10), Layout::F16, 1);
        assert_eq!(halves, Ok(Elements::Floats(vec![1.0])));
        assert!(of_typed(&[0; 4], Numbers::F32, ElementType::I64, Layout::F16, 1).is_err());
    }
}
