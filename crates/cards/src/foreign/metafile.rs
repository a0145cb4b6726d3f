//! The `metafile.yml` of mmpretrain (and mmclassification before it): a list `Models`, each with FLOPs and parameters as whole
//! numbers, and results by task and data set.

use super::cell::{accuracy, scaled};
use super::yaml::{self, Node};
use super::{Reading, Unread};
use crate::card::Row;
use crate::figures::{Counted, Figure};

/// Who publishes these models.
const SOURCE: &str = "mmpretrain";

const TASK: &str = "Image Classification";

/// The data set whose validation images this program has.
const DATASET: &str = "ImageNet-1k";

const TOP1: &str = "Top 1 Accuracy";
const TOP5: &str = "Top 5 Accuracy";

pub(super) fn read(text: &str, reading: &mut Reading) -> Result<(), String> {
    let root = yaml::parse(text)?;
    let models = root.get("Models").ok_or("it has no list `Models`")?;
    for model in models.items() {
        let Some(name) = model.get("Name").and_then(Node::text) else {
            reading.unread(model.line, "a model", "it has no `Name`");
            continue;
        };
        if let Some(row) = row(name, model, reading) {
            reading.add(model.line, row);
        }
    }
    Ok(())
}

/// What the entry `model` claims; none where it is about other images.
fn row(name: &str, model: &Node, reading: &mut Reading) -> Option<Row> {
    let what = format!("model `{name}`");
    // Names of other sources have a slash when they come from a card that was written in this form.
    let id = if name.contains('/') { name.to_owned() } else { format!("{SOURCE}/{name}") };
    let mut row = Row { model: id, ..Row::default() };
    row.source = model.get("Weights").and_then(Node::text).filter(|url| is_said(url)).map(str::to_owned);
    row.note = model.get("Note").and_then(Node::text).filter(|note| is_said(note)).map(str::to_owned);
    let metadata = model.get("Metadata");
    let mut count = |key: &str, places| {
        let node = metadata?.get(key)?;
        match count(node, places) {
            Ok(figure) => figure,
            Err(reason) => {
                reading.unread(
                    node.line,
                    &format!("{what}, {key}"),
                    format!("{reason}; the figure is left out"),
                );
                None
            }
        }
    };
    let (flops, params) = (count("FLOPs", -9), count("Parameters", -6));
    let (mut is_any, mut others) = (false, Vec::new());
    for result in model.get("Results").map(Node::items).unwrap_or_default() {
        let said = |key| result.get(key).and_then(Node::text).unwrap_or("not said");
        if said("Task") != TASK || said("Dataset") != DATASET {
            let reason = format!(
                "it is about {} on {}, not about {DATASET}'s validation images",
                said("Task"),
                said("Dataset")
            );
            others.push(Unread { line: result.line, what: format!("{what}, a result"), reason });
            continue;
        }
        is_any = true;
        metrics(&what, result, &mut row, reading);
    }
    let is_elsewhere = !is_any && !others.is_empty();
    reading.remarks.append(&mut others);
    if is_elsewhere {
        let reason = "it is about other images or another task, so its figures are left out";
        reading.remark(model.line, &what, reason);
        return None;
    }
    row.flops_g = flops.map(|figure| Counted {
        figure,
        rule: None,
        input_size: None,
        decimals: None,
        source_figure: None,
    });
    row.params_m = params.map(|figure| Counted {
        figure,
        rule: None,
        input_size: None,
        decimals: None,
        source_figure: None,
    });
    Some(row)
}

fn metrics(what: &str, result: &Node, row: &mut Row, reading: &mut Reading) {
    for (key, value) in result.get("Metrics").into_iter().flat_map(Node::entries) {
        let name = key.text().unwrap_or_default();
        let place = match name {
            TOP1 => &mut row.top1_pct,
            TOP5 => &mut row.top5_pct,
            _ => {
                reading.remark(key.line, &format!("{what}, {name}"), "it is no figure of a card");
                continue;
            }
        };
        let what = format!("{what}, {name}");
        match value.text().ok_or_else(|| "it is no number".to_owned()).and_then(accuracy) {
            Ok(Some(_)) if place.is_some() => {
                reading.unread(value.line, &what, "it is there twice; the second is left out");
            }
            Ok(figure) => *place = figure.or_else(|| place.take()),
            Err(reason) => reading.unread(value.line, &what, format!("{reason}; the figure is left out")),
        }
    }
}

fn is_said(text: &str) -> bool {
    !["", "null", "~"].contains(&text.trim())
}

/// A whole number in the unit of print. Zeros at its end mean nothing: 4120000000 is 4.12 G.
fn count(node: &Node, places: i32) -> Result<Option<Figure>, String> {
    let Some(text) = node.text() else { return Err("it is no number".to_owned()) };
    if !is_said(text) {
        return Ok(None);
    }
    Figure::try_from(text.to_owned())?;
    let moved = scaled(text, places);
    let trimmed =
        if moved.contains('.') { moved.trim_end_matches('0').trim_end_matches('.') } else { &moved };
    Figure::try_from(trimmed.to_owned()).map(Some)
}
