//! A checkpoint of any format, opened: which format a file is of is told by its content.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use burn_store::burn_pack::Tensor as PackTensor;
use burn_store::{ModuleStore as _, SafetensorsStore};

use super::error::WeightsError;
use super::fit::FittedCheckpoint;
use super::keras::{self, KerasFile};
use super::module_tensors::{ModuleTensor, Slot};
use super::{paddle, pytorch};

/// Named tensors in their framework's naming and layout, whose data is read when it is needed.
#[derive(Debug)]
pub struct Checkpoint {
    tensors: BTreeMap<String, PackTensor>,
    origin: String,
    /// What else a Keras file says, whose names are not those of the network.
    keras: Option<KerasFile>,
}

impl Checkpoint {
    /// Tensors that come from elsewhere than a file. `origin` says where, for messages.
    pub(crate) fn new(origin: String, tensors: impl IntoIterator<Item = PackTensor>) -> Self {
        let tensors = tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        Self { tensors, origin, keras: None }
    }

    /// Opens a checkpoint file, whose format is told by its content and not by its name.
    ///
    /// PyTorch's zip and legacy formats, safetensors, Keras's HDF5 files of every age and Paddle's
    /// `.pdparams` are read. A PyTorch training checkpoint's weights
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
        if keras::looks_like_keras(&start, path) {
            let keras = KerasFile::open(path)?;
            let checkpoint = Self::new(path.display().to_string(), keras.tensors().cloned());
            return Ok(Self { keras: Some(keras), ..checkpoint });
        }
        if paddle::looks_like_paddle(&start) {
            return Ok(Self::new(path.display().to_string(), paddle::open(path)?));
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

    /// The tensors as the file has them, in the order of their names.
    pub fn tensors(&self) -> impl Iterator<Item = &PackTensor> {
        self.tensors.values()
    }

    /// The checkpoint as the `ModuleStore` of a network with these tensors.
    ///
    /// # Errors
    /// [`WeightsError::Mismatch`], or [`WeightsError::KerasLayers`], unless the tensors are exactly the
    /// network's.
    pub(crate) fn fit(&self, slots: &[Slot]) -> Result<FittedCheckpoint, WeightsError> {
        let Some(keras) = &self.keras else {
            return FittedCheckpoint::new(&self.origin, &self.tensors, slots);
        };
        let network: Vec<&ModuleTensor> = slots.iter().map(|slot| &slot.tensor).collect();
        let tensors = keras.align(&network)?.into_iter().map(|tensor| (tensor.name.clone(), tensor));
        FittedCheckpoint::new(&self.origin, &tensors.collect(), slots)
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
