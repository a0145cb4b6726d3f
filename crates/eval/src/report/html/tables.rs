//! Tables of the page: models and figures with their verdicts, swaps, agreement between models. A script sorts them; on a
//! narrow screen the style makes cards of their rows, in which cells say by `data-label` what they are.

use std::fmt::Write as _;

use super::super::{cells, escaped};
use super::analysis;
use crate::logs::predictions::Prediction;
use crate::metrics::percentage;
use crate::record::RunRecord;
use crate::verdict::Verdict;

/// From so many columns on, a narrow screen shows a row as a card.
const CARD_COLUMNS: usize = 4;

/// A row a model: its verdict, and each figure measured and documented.
pub(super) fn summary(page: &mut String, record: &RunRecord) {
    *page += "<h2>Summary</h2>\n<div class=\"wide\"><table class=\"sort cards summary\">\n<caption>A row a model: measured / documented</caption>\n";
    header(page, &cells::SUMMARY, 2);
    *page += "<tbody>\n";
    for model in &record.models {
        let _ = write!(
            page,
            "<tr><th scope=\"row\">{}</th><td class=\"verdict {}\" data-key=\"{}\">{}</td>",
            escaped(&model.id),
            class_of(model.verdict),
            severity(model.verdict),
            model.verdict
        );
        for (figure, label) in cells::summary(model).iter().zip(&cells::SUMMARY[2..]) {
            let class = figure.verdict.map_or("", class_of);
            let _ = write!(
                page,
                "<td class=\"number\" data-label=\"{label}\"><b class=\"{class}\">{}</b>",
                escaped(&figure.measured)
            );
            if let Some(documented) = &figure.documented {
                let _ = write!(page, " <span class=\"documented soft\">/ {}</span>", escaped(documented));
            }
            *page += "</td>";
        }
        *page += "</tr>\n";
    }
    *page += "</tbody></table></div>\n";
}

/// Documented beside measured, a row a figure.
pub(super) fn figures(page: &mut String, record: &RunRecord) {
    *page += "<h2>Figures</h2>\n<div class=\"wide\"><table class=\"sort cards figures\">\n<caption>Documented beside measured, with the rule that explains each figure</caption>\n";
    header(page, &cells::FIGURES, 2);
    *page += "<tbody>\n";
    for model in &record.models {
        for (index, figure) in model.figures.iter().enumerate() {
            let class = if index == 0 { "first" } else { "again" };
            let _ = write!(
                page,
                "<tr class=\"{class}\"><th scope=\"row\"><span>{}</span></th><td class=\"figure\">{}</td>",
                escaped(&model.id),
                cells::naming(figure.figure).0
            );
            let _ = write!(
                page,
                "<td class=\"number documented\" data-label=\"documented\">{}</td><td class=\"number measured\" data-label=\"measured\">{}</td>",
                escaped(&cells::documented(figure)),
                escaped(&cells::measured(model, figure))
            );
            let _ = writeln!(
                page,
                "<td class=\"outcome\" data-key=\"{}\"><span class=\"verdict {}\">{}</span></td><td class=\"why\">{}</td></tr>",
                severity(figure.verdict),
                class_of(figure.verdict),
                figure.verdict,
                escaped(&figure.reason)
            );
        }
    }
    *page += "</tbody></table></div>\n";
}

/// Column names; those from `numbers` on, of the tables above, have numbers below them where `number` says so in the cells.
fn header(page: &mut String, names: &[&str], numbers: usize) {
    *page += "<thead><tr>";
    for (column, name) in names.iter().enumerate() {
        let right = column >= numbers && !["verdict", "why"].contains(name);
        let class = if right { " class=\"number\"" } else { "" };
        let _ = write!(page, "<th scope=\"col\"{class}>{name}</th>");
    }
    *page += "</tr></thead>\n";
}

fn class_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Reproduced => "good",
        Verdict::NotReproduced => "bad",
        Verdict::Erratum => "odd",
        Verdict::NotComparable => "mute",
    }
}

/// What verdicts are sorted by: what needs a look first.
fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::NotReproduced => 0,
        Verdict::Erratum => 1,
        Verdict::NotComparable => 2,
        Verdict::Reproduced => 3,
    }
}

/// What swapping one factor of the recipe at a time did.
pub(super) fn why(page: &mut String, record: &RunRecord) {
    for model in &record.models {
        let Some(explanation) = &model.explanation else { continue };
        let _ = writeln!(
            page,
            "<h2>Why: {}</h2>\n<p>{}.</p>",
            escaped(&model.id),
            escaped(&explanation.conclusion())
        );
        let rows = cells::swaps(explanation).into_iter();
        let rows = rows.map(|row| row.iter().map(|cell| escaped(cell)).collect());
        let title = format!("One factor swapped at a time, on {} images", explanation.images);
        *page += "<div class=\"wide\">";
        list(page, "", &title, &cells::SWAPS, rows);
        *page += "</div>\n";
    }
}

/// For how many images two models say the same.
pub(super) fn agreement(page: &mut String, record: &RunRecord, rows: &[&[Prediction]]) {
    if rows.len() < 2 {
        return;
    }
    let title = "Images for which two models have the same best class, in per cent";
    let _ = write!(
        page,
        "<h2>Agreement between models</h2>\n<p class=\"soft\">{title}</p>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{title}\"><table class=\"sort matrix\">\n<thead><tr><td></td>"
    );
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

/// A table of rows of cells that are HTML already, with the `class` of the style; none without rows.
pub(super) fn list(
    page: &mut String,
    class: &str,
    title: &str,
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    let cards = if header.len() >= CARD_COLUMNS { " cards" } else { "" };
    let class = if class.is_empty() { String::new() } else { format!(" {class}") };
    let _ = write!(
        page,
        "<table class=\"list sort{cards}{class}\"><caption>{}</caption><thead><tr>",
        escaped(title)
    );
    for column in header {
        let _ = write!(page, "<th scope=\"col\">{}</th>", escaped(column));
    }
    *page += "</tr></thead><tbody>\n";
    for row in rows {
        let cells = header.iter().zip(row);
        let cells: String =
            cells.map(|(name, cell)| format!("<td data-label=\"{}\">{cell}</td>", escaped(name))).collect();
        let _ = writeln!(page, "<tr>{cells}</tr>");
    }
    *page += "</tbody></table>\n";
}
