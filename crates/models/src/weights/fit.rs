//! A checkpoint matched, tensor by tensor, with the network that it is to fill.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::ParamId;
use burn::tensor::{DType, Shape, TensorData};
use burn_store::burn_pack::{Error as PackError, Tensor as PackTensor};
use burn_store::{ApplyResult, ModuleSnapshot, ModuleStore, bridge};
use dataset::guard::guarded_or;

use super::error::{Prefixed, ShapeMismatch, WeightsError};
use super::module_tensors::{Role, Slot};

/// The only tensors that a PyTorch checkpoint may hold beyond the network's: how often each batch
/// normalisation was updated in training.
const IGNORED_SUFFIX: &str = "num_batches_tracked";

/// Exactly the tensors of one network, under the paths and in the layouts of its Burn module. Data is
/// read, widened to f32 and rearranged a tensor at a time, when Burn asks for it.
#[derive(Debug)]
pub(crate) struct FittedCheckpoint {
    tensors: BTreeMap<String, PackTensor>,
    origin: String,
    /// Tensors with a value that is not finite, or a variance below zero. Found here, that costs a
    /// moment; found in the outputs, an evaluation.
    unusable: Arc<Mutex<Vec<String>>>,
    /// Tensors that were taken out.
    taken: usize,
}

impl FittedCheckpoint {
    /// Accepts exactly the tensors of a network, and update counters.
    pub(super) fn new(
        origin: &str,
        found: &BTreeMap<String, PackTensor>,
        slots: &[Slot],
    ) -> Result<Self, WeightsError> {
        check(origin, found, slots)?;
        let unusable = Arc::default();
        let tensors = slots.iter().filter_map(|slot| {
            let tensor = place(found.get(&slot.tensor.name)?.clone(), slot, &unusable);
            Some((slot.path.clone(), tensor))
        });
        Ok(Self { tensors: tensors.collect(), origin: origin.to_owned(), unusable, taken: 0 })
    }

    /// Takes the kernels of convolutions and the weights of fully connected layers out, nearly all there is, to be
    /// read one by one.
    pub(crate) fn take_kernels(&mut self, slots: &[Slot]) -> WaitingKernels {
        let is_kernel = |slot: &&Slot| matches!(slot.tensor.role, Role::Conv { .. } | Role::Linear { .. });
        let kernels = slots.iter().filter(is_kernel);
        let taken = kernels.filter_map(|slot| Some((slot.id, Some(self.tensors.remove(&slot.path)?))));
        let tensors: HashMap<ParamId, Option<PackTensor>> = taken.collect();
        self.taken += tensors.len();
        WaitingKernels { tensors, origin: self.origin.clone(), unusable: Arc::clone(&self.unusable) }
    }

    fn check_usable(&self) -> Result<(), WeightsError> {
        check_usable(&self.origin, &self.unusable)
    }
}

/// The weights of a network's layers that are still in their checkpoint.
#[derive(Debug, Default)]
pub(crate) struct WaitingKernels {
    /// By parameter; `None` once it was read.
    tensors: HashMap<ParamId, Option<PackTensor>>,
    origin: String,
    unusable: Arc<Mutex<Vec<String>>>,
}

impl WaitingKernels {
    /// Whether the parameter is, or was, one of them.
    pub(crate) fn has(&self, id: ParamId) -> bool {
        self.tensors.contains_key(&id)
    }

    /// The parameter's values, in Burn's layout. Each can be read once.
    ///
    /// # Errors
    /// [`WeightsError`] if they cannot be read, or are asked for again.
    pub(crate) fn read(&mut self, id: ParamId) -> Result<Vec<f32>, WeightsError> {
        let tensor = self.tensors.get_mut(&id).and_then(Option::take);
        let unusable =
            |reason: String| WeightsError::Unusable { origin: self.origin.clone(), reasons: vec![reason] };
        let tensor = tensor.ok_or_else(|| unusable("the network reads a layer's weight twice".to_owned()))?;
        let name = tensor.name.clone();
        let values = bridge::into_data(tensor).and_then(|data| {
            data.try_into_vec().map_err(|error| PackError::ValidationError(format!("{name}: {error:?}")))
        });
        values.map_err(|error| unusable(error.to_string()))
    }

    /// To be called when the network has read all it reads.
    ///
    /// # Errors
    /// [`WeightsError`] if a weight was not read, or one that was is not usable.
    pub(crate) fn finish(self) -> Result<(), WeightsError> {
        let mut unread: Vec<String> = self
            .tensors
            .into_values()
            .flatten()
            .map(|tensor| format!("{} was not read", tensor.name))
            .collect();
        if unread.is_empty() {
            return check_usable(&self.origin, &self.unusable);
        }
        unread.sort();
        Err(WeightsError::Unusable { origin: self.origin, reasons: unread })
    }
}

fn check_usable(origin: &str, unusable: &Mutex<Vec<String>>) -> Result<(), WeightsError> {
    let tensors = std::mem::take(&mut *unusable.lock().unwrap_or_else(PoisonError::into_inner));
    match tensors.is_empty() {
        true => Ok(()),
        false => Err(WeightsError::NotFinite { origin: origin.to_owned(), tensors }),
    }
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

/// `tensor` of a checkpoint as Burn wants it for `slot`. Half precision is widened: networks compute in
/// f32.
fn place(tensor: PackTensor, slot: &Slot, unusable: &Arc<Mutex<Vec<String>>>) -> PackTensor {
    let (slot, unusable) = (slot.clone(), Arc::clone(unusable));
    let shape = Shape::from(slot.shape.clone());
    bridge::deferred(slot.path.clone(), DType::F32, shape, None, move || {
        let data = guarded_or(|| bridge::to_data(&tensor), PackError::ValidationError)?;
        if !data.dtype().is_float() {
            let reason = format!("{} holds {:?}, not floating-point numbers", tensor.name, data.dtype());
            return Err(PackError::ValidationError(reason));
        }
        let values = data
            .convert::<f32>()
            .try_into_vec::<f32>()
            .map_err(|error| PackError::ValidationError(format!("{}: {error:?}", tensor.name)))?;
        let usable = |&value: &f32| value.is_finite() && (slot.tensor.role != Role::Variance || value >= 0.0);
        if !values.iter().all(usable) {
            unusable.lock().unwrap_or_else(PoisonError::into_inner).push(slot.tensor.name.clone());
        }
        Ok(TensorData::new(slot.layout.rearrange(values, &slot.shape), slot.shape.clone()))
    })
}

impl ModuleStore for FittedCheckpoint {
    type Error = WeightsError;

    fn collect_from<M: ModuleSnapshot>(&mut self, _module: &M) -> Result<(), WeightsError> {
        Err(WeightsError::ReadOnly)
    }

    fn apply_to<M: ModuleSnapshot>(&mut self, module: &mut M) -> Result<ApplyResult, WeightsError> {
        let result = module.apply(self.tensors.values().cloned().collect(), None, None, true);
        // Names and shapes were right, so what is left is data that could not be read or used.
        if result.errors.is_empty() && result.skipped.is_empty() && result.missing.len() == self.taken {
            return self.check_usable().map(|()| result);
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
