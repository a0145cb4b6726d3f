//! Tables of a page in Markdown, by lines, and what is text in their cells.

/// A table: its headings, and its rows with their lines, counted from 1.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) line: usize,
    pub(super) headings: Vec<String>,
    pub(super) rows: Vec<(usize, Vec<String>)>,
}

/// A link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) text: String,
    pub(super) address: String,
}

/// The title of a page and its tables. What stands in fenced code is no table.
pub(super) fn of_page(text: &str) -> (Option<String>, Vec<Table>) {
    let mut tables: Vec<Table> = Vec::new();
    let (mut title, mut fence, mut before, mut is_inside): (_, Option<&str>, Option<(usize, &str)>, bool) =
        (None, None, None, false);
    for (line, text) in (1..).zip(text.lines()) {
        let trimmed = text.trim();
        if let Some(mark) = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark)) {
            fence = match fence {
                None => Some(mark),
                Some(open) if open == mark => None,
                open => open,
            };
            (before, is_inside) = (None, false);
            continue;
        }
        if fence.is_some() {
            continue;
        }
        if let Some(heading) = trimmed.strip_prefix("# ").filter(|_| title.is_none()) {
            title = Some(plain(heading)).filter(|title| !title.is_empty());
        }
        if !trimmed.contains('|') {
            (before, is_inside) = (None, false);
            continue;
        }
        match (is_inside, before) {
            (true, _) => {
                if let Some(table) = tables.last_mut() {
                    table.rows.push((line, cells(trimmed)));
                }
            }
            (false, Some((first, headings))) if is_rule(trimmed) => {
                tables.push(Table { line: first, headings: cells(headings), rows: Vec::new() });
                is_inside = true;
            }
            (false, _) => before = Some((line, trimmed)),
        }
    }
    (title, tables)
}

/// Whether a line separates headings from rows: `| :---: | --- |`.
fn is_rule(line: &str) -> bool {
    let cells = cells(line);
    let is_dashes = |cell: &String| {
        let dashes = cell.trim_start_matches(':').trim_end_matches(':');
        !dashes.is_empty() && dashes.bytes().all(|byte| byte == b'-')
    };
    !cells.is_empty() && cells.iter().all(is_dashes)
}

/// The cells of a line; `\|` is no border.
fn cells(line: &str) -> Vec<String> {
    let line = line.strip_prefix('|').unwrap_or(line);
    let mut cells = vec![String::new()];
    let mut letters = line.chars().peekable();
    while let Some(c) = letters.next() {
        let last = cells.len() - 1;
        match c {
            '\\' if letters.peek() == Some(&'|') => cells[last].extend(letters.next()),
            '|' => cells.push(String::new()),
            c => cells[last].push(c),
        }
    }
    // The border at the end of a line begins no cell.
    if cells.len() > 1 && cells.last().is_some_and(|cell| cell.trim().is_empty()) {
        cells.pop();
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

/// The links `[text](address)` of a cell.
pub(super) fn links(cell: &str) -> Vec<Link> {
    let mut links = Vec::new();
    let mut rest = cell;
    while let Some((found, after)) = next_link(rest) {
        links.push(Link { text: plain(found.text), address: decoded(found.address) });
        rest = after;
    }
    links
}

struct Found<'a> {
    before: &'a str,
    text: &'a str,
    address: &'a str,
}

fn next_link(cell: &str) -> Option<(Found<'_>, &str)> {
    let middle = cell.find("](")?;
    let open = cell[..middle].rfind('[')?;
    let inside = &cell[middle + 2..];
    // An address may have brackets of its own.
    let mut depth = 0_usize;
    let end = inside.char_indices().find_map(|(index, c)| match c {
        '(' => {
            depth += 1;
            None
        }
        ')' if depth == 0 => Some(index),
        ')' => {
            depth -= 1;
            None
        }
        _ => None,
    })?;
    let address = inside[..end].split_whitespace().next().unwrap_or_default();
    let before = cell[..open].trim_end_matches('!');
    Some((Found { before, text: &cell[open + 1..middle], address }, &inside[end + 1..]))
}

/// The text of a cell without links, tags, emphasis and code; entities as what they stand for.
pub(super) fn plain(cell: &str) -> String {
    let mut text = String::new();
    let mut rest = cell;
    while let Some((found, after)) = next_link(rest) {
        text += found.before;
        text += found.text;
        rest = after;
    }
    text += rest;
    let text = without_tags(&text);
    let text = text.replace("**", "").replace("__", "").replace('`', "");
    let text = text.trim();
    let emphasised = text.strip_prefix('*').and_then(|text| text.strip_suffix('*'));
    decoded(emphasised.unwrap_or(text)).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `text` with a blank for every tag such as `<br>`.
fn without_tags(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        let is_tag = rest[open + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
        match rest[open..].find('>').filter(|_| is_tag) {
            Some(close) => {
                out += &rest[..open];
                out.push(' ');
                rest = &rest[open + close + 1..];
            }
            None => {
                out += &rest[..=open];
                rest = &rest[open + 1..];
            }
        }
    }
    out + rest
}

/// Entities and backslashes as what they stand for.
fn decoded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['&', '\\']) {
        out += &rest[..at];
        rest = &rest[at..];
        let known = match rest.strip_prefix('\\') {
            Some(after) => {
                after.chars().next().filter(char::is_ascii_punctuation).map(|c| (c, 1 + c.len_utf8()))
            }
            None => entity(rest),
        };
        let (c, length) = known.unwrap_or_else(|| (if rest.starts_with('&') { '&' } else { '\\' }, 1));
        out.push(c);
        rest = &rest[length..];
    }
    out + rest
}

/// The character of an entity at the beginning of `text`, and the entity's length in bytes.
fn entity(text: &str) -> Option<(char, usize)> {
    const LONGEST: usize = 10;
    let end = text.bytes().take(LONGEST).position(|byte| byte == b';')?;
    let c = match &text[1..end] {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "nbsp" => ' ',
        number => {
            let digits = number.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    Some((c, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_text_whatever_is_around_it() {
        for (cell, expected) in [
            ("**79.0**", "79.0"),
            ("[YOLOv5n-cls](https://example.org/a_(b).pt)", "YOLOv5n-cls"),
            ("Acc<br><sup>top1", "Acc top1"),
            ("`x` &amp; &#91;y&#93; a \\| b", "x & [y] a | b"),
            ("2 < 3", "2 < 3"),
            ("a & b; &unknown; \\n", "a & b; &unknown; \\n"),
            ("xception41_deeplab", "xception41_deeplab"),
        ] {
            assert_eq!(plain(cell), expected);
        }
        let found = links("[a](x_(y)) <br>[b](z \"title\")");
        let found: Vec<_> = found.iter().map(|link| (link.text.as_str(), link.address.as_str())).collect();
        assert_eq!(found, [("a", "x_(y)"), ("b", "z")]);
    }

    #[test]
    fn code_is_no_table_and_a_page_has_several() {
        let page = "# A *title*\n```\n| a |\n| - |\n| 1 |\n```\n| a | b\\|c |\n|:-:|---|\n| 1 | |\n\n| d\n|---\n| 2 | 3\n";
        let (title, tables) = of_page(page);
        assert_eq!(title.as_deref(), Some("A *title*"));
        assert_eq!(tables.len(), 2);
        assert_eq!(tables[0].headings, ["a", "b|c"]);
        assert_eq!(tables[0].rows, [(9, vec!["1".to_owned(), String::new()])]);
        assert_eq!(tables[1].rows, [(13, vec!["2".to_owned(), "3".to_owned()])]);
    }
}
