//! PyTorch checkpoints: finds the state dict in what `torch.save` wrote.
//!
//! Burn's reader parses the zip, legacy and tar containers without executing what the pickle names
//! and gives every tensor by its dotted path. What is left to do here is what timm's
//! `load_state_dict` (`timm/models/helpers.py`) does: choose among the state dicts of a training
//! checkpoint.

use std::path::Path;
use std::sync::Arc;

use burn_store::bridge;
use burn_store::burn_pack::Tensor as PackTensor;
use burn_store::pytorch_reader::{PytorchError, PytorchReader};
use dataset::regular::RegularFile;

use super::error::WeightsError;

/// Keys of a training checkpoint that hold weights, the preferred first: the moving average is
/// what gets published and evaluated.
const STATE_KEYS: [&str; 4] = ["state_dict_ema", "model_ema", "state_dict", "model"];

/// The weights in a file that `torch.save` wrote, and where they come from: the path and, in a training checkpoint, the key.
pub(super) fn open(file: &Arc<RegularFile>) -> Result<(String, Vec<PackTensor>), WeightsError> {
    let path = file.path();
    // The reader opens files itself.
    let name = file.name_for_libraries();
    let reader = PytorchReader::new(&name).map_err(|error| match error {
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
    // From here on it reads by the handle that it has opened.
    let tensors = reader.into_tensors().into_values().map(bridge::from_pytorch).collect();
    let state = find_state(path, &name, tensors);
    // Where names are all there is to open a file by, another may have come in between.
    match file.is_at(&name) {
        true => state,
        false => Err(WeightsError::Changed { path: path.to_owned() }),
    }
}

/// Keeps the weights among all tensors of a file, and says where they were. `name` is what the file is opened by.
fn find_state(
    path: &Path,
    name: &Path,
    tensors: Vec<PackTensor>,
) -> Result<(String, Vec<PackTensor>), WeightsError> {
    let within = |key: &str, name: &str| name.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
    // By its tensors' dotted paths alone, a dictionary under `model` is not told from names that begin with `model.`.
    let is_dictionary = |key: &str| PytorchReader::read_pickle_data(name, Some(key)).is_ok();
    let key = STATE_KEYS
        .into_iter()
        .find(|key| tensors.iter().any(|tensor| within(key, &tensor.name)) && is_dictionary(key));
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
    Ok((origin, state))
}
