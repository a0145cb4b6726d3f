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

/// Images of a class from which on its accuracy says something: the interval of half of them is 60 points wide still.
const TELLING_OF_CLASS: u64 = 8;

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
    let classes = analysis::by_class(rows, set);
    let errors = analysis::confident_errors(rows, confidences, set);
    let _ = writeln!(
        page,
        "<details><summary>{}: classes, confusions, confident errors</summary>\n<p class=\"soft\">{}</p>\n<div class=\"lists\">",
        escaped(&model.id),
        wrong_in_words(rows.iter().filter(|row| row.outcome.is_ok()).count(), &errors)
    );
    let row_of = |&(class, hits, images): &ClassHits| {
        vec![named(class), format!("{hits}/{images}"), format!("{:.1} %", percentage(hits, images))]
    };
    let rows_of_classes = classes.iter().take(SHOWN).map(row_of);
    list(page, "", &classes_in_words(&classes), &["class", "hits", "top-1"], rows_of_classes);
    let pairs = analysis::confusions(rows, set);
    if pairs.is_empty() {
        *page += "<p class=\"soft\">No two classes are confused more than once.</p>\n";
    }
    let confused = pairs.iter().take(SHOWN).map(|pair| {
        vec![named(pair.label), named(pair.class), pair.images.to_string(), pair.back.to_string()]
    });
    let title = format!("Most confused of {} pairs of classes that are confused more than once", pairs.len());
    list(page, "", &title, &["label", "taken for", "images", "the other way"], confused);
    let recipe = model.recipe().recipe();
    let shown = errors.iter().take(SHOWN);
    let picture = |error: &ConfidentError<'_>| {
        thumbnails.map_or_else(|| Ok(String::new()), |all| all.of(error.image, recipe.as_ref()))
    };
    let pictures = shown.clone().map(picture).collect::<Result<Vec<_>, _>>()?;
    list(
        page,
        "across",
        "Most confident errors: what the network saw, the probability of the class that it predicts, the best logit's lead over the second, \
         and where the label stands among the five best",
        &["", "image", "label", "predicted", "probability", "lead", "label is"],
        shown.zip(pictures).map(|(error, picture)| {
            let (label, class) = (named(error.label), named(error.class));
            let probability =
                error.probability.map_or_else(|| "-".to_owned(), |p| format!("{:.1} %", 100.0 * p));
            let lead = format!("{:.2}", error.margin);
            vec![
                picture,
                breakable(error.image),
                label,
                class,
                probability,
                lead,
                place(error.place_of_label),
            ]
        }),
    );
    *page += "</div>\n";
    if classes.len() > SHOWN {
        let _ = writeln!(page, "<details><summary>All {} classes</summary>", classes.len());
        list(
            page,
            "",
            "Top-1 by class, the worst first",
            &["class", "hits", "top-1"],
            classes.iter().map(row_of),
        );
        *page += "</details>\n";
    }
    *page += "</details>\n";
    Ok(())
}

/// How many predictions are wrong, and of how many of them the label is near.
fn wrong_in_words(predictions: usize, errors: &[ConfidentError<'_>]) -> String {
    let near = errors.iter().filter(|error| error.place_of_label.is_some()).count();
    format!(
        "{} of {predictions} predictions name a wrong class; of {near} of those the label is among the five best.",
        errors.len()
    )
}

/// What the list of classes can say.
fn classes_in_words(classes: &[ClassHits]) -> String {
    let whole = classes.iter().filter(|(_, hits, images)| hits == images).count();
    let none = classes.iter().filter(|(_, hits, _)| *hits == 0).count();
    let counts = classes.iter().map(|(_, _, images)| *images);
    let (fewest, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
    let few = match most {
        _ if most >= TELLING_OF_CLASS => String::new(),
        _ if fewest == most => format!("; with {most} of each a class's accuracy says little"),
        _ => format!("; with {fewest} to {most} of each a class's accuracy says little"),
    };
    format!("Worst classes of {} ({whole} without an error, {none} without a hit{few})", classes.len())
}

/// Where a label stands among the five best classes.
fn place(place: Option<usize>) -> String {
    let ordinals = ["1st", "2nd", "3rd", "4th", "5th"];
    place.and_then(|place| ordinals.get(place - 1)).map_or("none of five", |place| place).to_owned()
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
    fn few_images_of_a_class_are_said_to_be_few() {
        let words = classes_in_words(&[(1, 0, 1), (2, 3, 3), (3, 1, 3)]);
        assert_eq!(
            words,
            "Worst classes of 3 (1 without an error, 1 without a hit; with 1 to 3 of each a class's accuracy says little)"
        );
        assert!(classes_in_words(&[(1, 0, 1), (2, 1, 1)]).contains("; with 1 of each a class's"));
        assert_eq!(
            classes_in_words(&[(1, 40, 50)]),
            "Worst classes of 1 (0 without an error, 0 without a hit)"
        );
    }

    #[test]
    fn places_are_ordinals() {
        assert_eq!([place(Some(2)), place(Some(5)), place(None)], ["2nd", "5th", "none of five"]);
    }

    #[test]
    fn names_of_the_validation_set_are_broken_before_the_number() {
        assert_eq!(breakable("ILSVRC2012_val_00039370.JPEG"), "ILSVRC2012_val_<wbr>00039370.JPEG");
        assert_eq!(breakable("a_val_<b>"), "a_val_&lt;b&gt;");
    }
}
