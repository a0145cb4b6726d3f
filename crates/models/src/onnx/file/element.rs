//! Types of a tensor's elements (`TensorProto.DataType`).

use std::fmt;

/// The type of a tensor's elements, by its number in the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElementType(pub(crate) i32);

/// How elements lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    F32,
    F64,
    F16,
    Bf16,
    /// Integers of so many bytes; signed or not.
    Int {
        bytes: usize,
        signed: bool,
    },
    /// One byte, 0 or 1.
    Bool,
}

impl ElementType {
    pub(crate) const F32: Self = Self(1);
    pub(crate) const U8: Self = Self(2);
    pub(crate) const I32: Self = Self(6);
    pub(crate) const I64: Self = Self(7);
    pub(crate) const BOOL: Self = Self(9);

    /// How its elements lie in memory; none of what is not read here.
    pub(crate) fn layout(self) -> Option<Layout> {
        let int = |bytes, signed| Some(Layout::Int { bytes, signed });
        match self.0 {
            1 => Some(Layout::F32),
            2 => int(1, false),
            3 => int(1, true),
            4 => int(2, false),
            5 => int(2, true),
            6 => int(4, true),
            7 => int(8, true),
            9 => Some(Layout::Bool),
            10 => Some(Layout::F16),
            11 => Some(Layout::F64),
            12 => int(4, false),
            13 => int(8, false),
            16 => Some(Layout::Bf16),
            _ => None,
        }
    }

    /// The smallest and the largest of its elements, where they are integers of so few bits that f32 has them all.
    pub(crate) fn small_integers(self) -> Option<[f32; 2]> {
        match self.layout()? {
            Layout::Int { bytes: 1, signed: false } => Some([0.0, 255.0]),
            Layout::Int { bytes: 1, signed: true } => Some([-128.0, 127.0]),
            Layout::Int { bytes: 2, signed: false } => Some([0.0, 65535.0]),
            Layout::Int { bytes: 2, signed: true } => Some([-32768.0, 32767.0]),
            _ => None,
        }
    }

    /// Whether its elements are integers of eight bits.
    pub(crate) fn is_eight_bits(self) -> bool {
        matches!(self.layout(), Some(Layout::Int { bytes: 1, .. }))
    }

    /// Whether its elements are floating-point numbers that are read here.
    pub(crate) fn is_float(self) -> bool {
        matches!(self.layout(), Some(Layout::F32 | Layout::F64 | Layout::F16 | Layout::Bf16))
    }
}

impl Layout {
    /// Whether it is an integer with a sign.
    pub(crate) fn is_signed(self) -> bool {
        matches!(self, Self::Int { signed: true, .. })
    }

    /// Bytes of an element.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
            Self::F16 | Self::Bf16 => 2,
            Self::Int { bytes, .. } => bytes,
            Self::Bool => 1,
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 24] = [
            "an undefined type",
            "float",
            "uint8",
            "int8",
            "uint16",
            "int16",
            "int32",
            "int64",
            "string",
            "bool",
            "float16",
            "double",
            "uint32",
            "uint64",
            "complex64",
            "complex128",
            "bfloat16",
            "float8e4m3fn",
            "float8e4m3fnuz",
            "float8e5m2",
            "float8e5m2fnuz",
            "uint4",
            "int4",
            "float4e2m1",
        ];
        match usize::try_from(self.0).ok().and_then(|number| NAMES.get(number)) {
            Some(name) => f.write_str(name),
            None => write!(f, "type {}", self.0),
        }
    }
}
