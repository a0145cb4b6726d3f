//! What an error is about, and what to give for it to go away, as data: how that is typed, only the program knows.

use std::path::PathBuf;

use super::{EvalError, EvidenceError, NoWeights};

/// What a person gave, where the error is about that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// That the recipe is to be the card's.
    CardRecipe,
    /// A recipe.
    Recipe,
    /// ONNX files.
    Onnx,
    /// Weights.
    Weights,
    /// That the labels are to be ReaL's.
    RealLabels,
}

/// What a person can give, or give the command of, for an error to go away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// That of an error of the data set.
    Dataset(dataset::Remedy),
    /// That of an error of the device.
    Placement(models::Remedy),
    /// A card, made of the table in this file.
    ReadCard(PathBuf),
    /// Models, recipes and cards of one's own.
    Definitions,
    /// The file of a card.
    CardFile,
    /// A recipe.
    Recipe,
    /// A file of weights.
    WeightsFile,
    /// The network, to download by, or a file of weights.
    NetworkOrWeightsFile,
    /// The published weights of the model with this id, fetched again, once what was first seen is forgotten.
    WeightsAgain(String),
    /// The model that predictions are of; or a run to compare them with.
    ModelOrOtherRun,
    /// The model that predictions are of.
    PredictedModel,
    /// What the published weights of the model with this id were when first seen, forgotten; or a file of weights.
    ForgetOrWeightsFile(String),
    /// The labels, or the images.
    LabelsOrImages,
    /// Neither labels nor images.
    NoLabelsNorImages,
    /// An evaluation's folder.
    EvaluatedFolder,
    /// Another folder to write to.
    OtherFolder,
    /// Another folder, or to start over in this one.
    OtherFolderOrStartOver,
    /// To start over.
    StartOver,
    /// To wait, or another folder.
    WaitOrOtherFolder,
    /// The whole validation set, or a part of the images that is no random sample.
    WholeSetOrPart,
    /// The digests of the verified tar's images, written to a file.
    TarDigests,
    /// Fewer threads.
    FewerThreads,
    /// Another type of numbers than f32.
    ReducedPrecision,
    /// That a part of the images is evaluated.
    Shard,
    /// No images.
    NoImages,
    /// That the images that both runs have are compared.
    OnlyShared,
}

impl EvalError {
    /// What of that which a person gave the error is about.
    #[must_use]
    pub fn argument(&self) -> Option<Argument> {
        match self {
            Self::CardRecipe { .. } => Some(Argument::CardRecipe),
            Self::Recipe { .. } => Some(Argument::Recipe),
            Self::OnnxArgument { .. } | Self::OnnxRecipe { .. } => Some(Argument::Onnx),
            Self::NoWeights(NoWeights::Argument { .. }) => Some(Argument::Weights),
            Self::NoRealLabels { .. } => Some(Argument::RealLabels),
            _ => None,
        }
    }

    /// What to give for the error to go away, where there is such a thing.
    #[must_use]
    pub fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::Dataset(source) | Self::DataLost { source } => Remedy::Dataset(source.remedy()?),
            Self::Placement(source) => Remedy::Placement(source.remedy()?),
            Self::NoCard { path } => Remedy::ReadCard(path.clone()),
            Self::NothingToMeasure { .. } | Self::NotInCatalog { .. } | Self::OtherNetwork { .. } => {
                Remedy::Definitions
            }
            Self::NoSuchCard { .. } => Remedy::CardFile,
            Self::OnnxRecipe { .. } => Remedy::Recipe,
            Self::NothingToRecheck => Remedy::ReducedPrecision,
            Self::NoWeights(source) => return source.remedy(),
            Self::Evidence(EvidenceError::NotTheWholeSet { .. }) => Remedy::WholeSetOrPart,
            Self::Evidence(EvidenceError::TarDigests { .. }) => Remedy::TarDigests,
            Self::NoModelNamed { .. } => Remedy::ModelOrOtherRun,
            Self::NoLabel { .. } => Remedy::LabelsOrImages,
            Self::NotListed { .. } => Remedy::NoLabelsNorImages,
            Self::NoRun { .. } => Remedy::EvaluatedFolder,
            Self::RunFile { .. }
            | Self::NotARun { .. }
            | Self::InTheWay { .. }
            | Self::ForeignRecord { .. }
            | Self::WouldOverwrite { .. } => Remedy::OtherFolder,
            Self::ImageChanged { .. }
            | Self::DigestsMissing { .. }
            | Self::OtherRun { .. }
            | Self::DamagedRun { .. } => Remedy::OtherFolderOrStartOver,
            Self::DamagedStoredRun { .. } => Remedy::StartOver,
            Self::Locked { .. } => Remedy::WaitOrOtherFolder,
            Self::NoThread { .. } | Self::DeviceFailed { .. } | Self::NoMemoryForOne { .. } => {
                Remedy::FewerThreads
            }
            Self::Merge { remedy, .. } | Self::NotTheSameTask { remedy, .. } => return remedy.clone(),
            _ => return None,
        })
    }
}

impl NoWeights {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Missing { .. } => Some(Remedy::NetworkOrWeightsFile),
            Self::Fetch { id, was_seen: true, .. } => Some(Remedy::ForgetOrWeightsFile(id.clone())),
            Self::Fetch { .. } | Self::Unrecorded { .. } => Some(Remedy::WeightsFile),
            Self::Corrupt { id, .. } => Some(Remedy::WeightsAgain(id.clone())),
            Self::Argument { .. } | Self::FirstSeen { .. } => None,
        }
    }
}
