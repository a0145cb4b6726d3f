//! A card and its rows.

use std::fmt;
use std::path::{Path, PathBuf};

use graph::complexity::{FlopsRule, ParamsRule};
use serde::{Deserialize, Serialize};

use crate::figures::{Counted, Erratum, Figure, FigureName, Tolerance};

/// A table of claims.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// What `--card` and `claims.csv` call it.
    pub name: String,
    /// For people: what it is.
    pub title: Option<String>,
    /// The address of the page.
    pub source: Option<String>,
    /// What a reader should know of all of it.
    pub note: Option<String>,
    /// The recipe that its page states for all its rows: a name, or keys as `--recipe` takes them. No claim is about it.
    pub recipe: Option<String>,
    /// How far an accuracy over all images may lie from the printed one, in percentage points.
    pub accuracy_tolerance_pp: f64,
    /// What it claims, in its order.
    pub rows: Vec<Row>,
    /// The file that it is from, or that it is built in.
    pub origin: String,
}

/// What a card claims of a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// The model's id; one that no catalog has is not measured.
    pub model: String,
    /// The ONNX file that the model is, from the card's folder on; its id is `onnx/<stem>`.
    pub onnx: Option<String>,
    /// The recipe of the accuracies, where it is another than the model's own: a name, or keys.
    pub recipe: Option<String>,
    /// The type of numbers of the accuracies.
    pub precision: Precision,
    /// Side of the input in pixels, as the page prints it.
    pub input_size: Option<usize>,
    /// timm's `crop_pct`, as the page prints it.
    pub crop_pct: Option<Figure>,
    /// How images were resized, as the page prints it.
    pub interpolation: Option<String>,
    /// Top-1 accuracy over the 50,000 images, per cent.
    pub top1_pct: Option<Figure>,
    /// Top-5 accuracy, per cent.
    pub top5_pct: Option<Figure>,
    /// FLOPs in units of 1e9, by the source's rule.
    pub flops_g: Option<Counted<FlopsRule>>,
    /// Parameters in units of 1e6, by the source's rule.
    pub params_m: Option<Counted<ParamsRule>>,
    /// Figures that are known to be misprinted.
    pub errata: Vec<Erratum>,
    /// How far figures may lie from the printed ones, where that differs from what holds for all of the card.
    pub tolerance: Tolerance,
    /// The address of the row's own source.
    pub source: Option<String>,
    /// What a reader should know.
    pub note: Option<String>,
}

/// The type of numbers in which accuracies were measured. A card may claim figures of types that this program does not
/// compute in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// Half precision.
    F16,
    /// Eight bits of precision with the range of f32.
    Bf16,
    /// Quantised to eight bits.
    Int8,
}

impl Precision {
    /// The names of all.
    pub(crate) const NAMES: [&str; 4] =
        [Self::F32.name(), Self::F16.name(), Self::Bf16.name(), Self::Int8.name()];

    /// The name, as cards and `--dtype` have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Card {
    /// How far `figure` of `row` may lie from the printed one, where the row or the card says it: in percentage points, or in the
    /// figure's unit.
    pub fn tolerance_of(&self, row: &Row, figure: FigureName) -> Option<f64> {
        let of_card = match figure {
            FigureName::Top1Pct | FigureName::Top5Pct => Some(self.accuracy_tolerance_pp),
            FigureName::FlopsG | FigureName::ParamsM => None,
        };
        row.tolerance.of(figure).or(of_card)
    }

    /// The ONNX files that it has rows of, each once, as paths from where the program runs.
    pub fn onnx_files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = Vec::new();
        for path in self.rows.iter().filter_map(|row| self.onnx_file(row)) {
            if !files.contains(&path) {
                files.push(path);
            }
        }
        files
    }

    /// The ONNX file that the model of one of its rows is, as a path from where the program runs.
    pub fn onnx_file(&self, row: &Row) -> Option<PathBuf> {
        let folder = Path::new(&self.origin).parent().unwrap_or(Path::new(""));
        row.onnx.as_ref().map(|file| folder.join(file))
    }

    /// The rows about the model with this `id`.
    pub fn rows_of<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.model == id)
    }
}

impl Row {
    /// The figure as printed, if it is claimed.
    pub fn printed(&self, figure: FigureName) -> Option<&Figure> {
        match figure {
            FigureName::Top1Pct => self.top1_pct.as_ref(),
            FigureName::Top5Pct => self.top5_pct.as_ref(),
            FigureName::FlopsG => self.flops_g.as_ref().map(|counted| &counted.figure),
            FigureName::ParamsM => self.params_m.as_ref().map(|counted| &counted.figure),
        }
    }

    /// The erratum about `figure` as it is printed, if there is one.
    pub fn erratum(&self, figure: FigureName) -> Option<&Erratum> {
        let is_about = |erratum: &&Erratum| {
            let printed = erratum.printed.as_ref();
            erratum.figure == figure && printed.is_none_or(|printed| Some(printed) == self.printed(figure))
        };
        self.errata.iter().find(is_about)
    }

    /// The name of the rule by which `figure` was counted: nothing for an accuracy, and where the source does not say it.
    pub fn rule(&self, figure: FigureName) -> Option<&'static str> {
        match figure {
            FigureName::Top1Pct | FigureName::Top5Pct => None,
            FigureName::FlopsG => self.flops_g.as_ref()?.rule.map(FlopsRule::name),
            FigureName::ParamsM => self.params_m.as_ref()?.rule.map(ParamsRule::name),
        }
    }

    /// Whether `other` claims figures of the same model under the same conditions.
    pub(crate) fn is_about_the_same(&self, other: &Self) -> bool {
        let conditions = |row: &Self| (row.recipe.clone(), row.precision, row.input_size);
        self.model == other.model && conditions(self) == conditions(other)
    }
}
