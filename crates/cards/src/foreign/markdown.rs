//! The accuracy tables of a page in Markdown, as VastModelZOO's cards have them: columns by their headings, in English or
//! Chinese, with links, emphasis and units in the cells.

mod table;

use table::{Link, Table, links, plain};

use super::Reading;
use super::cell::{accuracy, flops, params, side, side_of_heading, unit_of_heading};
use crate::card::Row;

/// What a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Model,
    Source,
    Top1,
    Top5,
    Flops,
    Params,
    InputSize,
    Dataset,
    /// What a model was trained on first; not what it was measured on.
    Pretrain,
    Note,
    /// Nothing that a card has a place for.
    Other,
}

/// Headings, without blanks and marks, in lower case.
const HEADINGS: [(Column, &[&str]); 8] = [
    (Column::Model, &["\u{6a21}\u{578b}", "model", "models", "modelname", "name", "network", "architecture"]),
    (Column::Source, &["\u{6e90}\u{7801}", "source", "sources", "codesource"]),
    (Column::Top1, &["top1", "top1acc", "top1accuracy", "acctop1", "acc1", "top1pct"]),
    (Column::Top5, &["top5", "top5acc", "top5accuracy", "acctop5", "acc5", "top5pct"]),
    (
        Column::InputSize,
        &[
            "inputsize",
            "size",
            "sizepixels",
            "resolution",
            "imagesize",
            "imgsize",
            "\u{5c3a}\u{5bf8}",
            "\u{5c3a}\u{5bf8}\u{50cf}\u{7d20}",
        ],
    ),
    (Column::Dataset, &["dataset", "data", "\u{6570}\u{636e}\u{96c6}"]),
    (Column::Pretrain, &["pretrain", "pretraining"]),
    (Column::Note, &["note", "notes", "\u{5907}\u{6ce8}"]),
];

/// Data sets whose accuracies this program can measure.
const VALIDATION_SETS: [&str; 7] =
    ["imagenet", "imagenet1k", "imagenet2012", "ilsvrc2012", "ilsvrc2012val", "imagenet1kval", "imagenetval"];

pub(super) fn read(text: &str, reading: &mut Reading) {
    let (title, tables) = table::of_page(text);
    reading.card.title = title;
    let mut is_any = false;
    for table in &tables {
        let columns: Vec<Column> = table.headings.iter().map(|heading| column_of(heading)).collect();
        let has = |column| columns.contains(&column);
        if has(Column::Model) && (has(Column::Top1) || has(Column::Top5)) {
            is_any = true;
            read_table(table, &columns, reading);
        } else {
            reading.remark(
                table.line,
                "a table",
                "it has no columns of models and accuracies, and is left out",
            );
        }
    }
    if !is_any {
        reading.unread(1, "the page", "it has no table with a column of models and one of top-1 or top-5");
    }
}

fn squeezed(heading: &str) -> String {
    plain(heading).chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn column_of(heading: &str) -> Column {
    let squeezed = squeezed(heading);
    let known = HEADINGS.iter().find(|(_, names)| names.contains(&squeezed.as_str()));
    let begins = |names: &[&str]| names.iter().any(|name| squeezed.starts_with(name));
    match known {
        Some((column, _)) => *column,
        None if begins(&["flops", "macs", "gflops", "mflops", "gmacs"]) => Column::Flops,
        None if begins(&["params", "parameters", "\u{53c2}\u{6570}"]) => Column::Params,
        None => Column::Other,
    }
}

fn read_table(table: &Table, columns: &[Column], reading: &mut Reading) {
    for (index, (heading, column)) in table.headings.iter().zip(columns).enumerate() {
        let shown = plain(heading);
        if *column == Column::Other && !shown.is_empty() {
            reading.remark(
                table.line,
                &format!("column `{shown}`"),
                "it is no figure of a card, and left out",
            );
        } else if *column != Column::Other && columns[..index].contains(column) {
            reading.unread(
                table.line,
                &format!("column `{shown}`"),
                "another column says the same; the first counts",
            );
        }
    }
    for (line, cells) in &table.rows {
        if cells.len() != table.headings.len() {
            let reason = format!("it has {} cells, its heading has {}", cells.len(), table.headings.len());
            reading.unread(
                *line,
                &format!("row `{}`", cells.first().map(|cell| plain(cell)).unwrap_or_default()),
                reason,
            );
            continue;
        }
        let row = Cells { line: *line, headings: &table.headings, columns, cells }.row(reading);
        reading.add(*line, row);
    }
}

/// A row of a table.
struct Cells<'a> {
    line: usize,
    headings: &'a [String],
    columns: &'a [Column],
    cells: &'a [String],
}

