//! What follows from an error: whether it is one image's, and what a person can give a program for it to go away, as data, because
//! only the program knows how it is given.

use std::io;

use super::{DatasetError, LabelSource};

/// Something that a program can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// A list of labels.
    Labels,
    /// Fewer threads.
    FewerThreads,
}

impl DatasetError {
    /// Whether an error of [`Dataset::read`](crate::Dataset::read) says something of one image, and the others may
    /// be well. Else the data cannot be reached, a disk that went away, a file that is gone: going on would turn
    /// image after image into a wrong answer.
    #[must_use]
    pub fn concerns_one_image(&self) -> bool {
        match self {
            Self::NotAFile { .. } | Self::NoContent { .. } | Self::DeadLink { .. } => true,
            Self::Unreadable { cause, .. } => cause.kind() == io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }

    /// What to give for the error to go away, where there is such a thing.
    #[must_use]
    pub fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::NoMemory { .. } => Some(Remedy::FewerThreads),
            Self::UnknownFolders { .. }
            | Self::Unlabelled { .. }
            | Self::ParquetLabels { .. }
            | Self::ListWithoutNames { .. }
            | Self::GroundTruthOfOthers { .. }
            | Self::ListCoversNone { .. } => Some(Remedy::Labels),
            Self::Parquet { remedy, .. } | Self::LabelsWrong { remedy, .. } => *remedy,
            _ => None,
        }
    }
}

impl LabelSource {
    /// What to give where labels from here contradict the known ones, beside what [`Self::advice`] says.
    #[must_use]
    pub fn remedy(&self) -> Option<Remedy> {
        matches!(self, Self::FolderNames | Self::FolderNumbers | Self::Column(_)).then_some(Remedy::Labels)
    }
}
