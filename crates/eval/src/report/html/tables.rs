//! Tables of the page: figures with their verdicts, swaps, agreement between models.

use std::fmt::Write as _;

use super::super::{cells, escaped};
use super::analysis;
use crate::metrics::percentage;
use crate::predictions::Prediction;
use crate::record::RunRecord;
use crate::verdict::Verdict;

/// Documented beside measured, a row a figure.
pub(super) fn figures(page: &mut String, record: &RunRecord) {
    *page += "<h2>Figures</h2>\n<div class=\"wide\"><table>\n<caption>Documented beside measured, with the rule that explains each figure</caption>\n";
    *page += "<thead><tr>";
    for column in cells::FIGURES {
        let _ = write!(page, "<th scope=\"col\">{column}</th>");
    }
    *page += "</tr></thead>\n";
    for model in &record.models {
        *page += "<tbody>\n";
        for (index, figure) in model.figures.iter().enumerate() {
            *page += "<tr>";
            if index == 0 {
                let _ = write!(
                    page,
                    "<th scope=\"rowgroup\" rowspan=\"{}\">{}</th>",
                    model.figures.len(),
                    escaped(&model.id)
                );
            }
            let _ = writeln!(
                page,
                "<td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td><span class=\"verdict {}\">{}</span></td><td>{}</td></tr>",
                cells::naming(figure.figure).0,
                escaped(&cells::documented(figure)),
                escaped(&cells::measured(model, figure)),
                class_of(figure.verdict),
                figure.verdict,
                escaped(&figure.reason)
            );
        }
        *page += "</tbody>\n";
    }
    *page += "</table></div>\n";
}

fn class_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Reproduced => "good",
        Verdict::NotReproduced => "bad",
        Verdict::Erratum => "odd",
        Verdict::NotComparable => "mute",
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
        list(page, &title, &cells::SWAPS, rows);
        *page += "</div>\n";
    }
}

/// For how many images two models say the same.
pub(super) fn agreement(page: &mut String, record: &RunRecord, rows: &[&[Prediction]]) {
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

/// A table of rows of cells that are HTML already; none without rows.
pub(super) fn list(page: &mut String, title: &str, header: &[&str], rows: impl Iterator<Item = Vec<String>>) {
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