impl Cells<'_> {
    /// The heading and the cell of the first such column.
    fn get(&self, column: Column) -> Option<(&str, &str)> {
        let index = self.columns.iter().position(|there| *there == column)?;
        Some((self.headings.get(index)?, self.cells.get(index)?))
    }

    /// What `read` makes of a cell without its marks; what is wrong with it is said.
    fn read<T>(
        &self,
        column: Column,
        reading: &mut Reading,
        read: impl FnOnce(&str, &str) -> Result<Option<T>, String>,
    ) -> Option<T> {
        let (heading, cell) = self.get(column)?;
        let (heading, cell) = (plain(heading), plain(cell));
        read(&heading, &cell).unwrap_or_else(|reason| {
            let model = self.get(Column::Model).map(|(_, cell)| plain(cell)).unwrap_or_default();
            let what = format!("`{model}`, {heading} `{cell}`");
            reading.unread(self.line, &what, format!("{reason}; it is left out"));
            None
        })
    }

    fn row(&self, reading: &mut Reading) -> Row {
        let text = |column| self.get(column).map(|(_, cell)| plain(cell)).filter(|text| !text.is_empty());
        let linked = |column| self.get(column).map(|(_, cell)| links(cell)).unwrap_or_default();
        let name = text(Column::Model).unwrap_or_default();
        let of_source = linked(Column::Source);
        let source = match of_source[..] {
            [] => text(Column::Source),
            // A row may name several.
            _ => Some(joined(&of_source, ";", |link| &link.text)),
        };
        let addresses = if of_source.is_empty() { linked(Column::Model) } else { of_source };
        let mut notes: Vec<String> = text(Column::Note).into_iter().collect();
        if let Some((heading, _)) =
            self.get(Column::Flops).filter(|(heading, _)| squeezed(heading).contains("mac"))
        {
            let said = format!("the heading of its FLOPs is {}", plain(heading));
            notes.extend((!notes.contains(&said)).then_some(said));
        }
        notes.extend(text(Column::Pretrain).map(|pretrain| format!("pretrain: {pretrain}")));
        let mut row = Row {
            model: source.map_or_else(|| name.clone(), |source| format!("{source}/{name}")),
            source: (!addresses.is_empty()).then(|| joined(&addresses, " ", |link| &link.address)),
            note: (!notes.is_empty()).then(|| notes.join("; ")),
            input_size: self.read(Column::InputSize, reading, |_, cell| side(cell)),
            top1_pct: self.read(Column::Top1, reading, |_, cell| accuracy(cell)),
            top5_pct: self.read(Column::Top5, reading, |_, cell| accuracy(cell)),
            flops_g: self.read(Column::Flops, reading, |heading, cell| flops(cell, unit_of_heading(heading))),
            params_m: self
                .read(Column::Params, reading, |heading, cell| params(cell, unit_of_heading(heading))),
            ..Row::default()
        };
        if let (Some(flops), Some((heading, _))) = (&mut row.flops_g, self.get(Column::Flops)) {
            flops.input_size = side_of_heading(&plain(heading));
        }
        let dataset = text(Column::Dataset);
        let other = dataset.filter(|it| !VALIDATION_SETS.contains(&squeezed(it).as_str()));
        if let Some(other) = other.filter(|_| row.top1_pct.is_some() || row.top5_pct.is_some()) {
            let what = format!("`{name}`, its accuracies");
            let reason =
                format!("they are about `{other}`, not the ILSVRC2012 validation set; they are left out");
            reading.unread(self.line, &what, reason);
            (row.top1_pct, row.top5_pct) = (None, None);
        }
        row
    }
}

fn joined(links: &[Link], between: &str, part: impl Fn(&Link) -> &String) -> String {
    links.iter().map(|link| part(link).as_str()).collect::<Vec<_>>().join(between)
}
