//! A card as mmpretrain's `metafile.yml`: whole numbers of operations and parameters, results by task and data set.

use std::fmt::Write as _;

use cards::foreign::scaled;

use super::super::foreign::visible;
use super::{CardPage, WHOLE_SET, parts};

/// Who publishes the models that a metafile calls without a source.
const SOURCE: &str = "mmpretrain";

pub(super) fn text(page: &CardPage<'_>) -> String {
    let mut text = String::new();
    for line in &page.provenance {
        let _ = writeln!(text, "# {}", visible(line));
    }
    text += "Models:\n";
    for (index, row) in page.card.rows.iter().enumerate() {
        let (source, name) = parts(&row.model);
        let _ = writeln!(text, "  - Name: {}", quoted(if source == SOURCE { name } else { &row.model }));
        if let Some(from) = page.rows.get(index) {
            let _ = writeln!(
                text,
                "    # {}",
                visible(&format!("{} images; weights {}; recipe {}", from.images, from.weights, from.recipe))
            );
        }
        let flops = row.flops_g.as_ref().map(|flops| whole(flops.figure.as_str(), 9));
        let params = row.params_m.as_ref().map(|params| whole(params.figure.as_str(), 6));
        if flops.is_some() || params.is_some() {
            text += "    Metadata:\n";
            for (key, count) in [("FLOPs", flops), ("Parameters", params)] {
                if let Some(count) = count {
                    let _ = writeln!(text, "      {key}: {count}");
                }
            }
        }
        let accuracies = [("Top 1 Accuracy", &row.top1_pct), ("Top 5 Accuracy", &row.top5_pct)];
        if accuracies.iter().any(|(_, figure)| figure.is_some()) {
            let dataset =
                if page.dataset == WHOLE_SET { WHOLE_SET.to_owned() } else { quoted(&page.dataset) };
            let _ = write!(text, "    Results:\n      - Dataset: {dataset}\n        Metrics:\n");
            for (name, figure) in accuracies {
                if let Some(figure) = figure {
                    let _ = writeln!(text, "          {name}: {}", figure.as_str());
                }
            }
            text += "        Task: Image Classification\n";
        }
        for (key, value) in [("Weights", &row.source), ("Note", &row.note)] {
            if let Some(value) = value {
                let _ = writeln!(text, "    {key}: {}", quoted(value));
            }
        }
    }
    text
}

/// A figure in units of ten to the power of `power` as a whole number; decimals behind that have no place here.
fn whole(figure: &str, power: i32) -> String {
    let moved = scaled(figure, power);
    moved.split_once('.').map_or(moved.as_str(), |(whole, _)| whole).to_owned()
}

/// Text in quotes, in one line.
fn quoted(text: &str) -> String {
    let visible = visible(text);
    format!("\"{}\"", visible.replace('\\', "\\\\").replace('"', "\\\""))
}
