//! A table as text: in Markdown, or fitted to the width of a screen. Nothing is cut: what a screen has no room for goes below.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use super::fold::{fold, indented, pad, widest_word};
use super::foreign::{markdown_text, visible};
use super::screen;
use super::style::Style;

/// Between two columns.
const GAP: usize = 2;

/// Borders of a table, with a space each.
const BORDERS: usize = 4;

/// The last column may be folded to this and stay beside the others.
const PROSE: usize = 24;

/// How far what belongs to a heading is moved in.
const INDENT: usize = 2;

/// Rows of cells under a header. Cells are plain text from anywhere: what the language of the table would understand is escaped.
#[derive(Debug, Clone)]
pub struct TextTable {
    style: Style,
    width: usize,
    header: Vec<String>,
    /// Columns with numbers, which stand to the right.
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Style {
    /// An empty table with this header.
    pub fn table(self, header: &[&str]) -> TextTable {
        TextTable::new(self, screen::width(), header)
    }
}

impl TextTable {
    pub(super) fn new(style: Style, width: usize, header: &[&str]) -> Self {
        let header: Vec<String> = header.iter().map(|&name| name.to_owned()).collect();
        Self { style, width, right: vec![false; header.len()], header, rows: Vec::new() }
    }

    /// For a screen of `width` columns.
    #[must_use]
    pub fn fitted(self, width: usize) -> Self {
        Self { width, ..self }
    }

    /// With these columns to the right.
    #[must_use]
    pub fn right(mut self, columns: impl IntoIterator<Item = usize>) -> Self {
        for column in columns {
            if let Some(right) = self.right.get_mut(column) {
                *right = true;
            }
        }
        self
    }

    /// Adds a row. An empty first cell means the same as above.
    pub fn add_row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) -> &mut Self {
        let escape = match self.style {
            Style::Terminal => visible,
            Style::Markdown => markdown_text,
        };
        self.push(cells.into_iter().map(|cell| escape(&cell.into())))
    }

    /// Adds a row of cells that are Markdown already.
    pub(super) fn add_markup(&mut self, cells: impl IntoIterator<Item = String>) -> &mut Self {
        self.push(cells.into_iter().map(|cell| cell.replace('|', "\\|")))
    }

    fn push(&mut self, cells: impl Iterator<Item = String>) -> &mut Self {
        let mut row: Vec<String> = cells.take(self.header.len()).collect();
        row.resize(self.header.len(), String::new());
        self.rows.push(row);
        self
    }

    /// Whether it fits the screen with nothing folded.
    pub(super) fn fits(&self) -> bool {
        framed(&self.natural()) <= self.width
    }

    /// The width of each column's widest cell.
    fn natural(&self) -> Vec<usize> {
        self.widest(UnicodeWidthStr::width, UnicodeWidthStr::width)
    }

    /// That with the header folded.
    fn under_folded_header(&self) -> Vec<usize> {
        self.widest(widest_word, UnicodeWidthStr::width)
    }

    /// The width of each column's widest word.
    fn floors(&self) -> Vec<usize> {
        self.widest(widest_word, widest_word)
    }

    fn widest(&self, of_name: fn(&str) -> usize, of_cell: fn(&str) -> usize) -> Vec<usize> {
        let mut widest: Vec<usize> = self.header.iter().map(|name| of_name(name)).collect();
        for row in &self.rows {
            for (widest, cell) in widest.iter_mut().zip(row) {
                *widest = (*widest).max(of_cell(cell));
            }
        }
        widest
    }

    /// Lines of `cells`, folded into columns of `widths`.
    fn folded(&self, cells: &[String], widths: &[usize]) -> Vec<String> {
        let columns: Vec<Vec<String>> =
            cells.iter().zip(widths).map(|(cell, &width)| fold(cell, width)).collect();
        let height = columns.iter().map(Vec::len).max().unwrap_or_default();
        let line = |number: usize| {
            let cells = columns.iter().zip(widths).enumerate().map(|(column, (lines, &width))| {
                let text = lines.get(number).map_or("", String::as_str);
                pad(text, width, self.right[column])
            });
            cells.collect::<Vec<_>>().join(&" ".repeat(GAP))
        };
        (0..height).map(line).collect()
    }

