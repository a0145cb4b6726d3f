//! A weight file from its hash to its record: read once for its hash, when a run is planned, and once for its tensors, when its
//! network is loaded, both by one handle, so that a run records the hash of the bytes that it computed with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataset::regular::RegularFile;
use models::onnx::OnnxFile;
use models::{Checkpoint, Model, Network, Weights as _, WeightsError};

use super::cache::{Cache, FIRST_SEEN};
use super::check::{Check, Fingerprint};
use super::locate::missing;
use super::source::{Evidence, WeightsSource};
use crate::{EvalError, NoWeights};

/// Weights as a plan has them: which they are, by the hash of their file. Nothing is loaded.
#[derive(Debug, Clone)]
pub enum ResolvedWeights {
    /// To be generated from the seed.
    Seeded,
    /// A file.
    File(HashedFile),
    /// The published file, which the cache lacks.
    Absent {
        /// Where it will lie once it is fetched.
        path: PathBuf,
    },
}

/// A weight file that is open: its hash and its tensors are of the same bytes, or it is an error.
#[derive(Debug, Clone)]
pub struct HashedFile {
    pub(super) file: Arc<RegularFile>,
    /// Whether it is in the cache under the published file's name.
    pub(super) is_cached: bool,
    pub(super) found: Fingerprint,
    /// What the catalog says of it, where it says anything.
    pub(super) check: Option<Check>,
}

impl ResolvedWeights {
    /// Which weights they are, as far as that is known before they are loaded; none of a file that is not here.
    pub fn source(&self, model: &Model) -> Option<WeightsSource> {
        match self {
            Self::Seeded => Some(WeightsSource::Seeded),
            Self::File(hashed) => {
                let was_seen = hashed.check == Some(Check::AsFirstSeen);
                Some(hashed.source(model, was_seen, None))
            }
            Self::Absent { .. } => None,
        }
    }

    /// Whether the catalog has nothing to tell the file in the cache by, so that loading it records what it is.
    pub fn is_first_sight(&self) -> bool {
        matches!(self, Self::File(HashedFile { is_cached: true, check: Some(Check::Unknown), .. }))
    }

    /// [`ResolvedWeights::source`].
    ///
    /// # Errors
    /// [`NoWeights::Missing`] of a file that is not here.
    pub(crate) fn known(&self, model: &Model) -> Result<WeightsSource, EvalError> {
        match self {
            Self::Absent { path } => Err(missing(model, path.clone())),
            here => Ok(here.source(model).unwrap_or(WeightsSource::Seeded)),
        }
    }

    /// Whether the file is a checkpoint. Its tensors are not read, nor held against the network's.
    ///
    /// # Errors
    /// [`EvalError`] if not.
    pub(crate) fn check(&self, model: &Model) -> Result<(), EvalError> {
        // An ONNX file was read already.
        let (Self::File(hashed), false) = (self, model.is_onnx()) else { return Ok(()) };
        let read = Checkpoint::read(&hashed.file).map_err(EvalError::weights(&model.id));
        read.map(drop).map_err(|error| self.not_loaded(model, error))
    }

    /// The tensors for `network`, unread.
    ///
    /// # Errors
    /// [`EvalError`] when the file is not here or cannot be read, or when nothing is seeded for the network.
    pub(crate) fn checkpoint(&self, model: &Model, network: &Network) -> Result<Checkpoint, EvalError> {
        let checkpoint = match self {
            Self::Seeded => models::weights::seeded(network, &model.network),
            Self::File(hashed) => Checkpoint::read(&hashed.file),
            Self::Absent { path } => return Err(missing(model, path.clone())),
        };
        checkpoint.map_err(EvalError::weights(&model.id))
    }

