//! The data set closed, and what a person should know of it: what was not read, and labels that contradict the
//! known ones.

use std::collections::HashSet;

use super::error::{DatasetError, examples};
use super::order::{self, Order};
use super::scan::{Found, Strays};
use super::{Dataset, LabelSource, LabelledImage, Layout, Store};
use crate::labels;

/// Closes the data set; warns of what may surprise, and of labels that contradict the known ones.
///
/// # Errors
/// [`DatasetError::LabelsWrong`] where they do so beyond doubt; [`DatasetError::DeadLinks`] where no image can be reached.
pub(super) fn finish(
    found: Found,
    items: Vec<LabelledImage>,
    layout: Layout,
    label_source: LabelSource,
) -> Result<Dataset, DatasetError> {
    refuse_wrong_labels(&items, &label_source)?;
    let mut warnings = Vec::new();
    let folders = |count: usize| if count == 1 { "1 folder".to_owned() } else { format!("{count} folders") };
    let dead_links: HashSet<String> = items
        .iter()
        .map(|item| &item.name)
        .filter(|name| found.dead_links.contains(*name))
        .cloned()
        .collect();
    if !dead_links.is_empty() {
        let names = || {
            let mut names: Vec<&str> = dead_links.iter().map(String::as_str).collect();
            names.sort_unstable();
            examples(names)
        };
        if dead_links.len() == items.len() {
            return Err(DatasetError::DeadLinks { path: found.root, count: items.len(), examples: names() });
        }
        warnings.push(format!(
            "{} of {} images are links to files that are not there, and count as wrong: {}",
            dead_links.len(),
            items.len(),
            names(),
        ));
    }
    if let Some(Strays { folder, names }) = &found.strays {
        let count = names.len();
        warnings.push(format!(
            "not read: {} in {} beside the folders of images that are meant ({})",
            if count == 1 { "1 image".to_owned() } else { format!("{count} images") },
            folder.display(),
            examples(names.iter().map(String::as_str)),
        ));
    }
    if !found.dead_folders.is_empty() {
        warnings.push(format!(
            "not read: {} in {} that are links to nothing ({})",
            folders(found.dead_folders.len()),
            found.root.display(),
            examples(found.dead_folders.iter().map(String::as_str)),
        ));
    }
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
    Ok(Dataset { root: found.root, items, layout, label_source, warnings, dead_links, store: Store::Files })
}

/// Refuses labels that contradict what the images' names say, where that is beyond doubt.
pub(super) fn refuse_wrong_labels(items: &[LabelledImage], source: &LabelSource) -> Result<(), DatasetError> {
    let known = order::known(items, source);
    let pairs = order::pairs(&known);
    let Some((first, label)) = known.iter().find(|(item, label)| item.label != *label) else { return Ok(()) };
    if !order::are_certainly_wrong(&pairs) {
        return Ok(());
    }
    Err(DatasetError::LabelsWrong {
        labels: source.to_string(),
        wrong: known.iter().filter(|(item, label)| item.label != *label).count(),
        known: known.len(),
        order: order::of(&pairs).to_string(),
        name: first.name.clone(),
        label: first.label,
        known_label: *label,
        advice: source.advice(),
        remedy: source.remedy(),
    })
}

/// What to say if the labels are not the known ones of the ILSVRC2012 files among the images.
fn disagreement(items: &[LabelledImage], label_source: &LabelSource) -> Option<String> {
    let known = order::known(items, label_source);
    let wrong: Vec<&(&LabelledImage, u16)> =
        known.iter().filter(|(item, label)| item.label != *label).collect();
    let (first, label) = wrong.first()?;
    let guess = match label_source.noun() {
        None => String::new(),
        Some(noun) => match order::of(&order::pairs(&known)) {
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
