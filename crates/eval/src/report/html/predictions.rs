//! What the page says of single predictions: classes, confusions, confident errors with what the network saw.

use std::collections::HashMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dataset::{Dataset, DatasetError, DecodeError, Decoded, NoMemory, Recipe, RecipeError, labels};

use super::super::escaped;
use super::analysis::{self, ClassHits, ConfidentError};
use super::tables::list;
use crate::logs::predictions::Prediction;
use crate::metrics::percentage;
use crate::record::{ModelRecord, RunRecord};

/// Rows of a list; the prediction logs have all.
const SHOWN: usize = 10;

/// Side of a thumbnail in pixels.
const THUMBNAIL: usize = 96;

/// One model's classes, confusions and errors, folded away.
pub(super) fn predictions(
    page: &mut String,
    record: &RunRecord,
    model: &ModelRecord,
    rows: &[Prediction],
    confidences: &HashMap<String, f32>,
    thumbnails: Option<&Thumbnails<'_>>,
) -> Result<(), DatasetError> {
    let set = record.dataset.label_set;
    let _ = writeln!(
        page,
        "<details><summary>{}: classes, confusions, confident errors</summary>\n<div class=\"lists\">",
        escaped(&model.id)
    );
    let classes = analysis::by_class(rows, set);
    let whole = classes.iter().filter(|(_, hits, images)| hits == images).count();
    let none = classes.iter().filter(|(_, hits, _)| *hits == 0).count();
    let title =
        format!("Worst classes of {} ({whole} without an error, {none} without a hit)", classes.len());
    let row_of = |&(class, hits, images): &ClassHits| {
        vec![named(class), format!("{hits}/{images}"), format!("{:.1} %", percentage(hits, images))]
    };
    list(page, &title, &["class", "hits", "top-1"], classes.iter().take(SHOWN).map(row_of));
    let pairs = analysis::confusions(rows, set);
    let confused = pairs.iter().take(SHOWN);
    list(
        page,
        "Most confused pairs",
        &["label", "taken for", "images"],
        confused.map(|&(label, class, images)| vec![named(label), named(class), images.to_string()]),
    );
    let errors = analysis::confident_errors(rows, confidences, set);
    let recipe = model.recipe().recipe();
    let shown = errors.iter().take(SHOWN);
    let picture = |error: &ConfidentError<'_>| {
        thumbnails.map_or_else(|| Ok(String::new()), |all| all.of(error.image, recipe.as_ref()))
    };
    let pictures = shown.clone().map(picture).collect::<Result<Vec<_>, _>>()?;
    list(
        page,
        "Most confident errors, with the probability and the best logit's lead over the second",
        &["", "image", "label", "predicted", "probability", "lead"],
        shown.zip(pictures).map(|(error, picture)| {
            let (label, class) = (named(error.label), named(error.class));
            let probability =
                error.probability.map_or_else(|| "-".to_owned(), |p| format!("{:.1} %", 100.0 * p));
            vec![picture, breakable(error.image), label, class, probability, format!("{:.2}", error.margin)]
        }),
    );
    *page += "</div>\n";
    if classes.len() > SHOWN {
        let _ = writeln!(page, "<details><summary>All {} classes</summary>", classes.len());
        list(
            page,
            "Top-1 by class, the worst first",
            &["class", "hits", "top-1"],
            classes.iter().map(row_of),
        );
        *page += "</details>\n";
    }
    *page += "</details>\n";
    Ok(())
}

/// Pictures of images of a data set.
pub(super) struct Thumbnails<'a> {
    dataset: &'a Dataset,
    index: HashMap<&'a str, usize>,
}

impl<'a> Thumbnails<'a> {
    pub(super) fn new(dataset: &'a Dataset) -> Self {
        let index =
            dataset.items().iter().enumerate().map(|(index, item)| (item.name.as_str(), index)).collect();
        Self { dataset, index }
    }

    /// What the network saw of an image, as an element; nothing where it cannot be read.
    fn of(&self, image: &str, recipe: Option<&Recipe>) -> Result<String, DatasetError> {
        let (Some(&index), Some(recipe)) = (self.index.get(image), recipe) else { return Ok(String::new()) };
        let bytes = match self.dataset.read(index) {
            Err(error @ DatasetError::NoMemory { .. }) => return Err(error),
            Err(_) => return Ok(String::new()),
            Ok(bytes) => bytes,
        };
        let jpeg = jpeg(&bytes, recipe).map_err(|cause| self.dataset.no_memory(index, cause))?;
        Ok(jpeg.map_or_else(String::new, |jpeg| {
            format!(
                "<img width=\"{THUMBNAIL}\" height=\"{THUMBNAIL}\" alt=\"what the network saw of {}\" src=\"data:image/jpeg;base64,{}\">",
                escaped(image),
                STANDARD.encode(jpeg)
            )
        }))
    }
}

/// What `recipe` makes of a file, in small; none of a file that gives no pixels.
fn jpeg(bytes: &[u8], recipe: &Recipe) -> Result<Option<Vec<u8>>, NoMemory> {
    let crop = match Decoded::from_bytes(bytes) {
        Err(DecodeError::NoMemory(cause)) => return Err(cause),
        Err(_) => return Ok(None),
        Ok(decoded) => recipe.crop(&decoded),
    };
    match crop {
        Err(RecipeError::NoMemory(cause)) => Err(cause),
        Err(_) => Ok(None),
        Ok(crop) => dataset::thumbnail_jpeg(&crop, THUMBNAIL).map(Some),
    }
}

/// A file's name for people. One of the validation set's, for which a column has no room, is broken before its number.
fn breakable(name: &str) -> String {
    match labels::val_file_number(name) {
        Some(_) => escaped(name).replace("_val_", "_val_<wbr>"),
        None => escaped(name),
    }
}

/// A class for people.
fn named(class: u16) -> String {
    escaped(&labels::described(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_validation_set_are_broken_before_the_number() {
        assert_eq!(breakable("ILSVRC2012_val_00039370.JPEG"), "ILSVRC2012_val_<wbr>00039370.JPEG");
        assert_eq!(breakable("a_val_<b>"), "a_val_&lt;b&gt;");
    }
}
