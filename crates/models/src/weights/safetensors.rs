//! safetensors: a JSON header that says where each tensor lies, and their bytes.
//!
//! The header is read and checked by the format's own crate, the tensors by the file's one handle: mapped into memory, a
//! file that somebody cuts short would end the process.

use std::sync::Arc;

use burn::tensor::{BoolStore, Bytes, DType, Shape, TensorData};
use burn_store::bridge;
use burn_store::burn_pack::{Error as PackError, Tensor as PackTensor};
use dataset::regular::RegularFile;
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::error::WeightsError;

/// Bytes of the number before the header: its length, little-endian.
const LENGTH_BYTES: u64 = 8;

/// Whether a file that begins like this is one: the length of a header of less than 2^48 bytes, and its `{`.
pub(super) fn looks_like_one(start: &[u8]) -> bool {
    start.len() > 8 && start[8] == b'{' && start[6..8] == [0, 0]
}

/// The tensors of a file, data unread.
pub(super) fn open(file: &Arc<RegularFile>) -> Result<Vec<PackTensor>, WeightsError> {
    read(file).map_err(|reason| WeightsError::Damaged {
        path: file.path().to_owned(),
        format: "safetensors",
        reason,
    })
}

fn read(file: &Arc<RegularFile>) -> Result<Vec<PackTensor>, String> {
    let mut length = [0; LENGTH_BYTES as usize];
    file.read_exact_at(&mut length, 0).map_err(|error| error.to_string())?;
    let length = u64::from_le_bytes(length);
    let data = LENGTH_BYTES.checked_add(length).filter(|&data| data <= file.size_bytes());
    let data = data.ok_or_else(|| format!("its header of {length} bytes is longer than the file"))?;
    let mut header = vec![0; length as usize];
    file.read_exact_at(&mut header, LENGTH_BYTES).map_err(|error| error.to_string())?;
    let metadata: Metadata =
        serde_json::from_slice(&header).map_err(|error| format!("its header is not understood: {error}"))?;
    // That tensors lie one after the other, each as large as its shape, was checked as the header was understood.
    let (declared, there) = (metadata.data_len() as u64, file.size_bytes() - data);
    if declared != there {
        return Err(format!("its tensors have {declared} bytes, and {there} are there"));
    }
    metadata
        .tensors()
        .into_iter()
        .map(|(name, info)| {
            let (start, stop) = info.data_offsets;
            let (offset, len) = (data + start as u64, stop - start);
            let dtype = dtype(info.dtype)
                .ok_or_else(|| format!("`{name}` is of the type {:?}, which is not read here", info.dtype))?;
            let (file, shape) = (Arc::clone(file), Shape::from(info.shape.clone()));
            Ok(bridge::deferred(name, dtype, shape.clone(), None, move || {
                let mut bytes = vec![0; len];
                file.read_exact_at(&mut bytes, offset)
                    .map_err(|error| PackError::IoError(format!("{}: {error}", file.path().display())))?;
                Ok(TensorData::from_bytes(Bytes::from_bytes_vec(bytes), shape.clone(), dtype))
            }))
        })
        .collect()
}

/// Burn's type of the same numbers.
fn dtype(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::I64 => DType::I64,
        Dtype::I32 => DType::I32,
        Dtype::I16 => DType::I16,
        Dtype::I8 => DType::I8,
        Dtype::U64 => DType::U64,
        Dtype::U32 => DType::U32,
        Dtype::U8 => DType::U8,
        Dtype::BOOL => DType::Bool(BoolStore::Native),
        _ => return None,
    })
}
