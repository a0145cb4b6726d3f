//! Errors of other crates as those of an evaluation, with the model that they are about; and those of writing where nothing was to
//! be written.

use dataset::Recipe;
use models::catalog::FindRecipeError;
use models::onnx::OnnxError;
use models::{ClassifierError, ShapeError, WeightsError};

use super::EvalError;

impl EvalError {
    /// The same where nothing was to be written: what there is to do is something else then.
    pub(crate) fn when_only_reading(self) -> Self {
        match self {
            Self::RunFile { path, source, .. } => Self::Unreadable { path, source },
            Self::DamagedRun { path, reason } => Self::DamagedStoredRun { path, reason },
            Self::ForeignRecord { record: path, reason, .. } => Self::DamagedStoredRun { path, reason },
            other => other,
        }
    }

    /// A weight file's error with the model it was for.
    pub(crate) fn weights(id: &str) -> impl Fn(WeightsError) -> Self {
        move |source| Self::Weights { id: id.to_owned(), source: Box::new(source) }
    }

    /// An ONNX file's error with the model that it is.
    pub(crate) fn onnx(id: &str) -> impl Fn(OnnxError) -> Self {
        move |source| Self::Onnx { id: id.to_owned(), source: Box::new(source) }
    }

    /// Says of which model a network cannot take an image of some size.
    pub fn shape(id: &str) -> impl Fn(ShapeError) -> Self {
        move |source| Self::Shape { id: id.to_owned(), source }
    }

    /// [`EvalError::weights`] where the device may be to blame too.
    pub(crate) fn classifier(id: &str) -> impl Fn(ClassifierError) -> Self {
        move |error| match error {
            ClassifierError::Weights(source) => Self::weights(id)(source),
            ClassifierError::Placement(source) => source.into(),
        }
    }
}

/// What is wrong with a recipe, and what can stand for one.
pub(super) fn recipe_fault(fault: &FindRecipeError) -> String {
    match fault {
        FindRecipeError::Keys { text, source } => format!("{text}: {source}"),
        FindRecipeError::File { path, reason } => format!("{}: {reason}", path.display()),
        FindRecipeError::Unknown { name, nearest, known } => {
            let meant =
                nearest.as_ref().map_or_else(String::new, |nearest| format!(" (did you mean {nearest}?)"));
            format!(
                "{name}: there is no such recipe{meant}; use source, card or one of {}, state one: {}, or give a file that states one",
                known.join(", "),
                Recipe::EXAMPLE
            )
        }
    }
}
