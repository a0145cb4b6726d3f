//! A card in the form of others' tables: what [`cards::foreign`] reads, written. Each form says where its figures are from as
//! far as it has a place for that.

mod markdown;
mod metafile;
mod timm_csv;

use cards::Card;
use cards::foreign::Form;

/// A card and what is to be said of where its figures are from.
#[derive(Debug)]
pub struct CardPage<'a> {
    /// The card.
    pub card: &'a Card,
    /// What the accuracies are over, as a data set is called.
    pub dataset: String,
    /// Where the figures are from, a line each.
    pub provenance: Vec<String>,
    /// Where each row's figures are from; may be empty.
    pub rows: Vec<RowProvenance>,
}

/// Where a row's figures are from.
#[derive(Debug, Clone, Default)]
pub struct RowProvenance {
    /// Images that the accuracies are over.
    pub images: String,
    /// The weights: their hash.
    pub weights: String,
    /// The recipe, by its keys.
    pub recipe: String,
}

/// What a data set is called where it is the whole ILSVRC2012 validation set.
pub const WHOLE_SET: &str = "ImageNet-1k";

/// The text of `page` in the form `form`.
pub fn card_text(page: &CardPage<'_>, form: Form) -> String {
    match form {
        Form::Markdown => markdown::text(page),
        Form::TimmCsv => timm_csv::text(page),
        Form::Metafile => metafile::text(page),
    }
}

/// A model's id as a source and a name; the source is empty where the id has none.
fn parts(id: &str) -> (&str, &str) {
    id.split_once('/').unwrap_or(("", id))
}
