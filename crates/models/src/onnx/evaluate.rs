//! A file's outputs for given inputs, computed at once: how the standard's own tests of single nodes are run. All goes the way that
//! constants go in a classifier.

use std::path::Path;
use std::sync::Arc;

use dataset::guard::guarded_or;
use dataset::regular::RegularFile;

use super::error::OnnxError;
use super::file::{ElementType, Elements, OnnxFile, read_tensor};

/// A tensor with its elements.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxTensor {
    /// Its name, which may be empty.
    pub name: String,
    /// Its axes.
    pub axes: Vec<usize>,
    /// Its elements, the last axis fastest.
    pub values: OnnxValues,
}

/// Elements of a tensor.
#[derive(Debug, Clone, PartialEq)]
pub enum OnnxValues {
    /// Floating-point numbers, in f32.
    Floats(Vec<f32>),
    /// Integers, or 0 and 1, and of which type.
    Ints(Vec<i64>, ElementType),
}

impl OnnxTensor {
    /// Reads a file that holds one tensor (`TensorProto`).
    ///
    /// # Errors
    /// [`OnnxError`] where it is none.
    pub fn open(path: &Path) -> Result<Self, OnnxError> {
        let io = |source| OnnxError::Io { path: path.to_owned(), source };
        let file = Arc::new(RegularFile::open(path).map_err(io)?);
        let damaged = |reason| OnnxError::Damaged { path: path.to_owned(), reason };
        guarded_or(
            || {
                let (tensor, axes, elements) = read_tensor(&file)?;
                let values = match elements {
                    Elements::Floats(values) => OnnxValues::Floats(values),
                    Elements::Ints(values) => OnnxValues::Ints(values, tensor.element),
                };
                Ok(Self { name: tensor.name, axes, values })
            },
            |panic| damaged(format!("its reader failed ({panic})")),
        )
    }
}

impl OnnxFile {
    /// What the file makes of `inputs`, in the order of its own; an input that is left out has an empty name.
    ///
    /// # Errors
    /// [`OnnxError`] where a node is not supported.
    pub fn evaluate(self: &Arc<Self>, inputs: Vec<OnnxTensor>) -> Result<Vec<OnnxTensor>, OnnxError> {
        guarded_or(
            || super::import::evaluate(self, inputs),
            |panic| self.damaged(format!("its importer failed ({panic})")),
        )
    }
}
