//! What a pickle can hold here, and why one is refused.

use std::io;

/// An object, by its place in [`Pickle::objects`].
pub(in crate::weights) type Id = u32;

/// Bytes in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights) struct Span {
    pub(in crate::weights) offset: u64,
    pub(in crate::weights) len: u64,
    /// Whether they are UTF-8 text of which each character stands for one byte: protocol 2 has no
    /// bytes, so Python 3 writes them as text and has them encoded again.
    pub(in crate::weights) latin1: bool,
}

/// An array as numpy takes it apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::weights) struct Array {
    pub(in crate::weights) shape: Vec<usize>,
    /// `f4` and its like.
    pub(in crate::weights) dtype: String,
    pub(in crate::weights) big_endian: bool,
    pub(in crate::weights) fortran_order: bool,
    pub(in crate::weights) data: Option<Span>,
}

/// What the machine knows.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::weights) enum Object {
    None,
    Bool(bool),
    Int(i64),
    Float,
    Text(Span),
    Bytes(Span),
    /// A string of Python 2, which is text and bytes alike.
    String(Span),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Dtype {
        name: String,
        big_endian: bool,
    },
    /// Boxed: most objects are small, and a file may hold as many as it has bytes.
    Array(Box<Array>),
}

/// The only functions and classes that a file may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights) enum Global {
    /// `numpy.core.multiarray._reconstruct`, also of `numpy._core`.
    Reconstruct,
    /// `numpy.ndarray`.
    NdArray,
    /// `numpy.dtype`.
    Dtype,
    /// `_codecs.encode`, by which protocol 2 turns text into bytes.
    Encode,
    /// `tuple`, around the name and array of a `paddle.Tensor`.
    Tuple,
}

/// Why a file is not read.
#[derive(Debug)]
pub(in crate::weights) enum PickleError {
    /// The file cannot be read.
    Io(io::Error),
    /// The bytes are no pickle, or one that is cut off.
    Malformed(String),
    /// It names, or does, what no file of weights needs.
    Refused(String),
}

impl From<io::Error> for PickleError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Malformed("it ends in the middle".to_owned()),
            _ => Self::Io(error),
        }
    }
}

pub(super) type Result<T> = std::result::Result<T, PickleError>;

pub(super) fn malformed<T>(reason: &str) -> Result<T> {
    Err(PickleError::Malformed(reason.to_owned()))
}

pub(super) fn refused<T>(reason: String) -> Result<T> {
    Err(PickleError::Refused(reason))
}
