//! The catalog: which models there are, with what network, weights and recipe. What is claimed of them stands in cards.
//!
//! Entries are data (`datasets/catalog.toml`, embedded); a user's own file adds to them. A key that
//! is not known is an error, because a misspelt one would otherwise change what is measured.

mod error;
mod onnx;
mod published;
mod recipe_file;
mod recipes;
mod shape;

use std::path::Path;
use std::sync::Arc;

use dataset::{Recipe, Size, regular};
use graph::complexity::INPUT_SIZES;
use graph::{Shape, ShapeError};
use serde::Deserialize;
use serde::de::IgnoredAny;

pub use error::CatalogError;
pub use onnx::ONNX_NETWORK;
pub use published::{MIN_SHA256_DIGITS, PublishedWeights};
pub use recipes::FindRecipeError;

use crate::build::IMAGE_CHANNELS;
use crate::networks::{self, NetworkEntry};

static BUILT_IN: &str = include_str!("../../../../datasets/catalog.toml");

/// Catalogs are read whole; the built-in one has 25 kB.
const MAX_BYTES: u64 = 16 << 20;

/// The models, in the file's order, then a user's own.
///
/// ```
/// use models::Catalog;
///
/// let catalog = Catalog::built_in();
/// assert_eq!(catalog.select("*/xception41*")?.len(), 4);
///
/// let model = catalog.select("timm/xception")?[0];
/// assert_eq!((model.network.as_str(), model.input_size), ("timm-xception", 299));
/// # Ok::<(), models::CatalogError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Catalog {
    models: Vec<Model>,
    /// A user's own.
    recipes: Vec<Arc<Recipe>>,
    /// How many models are built in.
    built_in: usize,
}

/// One model: a network with particular weights, evaluated in a particular way.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// `<source>/<architecture>`, such as `timm/xception`.
    pub id: String,
    /// The network's name, see [`networks::NETWORKS`].
    pub network: String,
    /// The recipe of the weights' source: its name, or its keys as `--recipe` takes them.
    pub recipe: String,
    /// What it is; a [`Catalog`] has looked for it.
    #[serde(skip)]
    resolved_recipe: Option<Arc<Recipe>>,
    /// What a reader of the result should know about the recipe.
    pub recipe_note: Option<String>,
    /// Side of the square input, in pixels.
    pub input_size: usize,
    /// Of a user's own entry, whether a selection without names means it, too; another is evaluated when it is named.
    #[serde(default = "in_table")]
    pub in_table: bool,
    /// The published weights.
    pub weights: Option<PublishedWeights>,
    /// What the entry documents of the model is a claim, which the crate `cards` reads.
    #[serde(default, rename = "documented")]
    _documented: IgnoredAny,
    #[serde(default, rename = "errata")]
    _errata: IgnoredAny,
    #[serde(default, rename = "tolerance")]
    _tolerance: IgnoredAny,
}

fn in_table() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogFile {
    #[serde(default)]
    recipes: Vec<toml::Table>,
    #[serde(default)]
    models: Vec<Model>,
    /// What the crate `cards` reads.
    #[serde(default, rename = "accuracy_tolerance_pp")]
    _tolerance: IgnoredAny,
    #[serde(default, rename = "card")]
    _card: IgnoredAny,
    #[serde(default, rename = "rows")]
    _rows: IgnoredAny,
}

impl Catalog {
    /// The models of this project.
    ///
    /// # Panics
    /// If the embedded catalog is invalid, which a test rules out.
    pub fn built_in() -> Self {
        let mut catalog = Self { models: Vec::new(), recipes: Vec::new(), built_in: 0 };
        catalog.add(BUILT_IN, "built in").expect("the embedded catalog is valid");
        catalog.built_in = catalog.models.len();
        catalog
    }

    /// The text of a user's file, for [`Self::add`].
    ///
    /// # Errors
    /// [`CatalogError::Io`].
    pub fn read(path: &Path) -> Result<String, CatalogError> {
        regular::read_text(path, MAX_BYTES)
            .map_err(|source| CatalogError::Io { path: path.to_owned(), source })
    }

    /// Adds the models and recipes of `text`, a user's file called `origin`. What it claims of models is read by the crate
    /// `cards`.
    ///
    /// # Errors
    /// [`CatalogError`] for a file that has an unknown key, states a recipe that is none, names an unknown
    /// network or recipe, repeats an id, or gives two published files one name.
    pub fn add(&mut self, text: &str, origin: &str) -> Result<(), CatalogError> {
        let syntax = |source| CatalogError::Syntax { origin: origin.to_owned(), source };
        let of_file = |reason| CatalogError::Key { origin: origin.to_owned(), reason };
        let root = toml_keys::read(text, syntax, of_file)?;
        shape::check(&root, origin)?;
        let file: CatalogFile = toml_keys::read(text, syntax, of_file)?;
        for (number, recipe) in (1..).zip(&file.recipes) {
            self.add_recipe(recipe).map_err(|reason| {
                let name = recipe.get("name").and_then(toml::Value::as_str).filter(|name| !name.is_empty());
                let name = name.map_or_else(|| format!("entry {number}"), str::to_owned);
                CatalogError::Recipe { origin: origin.to_owned(), name, reason }
            })?;
        }
        for mut model in file.models {
            let refused = |reason: String, id: &str| CatalogError::Entry {
                origin: origin.to_owned(),
                id: id.to_owned(),
                reason,
            };
            let recipe = self.recipe(&model.recipe).map_err(|error| refused(error.to_string(), &model.id))?;
            model.resolved_recipe = Some(recipe);
            model.weights.iter_mut().for_each(PublishedWeights::normalise);
            if let Some(reason) = model.fault().or_else(|| self.clash(&model)) {
                return Err(refused(reason, &model.id));
            }
            self.models.push(model);
        }
        Ok(())
    }

