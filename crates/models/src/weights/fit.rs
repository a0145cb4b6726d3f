//! A checkpoint matched, tensor by tensor, with the network that it is to fill.

use std::collections::{BTreeMap, HashMap, HashSet};

use burn_store::bridge;
use burn_store::burn_pack::{Error as PackError, Tensor as PackTensor};
use dataset::guard::guarded_or;
use graph::{Parameter, Role, Weights};

use super::error::{Prefixed, ShapeMismatch, WeightsError};
use super::module_tensors::Slot;

/// The only tensors that a PyTorch checkpoint may hold beyond the network's: how often each batch
/// normalisation was updated in training.
const IGNORED_SUFFIX: &str = "num_batches_tracked";

/// Weights of a file that are read once, and about which something is to be said only then.
pub(crate) trait ReadOnce: Weights<Error = WeightsError> {
    /// Where they come from, for messages.
    fn origin(&self) -> String;

    /// To be called when all were read.
    ///
    /// # Errors
    /// [`WeightsError`] where they cannot be relied on.
    fn finish(self) -> Result<(), WeightsError>;
}

/// Exactly the tensors of one network, under the keys and in the layouts of its graph. Data is read, widened to f32 and
/// rearranged a tensor at a time, when it is asked for; each can be read once.
#[derive(Debug)]
pub struct FittedCheckpoint {
    /// By key; `None` once it was read.
    tensors: HashMap<String, Option<(PackTensor, Slot)>>,
    origin: String,
    /// Tensors with a value that is not finite, or a variance below zero. Found here, that costs a
    /// moment; found in the outputs, an evaluation.
    unusable: Vec<String>,
}

impl FittedCheckpoint {
    /// Accepts exactly the tensors of a network, and update counters.
    pub(super) fn new(
        origin: &str,
        found: &BTreeMap<String, PackTensor>,
        slots: &[Slot],
    ) -> Result<Self, WeightsError> {
        check(origin, found, slots)?;
        let tensors = slots.iter().filter_map(|slot| {
            let tensor = found.get(&slot.tensor.name)?.clone();
            Some((slot.parameter.key.clone(), Some((tensor, slot.clone()))))
        });
        Ok(Self { tensors: tensors.collect(), origin: origin.to_owned(), unusable: Vec::new() })
    }

    /// To be called when the network has read all it reads.
    ///
    /// # Errors
    /// [`WeightsError`] if a weight was not read, or one that was is not usable.
    pub fn finish(self) -> Result<(), WeightsError> {
        let left = self.tensors.into_values().flatten();
        let mut unread: Vec<String> =
            left.map(|(tensor, _)| format!("{} was not read", tensor.name)).collect();
        if !unread.is_empty() {
            unread.sort();
            return Err(WeightsError::Unusable { origin: self.origin, reasons: unread });
        }
        if !self.unusable.is_empty() {
            return Err(WeightsError::NotFinite { origin: self.origin, tensors: self.unusable });
        }
        Ok(())
    }
}

impl ReadOnce for FittedCheckpoint {
    fn origin(&self) -> String {
        self.origin.clone()
    }

    fn finish(self) -> Result<(), WeightsError> {
        self.finish()
    }
}

impl Weights for FittedCheckpoint {
    type Error = WeightsError;

    fn read(&mut self, parameter: &Parameter) -> Result<Vec<f32>, WeightsError> {
        let tensor = self.tensors.get_mut(&parameter.key).and_then(Option::take);
        let (tensor, slot) = tensor.ok_or_else(|| WeightsError::Unusable {
            origin: self.origin.clone(),
            reasons: vec![format!("the network reads {} twice", parameter.key)],
        })?;
        let bytes = bytes_to_read(parameter.len());
        if !memory::can_have(bytes) {
            return Err(WeightsError::OutOfMemory { origin: self.origin.clone(), bytes });
        }
        let values = values(&tensor).map_err(|reason| WeightsError::Unusable {
            origin: self.origin.clone(),
            reasons: vec![reason],
        })?;
        let usable = |&value: &f32| value.is_finite() && (parameter.role != Role::Variance || value >= 0.0);
        if !values.iter().all(usable) {
            self.unusable.push(slot.tensor.name.clone());
        }
        Ok(slot.layout.rearrange(values, &slot.parameter.shape))
    }
}

/// Bytes that reading a tensor of `len` values takes: as the file has it, as numbers, rearranged, and what readers keep besides.
fn bytes_to_read(len: usize) -> usize {
    const BESIDES: usize = 1 << 20;
    len.saturating_mul(3 * size_of::<f32>()).saturating_add(BESIDES)
}

/// The values of a checkpoint's tensor. Half precision is widened: networks compute in f32.
fn values(tensor: &PackTensor) -> Result<Vec<f32>, String> {
    let data = guarded_or(|| bridge::to_data(tensor), PackError::ValidationError);
    let data = data.map_err(|error| error.to_string())?;
    if !data.dtype().is_float() {
        return Err(format!("{} holds {:?}, not floating-point numbers", tensor.name, data.dtype()));
    }
    let values = data.convert::<f32>().try_into_vec::<f32>();
    values.map_err(|error| format!("{}: {error:?}", tensor.name))
}

fn check(origin: &str, found: &BTreeMap<String, PackTensor>, slots: &[Slot]) -> Result<(), WeightsError> {
    let (mut missing, mut shapes) = (Vec::new(), Vec::new());
    for expected in slots.iter().map(|slot| &slot.tensor) {
        match found.get(&expected.name) {
            None => missing.push(expected.name.clone()),
            Some(found) if found.shape[..] != expected.shape[..] => shapes.push(ShapeMismatch {
                name: expected.name.clone(),
                expected: expected.shape.clone(),
                found: found.shape.to_vec(),
            }),
            Some(_) => {}
        }
    }
    let known: HashSet<&str> = slots.iter().map(|slot| slot.tensor.name.as_str()).collect();
    let strange = |name: &&String| !known.contains(name.as_str()) && !name.ends_with(IGNORED_SUFFIX);
    let unexpected: Vec<String> = found.keys().filter(strange).cloned().collect();
    if missing.is_empty() && shapes.is_empty() && unexpected.is_empty() {
        return Ok(());
    }
    Err(WeightsError::Mismatch {
        origin: origin.to_owned(),
        expected: slots.len(),
        matching: slots.len() - missing.len() - shapes.len(),
        missing,
        unexpected,
        shapes,
        prefixed: prefixed(found, &known),
    })
}

/// The prefix that most of the file's tensors have before a name of the network, if those are as many as would fill half of
/// it: fewer are chance.
fn prefixed(found: &BTreeMap<String, PackTensor>, known: &HashSet<&str>) -> Option<Box<Prefixed>> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in found.keys() {
        let mut ends = name.match_indices('.').map(|(dot, _)| dot + 1);
        if let Some(end) = ends.find(|&end| known.contains(&name[end..])) {
            *counts.entry(&name[..end]).or_default() += 1;
        }
    }
    let (prefix, count) = counts.into_iter().max_by_key(|&(_, count)| count)?;
    if 2 * count < known.len() {
        return None;
    }
    // Counters of batch normalisations are named as all others.
    let others: Vec<String> = found.keys().filter(|name| !name.starts_with(prefix)).cloned().collect();
    Some(Box::new(Prefixed { prefix: prefix.to_owned(), tensors: found.len() - others.len(), others }))
}
