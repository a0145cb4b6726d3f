//! A checkpoint of any format as Burn's `ModuleStore`, applied strictly.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use burn::tensor::DType;
use burn_store::burn_pack::Tensor as PackTensor;
use burn_store::{
    ApplyResult, FloatCastAdapter, ModuleAdapter, ModuleSnapshot, ModuleStore, PyTorchToBurnAdapter,
    SafetensorsStore,
};
use sha2::{Digest, Sha256};

use super::error::{ShapeMismatch, WeightsError};
use super::module_tensors::{ModuleTensor, module_tensors, unusable_tensors};
use super::pytorch;

/// The only tensors that a PyTorch checkpoint may hold beyond the network's: how often each batch
/// normalisation was updated in training.
const IGNORED_SUFFIX: &str = "num_batches_tracked";

/// Named tensors in PyTorch's naming and layout, whose data is read when it is needed.
#[derive(Debug)]
pub struct Checkpoint {
    tensors: BTreeMap<String, PackTensor>,
    origin: String,
}

impl Checkpoint {
    /// Tensors that come from elsewhere than a file. `origin` says where, for messages.
    pub(crate) fn new(origin: String, tensors: impl IntoIterator<Item = PackTensor>) -> Self {
        let tensors = tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        Self { tensors, origin }
    }

    /// Opens a checkpoint file, whose format is told by its content and not by its name.
    ///
    /// PyTorch's zip and legacy formats and safetensors are read. A training checkpoint's weights
    /// are found as timm finds them: `state_dict_ema`, `model_ema`, `state_dict`, `model`; a
    /// `module.` before every name (from data-parallel training) is taken off.
    ///
    /// # Errors
    /// [`WeightsError`] for a file that cannot be read, is of no known format, is damaged or holds
    /// no weights.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let io_error = |source| WeightsError::Io { path: path.to_owned(), source };
        let mut start = Vec::new();
        let file = File::open(path).map_err(io_error)?;
        // Opening a folder succeeds on Linux; reading it is what fails.
        file.take(512).read_to_end(&mut start).map_err(io_error)?;
        if is_safetensors(&start) {
            let mut store = SafetensorsStore::from_file(path);
            let tensors = store.get_all_tensors().map_err(|error| WeightsError::Damaged {
                path: path.to_owned(),
                format: "safetensors",
                reason: error.to_string(),
            })?;
            let tensors = tensors.values().cloned().collect();
            return pytorch::unwrap_state(path, tensors);
        }
        if let Some(looks_like) = looks_foreign(&start) {
            return Err(WeightsError::UnknownFormat { path: path.to_owned(), looks_like });
        }
        pytorch::open(path)
    }

    /// Where the tensors come from: a path and, in a training checkpoint, the key.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Accepts exactly the tensors of a network, and update counters.
    fn check(&self, network: &[ModuleTensor]) -> Result<(), WeightsError> {
        let (mut missing, mut shapes) = (Vec::new(), Vec::new());
        for expected in network {
            match self.tensors.get(&expected.name) {
                None => missing.push(expected.name.clone()),
                Some(found) if found.shape[..] != expected.shape[..] => shapes.push(ShapeMismatch {
                    name: expected.name.clone(),
                    expected: expected.shape.clone(),
                    found: found.shape.to_vec(),
                }),
                Some(_) => {}
            }
        }
        let known: HashSet<&str> = network.iter().map(|tensor| tensor.name.as_str()).collect();
        let strange = |name: &&String| !known.contains(name.as_str()) && !name.ends_with(IGNORED_SUFFIX);
        let unexpected: Vec<String> = self.tensors.keys().filter(strange).cloned().collect();
        if missing.is_empty() && shapes.is_empty() && unexpected.is_empty() {
            return Ok(());
        }
        Err(WeightsError::Mismatch {
            origin: self.origin.clone(),
            expected: network.len(),
            matching: network.len() - missing.len() - shapes.len(),
            missing,
            unexpected,
            shapes,
        })
    }
}

/// A safetensors file starts with the little-endian length of its JSON header.
fn is_safetensors(start: &[u8]) -> bool {
    start.len() > 8 && start[8] == b'{' && start[6..8] == [0, 0]
}

/// What a file that is certainly no PyTorch checkpoint looks like.
fn looks_foreign(start: &[u8]) -> Option<String> {
    let text = |looks_like: &str| Some(looks_like.to_owned());
    match start {
        [] => text("is empty (0 bytes)"),
        [0x89, b'H', b'D', b'F', ..] => text("is HDF5 (a Keras file?)"),
        [0x1f, 0x8b, ..] => text("is compressed by gzip (unpack it first)"),
        [b'<', ..] => text("looks like a web page (a failed download?)"),
        start if start.iter().all(|&byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => {
            let line = String::from_utf8_lossy(start);
            let line: String = line.lines().next().unwrap_or_default().chars().take(40).collect();
            Some(format!("is a text file that begins with \"{line}\""))
        }
        _ => None,
    }
}

/// SHA-256 of a file, in lower-case hexadecimal.
///
/// # Errors
/// [`WeightsError::Io`] when the file cannot be read.
pub fn sha256_file(path: &Path) -> Result<String, WeightsError> {
    let io_error = |source| WeightsError::Io { path: path.to_owned(), source };
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path).map_err(io_error)?, &mut hasher).map_err(io_error)?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

impl ModuleStore for Checkpoint {
    type Error = WeightsError;

    fn collect_from<M: ModuleSnapshot>(&mut self, _module: &M) -> Result<(), WeightsError> {
        Err(WeightsError::ReadOnly)
    }

    fn apply_to<M: ModuleSnapshot>(&mut self, module: &mut M) -> Result<ApplyResult, WeightsError> {
        self.check(&module_tensors(module))?;
        // Half-precision checkpoints are widened: the networks compute in f32.
        let adapter = PyTorchToBurnAdapter.chain(FloatCastAdapter::to(DType::F32));
        let tensors = self.tensors.values().cloned().collect();
        let result = module.apply(tensors, None, Some(Box::new(adapter)), true);
        // Names and shapes were right, so what is left is data that could not be read or used.
        if result.errors.is_empty() && result.missing.is_empty() && result.skipped.is_empty() {
            let tensors = unusable_tensors(module);
            if tensors.is_empty() {
                return Ok(result);
            }
            return Err(WeightsError::NotFinite { origin: self.origin.clone(), tensors });
        }
        let missing = result.missing.iter().map(|(path, _)| format!("{path} was not filled"));
        let reasons = result.errors.iter().map(ToString::to_string).chain(missing).collect();
        Err(WeightsError::Unusable { origin: self.origin.clone(), reasons })
    }

    fn get_tensor(&mut self, name: &str) -> Result<Option<&PackTensor>, WeightsError> {
        Ok(self.tensors.get(name))
    }

    fn get_all_tensors(&mut self) -> Result<&BTreeMap<String, PackTensor>, WeightsError> {
        Ok(&self.tensors)
    }

    fn keys(&mut self) -> Result<Vec<String>, WeightsError> {
        Ok(self.tensors.keys().cloned().collect())
    }
}
