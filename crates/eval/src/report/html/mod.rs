//! `report.html`: one file that needs nothing else. It answers at its top whether the table holds, and below
//! where it does not.

mod analysis;
mod calibration;
mod chart;

use std::collections::HashMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dataset::{Dataset, Decoded, Recipe, labels};
use models::catalog::FigureName;

use self::analysis::ClassHits;
use self::calibration::Calibration;
use self::chart::{Point, scatter};
use super::table::{measured, naming, summary_lines};
use super::{escaped, tolerance_words};
use crate::metrics::{percentage, wilson_interval_pct};
use crate::predictions::Prediction;
use crate::record::{ModelRecord, RunRecord};
use crate::verdict::Verdict;
use crate::weights::WeightsSource;

/// Rows of a list; the prediction logs have all.
const SHOWN: usize = 10;

/// Images from which on a measured accuracy is drawn: an interval of 9 percentage points at most.
const TELLING: u64 = 500;

const STYLE: &str = include_str!("style.css");

/// Side of a thumbnail in pixels.
const THUMBNAIL: usize = 96;

/// The content of `report.html`. `rows` and `confidences` (the probability of the best class by image) are those of
/// each of the record's models; `images` is the data where it is at hand.
pub fn html(
    record: &RunRecord,
    rows: &[&[Prediction]],
    confidences: &[HashMap<String, f32>],
    images: Option<&Dataset>,
) -> String {
    let mut page = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    page += "<meta name=\"color-scheme\" content=\"light dark\">\n<title>imagenet-eval report</title>\n";
    let _ = write!(page, "<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n");
    banner(&mut page, record);
    figures(&mut page, record);
    why(&mut page, record);
    charts(&mut page, record);
    calibrations(&mut page, record, rows, confidences);
    page += "<h2>Predictions</h2>\n";
    let thumbnails = images.map(Thumbnails::new);
    for ((model, rows), confidences) in record.models.iter().zip(rows).zip(confidences) {
        predictions(&mut page, record, model, rows, confidences, thumbnails.as_ref());
    }
    agreement(&mut page, record, rows);
    provenance(&mut page, record);
    page += "</main>\n</body>\n</html>\n";
    page
}

fn class_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Reproduced => "good",
        Verdict::NotReproduced => "bad",
        Verdict::Erratum => "odd",
        Verdict::NotComparable => "mute",
    }
}

