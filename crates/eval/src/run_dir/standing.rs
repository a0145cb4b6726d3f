//! How far a model is, by its prediction log. Reading it changes nothing, because a plan is shown, and networks are loaded, before
//! anything is written.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use crate::EvalError;
use crate::logs::digests;
use crate::logs::predictions::{self, Prediction};
use crate::logs::rechecks;
use crate::plan::Plan;
use crate::recheck::{Known, Rechecking};
use crate::run_dir::paths;
use crate::sample::Part;

/// Whether a model is done with an image. When a run begins, only predictions are done, because errors are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImageState {
    ToDo,
    Done,
}

/// How far a model is.
#[derive(Debug)]
pub struct Standing {
    /// A state an image of the data.
    pub(crate) states: Vec<ImageState>,
    /// The rows of the images that have a prediction.
    pub(crate) rows: Vec<Prediction>,
    /// Whether the log has rows that are left out here, because their images are computed again.
    pub(crate) is_outdated: bool,
    /// Which images are computed again, of a run that does.
    pub(crate) rechecking: Option<Rechecking>,
    /// Images that have none, which are tried again, and why they have none.
    pub(crate) failed: HashMap<usize, String>,
}

impl Standing {
    /// A standing for each model of `plan`, over the images of `part`, by the logs in the run directory `path`; all images are left unless `is_begun`.
    ///
    /// # Errors
    /// [`EvalError::RunFile`], [`EvalError::DamagedRun`] when a log cannot be understood or is of other images, and
    /// [`EvalError::DigestsMissing`].
    pub fn of_run(plan: &Plan, part: Part, path: &Path, is_begun: bool) -> Result<Vec<Self>, EvalError> {
        let members = part.members(plan.dataset.items());
        let items = plan.dataset.items();
        let index_of: HashMap<&str, usize> =
            items.iter().enumerate().map(|(index, item)| (item.name.as_str(), index)).collect();
        let of_model = |id: &str| -> Result<Self, EvalError> {
            match is_begun {
                true => {
                    let standing = Self::read(plan, &members, &index_of, &paths::predictions(path, id))?;
                    let log = rechecks::read(&paths::rechecks(path, id))?;
                    Ok(standing.recheck(plan, &members, &index_of, &log))
                }
                false => Ok(Self::nothing(&members).recheck(plan, &members, &index_of, &HashMap::new())),
            }
        };
        let standings = plan.models.iter().map(|planned| of_model(&planned.model.id));
        let standings = standings.collect::<Result<Vec<_>, _>>()?;
        if is_begun {
            check_digests(&standings, &path.join(paths::DIGESTS))?;
        }
        Ok(standings)
    }

    /// Nothing is done yet. Images that are no `members` of the run's part need nothing from it.
    fn nothing(members: &[bool]) -> Self {
        let state = |&is_here: &bool| if is_here { ImageState::ToDo } else { ImageState::Done };
        let states = members.iter().map(state).collect();
        let (rows, failed) = (Vec::new(), HashMap::new());
        Self { states, rows, is_outdated: false, rechecking: None, failed }
    }

    /// This standing of a run that computes images again, as far as the rows of its `log` tell: an image is left to do whose prediction is
    /// not in f32 and has to be, or of which the log has no row.
    fn recheck(
        mut self,
        plan: &Plan,
        members: &[bool],
        index_of: &HashMap<&str, usize>,
        log: &HashMap<String, Known>,
    ) -> Self {
        let Some(recheck) = plan.recheck else { return self };
        let items = plan.dataset.items();
        let names = items.iter().map(|item| item.name.as_str());
        let mut rechecking = Rechecking::new(recheck, names, &first_labelled(plan, members));
        let mut again: Vec<usize> = Vec::new();
        for row in &self.rows {
            let Some(&index) = index_of.get(row.image.as_str()) else { continue };
            match log.get(row.image.as_str()) {
                Some(&known) => rechecking.note(index, known),
                None => again.push(index),
            }
        }
        for image in self.failed.keys() {
            rechecking.note(*image, Known::default());
        }
        // The audit is judged when every image was computed: until then the threshold may still grow.
        let is_complete = again.is_empty() && !self.states.contains(&ImageState::ToDo);
        again.extend(if is_complete { rechecking.left() } else { rechecking.wanted() });
        if !again.is_empty() {
            self.is_outdated = true;
            again.iter().for_each(|&index| self.states[index] = ImageState::ToDo);
            let Self { states, rows, .. } = &mut self;
            rows.retain(|row| {
                index_of.get(row.image.as_str()).is_none_or(|&index| states[index] == ImageState::Done)
            });
        }
        Self { rechecking: Some(rechecking), ..self }
    }

    fn read(
        plan: &Plan,
        members: &[bool],
        index_of: &HashMap<&str, usize>,
        path: &Path,
    ) -> Result<Self, EvalError> {
        let mut standing = Self::nothing(members);
        let items = plan.dataset.items();
        for row in predictions::read_unfinished(path)? {
            let index = index_of.get(row.image.as_str()).copied();
            let Some(index) = index.filter(|&index| members[index] && items[index].label == row.label) else {
                let reason = format!(
                    "{} with label {} is not in the data, or not in this part of it",
                    row.image, row.label
                );
                return Err(EvalError::DamagedRun { path: path.to_owned(), reason });
            };
            match &row.outcome {
                Ok(_) => {
                    standing.states[index] = ImageState::Done;
                    standing.rows.push(row);
                }
                // It may have been mended since.
                Err(reason) => drop(standing.failed.insert(index, reason.clone())),
            }
        }
        Ok(standing)
    }

    /// How many images have a prediction.
    pub fn predicted(&self) -> usize {
        self.rows.len()
    }

    /// How many images had none when they were last tried.
    pub fn failed(&self) -> usize {
        self.failed.len()
    }

    /// How many images are left to do, including those that are tried again.
    pub fn left(&self) -> usize {
        self.states.iter().filter(|&&state| state == ImageState::ToDo).count()
    }
}

/// The images of `members` that have a label, in the order in which they are read.
pub(crate) fn first_labelled(plan: &Plan, members: &[bool]) -> Vec<usize> {
    let label_set = plan.dataset_record.label_set;
    let items = plan.dataset.items();
    let is_labelled = |&index: &usize| {
        members[index] && !label_set.truth(&items[index].name, &items[index].label).is_empty()
    };
    let mut labelled: Vec<usize> = (0..items.len()).filter(is_labelled).collect();
    labelled.sort_by_cached_key(|&index| plan.dataset.stored_at(index));
    labelled
}

/// That the digest of every image with a prediction is known: without it nobody can show that the image is read as the same
/// bytes for the next model.
fn check_digests(standings: &[Standing], path: &Path) -> Result<(), EvalError> {
    let known = digests::read_unfinished(path)?;
    let predicted: BTreeSet<&str> =
        standings.iter().flat_map(|standing| &standing.rows).map(|row| row.image.as_str()).collect();
    let mut missing = predicted.iter().filter(|image| !known.contains_key(**image));
    match missing.next() {
        None => Ok(()),
        Some(first) => Err(EvalError::DigestsMissing {
            path: path.to_owned(),
            count: 1 + missing.count(),
            total: predicted.len(),
            first: (*first).to_owned(),
        }),
    }
}
