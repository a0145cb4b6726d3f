//! A card as the text of a TOML file, the form that [`Card::of_toml`] reads.

use std::fmt::Write as _;

use toml::Value;

use crate::ACCURACY_TOLERANCE_PP;
use crate::card::{Card, Precision, Row};
use crate::figures::{Counted, FigureName, Tolerance, UNSTATED};

/// `card` as a TOML file. `remarks` go above it as comments, a line each.
pub fn to_toml(card: &Card, remarks: &[String]) -> String {
    let mut text = String::new();
    for remark in remarks {
        // A comment ends where its line ends, and has no control characters.
        let plain: String = remark.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let _ = writeln!(text, "# {plain}");
    }
    if !remarks.is_empty() {
        text.push('\n');
    }
    text += "[card]\n";
    pair(&mut text, "name", Some(&card.name));
    pair(&mut text, "title", card.title.as_deref());
    pair(&mut text, "source", card.source.as_deref());
    pair(&mut text, "note", card.note.as_deref());
    pair(&mut text, "recipe", card.recipe.as_deref());
    if card.accuracy_tolerance_pp != ACCURACY_TOLERANCE_PP {
        let _ = writeln!(text, "accuracy_tolerance_pp = {}", number(card.accuracy_tolerance_pp));
    }
    card.rows.iter().for_each(|row| text += &self::row(row));
    text
}

fn row(row: &Row) -> String {
    let mut text = "\n[[rows]]\n".to_owned();
    // A row of a file is called by it.
    pair(&mut text, "model", row.onnx.is_none().then_some(row.model.as_str()));
    pair(&mut text, "onnx", row.onnx.as_deref());
    pair(&mut text, "recipe", row.recipe.as_deref());
    if row.precision != Precision::default() {
        pair(&mut text, "dtype", Some(row.precision.name()));
    }
    if let Some(side) = row.input_size {
        let _ = writeln!(text, "input_size = {side}");
    }
    pair(&mut text, "crop_pct", row.crop_pct.as_ref().map(|figure| figure.as_str()));
    pair(&mut text, "interpolation", row.interpolation.as_deref());
    pair(&mut text, "top1_pct", row.top1_pct.as_ref().map(|figure| figure.as_str()));
    pair(&mut text, "top5_pct", row.top5_pct.as_ref().map(|figure| figure.as_str()));
    counted(&mut text, row, FigureName::FlopsG, row.flops_g.as_ref());
    counted(&mut text, row, FigureName::ParamsM, row.params_m.as_ref());
    tolerance(&mut text, &row.tolerance);
    pair(&mut text, "source", row.source.as_deref());
    pair(&mut text, "note", row.note.as_deref());
    for erratum in &row.errata {
        text += "\n[[rows.errata]]\n";
        pair(&mut text, "figure", Some(erratum.figure.name()));
        pair(&mut text, "printed", erratum.printed.as_ref().map(|figure| figure.as_str()));
        pair(&mut text, "corrected", Some(erratum.corrected.as_str()));
        pair(&mut text, "reason", Some(&erratum.reason));
    }
    text
}

fn pair(text: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        let _ = writeln!(text, "{key} = {}", quoted(value));
    }
}

fn counted<R>(text: &mut String, row: &Row, name: FigureName, counted: Option<&Counted<R>>) {
    let Some(counted) = counted else { return };
    let rule = row.rule(name).unwrap_or(UNSTATED);
    let _ = write!(
        text,
        "{} = {{ figure = {}, rule = {}",
        name.name(),
        quoted(counted.figure.as_str()),
        quoted(rule)
    );
    for (key, value) in
        [("input_size", counted.input_size), ("decimals", counted.decimals.map(|it| it as usize))]
    {
        if let Some(value) = value {
            let _ = write!(text, ", {key} = {value}");
        }
    }
    if let Some(figure) = &counted.source_figure {
        let _ = write!(text, ", source_figure = {}", quoted(figure.as_str()));
    }
    *text += " }\n";
}

fn tolerance(text: &mut String, tolerance: &Tolerance) {
    let keys = FigureName::ALL.into_iter().filter_map(|name| Some((name, tolerance.of(name)?)));
    let keys: Vec<String> = keys.map(|(name, it)| format!("{} = {}", name.name(), number(it))).collect();
    if !keys.is_empty() {
        let _ = writeln!(text, "tolerance = {{ {} }}", keys.join(", "));
    }
}

/// A string as TOML has it, in one line whatever is in it.
fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted += "\\n",
            '\t' => quoted += "\\t",
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

fn number(number: f64) -> String {
    Value::Float(number).to_string()
}