    /// What a run records of the weights, once they are loaded. A cached file that nothing tells was put there by hand:
    /// now that it has been loaded, it is what is expected from now on. `name_prefix` is what was taken off its names.
    ///
    /// # Errors
    /// [`EvalError`] when the file was changed meanwhile, or cannot be recorded.
    pub(crate) fn record(
        &self,
        cache: &Cache,
        model: &Model,
        name_prefix: Option<String>,
    ) -> Result<WeightsSource, EvalError> {
        let Self::File(hashed) = self else { return self.known(model) };
        let path = hashed.file.path();
        if !hashed.file.is_unchanged().map_err(unreadable(model, path))? {
            return Err(EvalError::weights(&model.id)(WeightsError::Changed { path: path.to_owned() }));
        }
        let mut was_seen = hashed.check == Some(Check::AsFirstSeen);
        if let (true, Some(weights)) = (self.is_first_sight(), &model.weights) {
            cache.trust(weights, &hashed.found).map_err(|source| {
                EvalError::NoWeights(NoWeights::Unrecorded {
                    id: model.id.clone(),
                    file: weights.file.clone(),
                    cache: cache.folder().to_owned(),
                    source,
                })
            })?;
            was_seen = true;
        }
        Ok(hashed.source(model, was_seen, name_prefix))
    }

    /// What a failure to load means: of a cached file that the model's catalog cannot tell, that it is not the published one.
    pub(crate) fn not_loaded(&self, model: &Model, error: EvalError) -> EvalError {
        match (self, &model.weights, error) {
            (
                Self::File(HashedFile { is_cached: true, file, .. }),
                Some(weights),
                EvalError::Weights { source, .. },
            ) if !weights.has_hash() => EvalError::NoWeights(NoWeights::Corrupt {
                id: model.id.clone(),
                path: file.path().to_owned(),
                reason: format!(
                    "it is no checkpoint of the model's network ({source}), though {FIRST_SEEN} in the cache may say that it \
                     was the file first seen",
                ),
                url: weights.url.clone(),
            }),
            (_, _, error) => error,
        }
    }
}

impl ResolvedWeights {
    /// Those of an ONNX file, and of the files that its tensors lie in: told by the hash of the file, or, where there are several, by
    /// that of their hashes in the order of their names.
    ///
    /// # Errors
    /// [`EvalError`] when one cannot be read.
    pub(crate) fn of_onnx(model: &Model, file: &OnnxFile) -> Result<Self, EvalError> {
        let data = file.data_files().map_err(EvalError::onnx(&model.id))?;
        let of = |file: &RegularFile| Fingerprint::of(file).map_err(unreadable(model, file.path()));
        let mut found = of(file.file())?;
        if !data.is_empty() {
            let all = data.iter().map(|file| of(file)).collect::<Result<Vec<_>, _>>()?;
            found = found.with(&all);
        }
        Ok(Self::File(HashedFile { file: Arc::clone(file.file()), is_cached: false, found, check: None }))
    }
}

impl HashedFile {
    /// The file, its hash, and whether it is the published one, or the one first seen where `was_seen`.
    fn source(&self, model: &Model, was_seen: bool, name_prefix: Option<String>) -> WeightsSource {
        let (path, weights) = (self.file.path(), model.weights.as_ref());
        let source = WeightsSource::File {
            path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            sha256: self.found.sha256.clone(),
            published: false,
            evidence: Evidence {
                bytes: Some(self.found.bytes),
                md5: self.found.md5.clone(),
                first_seen_of: weights.filter(|_| was_seen).map(|weights| weights.url.clone()),
                name_prefix,
            },
        };
        source.against(weights)
    }
}

/// Whether `file` is a checkpoint of `model`'s network: every tensor is read, as for an evaluation.
///
/// # Errors
/// A sentence that says why not.
pub fn loads(model: &Model, file: &Arc<RegularFile>) -> Result<(), String> {
    let network = model.network().build();
    let check = || {
        let mut weights = network.weights(&Checkpoint::read(file)?)?;
        for parameter in network.graph().nodes().iter().flat_map(|node| node.operation.parameters()) {
            weights.read(parameter)?;
        }
        weights.finish()
    };
    check().map_err(|error: WeightsError| error.to_string())
}

/// A file of weights that the operating system refuses.
pub(super) fn unreadable<'a>(model: &'a Model, path: &'a Path) -> impl Fn(std::io::Error) -> EvalError + 'a {
    move |source| EvalError::weights(&model.id)(WeightsError::Io { path: path.to_owned(), source })
}
