//! A checkpoint of any format, opened: which format a file is of is told by its content.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use burn_store::burn_pack::Tensor as PackTensor;
use dataset::guard::guarded_or;
use dataset::regular::{Cursor, RegularFile};

use super::error::WeightsError;
use super::fit::FittedCheckpoint;
use super::keras::{self, KerasFile};
use super::module_tensors::{ModuleTensor, Slot};
use super::{paddle, pytorch, safetensors, torchscript};

/// Named tensors in their framework's naming and layout, whose data is read when it is needed.
#[derive(Debug)]
pub struct Checkpoint {
    tensors: BTreeMap<String, PackTensor>,
    origin: String,
    /// What was in front of every name and was taken off, such as `module.`.
    prefix: Option<String>,
    /// What else a Keras file says, whose names are not those of the network.
    keras: Option<KerasFile>,
}

/// How a program's wrappers call the network inside them: data-parallel training (`module.`; Paddle's `_layers.`),
/// `torch.compile` (`_orig_mod.`), and the attribute in which training frameworks keep it (`model.`, `net.`).
const WRAPPERS: [&str; 5] = ["module.", "_orig_mod.", "model.", "net.", "_layers."];

impl Checkpoint {
    /// Tensors that come from elsewhere than a file. `origin` says where, for messages.
    pub(crate) fn new(origin: String, tensors: impl IntoIterator<Item = PackTensor>) -> Self {
        let mut tensors: Vec<PackTensor> = tensors.into_iter().collect();
        let prefix = take_off_wrappers(&mut tensors);
        let tensors = tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        Self { tensors, origin, prefix, keras: None }
    }

    /// Opens a checkpoint file, whose format is told by its content and not by its name.
    ///
    /// PyTorch's zip and legacy formats, safetensors, Keras's HDF5 files of every age and Paddle's
    /// `.pdparams` are read. A PyTorch training checkpoint's weights
    /// are found as timm finds them: `state_dict_ema`, `model_ema`, `state_dict`, `model`. What wrappers put before every
    /// name is taken off ([`Checkpoint::prefix`]).
    ///
    /// # Errors
    /// [`WeightsError`] for what is no regular file, a file that cannot be read, is of no known format, is damaged or
    /// holds no weights.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let file =
            RegularFile::open(path).map_err(|source| WeightsError::Io { path: path.to_owned(), source })?;
        Self::read(&Arc::new(file))
    }

    /// [`Checkpoint::open`] of a file that is open already: all tensors are read from that very file, whatever happens to
    /// its name.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn read(file: &Arc<RegularFile>) -> Result<Self, WeightsError> {
        guarded_or(
            || Self::of_any_format(file),
            |panic| WeightsError::Damaged {
                path: file.path().to_owned(),
                format: "a checkpoint",
                reason: format!("its reader failed ({panic})"),
            },
        )
    }

    fn of_any_format(file: &Arc<RegularFile>) -> Result<Self, WeightsError> {
        let path = file.path();
        let mut start = Vec::new();
        Cursor::new(Arc::clone(file))
            .take(512)
            .read_to_end(&mut start)
            .map_err(|source| WeightsError::Io { path: path.to_owned(), source })?;
        let origin = || path.display().to_string();
        if safetensors::looks_like_one(&start) {
            return Ok(Self::new(origin(), safetensors::open(file)?));
        }
        if keras::looks_like_keras(&start, file) {
            let keras = KerasFile::open(file)?;
            let tensors = keras.tensors().map(|tensor| (tensor.name.clone(), tensor.clone())).collect();
            return Ok(Self { tensors, origin: origin(), prefix: None, keras: Some(keras) });
        }
        if paddle::looks_like_paddle(&start) {
            return Ok(Self::new(origin(), paddle::open(file)?));
        }
        if let Some(looks_like) = looks_foreign(&start) {
            return Err(WeightsError::UnknownFormat { path: path.to_owned(), looks_like });
        }
        if torchscript::looks_like_one(&start, file) {
            return Err(WeightsError::TorchScript { path: path.to_owned() });
        }
        let (origin, tensors) = pytorch::open(file)?;
        Ok(Self::new(origin, tensors))
    }

    /// What stood before every name of the file and was taken off: `module.` and the like, as many as there were.
    pub fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// Where the tensors come from: a path and, in a training checkpoint, the key.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The tensors as the file has them, in the order of their names.
    pub fn tensors(&self) -> impl Iterator<Item = &PackTensor> {
        self.tensors.values()
    }

    /// The checkpoint as the weights of a network with these tensors.
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

/// Takes off what wrappers put before every name. A prefix that only some names have stays: which tensors are the
/// network's is not for a reader to guess.
fn take_off_wrappers(tensors: &mut [PackTensor]) -> Option<String> {
    let mut taken = String::new();
    let before_all = |tensors: &[PackTensor], wrapper: &str| {
        !tensors.is_empty() && tensors.iter().all(|tensor| tensor.name.starts_with(wrapper))
    };
    while let Some(wrapper) = WRAPPERS.into_iter().find(|wrapper| before_all(tensors, wrapper)) {
        tensors.iter_mut().for_each(|tensor| tensor.name.replace_range(..wrapper.len(), ""));
        taken += wrapper;
    }
    Some(taken).filter(|taken| !taken.is_empty())
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
