//! Where the values of a graph's parameters come from: tensors of the file, read when they are asked for, and what was computed
//! of them while the file was imported.

use std::collections::HashMap;
use std::sync::Arc;

use graph::{Parameter, Weights};

use super::error::OnnxError;
use super::file::{Elements, OnnxFile, TensorProto, transpose};
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
    /// Those of another parameter, which are integers, less what stands for zero, times a scale.
    Dequantised { of: String, by: Arc<Dequantisation> },
    /// They were computed.
    Values(Arc<[f32]>),
}

/// What makes floating-point numbers of integers: a zero and a scale for all, or for each place along an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dequantisation {
    pub(super) zeros: Vec<f32>,
    pub(super) scales: Vec<f32>,
    /// How many elements the axis has of one place.
    pub(super) apart: usize,
}

impl Dequantisation {
    fn of(&self, mut values: Vec<f32>) -> Vec<f32> {
        for (index, value) in values.iter_mut().enumerate() {
            let place = index / self.apart.max(1);
            let at = |list: &[f32], none: f32| match list.len() {
                0 => none,
                len => list[place % len],
            };
            *value = (*value - at(&self.zeros, 0.0)) * at(&self.scales, 1.0);
        }
        values
    }
}

impl OnnxWeights {
    pub(super) fn new(file: Arc<OnnxFile>) -> Self {
        Self { file, sources: HashMap::new() }
    }

    /// Whether a parameter is called so.
    pub(super) fn has(&self, key: &str) -> bool {
        self.sources.contains_key(key)
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

    pub(super) fn add_dequantised(&mut self, key: &str, of: &str, by: Dequantisation) {
        self.sources.insert(key.to_owned(), Source::Dequantised { of: of.to_owned(), by: Arc::new(by) });
    }

    /// The values of the parameter called `key`.
    ///
    /// # Errors
    /// [`OnnxError`] where they cannot be had.
    pub(super) fn values(&self, key: &str) -> Result<Vec<f32>, OnnxError> {
        let mut key = key;
        // From a parameter to that which it is made of; each was made of an earlier one, so that this ends.
        let mut changes: Vec<&Source> = Vec::new();
        let transposed_first = |changes: &mut Vec<&Source>, tensor: &TensorProto| match changes.last() {
            Some(Source::Transposed { axes, .. }) => {
                let read = self.file.transposed(tensor, *axes)?;
                if read.is_some() {
                    changes.pop();
                }
                Ok(read)
            }
            _ => Ok(None),
        };
        let values = loop {
            let source = self.sources.get(key);
            match source.ok_or_else(|| self.file.damaged(format!("there is no tensor `{key}`")))? {
                Source::Same(of) => key = of,
                change @ (Source::Transposed { of, .. } | Source::Dequantised { of, .. }) => {
                    changes.push(change);
                    key = of;
                }
                Source::Values(values) => break values.to_vec(),
                Source::Initializer(index) => {
                    let tensor = &self.file.graph().initializers[*index];
                    break match transposed_first(&mut changes, tensor)? {
                        Some(values) => values,
                        None => self.floats(tensor)?,
                    };
                }
                Source::Attribute(tensor) => break self.floats(tensor)?,
            }
        };
        Ok(changes.into_iter().rev().fold(values, |values, change| match change {
            Source::Transposed { axes, .. } => transposed(&values, *axes),
            Source::Dequantised { by, .. } => by.of(values),
            _ => values,
        }))
    }

    fn floats(&self, tensor: &TensorProto) -> Result<Vec<f32>, OnnxError> {
        match self.file.elements(tensor)? {
            Elements::Floats(values) => Ok(values),
            Elements::Ints(values) if tensor.element.small_integers().is_some() => {
                Ok(values.into_iter().map(|value| value as f32).collect())
            }
            Elements::Ints(_) => Err(self.file.damaged(format!("`{}` holds integers", tensor.name))),
        }
    }
}

fn transposed(values: &[f32], [rows, columns]: [usize; 2]) -> Vec<f32> {
    let mut to = vec![0.0; rows * columns];
    transpose(values, columns, (rows, 0), &mut to);
    to
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
