//! The networks of a plan, loaded where images are left for them: the last step before the first image, after the plan was
//! resolved and its run directory opened. A run that is finished and given again loads none.

use models::{Classifier, Placement};

use crate::EvalError;
use crate::plan::{Plan, PlannedModel};
use crate::weights::{Cache, WeightsSource};

/// A network with its weights, ready to compute.
pub struct LoadedModel {
    /// The network.
    pub classifier: Classifier,
    /// The same in f32, where images are computed again.
    pub exact: Option<Classifier>,
    /// What a run records of the weights: what the plan knew, and what loading told.
    pub weights: WeightsSource,
}

impl LoadedModel {
    /// Loads the network of `planned`, strictly: every tensor once, every shape equal, nothing left over.
    fn new(plan: &Plan, planned: &PlannedModel) -> Result<Self, EvalError> {
        let PlannedModel { model, weights, .. } = planned;
        let exact = plan.recheck.map(|_| plan.placement.in_f32());
        let failed = EvalError::classifier;
        let load = || {
            if let Some(network) = &planned.onnx {
                let place = |placement: &Placement| {
                    Classifier::load_onnx(network, placement).map_err(failed(&model.id))
                };
                return Ok((place(&plan.placement)?, exact.as_ref().map(place).transpose()?, None));
            }
            let network = model.network().build();
            let checkpoint = weights.checkpoint(model, &network)?;
            let name_prefix = checkpoint.prefix().map(str::to_owned);
            let place = |placement: &Placement| {
                Classifier::load(&network, &checkpoint, placement).map_err(failed(&model.id))
            };
            Ok((place(&plan.placement)?, exact.as_ref().map(place).transpose()?, name_prefix))
        };
        let (classifier, exact, name_prefix) = load().map_err(|error| weights.not_loaded(model, error))?;
        let weights = weights.record(&Cache::from_environment(), model, name_prefix)?;
        Ok(Self { classifier, exact, weights })
    }
}

/// The networks of a plan, each loaded when it is first needed.
pub struct Networks<'a> {
    plan: &'a Plan,
    loaded: Vec<Option<LoadedModel>>,
}

impl<'a> Networks<'a> {
    /// The networks of `plan`, none of them loaded yet.
    pub fn of(plan: &'a Plan) -> Self {
        Self { plan, loaded: plan.models.iter().map(|_| None).collect() }
    }

    /// The network of the model at `index` of the plan, loaded now if it was not before.
    ///
    /// # Errors
    /// [`EvalError`] when its weights are not the network's, cannot be read or do not fit into memory.
    pub fn load(&mut self, index: usize) -> Result<&LoadedModel, EvalError> {
        let slot = &mut self.loaded[index];
        Ok(match slot {
            Some(loaded) => loaded,
            None => slot.insert(LoadedModel::new(self.plan, &self.plan.models[index])?),
        })
    }

    /// The network of the model at `index` of the plan, if it is loaded.
    pub fn get(&self, index: usize) -> Option<&LoadedModel> {
        self.loaded[index].as_ref()
    }

    /// Computes the model at `index` of the plan by `loaded`.
    pub fn insert(&mut self, index: usize, loaded: LoadedModel) {
        self.loaded[index] = Some(loaded);
    }
}