/// Does the table hold, and if not, where.
fn banner(page: &mut String, record: &RunRecord) {
    let all =
        || record.models.iter().flat_map(|model| model.figures.iter().map(move |figure| (model, figure)));
    let failed: Vec<String> = all()
        .filter(|(_, figure)| figure.verdict == Verdict::NotReproduced)
        .map(|(model, figure)| format!("{} {}", model.id, naming(figure.figure).0))
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

fn figures(page: &mut String, record: &RunRecord) {
    *page += "<h2>Figures</h2>\n<div class=\"wide\"><table>\n<caption>Documented beside measured, with the rule that explains each figure</caption>\n";
    *page += "<thead><tr><th scope=\"col\">model</th><th scope=\"col\">figure</th><th scope=\"col\">documented</th><th scope=\"col\">measured</th><th scope=\"col\">verdict</th><th scope=\"col\">why</th></tr></thead>\n";
    for model in &record.models {
        *page += "<tbody>\n";
        for (index, figure) in model.figures.iter().enumerate() {
            let (name, unit, _) = naming(figure.figure);
            *page += "<tr>";
            if index == 0 {
                let _ = write!(
                    page,
                    "<th scope=\"rowgroup\" rowspan=\"{}\">{}</th>",
                    model.figures.len(),
                    escaped(&model.id)
                );
            }
            let documented = figure
                .documented
                .as_ref()
                .map_or_else(|| "-".to_owned(), |printed| format!("{printed} {unit}"));
            let _ = writeln!(
                page,
                "<td>{name}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td><span class=\"verdict {}\">{}</span></td><td>{}</td></tr>",
                escaped(&documented),
                escaped(&measured(model, figure)),
                class_of(figure.verdict),
                figure.verdict,
                escaped(&figure.reason)
            );
        }
        *page += "</tbody>\n";
    }
    *page += "</table></div>\n";
}

/// What swapping one factor of the recipe at a time did.
fn why(page: &mut String, record: &RunRecord) {
    for model in &record.models {
        let Some(explanation) = &model.explanation else { continue };
        let _ = writeln!(
            page,
            "<h2>Why: {}</h2>\n<p>{}.</p>",
            escaped(&model.id),
            escaped(&explanation.conclusion())
        );
        let top1 = |hits| format!("{:.1} %", percentage(hits, explanation.images));
        let itself = vec![
            "(none)".to_owned(),
            String::new(),
            String::new(),
            String::new(),
            top1(explanation.top1_hits),
        ];
        let swaps = explanation.swaps.iter().map(|swap| {
            vec![
                escaped(&swap.factor),
                escaped(&swap.swap),
                swap.inputs_changed.to_string(),
                swap.best_class_changed.to_string(),
                top1(swap.top1_hits),
                format!("{:+.1} pp", explanation.top1_change_pp(swap)),
                format!("{:.3}", swap.mcnemar_p),
            ]
        });
        let title = format!("One factor swapped at a time, on {} images", explanation.images);
        let header = [
            "factor",
            "swapped for",
            "inputs changed",
            "best class changed",
            "top-1",
            "change",
            "McNemar's p",
        ];
        *page += "<div class=\"wide\">";
        list(page, &title, &header, std::iter::once(itself).chain(swaps));
        *page += "</div>\n";
    }
}

fn charts(page: &mut String, record: &RunRecord) {
    let points = |cost: FigureName| -> Vec<Point> {
        record.models.iter().filter_map(|model| point(model, cost)).collect()
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
    *page += "</div>\n";
}

/// Whether a measured accuracy says anything beside a documented one.
fn is_telling(model: &ModelRecord) -> bool {
    model.weights != WeightsSource::Seeded && model.images >= TELLING
}

fn point(model: &ModelRecord, cost: FigureName) -> Option<Point> {
    let top1 = model.figure(FigureName::Top1Pct)?;
    let measured = is_telling(model).then(|| {
        let interval = wilson_interval_pct(model.top1_hits, model.images);
        (percentage(model.top1_hits, model.images), interval)
    });
    Some(Point {
        name: model.id.clone(),
        x: model.figure(cost)?.counted()?,
        documented: top1.documented.as_ref().and_then(|printed| printed.parse().ok()),
        measured,
    })
}

/// A class for people.
fn named(class: u16) -> String {
    escaped(&labels::described(class))
}

fn list(page: &mut String, title: &str, header: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = write!(page, "<table class=\"list\"><caption>{}</caption><thead><tr>", escaped(title));
    for column in header {
        let _ = write!(page, "<th scope=\"col\">{column}</th>");
    }
    *page += "</tr></thead><tbody>\n";
    for row in rows {
        let cells: String = row.into_iter().map(|cell| format!("<td>{cell}</td>")).collect();
        let _ = writeln!(page, "<tr>{cells}</tr>");
    }
    *page += "</tbody></table>\n";
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
    *page += "<h2>Calibration</h2>\n<p>Bars show how often predictions of a confidence are right; the line is where they would be right as often as they say.</p>\n<div class=\"diagrams\">\n";
    for (model, calibration) in known {
        let _ = writeln!(
            page,
            "<figure>{}<figcaption><b>{}</b><br>{}, {} images</figcaption></figure>",
            calibration.diagram(&model.id),
            escaped(&model.id),
            escaped(&calibration.words()),
            calibration.images
        );
    }
    *page += "</div>\n";
}

/// Pictures of images of a data set.
struct Thumbnails<'a> {
    dataset: &'a Dataset,
    index: HashMap<&'a str, usize>,
}

impl<'a> Thumbnails<'a> {
    fn new(dataset: &'a Dataset) -> Self {
        let index =
            dataset.items().iter().enumerate().map(|(index, item)| (item.name.as_str(), index)).collect();
        Self { dataset, index }
    }

    /// What the network saw of an image, as an element; nothing where it cannot be read.
    fn of(&self, image: &str, recipe: &str) -> String {
        let jpeg = || {
            let bytes = self.dataset.read(*self.index.get(image)?).ok()?;
            let crop = Recipe::by_name(recipe)?.crop(&Decoded::from_bytes(&bytes).ok()?).ok()?;
            dataset::thumbnail_jpeg(&crop, THUMBNAIL)
        };
        jpeg().map_or_else(String::new, |jpeg| {
            format!(
                "<img width=\"{THUMBNAIL}\" height=\"{THUMBNAIL}\" alt=\"what the network saw of {}\" src=\"data:image/jpeg;base64,{}\">",
                escaped(image),
                STANDARD.encode(jpeg)
            )
        })
    }
}

/// One model's classes, confusions and errors, folded away.
fn predictions(
    page: &mut String,
    record: &RunRecord,
    model: &ModelRecord,
    rows: &[Prediction],
    confidences: &HashMap<String, f32>,
    thumbnails: Option<&Thumbnails<'_>>,
) {
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
    list(
        page,
        "Most confident errors, with the probability and the best logit's lead over the second",
        &["", "image", "label", "predicted", "probability", "lead"],
        errors.iter().take(SHOWN).map(|error| {
            let picture = thumbnails.map_or_else(String::new, |all| all.of(error.image, &model.recipe));
            let (label, class) = (named(error.label), named(error.class));
            let probability =
                error.probability.map_or_else(|| "-".to_owned(), |p| format!("{:.1} %", 100.0 * p));
            vec![picture, escaped(error.image), label, class, probability, format!("{:.2}", error.margin)]
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
}

fn agreement(page: &mut String, record: &RunRecord, rows: &[&[Prediction]]) {
    if rows.len() < 2 {
        return;
    }
    *page += "<h2>Agreement between models</h2>\n<div class=\"wide\"><table class=\"matrix\">\n<caption>Images for which two models have the same best class, in per cent</caption>\n<thead><tr><td></td>";
    for model in &record.models {
        let _ = write!(page, "<th scope=\"col\"><span>{}</span></th>", escaped(&model.id));
    }
    *page += "</tr></thead>\n<tbody>\n";
    for (model, here) in record.models.iter().zip(rows) {
        let _ = write!(page, "<tr><th scope=\"row\">{}</th>", escaped(&model.id));
        for there in rows {
            let (same, images) = analysis::agreement(here, there);
            let _ = write!(page, "<td class=\"number\">{:.1}</td>", percentage(same, images));
        }
        *page += "</tr>\n";
    }
    *page += "</tbody></table></div>\n";
}

fn provenance(page: &mut String, record: &RunRecord) {
    let dataset = &record.dataset;
    *page += "<h2>Provenance</h2>\n<dl>\n";
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(page, "<dt>{name}</dt><dd>{}</dd>", escaped(value));
    };
    fact("data", &format!("{} ({} images; {})", dataset.path, dataset.images, dataset.layout));
    fact("labels", &format!("{}; label set {}", dataset.labels, dataset.label_set.name()));
    fact("data fingerprint", &dataset.fingerprint);
    fact("device", &format!("{}, {}", record.device, record.dtype));
    fact("accuracy tolerance", &tolerance_words(record));
    for model in &record.models {
        let weights = match &model.weights {
            WeightsSource::Seeded => "seeded".to_owned(),
            WeightsSource::File { path, sha256, published } => {
                let which = if *published { "published" } else { "not the published file" };
                format!("{}, {which}, SHA-256 {sha256}", path.display())
            }
        };
        fact(&escaped(&model.id), &format!("recipe {}; weights {weights}", model.recipe));
    }
    for (index, session) in record.sessions.iter().enumerate() {
        let environment = &session.environment;
        let ended = session.ended_utc.as_deref().unwrap_or("when it was killed");
        fact(&format!("session {}", index + 1), &session.command.join(" "));
        fact("", &format!("{} to {ended}", session.started_utc));
        fact(
            "",
            &format!(
                "imagenet-eval {}, revision {}, Burn {}; computed by {}; {} threads; {}, {} processors, {}",
                environment.version,
                environment.git_revision,
                environment.burn,
                session.engine,
                session.threads,
                environment.cpu,
                environment.cpus,
                environment.platform
            ),
        );
    }
    *page += "</dl>\n";
}
