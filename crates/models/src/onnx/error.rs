//! What can be wrong with an ONNX file, said so that a person knows what to do next.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why an ONNX file is no classifier here.
#[derive(Debug, Error)]
pub enum OnnxError {
    /// The file could not be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// The bytes are those of no ONNX model.
    #[error("{} is no ONNX model: {reason}", path.display())]
    NoModel {
        /// The file.
        path: PathBuf,
        /// What there is instead.
        reason: String,
    },
    /// It contradicts itself.
    #[error("{} is damaged: {reason}; copy or export it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        reason: String,
    },
    /// A tensor that lies in another file is not there.
    #[error("{}: the data of `{tensor}` cannot be read: {reason}", path.display())]
    External {
        /// The model's file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Which file, why, and what to do.
        reason: String,
    },
    /// A file was written to while it was read.
    #[error("{} was changed while it was read; use a file that nobody writes to, and give the command again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A model of something else.
    #[error("{} is no image classifier with the 1000 classes of ILSVRC2012: {reason}", path.display())]
    NotAClassifier {
        /// The file.
        path: PathBuf,
        /// What it takes or puts out, and what to do.
        reason: String,
    },
    /// An opset outside those that are read.
    #[error(
        "{} is of opset {found}; opsets {least} to {most} are read. Convert it with onnx.version_converter, or export it for one of these",
        path.display()
    )]
    Opset {
        /// The file.
        path: PathBuf,
        /// Its opset.
        found: i64,
        /// The first that is read.
        least: i64,
        /// The last.
        most: i64,
    },
    /// A node that cannot be computed as the standard says.
    #[error("{}: node {node} ({operation}, opset {opset}): {reason}", path.display())]
    Node {
        /// The file.
        path: PathBuf,
        /// The node's name, or its first output.
        node: String,
        /// Its operation.
        operation: String,
        /// The opset.
        opset: i64,
        /// What is lacking or wrong, and the nearest that is supported.
        reason: String,
    },
    /// The system has no memory for a tensor.
    #[error("{}: `{tensor}` does not fit into memory: {bytes} bytes more were asked for. Give the process more", path.display())]
    OutOfMemory {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// What was asked for last.
        bytes: usize,
    },
}

impl OnnxError {
    /// The file that is complained of.
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::NoModel { path, .. }
            | Self::Damaged { path, .. }
            | Self::External { path, .. }
            | Self::Changed { path }
            | Self::NotAClassifier { path, .. }
            | Self::Opset { path, .. }
            | Self::Node { path, .. }
            | Self::OutOfMemory { path, .. } => path,
        }
    }
}
