//! Classifiers that are ONNX files, read at run time: [`OnnxFile`] is the file, [`OnnxFile::network`] the graph of its operations
//! for images of one size, with the weights that stay in the file until they are read.
//!
//! Written from the standard (<https://onnx.ai/onnx/operators>, <https://github.com/onnx/onnx/blob/main/docs/IR.md>) and held to
//! ONNX Runtime's answers.
//!
//! * `file`: messages and tensors;
//! * `known`, `emitter`: integers are computed while the file is imported, floating-point numbers become operations of the graph;
//! * `operations`: a subject a file, an operation a function;
//! * `signature`: what is an image classifier.

mod call;
mod constants;
mod emitter;
mod error;
mod evaluate;
mod file;
mod import;
mod known;
mod operations;
mod order;
mod scaled;
mod signature;
mod trouble;
mod unread;

pub use constants::OnnxWeights;
pub use error::OnnxError;
pub use evaluate::{OnnxTensor, OnnxValues};
pub use file::{Dimension, ElementType, OPSETS, OnnxFile};
pub use import::{OnnxNetwork, OperationCount};
pub use signature::ImageInput;