    fn markdown(&self) -> Vec<String> {
        let widths = self.natural();
        let line = |cells: &[String]| {
            let padded = cells.iter().zip(&widths).zip(&self.right);
            let cells: Vec<String> = padded.map(|((cell, &width), &right)| pad(cell, width, right)).collect();
            format!("| {} |", cells.join(" | "))
        };
        let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width + 2)).collect();
        let head = [line(&self.header), format!("|{}|", rule.join("|"))];
        head.into_iter().chain(self.rows.iter().map(|row| line(row))).collect()
    }

    /// In a frame, every row beside its neighbours.
    fn framed(&self, widths: &[usize]) -> Vec<String> {
        let inner = framed(widths) - 2;
        let rule = |left: &str, line: &str, right: &str| format!("{left}{}{right}", line.repeat(inner));
        let boxed = |line: String| format!("│ {line} │");
        let mut lines = vec![rule("┌", "─", "┐")];
        lines.extend(self.folded(&self.header, widths).into_iter().map(boxed));
        lines.push(rule("╞", "═", "╡"));
        lines.extend(self.rows.iter().flat_map(|row| self.folded(row, widths)).map(boxed));
        lines.push(rule("└", "─", "┘"));
        lines
    }

    /// The first column as a heading of its rows; the last one beside the others, or with `below` under them.
    fn headed(&self, widths: &[usize], below: bool) -> Vec<String> {
        let line = |cells: &[String]| {
            let beside = if below { &cells[1..cells.len() - 1] } else { &cells[1..] };
            let beside =
                Self { right: self.right[1..=beside.len()].to_vec(), ..self.bare() }.folded(beside, widths);
            let mut lines: Vec<String> =
                beside.into_iter().map(|line| format!("{}{line}", " ".repeat(INDENT))).collect();
            if let (true, Some(last)) = (below, cells.last().filter(|last| !last.is_empty())) {
                lines.extend(indented(last, 2 * INDENT, self.width));
            }
            lines
        };
        let mut lines = indented(&self.header[0], 0, self.width);
        lines.extend(line(&self.header));
        self.under_headings(lines, "", line)
    }

    /// A cell a line, behind the name of its column.
    fn records(&self) -> Vec<String> {
        let name_width = self.header[1..].iter().map(|name| name.width()).max().unwrap_or_default();
        let own_line = INDENT + name_width + GAP + PROSE > self.width;
        let line = |cells: &[String]| {
            let named = self.header[1..].iter().zip(&cells[1..]).filter(|(_, cell)| !cell.is_empty());
            let mut lines = Vec::new();
            for (name, cell) in named {
                let start = format!("{}{}", " ".repeat(INDENT), pad(name, name_width, false));
                if own_line {
                    lines.extend(indented(name, INDENT, self.width));
                    lines.extend(indented(cell, 2 * INDENT, self.width));
                } else {
                    let at = INDENT + name_width + GAP;
                    let mut values = indented(cell, at, self.width);
                    values[0].replace_range(..at, &format!("{start}{}", " ".repeat(GAP)));
                    lines.extend(values);
                }
            }
            lines
        };
        self.under_headings(Vec::new(), &format!("{} ", self.header[0]), line)
    }

    /// The rows after `head`, each group under its first cell, before which stands `name`.
    fn under_headings(
        &self,
        head: Vec<String>,
        name: &str,
        line: impl Fn(&[String]) -> Vec<String>,
    ) -> Vec<String> {
        let mut lines = head;
        let mut heading = "";
        let rule = lines.len();
        for row in &self.rows {
            if !row[0].is_empty() && row[0] != heading {
                heading = &row[0];
                lines.extend(indented(&format!("{name}{heading}"), 0, self.width));
            }
            lines.extend(line(row));
        }
        let widest = lines.iter().map(|line| line.width()).max().unwrap_or_default();
        if rule > 0 {
            lines.insert(rule, "─".repeat(widest));
        }
        lines
    }

    fn bare(&self) -> Self {
        Self { rows: Vec::new(), header: Vec::new(), ..self.clone() }
    }

    /// The first of these forms that fits: a row a line; the header folded; the last column folded; under headings, the last column folded
    /// or below; every column folded; a cell a line.
    fn terminal(&self) -> Vec<String> {
        for widths in [self.natural(), self.under_folded_header()] {
            if framed(&widths) <= self.width {
                return self.framed(&widths);
            }
        }
        let natural = self.under_folded_header();
        let (Some(&last), true) = (natural.last(), natural.len() > 1) else {
            return self
                .rows
                .iter()
                .flat_map(|row| row.iter().flat_map(|cell| indented(cell, 0, self.width)))
                .collect();
        };
        let with_last = |others: &[usize], overhead: usize| {
            let mut widths = others.to_vec();
            let taken = others.iter().map(|width| width + GAP).sum::<usize>() + overhead;
            let room = self.width.checked_sub(taken).filter(|&room| room >= last.min(PROSE))?;
            widths.push(room.min(last));
            Some(widths)
        };
        let others = &natural[1..natural.len() - 1];
        if let Some(widths) = with_last(&natural[..natural.len() - 1], BORDERS) {
            return self.framed(&widths);
        }
        let fits = |widths: &[usize]| INDENT + sum(widths) <= self.width;
        if let Some(widths) = with_last(others, INDENT) {
            return self.headed(&widths, false);
        }
        let below = last > PROSE && !others.is_empty();
        let beside = if below { others } else { &natural[1..] };
        let floors = &self.floors()[1..=beside.len()];
        let mut widths = beside.to_vec();
        while !fits(&widths) {
            let widest = (0..widths.len()).filter(|&column| widths[column] > floors[column]);
            let Some(widest) = widest.max_by_key(|&column| widths[column]) else { return self.records() };
            widths[widest] -= 1;
        }
        self.headed(&widths, below)
    }
}

