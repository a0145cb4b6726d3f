//! Models that are ONNX files: no catalog lists them, and nothing is documented of them.

use std::path::Path;
use std::sync::Arc;

use dataset::Recipe;
use serde::de::IgnoredAny;

use super::Model;

/// What stands for the network of a model that is an ONNX file: its structure is the file's, which the hash of the weights tells.
pub const ONNX_NETWORK: &str = "onnx";

/// What a model's id begins with that is an ONNX file.
const SOURCE: &str = "onnx";

impl Model {
    /// The id of the ONNX file at `path`: `onnx/<stem>`.
    ///
    /// # Errors
    /// In words, where its name makes no id.
    pub fn onnx_id(path: &Path) -> Result<String, String> {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if super::is_plain(&stem) {
            return Ok(format!("{SOURCE}/{stem}"));
        }
        Err(format!(
            "`{stem}` makes no model's id; rename the file so that its name is of letters, digits, '.', '_' and '-'"
        ))
    }

    /// The model that is the ONNX file of this `id`, prepared by `recipe`.
    pub fn onnx(id: String, recipe: Arc<Recipe>) -> Self {
        Self {
            id,
            network: ONNX_NETWORK.to_owned(),
            recipe: recipe.keys(),
            input_size: recipe.crop.width.max(recipe.crop.height),
            resolved_recipe: Some(recipe),
            recipe_note: None,
            in_table: false,
            weights: None,
            _documented: IgnoredAny,
            _errata: IgnoredAny,
            _tolerance: IgnoredAny,
        }
    }

    /// Whether the model is an ONNX file.
    pub fn is_onnx(&self) -> bool {
        self.network == ONNX_NETWORK
    }
}
