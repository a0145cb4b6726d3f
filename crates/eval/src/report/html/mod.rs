//! `report.html`: one file that needs nothing else. It answers at its top whether the table holds, and below
//! where it does not.

mod analysis;
mod calibration;
mod chart;
mod predictions;
mod provenance;
mod tables;

use std::collections::HashMap;
use std::fmt::Write as _;

use cards::FigureName;
use dataset::{Dataset, DatasetError};

use self::calibration::{Calibration, FEW};
use self::chart::{Point, scatter};
use self::predictions::{Thumbnails, predictions};
use self::provenance::provenance;
use self::tables::{agreement, figures, summary, why};
use super::table::summary_lines;
use super::{cells, escaped};
use crate::logs::predictions::Prediction;
use crate::metrics::{percentage, wilson_interval_pct};
use crate::record::{ModelRecord, RunRecord};
use crate::verdict::Verdict;
use crate::weights::WeightsSource;

/// Images from which on a measured accuracy is drawn: an interval of 9 percentage points at most.
const TELLING: u64 = 500;

const STYLE: &str = include_str!("style.css");

const SCRIPT: &str = include_str!("script.js");

/// The content of `report.html`. `rows` and `confidences` (the probability of the best class by image) are those of
/// each of the record's models; `images` is the data where it is at hand.
///
/// # Errors
/// [`DatasetError::NoMemory`] for a picture of an image.
pub fn html(
    record: &RunRecord,
    rows: &[&[Prediction]],
    confidences: &[HashMap<String, f32>],
    images: Option<&Dataset>,
) -> Result<String, DatasetError> {
    let mut page = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    page += "<meta name=\"color-scheme\" content=\"light dark\">\n<title>imagenet-eval report</title>\n";
    let _ = write!(page, "<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n");
    banner(&mut page, record);
    summary(&mut page, record);
    figures(&mut page, record);
    why(&mut page, record);
    charts(&mut page, record);
    calibrations(&mut page, record, rows, confidences);
    page += "<h2>Predictions</h2>\n";
    let thumbnails = images.map(Thumbnails::new);
    for ((model, rows), confidences) in record.models.iter().zip(rows).zip(confidences) {
        predictions(&mut page, record, model, rows, confidences, thumbnails.as_ref())?;
    }
    agreement(&mut page, record, rows);
    provenance(&mut page, record);
    let _ = write!(page, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
    Ok(page)
}

/// Does the table hold, and if not, where.
fn banner(page: &mut String, record: &RunRecord) {
    let all =
        || record.models.iter().flat_map(|model| model.figures.iter().map(move |figure| (model, figure)));
    let failed: Vec<String> = all()
        .filter(|(_, figure)| figure.verdict == Verdict::NotReproduced)
        .map(|(model, figure)| format!("{} {}", model.id, cells::naming(figure.figure).0))
        .collect();
    let open = all().filter(|(_, figure)| figure.verdict == Verdict::NotComparable).count();
    let total = all().count();
    let (class, answer) = match (failed.len(), open) {
        (0, 0) => ("good", "The table holds.".to_owned()),
        (0, open) => (
            "mute",
            format!("Nothing contradicts the table, but {open} of {total} figures were not comparable."),
        ),
        (count, _) => {
            ("bad", format!("The table does not hold: {count} of {total} figures are not reproduced."))
        }
    };
    let _ =
        writeln!(page, "<h1>Does the table hold?</h1>\n<p class=\"answer {class}\">{}</p>", escaped(&answer));
    if !failed.is_empty() {
        let _ = writeln!(page, "<p>Not reproduced: {}.</p>", escaped(&failed.join(", ")));
    }
    *page += "<ul>\n";
    for line in summary_lines(record) {
        let _ = writeln!(page, "<li>{}</li>", escaped(&line));
    }
    *page += "</ul>\n";
}

fn charts(page: &mut String, record: &RunRecord) {
    let points = |cost: FigureName| -> Vec<Point> {
        record.models.iter().enumerate().filter_map(|(index, model)| point(index + 1, model, cost)).collect()
    };
    let plots = [
        ("FLOPs", "FLOPs, G", points(FigureName::FlopsG)),
        ("parameters", "parameters, M", points(FigureName::ParamsM)),
    ];
    if plots.iter().all(|(_, _, points)| {
        points.iter().all(|point| point.documented.is_none() && point.measured.is_none())
    }) {
        return;
    }
    *page += "<h2>Accuracy against cost</h2>\n<p><span class=\"key documented\"></span> documented <span class=\"key measured\"></span> measured, with its 95 % interval";
    if !record.models.iter().all(is_telling) {
        let _ = write!(page, " (not shown for seeded weights, nor for fewer than {TELLING} images)");
    }
    *page += "</p>\n<div class=\"plots\">\n";
    for (name, label, points) in plots {
        *page += &scatter(&format!("Top-1 accuracy against {name}"), label, &points);
    }
    *page += "</div>\n<ol class=\"legend\">\n";
    for model in &record.models {
        let _ = writeln!(page, "<li>{}</li>", escaped(&model.id));
    }
    *page += "</ol>\n";
}

fn calibrations(
    page: &mut String,
    record: &RunRecord,
    rows: &[&[Prediction]],
    confidences: &[HashMap<String, f32>],
) {
    let set = record.dataset.label_set;
    let all = record.models.iter().zip(rows).zip(confidences);
    let known = all
        .filter(|((model, _), _)| is_telling(model))
        .filter_map(|((model, rows), confidences)| Some((model, Calibration::of(rows, confidences, set)?)));
    let mut known = known.peekable();
    if known.peek().is_none() {
        return;
    }
    let _ = writeln!(
        page,
        "<h2>Calibration</h2>\n<p>A bar shows how often predictions of a confidence are right, with the 95 % interval; the dashed line is where they would be right as often as they say. Above it a network is underconfident, below it overconfident. Pale bars are of fewer than {FEW} images; the strip at the bottom shows how many images each bar has. The expected calibration error is the mean distance of bars and line, weighted by images.</p>\n<div class=\"diagrams\">"
    );
    for (model, calibration) in known {
        let _ = writeln!(
            page,
            "<figure>{}<figcaption><b>{}</b><br>{}</figcaption></figure>",
            calibration.diagram(&model.id),
            escaped(&model.id),
            escaped(&calibration.words())
        );
    }
    *page += "</div>\n";
}

/// Whether a measured accuracy says anything beside a documented one.
fn is_telling(model: &ModelRecord) -> bool {
    model.weights != WeightsSource::Seeded && model.images >= TELLING
}

/// A model's place in a plot; `ordinal` is its number in the legend, from 1.
fn point(ordinal: usize, model: &ModelRecord, cost: FigureName) -> Option<Point> {
    let top1 = model.figure(FigureName::Top1Pct)?;
    let measured = is_telling(model).then(|| {
        let interval = wilson_interval_pct(model.top1_hits, model.images);
        (percentage(model.top1_hits, model.images), interval)
    });
    Some(Point {
        ordinal,
        name: model.id.clone(),
        x: model.figure(cost)?.counted()?,
        documented: top1.documented.as_ref().and_then(|printed| printed.parse().ok()),
        measured,
    })
}
