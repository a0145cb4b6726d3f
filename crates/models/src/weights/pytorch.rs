//! PyTorch checkpoints: finds the state dict in what `torch.save` wrote.
//!
//! Burn's reader parses the zip, legacy and tar containers without executing what the pickle names
//! and gives every tensor by its dotted path. What is left to do here is what timm's
//! `load_state_dict` (`timm/models/helpers.py`) does: choose among the state dicts of a training
//! checkpoint, and take `module.` off.

use std::path::Path;

use burn_store::bridge;
use burn_store::burn_pack::Tensor as PackTensor;
use burn_store::pytorch_reader::{PytorchError, PytorchReader};

use super::checkpoint::Checkpoint;
use super::error::WeightsError;

/// Keys of a training checkpoint that hold weights, the preferred first: the moving average is
/// what gets published and evaluated.
const STATE_KEYS: [&str; 4] = ["state_dict_ema", "model_ema", "state_dict", "model"];

/// Opens a file written by `torch.save`.
pub(super) fn open(path: &Path) -> Result<Checkpoint, WeightsError> {
    let reader = PytorchReader::new(path).map_err(|error| match error {
        PytorchError::InvalidFormat(reason) if reason.starts_with("not a PyTorch checkpoint") => {
            WeightsError::UnknownFormat {
                path: path.to_owned(),
                looks_like: "begins like no format that is known here".to_owned(),
            }
        }
        error => WeightsError::Damaged {
            path: path.to_owned(),
            format: "a PyTorch checkpoint",
            reason: error.to_string(),
        },
    })?;
    unwrap_state(path, reader.into_tensors().into_values().map(bridge::from_pytorch).collect())
}

/// Keeps the weights among all tensors of a file and names them as the network does.
pub(super) fn unwrap_state(path: &Path, tensors: Vec<PackTensor>) -> Result<Checkpoint, WeightsError> {
    let within = |key: &str, name: &str| name.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
    let key = STATE_KEYS.into_iter().find(|key| tensors.iter().any(|tensor| within(key, &tensor.name)));
    let mut origin = path.display().to_string();
    let mut state = tensors;
    if let Some(key) = key {
        origin += &format!(" (its `{key}`)");
        state.retain(|tensor| within(key, &tensor.name));
        state.iter_mut().for_each(|tensor| tensor.name.replace_range(..=key.len(), ""));
    }
    if state.is_empty() {
        return Err(WeightsError::NoTensors { path: path.to_owned() });
    }
    const PARALLEL: &str = "module.";
    if state.iter().all(|tensor| tensor.name.starts_with(PARALLEL)) {
        state.iter_mut().for_each(|tensor| tensor.name.replace_range(..PARALLEL.len(), ""));
    }
    Ok(Checkpoint::new(origin, state))
}
