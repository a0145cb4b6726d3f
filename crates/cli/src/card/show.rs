//! What is known of cards: a line each, or one in full.

use cards::{Card, FigureName, Row};
use eval::Definitions;
use eval::report::{Style, visible};

use crate::{EXIT_HOLDS, output};

/// A line a card.
pub(super) fn list(definitions: &Definitions) -> anyhow::Result<u8> {
    let mut table = Style::Terminal.table(&["card", "rows", "measurable", "title"]).right(1..3);
    for card in definitions.cards().all() {
        let measurable =
            card.rows.iter().filter(|row| definitions.catalog().get(&row.model).is_some()).count();
        table.add_row([
            card.name.clone(),
            card.rows.len().to_string(),
            measurable.to_string(),
            card.title.clone().unwrap_or_else(|| card.origin.clone()),
        ]);
    }
    output::print(&format!("{table}\n"))?;
    Ok(EXIT_HOLDS)
}

/// The cards called `names` in full.
pub(super) fn show(definitions: &Definitions, names: &[String]) -> anyhow::Result<u8> {
    let mut text = String::new();
    for name in names {
        text += &of_card(definitions, definitions.cards().get(name)?);
    }
    output::print(&text)?;
    Ok(EXIT_HOLDS)
}

fn of_card(definitions: &Definitions, card: &Card) -> String {
    let mut text = format!("{}\n", card.name);
    let tolerance = format!("{} pp", card.accuracy_tolerance_pp);
    for (name, fact) in [
        ("title", card.title.as_ref()),
        ("source", card.source.as_ref()),
        ("file", Some(&card.origin)),
        ("note", card.note.as_ref()),
        ("recipe", card.recipe.as_ref()),
        ("tolerance", Some(&tolerance)),
    ] {
        text += &fact.map(|fact| format!("{name:<9} {}\n", visible(fact))).unwrap_or_default();
    }
    let header = ["model", "here", "top-1, %", "top-5, %", "FLOPs, G", "by rule", "params, M", "by rule"];
    let mut table = Style::Terminal.table(&header).right(2..5);
    let mut lines = Vec::new();
    for row in &card.rows {
        let model = definitions.catalog().get(&row.model);
        let printed = |name| row.printed(name).map_or("-", |figure| figure.as_str()).to_owned();
        table.add_row([
            row.model.clone(),
            if model.is_some() { "yes" } else { "no" }.to_owned(),
            printed(FigureName::Top1Pct),
            printed(FigureName::Top5Pct),
            printed(FigureName::FlopsG),
            rule(row, FigureName::FlopsG),
            printed(FigureName::ParamsM),
            rule(row, FigureName::ParamsM),
        ]);
        lines.extend(remarks(row).into_iter().map(|remark| format!("{}: {remark}", row.model)));
    }
    text += &format!("{table}\n");
    let absent: Vec<&str> = card
        .rows
        .iter()
        .filter(|row| definitions.catalog().get(&row.model).is_none())
        .map(|row| row.model.as_str())
        .collect();
    if !absent.is_empty() {
        lines.push(format!("Not measured, because there is no such model here: {}.", absent.join(", ")));
    }
    text + &lines.iter().map(|line| format!("{}\n", visible(line))).collect::<String>()
}

fn rule(row: &Row, name: FigureName) -> String {
    if row.printed(name).is_none() {
        return String::new();
    }
    let size = row.flops_g.as_ref().filter(|_| name == FigureName::FlopsG).and_then(|flops| flops.input_size);
    let rule = row.rule(name).unwrap_or(cards::UNSTATED);
    size.map_or_else(|| rule.to_owned(), |size| format!("{rule} at {size}"))
}

/// What is to be said of a row beside its figures.
fn remarks(row: &Row) -> Vec<String> {
    let mut remarks = Vec::new();
    if row.precision != cards::Precision::default() {
        remarks.push(format!("accuracies in {}", row.precision));
    }
    remarks.extend(row.recipe.as_ref().map(|recipe| format!("accuracies by the recipe {recipe}")));
    for erratum in &row.errata {
        let (name, corrected) = (erratum.figure.name(), erratum.corrected.as_str());
        remarks.push(format!("erratum: {name} should be {corrected} ({})", erratum.reason));
    }
    let own = FigureName::ALL.into_iter().filter_map(|name| Some((name, row.tolerance.of(name)?)));
    remarks.extend(own.map(|(name, tolerance)| format!("tolerance of {}: {tolerance}", name.name())));
    let unpadded = [
        row.flops_g.as_ref().and_then(|counted| counted.unpadded()),
        row.params_m.as_ref().and_then(|counted| counted.unpadded()),
    ];
    for (name, printed) in [FigureName::FlopsG, FigureName::ParamsM].into_iter().zip(unpadded) {
        remarks.extend(printed.map(|printed| format!("{}: the source prints {printed}", name.name())));
    }
    remarks.extend(row.note.clone());
    remarks
}
