//! The catalog: which models are documented, with what weights, recipe and figures.
//!
//! Entries are data (`datasets/catalog.toml`, embedded); a user's own file adds to them. A key that
//! is not known is an error, because a misspelt one would otherwise change what is measured.

mod bounds;
mod error;
mod figures;
mod onnx;
mod published;
mod recipes;
mod shape;

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use dataset::guard::guarded_or;
use dataset::{Recipe, Size, regular};
use graph::{Shape, ShapeError};
use serde::Deserialize;

pub use error::CatalogError;
pub use figures::{Counted, Documented, Erratum, Figure, FigureName, Tolerance};
pub use onnx::ONNX_NETWORK;
pub use published::{MIN_SHA256_DIGITS, PublishedWeights};
pub use recipes::FindRecipeError;

use crate::build::IMAGE_CHANNELS;
use crate::networks::{self, NetworkEntry};

static BUILT_IN: &str = include_str!("../../../../datasets/catalog.toml");

/// The recipe with which the card itself evaluated every network, whatever its source used.
pub const CARD_RECIPE: &str = "card-342-bilinear";

/// Catalogs are read whole; the built-in one has 8 kB.
const MAX_BYTES: u64 = 16 << 20;

/// Sides of a square input, in pixels, for which layers are counted: small enough for no overflow and
/// large enough for every network's windows.
pub(crate) const INPUT_SIZES: RangeInclusive<usize> = 32..=8192;

/// The documented models, in the file's order (the table's), then a user's own.
///
/// ```
/// use models::Catalog;
///
/// let catalog = Catalog::built_in();
/// assert_eq!(catalog.select("*/xception41*")?.len(), 4);
///
/// let model = catalog.select("timm/xception")?[0];
/// let top1 = model.documented.top1_pct.as_ref().expect("the table has it");
/// assert_eq!((top1.as_str(), top1.decimals()), ("79.050", 3));
/// # Ok::<(), models::CatalogError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Catalog {
    models: Vec<Model>,
    /// A user's own.
    recipes: Vec<Arc<Recipe>>,
    accuracy_tolerance_pp: f64,
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
    /// Whether the model is in the table, which is what a selection without names means; another is evaluated
    /// when it is named. A user's own entry is in the table unless it says otherwise.
    #[serde(default = "in_table")]
    pub in_table: bool,
    /// The published weights.
    pub weights: Option<PublishedWeights>,
    /// The figures that the source prints.
    #[serde(default)]
    pub documented: Documented,
    /// Figures that are known to be misprinted.
    #[serde(default)]
    pub errata: Vec<Erratum>,
    /// How far figures may lie from the printed ones, where that differs from what holds for all of the file.
    #[serde(default)]
    pub tolerance: Tolerance,
    /// How far an accuracy over all images may lie from the printed one, in percentage points, by the file that the
    /// entry is from: a user's file never changes how another's entries are judged.
    #[serde(skip)]
    pub accuracy_tolerance_pp: f64,
}

fn in_table() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogFile {
    accuracy_tolerance_pp: Option<f64>,
    #[serde(default)]
    recipes: Vec<toml::Table>,
    #[serde(default)]
    models: Vec<Model>,
}

impl Catalog {
    /// The documented models.
    ///
    /// # Panics
    /// If the embedded catalog is invalid, which a test rules out.
    pub fn built_in() -> Self {
        let mut catalog = Self { models: Vec::new(), recipes: Vec::new(), accuracy_tolerance_pp: 0.0 };
        catalog.add(BUILT_IN, "built in").expect("the embedded catalog is valid");
        catalog
    }

    /// Adds the entries of a user's file.
    ///
    /// # Errors
    /// [`CatalogError`] for a file that cannot be read, has an unknown key, states a recipe that is none, names an unknown
    /// network, recipe or rule, documents what cannot be (an accuracy above 100 %, say), repeats an id, or gives two published files
    /// one name.
    pub fn add_file(&mut self, path: &Path) -> Result<(), CatalogError> {
        let text = regular::read_text(path, MAX_BYTES)
            .map_err(|source| CatalogError::Io { path: path.to_owned(), source })?;
        self.add(&text, &path.display().to_string())
    }

    fn add(&mut self, text: &str, origin: &str) -> Result<(), CatalogError> {
        let syntax = |source| CatalogError::Syntax { origin: origin.to_owned(), source: Box::new(source) };
        let reader_failed = |panic| CatalogError::Key {
            origin: origin.to_owned(),
            reason: format!("the reader of TOML failed ({panic}); write it more plainly"),
        };
        let root = guarded_or(|| toml::from_str(text).map_err(syntax), reader_failed)?;
        shape::check(&root, origin)?;
        let file: CatalogFile = guarded_or(|| toml::from_str(text).map_err(syntax), reader_failed)?;
        let tolerance_pp = file.accuracy_tolerance_pp.unwrap_or(self.accuracy_tolerance_pp);
        if !bounds::PER_CENT.contains(&tolerance_pp) {
            return Err(CatalogError::Tolerance { origin: origin.to_owned(), tolerance: tolerance_pp });
        }
        // The first file is the built-in one, whose tolerance holds where another file has none.
        if self.models.is_empty() {
            self.accuracy_tolerance_pp = tolerance_pp;
        }
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
            model.accuracy_tolerance_pp = tolerance_pp;
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

    /// Those in the table: the models that are meant where none is named.
    pub fn table(&self) -> impl Iterator<Item = &Model> {
        self.models.iter().filter(|model| model.in_table)
    }

    /// How far an accuracy over all images may lie from the printed one where a file says nothing else, in percentage
    /// points: the built-in catalog's.
    pub fn accuracy_tolerance_pp(&self) -> f64 {
        self.accuracy_tolerance_pp
    }

    /// The models that an id or a glob (`timm/*`, `*/xception41*`) names, in the table's order.
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

    fn nearest(&self, pattern: &str) -> Vec<String> {
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

    /// Side of the square input at which layers are counted, in pixels: the documented FLOPs' own where that is
    /// another than the model's.
    pub fn counted_at(&self) -> usize {
        let counted_at = self.documented.flops_g.as_ref().and_then(|flops| flops.input_size);
        counted_at.unwrap_or(self.input_size)
    }

    /// The erratum about `figure`, if there is one.
    pub fn erratum(&self, figure: FigureName) -> Option<&Erratum> {
        self.errata.iter().find(|erratum| erratum.figure == figure)
    }

    fn fault(&self) -> Option<String> {
        if self.id.matches('/').count() != 1 || !is_plain(self.source()) || !is_plain(self.arch()) {
            return Some("an id is <source>/<architecture> in letters, digits, '.', '_' and '-'".to_owned());
        }
        if networks::by_name(&self.network).is_none() {
            let names: Vec<&str> = networks::NETWORKS.iter().map(|entry| entry.name).collect();
            return Some(format!("there is no network `{}`; there are {}", self.network, names.join(", ")));
        }
        if !INPUT_SIZES.contains(&self.counted_at()) {
            let counted = self.documented.flops_g.as_ref().is_some_and(|flops| flops.input_size.is_some());
            return Some(format!(
                "{} is {}; it must be {} to {}",
                if counted { "documented.flops_g.input_size" } else { "input_size" },
                self.counted_at(),
                INPUT_SIZES.start(),
                INPUT_SIZES.end()
            ));
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
        bounds::fault(self)
    }
}