impl fmt::Display for TextTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = match self.style {
            Style::Terminal => self.terminal(),
            Style::Markdown => self.markdown(),
        };
        let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
        f.write_str(&lines.join("\n"))
    }
}

fn sum(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

fn framed(widths: &[usize]) -> usize {
    sum(widths) + BORDERS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> TextTable {
        let header = ["model", "figure", "documented", "measured", "verdict", "why"];
        let mut table = TextTable::new(Style::Terminal, 0, &header).right([2, 3]);
        let why = "two digits transposed: the count by this rule is 15.214 (2 x thop MACs at 224x224)";
        for model in ["timm/xception", "somebody/xception41_deeplab"] {
            table.add_row([
                model,
                "top-1",
                "79.050 %",
                "79.012 % (39506/50000) [78.6, 79.4]",
                "not comparable",
                why,
            ]);
            table.add_row(["", "FLOPs", "15.241 G", "15.214 G", "erratum", "2 x MACs"]);
        }
        let long = "a-word-that-is-longer-than-any-screen-".repeat(6);
        table.add_row(["x/\u{1b}[31m\n名前", "top-5", "-", "12.000 % (1/2)", "reproduced", &long]);
        table
    }

    #[test]
    fn a_table_fits_every_screen_and_loses_nothing() {
        let table = figures();
        let letters = |text: &str| -> String {
            text.chars().filter(|c| !c.is_whitespace() && !"│─┌┐└┘╞╡═".contains(*c)).collect()
        };
        for width in (20..260).chain([1000]) {
            let text = table.clone().fitted(width).to_string();
            for line in text.lines() {
                assert!(line.width() <= width, "{width}: {line}\n{text}");
            }
            assert!(!text.contains('\u{1b}'));
            // Folded cells lie beside each other, so that only words are searched; the long one is broken.
            for word in ["timm/xception", "top-1", "transposed:", "FLOPs", "erratum", "(39506/50000)"] {
                assert!(text.contains(word) || width < 40, "{width}: {word}\n{text}");
            }
            if width < 60 {
                assert!(
                    letters(&text).contains(&"a-word-that-is-longer-than-any-screen-".repeat(6)),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn rows_go_from_one_line_to_headings_to_a_cell_a_line() {
        let mut table =
            TextTable::new(Style::Terminal, 0, &["model", "figure", "measured", "why"]).right([2]);
        table.add_row([
            "timm/xception",
            "top-1",
            "79.012 % (39506/50000)",
            "weights other than the published file; 200 images",
        ]);
        table.add_row(["", "FLOPs", "9.198 G", "2 x MACs"]);
        let at = |width| table.clone().fitted(width).to_string();
        insta::assert_snapshot!([200, 80, 60, 34, 20].map(at).join("\n\n"));
    }

    #[test]
    fn markdown_cells_are_text() {
        let mut table = TextTable::new(Style::Markdown, 0, &["a", "b"]);
        table.add_row(["x|y", "<b>\n"]);
        table.add_markup(["`x|y`".to_owned(), String::new()]);
        let expected = "| a        | b               |\n|----------|-----------------|\n\
                        | x&#124;y | &lt;b&gt;&#92;n |\n| `x\\|y`   |                 |";
        assert_eq!(table.to_string(), expected);
    }
}
