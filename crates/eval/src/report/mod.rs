//! What a run found, for people and for spreadsheets.

mod cells;
mod csv_table;
mod facts;
mod html;
mod junit;
mod markdown;
mod table;

pub use csv_table::results_csv;
pub use html::html;
pub use junit::junit_xml;
pub use markdown::markdown;
pub use table::{Style, explanation_table, figures_table, summary_lines};

/// Text in XML 1.0 or HTML; the former has no place for control characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' | '\t' | '\r' => out.push(' '),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_has_no_place_for_is_replaced() {
        assert_eq!(escaped("a<b & \"c\"\n\u{1}"), "a&lt;b &amp; &quot;c&quot; \u{fffd}");
    }
}