    /// What `model` must not share with those that are there.
    fn clash(&self, model: &Model) -> Option<String> {
        // By the name of its files: `a/b-c` and `a-b/c` would share a prediction log, as `A/b` and `a/b` on some systems.
        if self.models.iter().any(|other| other.file_stem().eq_ignore_ascii_case(&model.file_stem())) {
            return Some("the id, or the name of its files, exists already; choose another".to_owned());
        }
        // A folder of weights (`--weights DIR`) knows published files by their names, which some file systems compare
        // without regard to case.
        let weights = model.weights.as_ref()?;
        let same_name = |other: &&Model| {
            other.weights.as_ref().is_some_and(|it| it.file.eq_ignore_ascii_case(&weights.file))
        };
        let other = self.models.iter().find(same_name).filter(|other| other.weights != model.weights)?;
        Some(format!(
            "its weights have the file name of those of {}, `{}`, but another address or hash; give one of them another `file`",
            other.id, weights.file
        ))
    }

    /// Every model.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// A user's own.
    pub fn own(&self) -> &[Model] {
        &self.models[self.built_in..]
    }

    /// The model with this `id`.
    pub fn get(&self, id: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.id == id)
    }

    /// The models that an id or a glob (`timm/*`, `*/xception41*`) names, in the catalog's order.
    ///
    /// # Errors
    /// [`CatalogError::UnknownModel`] with the nearest ids, or [`CatalogError::Pattern`].
    pub fn select(&self, pattern: &str) -> Result<Vec<&Model>, CatalogError> {
        let glob = glob::Pattern::new(pattern).map_err(|error| CatalogError::Pattern {
            pattern: pattern.to_owned(),
            reason: error.to_string(),
        })?;
        let found: Vec<&Model> = self.models.iter().filter(|model| glob.matches(&model.id)).collect();
        if found.is_empty() {
            return Err(CatalogError::UnknownModel {
                pattern: pattern.to_owned(),
                nearest: self.nearest(pattern),
            });
        }
        Ok(found)
    }

    /// Ids that resemble `pattern`, the nearest first.
    pub fn nearest(&self, pattern: &str) -> Vec<String> {
        const SHOWN: usize = 3;
        let mut ids: Vec<(f64, &str)> = self
            .models
            .iter()
            .map(|model| {
                // People leave the source out, so the architecture alone may match too.
                let by_id = strsim::jaro_winkler(pattern, &model.id);
                (by_id.max(strsim::jaro_winkler(pattern, model.arch())), model.id.as_str())
            })
            .collect();
        ids.sort_by(|a, b| b.0.total_cmp(&a.0));
        ids.into_iter().take(SHOWN).map(|(_, id)| id.to_owned()).collect()
    }
}

/// Whether a text can be part of an id, and of a file's name anywhere.
fn is_plain(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

impl Model {
    /// The part of the id before the slash: who publishes the weights.
    pub fn source(&self) -> &str {
        self.id.split_once('/').map_or("", |(source, _)| source)
    }

    /// The part of the id after the slash.
    pub fn arch(&self) -> &str {
        self.id.split_once('/').map_or("", |(_, arch)| arch)
    }

    /// `<source>-<arch>`: the stem of files that belong to the model.
    pub fn file_stem(&self) -> String {
        self.id.replace('/', "-")
    }

    /// The recipe of the weights' source in full; none for what is in no [`Catalog`], such as predictions made elsewhere.
    pub fn recipe(&self) -> Option<&Arc<Recipe>> {
        self.resolved_recipe.as_ref()
    }

    /// The network, ready to be built.
    ///
    /// # Panics
    /// If there is none of that name, which a [`Catalog`] does not let in.
    pub fn network(&self) -> &'static NetworkEntry {
        networks::by_name(&self.network).expect("a catalog has looked for it")
    }

    /// Checks that the network takes an image of the size `crop`.
    ///
    /// # Errors
    /// [`ShapeError`] if it is smaller than the network's windows.
    ///
    /// # Panics
    /// As [`Self::network`].
    pub fn check_crop(&self, crop: Size) -> Result<(), ShapeError> {
        let image = Shape::map(IMAGE_CHANNELS, crop.axes());
        self.network().build().graph().shapes(&image).map(drop)
    }

    fn fault(&self) -> Option<String> {
        if self.id.matches('/').count() != 1 || !is_plain(self.source()) || !is_plain(self.arch()) {
            return Some("an id is <source>/<architecture> in letters, digits, '.', '_' and '-'".to_owned());
        }
        if networks::by_name(&self.network).is_none() {
            let names: Vec<&str> = networks::NETWORKS.iter().map(|entry| entry.name).collect();
            return Some(format!("there is no network `{}`; there are {}", self.network, names.join(", ")));
        }
        if !INPUT_SIZES.contains(&self.input_size) {
            let (least, most) = (INPUT_SIZES.start(), INPUT_SIZES.end());
            return Some(format!("input_size is {}; it must be {least} to {most}", self.input_size));
        }
        if let Some(reason) = self.weights.as_ref().and_then(PublishedWeights::fault) {
            return Some(reason);
        }
        let recipe = self.resolved_recipe.as_ref()?;
        if Size::square(self.input_size) != recipe.crop {
            let rule = if recipe.crop.is_square() { "" } else { "; an entry's crop is a square" };
            return Some(format!(
                "input_size is {}, but the recipe `{}` crops {} pixels{rule}",
                self.input_size, recipe.name, recipe.crop
            ));
        }
        None
    }
}
