//! Recipes in files that people have, told by what stands in them: timm's `config.json`, Hugging Face's
//! `preprocessor_config.json`, and VastModelZOO's `*-vdsp_params.json`. A file becomes the keys of a recipe, as a person
//! would have written them; what the keys cannot say is an error, and never the nearest that they can.

mod fields;
mod hugging_face;
mod timm;
mod vdsp;

use serde_json::Value;

use self::fields::Fields;
use super::{Recipe, RecipeKeyError};

/// Why a file gives no recipe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeFileError {
    /// It is no JSON.
    #[error("it is no JSON: {reason}")]
    NotJson {
        /// Line and reason.
        reason: String,
    },
    /// It is a file of some other kind.
    #[error(
        "it is none of the files that state a recipe: timm's config.json (with `pretrained_cfg`), Hugging Face's \
         preprocessor_config.json, VastModelZOO's *-vdsp_params.json (with `OpConfig`)"
    )]
    Unknown,
    /// It is a model's configuration, and says nothing of images.
    #[error(
        "it is the configuration of a model, which does not say how images are prepared; the preprocessor_config.json beside it does"
    )]
    ModelOnly,
    /// A key is missing, or its value is not what it should be.
    #[error("`{key}`: {reason}")]
    Field {
        /// The key, with those that it lies in.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// What it asks for is not in the grammar of recipes.
    #[error("{what}, which is none of the recipes that can be computed exactly here; state the one you mean by its keys: {example}", example = Recipe::EXAMPLE)]
    NotExact {
        /// What it asks for.
        what: String,
    },
    /// The keys that it comes to contradict each other.
    #[error("it comes to {keys}: {source}")]
    Keys {
        /// The keys.
        keys: String,
        /// What is wrong with them.
        #[source]
        source: RecipeKeyError,
    },
}

/// What a reader makes of a file.
struct Stated {
    keys: Vec<(&'static str, String)>,
    /// What kind of file it is, and what was added to what it says.
    of: String,
}

impl Recipe {
    /// Reads the recipe that a file of another program states; `file` is its name, for [`Recipe::provenance`].
    ///
    /// # Errors
    /// [`RecipeFileError`] where it states none, or one that cannot be computed exactly.
    ///
    /// ```
    /// let text = r#"{"architecture": "resnet18", "pretrained_cfg": {"input_size": [3, 224, 224], "crop_pct": 0.95,
    ///     "interpolation": "bicubic", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}"#;
    /// let recipe = dataset::Recipe::from_json(text, "config.json")?;
    /// assert!(recipe.keys().starts_with("decoder=pil,resize=pct:0.95,filter=pil-bicubic,crop=224,"));
    /// # Ok::<(), dataset::RecipeFileError>(())
    /// ```
    pub fn from_json(text: &str, file: &str) -> Result<Self, RecipeFileError> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| RecipeFileError::NotJson { reason: error.to_string() })?;
        let fields = Fields::of(&value).ok_or(RecipeFileError::Unknown)?;
        let stated = if fields.has("OpConfig") {
            vdsp::read(&fields)
        } else if timm::is_one(&fields) {
            timm::read(&fields)
        } else if hugging_face::is_one(&fields) {
            hugging_face::read(&fields)
        } else if fields.has("model_type") || fields.has("architectures") {
            Err(RecipeFileError::ModelOnly)
        } else {
            Err(RecipeFileError::Unknown)
        };
        let Stated { keys, of } = stated?;
        let pairs = keys.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
        let recipe = Self::unnamed(pairs).map_err(|source| {
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            RecipeFileError::Keys { keys: keys.join(","), source }
        })?;
        Ok(Self { provenance: format!("{of}, from {file}"), ..recipe })
    }
}

#[cfg(test)]
mod tests;
