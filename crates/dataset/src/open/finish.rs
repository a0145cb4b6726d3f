//! The data set closed, and what a person should know of it: what was not read, and labels that contradict the
//! known ones.

use std::collections::HashSet;

use super::error::examples;
use super::order::{self, Order};
use super::scan::Found;
use super::{Dataset, Item, LabelSource, Layout, Store};
use crate::labels;

/// Closes the data set; warns of labels that contradict the known ones, and of what may surprise.
pub(super) fn finish(found: Found, items: Vec<Item>, layout: Layout, label_source: LabelSource) -> Dataset {
    let mut warnings = Vec::new();
    let folders = |count: usize| if count == 1 { "1 folder".to_owned() } else { format!("{count} folders") };
    if !found.passed_over.is_empty() {
        warnings.push(format!(
            "not read: {} with images beside the images in {} ({}); to evaluate such a folder, give it as the path",
            folders(found.passed_over.len()),
            found.root.display(),
            examples(found.passed_over.iter().map(String::as_str)),
        ));
    }
    if !found.named_like_images.is_empty() {
        warnings.push(format!(
            "not read: {} in {} named like an image file ({})",
            folders(found.named_like_images.len()),
            found.root.display(),
            examples(found.named_like_images.iter().map(String::as_str)),
        ));
    }
    let evaluated: HashSet<&str> = items.iter().map(|item| item.name.as_str()).collect();
    let left_out: Vec<&str> =
        found.names.iter().map(String::as_str).filter(|name| !evaluated.contains(name)).collect();
    if !left_out.is_empty() {
        warnings.push(format!(
            "{} of {} images are not named by {label_source} and are not evaluated: {}",
            left_out.len(),
            found.names.len(),
            examples(left_out),
        ));
    }
    warnings.extend(disagreement(&items, &label_source));
    let mut numbers = HashSet::new();
    let twice: Vec<&str> = (items.iter().map(|item| item.name.as_str()))
        .filter(|name| labels::val_file_number(name).is_some_and(|number| !numbers.insert(number)))
        .collect();
    if !twice.is_empty() {
        warnings.push(format!(
            "{} validation files are there twice, with another folder or extension: {}",
            twice.len(),
            examples(twice),
        ));
    }
    Dataset { root: found.root, items, layout, label_source, warnings, store: Store::Files }
}

/// What to say if the labels are not the known ones of the ILSVRC2012 files among the images.
fn disagreement(items: &[Item], label_source: &LabelSource) -> Option<String> {
    let known: Vec<(&Item, u16)> =
        items.iter().filter_map(|item| Some((item, labels::val_label(&item.name)?))).collect();
    let wrong: Vec<&(&Item, u16)> = known.iter().filter(|(item, label)| item.label != *label).collect();
    let (first, label) = wrong.first()?;
    let guess = match label_source.noun() {
        None => String::new(),
        Some(noun) => match order::of(&order::known(items)) {
            Order::Sorted { .. } => String::new(),
            Order::FromOne { .. } => format!("; {noun} that counts from 1?"),
            Order::Unrelated => format!("; {noun} in another class order?"),
            order => format!("; they are {order}"),
        },
    };
    Some(format!(
        "the labels from {label_source} disagree with the known ILSVRC2012 labels for {} of {} files, first: {} is {} \
         there, known {label}{guess}",
        wrong.len(),
        known.len(),
        first.name,
        first.label,
    ))
}
