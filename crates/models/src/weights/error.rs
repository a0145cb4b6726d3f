//! What can be wrong with weights, said so that a person knows what to do next.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::onnx::OnnxError;

/// A tensor whose shape in the file is not the network's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeMismatch {
    /// The tensor's name.
    pub name: String,
    /// Shape that the network has, in the checkpoint's layout.
    pub expected: Vec<usize>,
    /// Shape that the file holds.
    pub found: Vec<usize>,
}

impl fmt::Display for ShapeMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {:?} in the file, {:?} in the network", self.name, self.found, self.expected)
    }
}

/// Names that are the network's after a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefixed {
    /// What stands before them, such as `backbone.`.
    pub prefix: String,
    /// Number of the file's tensors that are named so.
    pub tensors: usize,
    /// Names of the file's other tensors.
    pub others: Vec<String>,
}

impl fmt::Display for Prefixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, tensors, others } = self;
        let which = match others.len() {
            0 => "All tensors have this network's names".to_owned(),
            others => {
                format!("{tensors} of the file's {} tensors have this network's names", tensors + others)
            }
        };
        write!(f, "{which} with `{prefix}` in front, as a program that wraps the network saves them")?;
        if !others.is_empty() {
            write!(f, "; {} not, and a prefix that only some names have is not taken off", some(others))?;
        }
        let wrapped = prefix.trim_end_matches('.');
        write!(
            f,
            ". Save the network alone (in PyTorch `torch.save(wrapper.{wrapped}.state_dict(), FILE)`), or rename the tensors"
        )
    }
}

/// Why weights could not be loaded.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The file could not be opened or read.
    #[error("cannot read the weights {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },

    /// The bytes are of no format that is read here.
    #[error(
        "{} is not a checkpoint: it {looks_like}; expected a file of PyTorch (.pth, zip or legacy), Keras (.h5, .weights.h5, .keras) or Paddle (.pdparams), or .safetensors",
        path.display()
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// What its first bytes look like.
        looks_like: String,
    },

    /// A file of `torch.jit.save`.
    #[error(
        "{} is a TorchScript file, which holds a program and not only weights; nothing of it was executed. In PyTorch, \
         save the weights alone: `torch.save(torch.jit.load(\"{}\").state_dict(), \"weights.pth\")`",
        path.display(),
        path.file_name().unwrap_or(path.as_os_str()).to_string_lossy()
    )]
    TorchScript {
        /// The file.
        path: PathBuf,
    },

    /// The file was written to, or another took its place, while it was read.
    #[error(
        "{} was changed while it was read, so nobody can say which weights these were. Use a file that nobody writes to, \
         and give the command again",
        path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },

    /// The format was recognised but the file contradicts itself.
    #[error(
        "{} cannot be read as {format}: {reason}; it is truncated or damaged, so fetch or copy it again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The format that its first bytes announce.
        format: &'static str,
        /// What the reader of the format said.
        reason: String,
    },

    /// A pickle that does, or names, what no file of weights needs.
    #[error(
        "{} is not read as a Paddle file (.pdparams): {reason}; nothing of it was executed. Use the file that \
         PaddleClas publishes, or one that `paddle.save(network.state_dict(), ...)` wrote",
        path.display()
    )]
    Refused {
        /// The file.
        path: PathBuf,
        /// What was refused.
        reason: String,
    },

    /// An archive whose weights are compressed by a method that is not read.
    #[error(
        "{} is not read: its {member} is compressed by a method ({method}) that neither Keras nor this program uses; \
         unpack it and use that file",
        path.display()
    )]
    Compressed {
        /// The archive.
        path: PathBuf,
        /// The weights' name in it.
        member: &'static str,
        /// How they are compressed.
        method: zip::CompressionMethod,
    },

    /// A Keras file whose layers are not those of the network, in its order.
    #[error("{} does not fit the network: {reason}", path.display())]
    KerasLayers {
        /// The file.
        path: PathBuf,
        /// Which layers, and what to do.
        reason: String,
    },

    /// The file holds no tensors where a checkpoint keeps them.
    #[error(
        "{} holds no weights: neither a state dict nor one under `state_dict_ema`, `model_ema`, `state_dict` or `model`",
        path.display()
    )]
    NoTensors {
        /// The file.
        path: PathBuf,
    },

    /// The tensors are not those of the network.
    #[error("{}", mismatch(origin, *expected, *matching, missing, unexpected, shapes, prefixed.as_deref()))]
    Mismatch {
        /// Where the tensors come from.
        origin: String,
        /// Number of tensors that the network has.
        expected: usize,
        /// Number of the file's tensors that fitted.
        matching: usize,
        /// Names that the network has and the file lacks.
        missing: Vec<String>,
        /// Names that the file has and the network lacks.
        unexpected: Vec<String>,
        /// Tensors of another shape.
        shapes: Vec<ShapeMismatch>,
        /// What stands before the network's names in the file.
        prefixed: Option<Box<Prefixed>>,
    },

    /// Names and shapes fit, but data cannot be read or is of another kind.
    #[error("{origin} cannot be loaded: {}", some(reasons))]
    Unusable {
        /// Where the tensors come from.
        origin: String,
        /// A reason a tensor.
        reasons: Vec<String>,
    },

    /// A value that no training leaves behind on purpose, and that ruins every output.
    #[error(
        "{origin} holds values that are not finite, or negative variances, in {} tensors: {}. The checkpoint is of a training that diverged, or damaged: use another",
        tensors.len(),
        some(tensors)
    )]
    NotFinite {
        /// Where the tensors come from.
        origin: String,
        /// Names of the tensors.
        tensors: Vec<String>,
    },

    /// The system has no memory for a tensor.
    #[error(
        "{origin} does not fit into memory: {bytes} bytes more were asked for. Give the process more, or evaluate fewer models at once"
    )]
    OutOfMemory {
        /// The file.
        origin: String,
        /// What was asked for last.
        bytes: usize,
    },

    /// An ONNX file's.
    #[error(transparent)]
    Onnx(Box<OnnxError>),

    /// Seeded weights exist only where a source framework's answer was frozen.
    #[error("there are no seeded weights for {network}: no frozen answer of its framework is embedded")]
    NotSeeded {
        /// The network's name.
        network: String,
    },
}

/// Names the first few and counts the rest: a checkpoint of another network differs in hundreds.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut text = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}

fn mismatch(
    origin: &str,
    expected: usize,
    matching: usize,
    missing: &[String],
    unexpected: &[String],
    shapes: &[ShapeMismatch],
    prefixed: Option<&Prefixed>,
) -> String {
    let mut text = format!("{origin} does not fit the network ({matching} of {expected} tensors do)");
    if !missing.is_empty() {
        text += &format!("; missing: {}", some(missing));
    }
    if !unexpected.is_empty() {
        text += &format!("; not of this network: {}", some(unexpected));
    }
    if !shapes.is_empty() {
        let shapes: Vec<String> = shapes.iter().map(ToString::to_string).collect();
        text += &format!("; wrong shape: {}", some(&shapes));
    }
    // Hundreds of strange names mean another network; a few mean an edited checkpoint.
    if let Some(prefixed) = prefixed {
        text += &format!(". {prefixed}");
    } else if missing.len() + unexpected.len() > expected / 4 {
        text += ". It looks like a checkpoint of another network: choose the model it belongs to";
    } else {
        text += ". Use the checkpoint of exactly this network, with its 1000 classes";
    }
    text
}
