//! Why a node is not imported, as its operation says it; the importer adds which node it is.

use graph::Misfit;

use super::error::OnnxError;

/// Why a node is not imported.
#[derive(Debug)]
pub(super) enum Trouble {
    /// What of it is lacking here or wrong.
    Node(String),
    /// What is wrong with the file.
    File(OnnxError),
}

impl From<String> for Trouble {
    fn from(reason: String) -> Self {
        Self::Node(reason)
    }
}

impl From<&str> for Trouble {
    fn from(reason: &str) -> Self {
        Self::Node(reason.to_owned())
    }
}

impl From<OnnxError> for Trouble {
    fn from(error: OnnxError) -> Self {
        Self::File(error)
    }
}

impl From<Misfit> for Trouble {
    fn from(misfit: Misfit) -> Self {
        Self::Node(misfit.to_string())
    }
}
