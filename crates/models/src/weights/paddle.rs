//! Paddle's `.pdparams`: a pickled dictionary of numpy arrays.
//!
//! Two kinds are about: name to array, in Paddle 2.0 and 2.1 with the table
//! `StructuredToParameterName@@` beside (`paddle.save` of a state dict), and name to a tuple of the
//! parameter's name and the array (`paddle.save` of anything else since 2.1). See [`super::pickle`] for
//! how little of a pickle is understood, on purpose.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use burn::tensor::{DType, Shape, TensorData, f16};
use burn_store::bridge;
use burn_store::burn_pack::{Error as PackError, Tensor as PackTensor};
use dataset::regular::{Cursor, RegularFile};

use super::error::WeightsError;
use super::framework::gather;
use super::pickle::{Array, Id, Object, Pickle, PickleError, Span};

/// The table of parameter names that Paddle 2.0 and 2.1 save with a state dict.
const NAME_TABLE: &str = "StructuredToParameterName@@";

/// Where `paddle.save` notes that it cut up arrays of over a gigabyte.
const BIG_PARAMETERS: &str = "UnpackBigParamInfor@@";

/// Whether a file that begins like this is a pickle, and not one of PyTorch's legacy format: that begins
/// with a magic number of ten bytes.
pub(super) fn looks_like_paddle(start: &[u8]) -> bool {
    const LONG1: u8 = 0x8a;
    matches!(start, [0x80, 2..=5, next, rest @ ..] if !(*next == LONG1 && rest.first() == Some(&10)))
}

/// The arrays of a file by their names in the network, data unread.
pub(super) fn open(file: &Arc<RegularFile>) -> Result<Vec<PackTensor>, WeightsError> {
    let path = || file.path().to_owned();
    read(file).map_err(|error| match error {
        PickleError::Io(source) => WeightsError::Io { path: path(), source },
        PickleError::Malformed(reason) => {
            WeightsError::Damaged { path: path(), format: "a Paddle file (.pdparams)", reason }
        }
        PickleError::Refused(reason) => WeightsError::Refused { path: path(), reason },
    })
}

fn read(file: &Arc<RegularFile>) -> Result<Vec<PackTensor>, PickleError> {
    let input = BufReader::new(Cursor::new(Arc::clone(file)));
    let (mut pickle, root) = Pickle::parse(input, file.size_bytes())?;
    let Object::Dict(entries) = pickle.object(root).clone() else {
        return Err(PickleError::Refused("it is not a dictionary of arrays".to_owned()));
    };
    let mut tensors: Vec<PackTensor> = Vec::with_capacity(entries.len());
    let mut names = std::collections::HashSet::new();
    for (key, value) in entries {
        let Some(name) = pickle.name(key)? else {
            return Err(PickleError::Refused("a key of its dictionary is no name".to_owned()));
        };
        match name.as_str() {
            NAME_TABLE => continue,
            BIG_PARAMETERS => {
                return Err(PickleError::Refused(
                    "it holds arrays of over a gigabyte in parts, which no network here has".to_owned(),
                ));
            }
            _ => {}
        }
        let Some(array) = array(&pickle, value) else {
            return Err(PickleError::Refused(format!("its `{name}` is no array")));
        };
        if !names.insert(name.clone()) {
            return Err(PickleError::Malformed(format!("it has `{name}` twice")));
        }
        tensors.push(tensor(file, name, array.clone())?);
    }
    Ok(tensors)
}

/// The array of an entry: the value itself, or the second of a tuple.
fn array(pickle: &Pickle<BufReader<Cursor>>, value: Id) -> Option<&Array> {
    match pickle.object(value) {
        Object::Array(array) => Some(array),
        Object::Tuple(pair) => match (pickle.object(*pair.first()?), pickle.object(*pair.get(1)?)) {
            (Object::Text(_) | Object::String(_), Object::Array(array)) if pair.len() == 2 => Some(array),
            _ => None,
        },
        _ => None,
    }
}

fn tensor(file: &Arc<RegularFile>, name: String, array: Array) -> Result<PackTensor, PickleError> {
    let width: u64 = match array.dtype.as_str() {
        "f2" => 2,
        "f4" => 4,
        "f8" => 8,
        // Paddle keeps bfloat16 as u2.
        other => {
            return Err(PickleError::Refused(format!(
                "`{name}` is of numpy's type {other}; f2, f4 and f8 are read here"
            )));
        }
    };
    if array.big_endian {
        return Err(PickleError::Refused(format!("`{name}` is big-endian, which Paddle does not write")));
    }
    let contradicts = || PickleError::Malformed(format!("the shape of `{name}` contradicts its data"));
    let span = array.data.ok_or_else(contradicts)?;
    let bytes = array.shape.iter().try_fold(width, |bytes, &side| bytes.checked_mul(side as u64));
    let bytes = bytes.ok_or_else(contradicts)?;
    // As text, a byte takes one or two.
    let plausible =
        if span.latin1 { (bytes..=bytes.saturating_mul(2)).contains(&span.len) } else { bytes == span.len };
    if !plausible {
        return Err(contradicts());
    }
    let (file, shape) = (Arc::clone(file), Shape::from(array.shape.clone()));
    Ok(bridge::deferred(name, DType::F32, shape, None, move || {
        let raw = bytes_of(&file, span, bytes as usize)
            .map_err(|error| PackError::IoError(format!("{}: {error}", file.path().display())))?;
        let values = floats(&raw, width);
        Ok(TensorData::new(in_c_order(values, &array), array.shape.clone()))
    }))
}

/// The bytes at `span`, `len` of them once decoded.
fn bytes_of(file: &Arc<RegularFile>, span: Span, len: usize) -> io::Result<Vec<u8>> {
    if !span.latin1 {
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, span.offset)?;
        return Ok(bytes);
    }
    let mut file = Cursor::new(Arc::clone(file));
    file.seek(SeekFrom::Start(span.offset))?;
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "an array's text does not stand for bytes");
    let mut bytes = Vec::with_capacity(len);
    let mut text = BufReader::with_capacity(1 << 16, file.take(span.len)).bytes();
    while let Some(byte) = text.next().transpose()? {
        bytes.push(match byte {
            0..0x80 => byte,
            // U+0080 to U+00FF in two bytes.
            0xc2 | 0xc3 => match text.next().transpose()? {
                Some(low @ 0x80..0xc0) => byte << 6 | low & 0x3f,
                _ => return Err(invalid()),
            },
            _ => return Err(invalid()),
        });
    }
    if bytes.len() == len { Ok(bytes) } else { Err(invalid()) }
}

/// Little-endian floats of `width` bytes as f32.
fn floats(raw: &[u8], width: u64) -> Vec<f32> {
    match width {
        2 => raw.as_chunks().0.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f32()).collect(),
        4 => raw.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        _ => raw.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32).collect(),
    }
}

fn in_c_order(values: Vec<f32>, array: &Array) -> Vec<f32> {
    if !array.fortran_order || array.shape.len() < 2 {
        return values;
    }
    let strides = array.shape.iter().scan(1, |stride, side| {
        let this = *stride;
        *stride *= side;
        Some(this)
    });
    gather(&values, &array.shape, &strides.collect::<Vec<usize>>())
}
