//! Text folded into lines of a width, between words where that is possible.

use unicode_width::UnicodeWidthStr;

/// `text` with spaces to `width`, before it where it stands to the `right`.
pub(super) fn pad(text: &str, width: usize, right: bool) -> String {
    let room = " ".repeat(width.saturating_sub(text.width()));
    if right { room + text } else { text.to_owned() + &room }
}

/// `text` folded to `width`, its lines moved in.
pub(super) fn indented(text: &str, by: usize, width: usize) -> Vec<String> {
    let room = width.saturating_sub(by).max(1);
    fold(text, room).into_iter().map(|line| format!("{}{line}", " ".repeat(by))).collect()
}

/// The width of the widest word of a cell.
pub(super) fn widest_word(cell: &str) -> usize {
    words(cell).iter().map(|word| word.width()).max().unwrap_or_default()
}

/// The words of a cell. A number and its unit, and a short interval, are one.
fn words(cell: &str) -> Vec<String> {
    const TOGETHER: usize = 16;
    let mut words: Vec<String> = Vec::new();
    for word in cell.split(' ') {
        let joins = words.last().is_some_and(|last| {
            let unit = ["%", "G", "M", "pp"].contains(&word) && last.ends_with(|c: char| c.is_ascii_digit());
            let open =
                last.starts_with('[') && !last.ends_with(']') && last.width() + word.width() < TOGETHER;
            unit || open
        });
        match words.last_mut().filter(|_| joins) {
            Some(last) => *last += &format!(" {word}"),
            None => words.push(word.to_owned()),
        }
    }
    words
}

/// Lines of at most `width` columns, broken between words, and inside of a word that is longer than a line. One at least.
pub(super) fn fold(text: &str, width: usize) -> Vec<String> {
    if text.width() <= width {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in words(text) {
        let last = lines.last_mut().expect("there is a line");
        if last.is_empty() {
            *last = word;
        } else if last.width() + 1 + word.width() <= width {
            *last += &format!(" {word}");
        } else {
            lines.push(word);
        }
        while let Some(rest) = lines.last_mut().and_then(|line| overflow(line, width)) {
            lines.push(rest);
        }
    }
    lines
}

/// Takes what is beyond `width` from a line.
fn overflow(line: &mut String, width: usize) -> Option<String> {
    if line.width() <= width {
        return None;
    }
    let mut ends = line.char_indices().map(|(at, c)| at + c.len_utf8());
    // One character at least, so that it ends.
    let first = ends.next()?;
    let at = ends.take_while(|&at| line[..at].width() <= width).last().unwrap_or(first);
    let rest = line.split_off(at);
    (!rest.is_empty()).then_some(rest)
}
