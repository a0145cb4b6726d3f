//! A card as tables in Markdown, with the columns of VastModelZOO's pages.

use std::fmt::Write as _;

use cards::{Figure, Row};

use super::super::foreign::markdown_text;
use super::{CardPage, parts};

const COLUMNS: [&str; 4] = ["model", "source", "top1", "top5"];

pub(super) fn text(page: &CardPage<'_>) -> String {
    let mut text = String::new();
    if let Some(title) = &page.card.title {
        let _ = writeln!(text, "# {}\n", markdown_text(title));
    }
    let has_notes = page.card.rows.iter().any(|row| row.note.is_some());
    let mut rows = &page.card.rows[..];
    // A heading says at which side FLOPs were counted, so that rows of another side are another table.
    while let Some(side) = rows.first().map(counted_at) {
        let length = rows.iter().position(|row| counted_at(row) != side).unwrap_or(rows.len());
        text += &table(&rows[..length], side, has_notes, page);
        text.push('\n');
        rows = &rows[length..];
    }
    for line in &page.provenance {
        let _ = writeln!(text, "- {}", markdown_text(line));
    }
    text
}

fn counted_at(row: &Row) -> Option<usize> {
    row.flops_g.as_ref().and_then(|flops| flops.input_size)
}

fn table(rows: &[Row], side: Option<usize>, has_notes: bool, page: &CardPage<'_>) -> String {
    let flops = side.map_or_else(|| "flops(G)".to_owned(), |side| format!("flops(G) @{side}"));
    let mut headings: Vec<&str> = COLUMNS.to_vec();
    headings.extend([flops.as_str(), "params(M)", "input size", "dataset"]);
    if has_notes {
        headings.push("note");
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&headings.iter().map(|&heading| heading.to_owned()).collect::<Vec<_>>());
    text += &line(&vec!["---".to_owned(); headings.len()]);
    for row in rows {
        let (model, source) = names(row);
        let figure = |figure: Option<&Figure>| figure.map(|it| it.as_str().to_owned()).unwrap_or_default();
        let mut cells = vec![
            model,
            source,
            figure(row.top1_pct.as_ref()),
            figure(row.top5_pct.as_ref()),
            figure(row.flops_g.as_ref().map(|flops| &flops.figure)),
            figure(row.params_m.as_ref().map(|params| &params.figure)),
            row.input_size.map(|side| side.to_string()).unwrap_or_default(),
            markdown_text(&page.dataset),
        ];
        if has_notes {
            cells.push(row.note.as_deref().map(markdown_text).unwrap_or_default());
        }
        text += &line(&cells);
    }
    text
}

/// The cells of the model and of its source, of which one is a link where the row has an address.
fn names(row: &Row) -> (String, String) {
    let (source, model) = parts(&row.model);
    let addresses: Vec<&str> =
        row.source.iter().flat_map(|all| all.split(' ')).filter(|it| is_address(it)).collect();
    let texts: Vec<&str> = source.split(';').collect();
    if source.is_empty() {
        let link = |address: &&str| format!("[{}]({address})", markdown_text(model));
        return (addresses.first().map_or_else(|| markdown_text(model), link), String::new());
    }
    if addresses.is_empty() || addresses.len() != texts.len() {
        return (markdown_text(model), markdown_text(source));
    }
    let links =
        texts.iter().zip(&addresses).map(|(text, address)| format!("[{}]({address})", markdown_text(text)));
    (markdown_text(model), links.collect::<Vec<_>>().join(" "))
}

/// Whether a link can lead to `text` as it stands: nothing in it ends a link, a cell or a line.
fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !"<>|\"`\\()[]".contains(c);
    (text.starts_with("https://") || text.starts_with("http://")) && text.chars().all(plain)
}
