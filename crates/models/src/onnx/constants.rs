//! Where the values of a graph's parameters come from: tensors of the file, read when they are asked for, and what was computed
//! of them while the file was imported.

use std::collections::HashMap;
use std::sync::Arc;

use graph::{Parameter, Weights};

use super::error::OnnxError;
use super::file::{Elements, OnnxFile, TensorProto};
use crate::weights::{ReadOnce, WeightsError};

/// The values of a graph's parameters, by key.
#[derive(Debug, Clone)]
pub struct OnnxWeights {
    file: Arc<OnnxFile>,
    sources: HashMap<String, Source>,
}

/// Where a parameter's values come from.
#[derive(Debug, Clone)]
enum Source {
    /// An initialiser, by its place in the file.
    Initializer(usize),
    /// A tensor of a node.
    Attribute(Arc<TensorProto>),
    /// Those of another parameter.
    Same(String),
    /// Those of another parameter, a matrix of these axes, transposed.
    Transposed { of: String, axes: [usize; 2] },
    /// They were computed.
    Values(Arc<[f32]>),
}

impl OnnxWeights {
    pub(super) fn new(file: Arc<OnnxFile>) -> Self {
        Self { file, sources: HashMap::new() }
    }

    pub(super) fn add_initializer(&mut self, key: &str, index: usize) {
        self.sources.insert(key.to_owned(), Source::Initializer(index));
    }

    pub(super) fn add_attribute(&mut self, key: &str, tensor: TensorProto) {
        self.sources.insert(key.to_owned(), Source::Attribute(Arc::new(tensor)));
    }

    pub(super) fn add_values(&mut self, key: &str, values: Vec<f32>) {
        self.sources.insert(key.to_owned(), Source::Values(values.into()));
    }

    pub(super) fn add_same(&mut self, key: &str, of: &str) {
        self.sources.insert(key.to_owned(), Source::Same(of.to_owned()));
    }

    pub(super) fn add_transposed(&mut self, key: &str, of: &str, axes: [usize; 2]) {
        self.sources.insert(key.to_owned(), Source::Transposed { of: of.to_owned(), axes });
    }

    /// The values of the parameter called `key`.
    ///
    /// # Errors
    /// [`OnnxError`] where they cannot be had.
    pub(super) fn values(&self, key: &str) -> Result<Vec<f32>, OnnxError> {
        let mut key = key;
        // From a parameter to that which it is made of; each was made of an earlier one, so that this ends.
        let mut transposed = Vec::new();
        let values = loop {
            let source = self.sources.get(key);
            match source.ok_or_else(|| self.file.damaged(format!("there is no tensor `{key}`")))? {
                Source::Same(of) => key = of,
                Source::Transposed { of, axes } => {
                    transposed.push(*axes);
                    key = of;
                }
                Source::Values(values) => break values.to_vec(),
                Source::Initializer(index) => break self.floats(&self.file.graph().initializers[*index])?,
                Source::Attribute(tensor) => break self.floats(tensor)?,
            }
        };
        Ok(transposed.into_iter().rev().fold(values, |values, [rows, columns]| {
            (0..columns)
                .flat_map(|column| (0..rows).map(move |row| row * columns + column))
                .map(|place| values[place])
                .collect()
        }))
    }

    fn floats(&self, tensor: &TensorProto) -> Result<Vec<f32>, OnnxError> {
        match self.file.elements(tensor)? {
            Elements::Floats(values) => Ok(values),
            Elements::Ints(_) => Err(self.file.damaged(format!("`{}` holds integers", tensor.name))),
        }
    }
}

impl Weights for OnnxWeights {
    type Error = WeightsError;

    fn read(&mut self, parameter: &Parameter) -> Result<Vec<f32>, WeightsError> {
        let values = self.values(&parameter.key).map_err(|error| WeightsError::Onnx(Box::new(error)))?;
        if values.iter().any(|value| value.is_nan()) {
            return Err(WeightsError::NotFinite {
                origin: self.file.path().display().to_string(),
                tensors: vec![parameter.key.clone()],
            });
        }
        Ok(values)
    }
}

impl ReadOnce for OnnxWeights {
    fn origin(&self) -> String {
        self.file.path().display().to_string()
    }

    fn finish(self) -> Result<(), WeightsError> {
        self.file.check_unchanged().map_err(|error| WeightsError::Onnx(Box::new(error)))
    }
}
