//! What text from elsewhere (names of images, messages of errors, ids of catalogs, notes) becomes in each language that a
//! report is written in. Every writer passes every such text through here, so that no name is markup, a link, a command of
//! a terminal or a line of its own.

use std::fmt::Write as _;

/// `text` as one line that shows what is in it: control characters, ends of lines and the invisible characters that reorder or
/// hide others are written like `\u{1b}`.
///
/// ```
/// assert_eq!(eval::report::visible("a\nb\u{1b}[31m \u{202e}gpj"), "a\\nb\\u{1b}[31m \\u{202e}gpj");
/// ```
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.extend(c.escape_default()),
            c if is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Whether a character is a command or invisible: it can make other text look like what it is not.
pub(super) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Soft hyphen, marks of direction, widths of nothing, variation selectors, separators of lines.
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
        // Noncharacters, which XML has no place for.
        || matches!(u32::from(c) & 0xffff, 0xfffe | 0xffff)
        || matches!(c, '\u{fdd0}'..='\u{fdef}')
}

/// Text in XML 1.0 or HTML, between tags or in an attribute with either kind of quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

/// Text in GitHub's Markdown, inside of a line or of a table's cell. What has a meaning is written as an entity, as in HTML:
/// also where a backslash would do, since `\](` still looks like a link to a reader of the source.
pub(super) fn markdown_text(text: &str) -> String {
    let text = visible(text);
    let letters: Vec<char> = text.chars().collect();
    let is_word = |index: Option<usize>| {
        index.and_then(|index| letters.get(index)).is_some_and(|c| c.is_alphanumeric())
    };
    let mut out = String::with_capacity(text.len());
    // Letters that are left of an interval.
    let mut left = None;
    for (index, &c) in letters.iter().enumerate() {
        let (before, after) = (is_word(index.checked_sub(1)), is_word(Some(index + 1)));
        if let Some(interval) = numbers_in_brackets(&letters[index..]).or(left) {
            // It cannot be a link, and reads better as it is.
            out.push(c);
            left = interval.checked_sub(1).filter(|&left| left > 0);
            continue;
        }
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            // Emphasis, code, links, tables, mathematics, mentions; a backslash before any of them.
            '*' | '`' | '[' | ']' | '|' | '~' | '$' | '@' | '\\' => entity(&mut out, c),
            // Inside of a word it means nothing, as in `xception41_deeplab`.
            '_' if !(before && after) => entity(&mut out, c),
            // A heading, or an issue's number; not in `repository#88`.
            '#' if !before => entity(&mut out, c),
            // Items of a list, rules and underlined headings, at the beginning of a line.
            ' ' if index == 0 => entity(&mut out, c),
            '-' | '+' | '=' if index == 0 && letters.get(1).is_some_and(|&next| next == ' ' || next == c) => {
                entity(&mut out, c);
            }
            '.' | ')'
                if is_number(&letters[..index]) && letters.get(index + 1).is_none_or(|&next| next == ' ') =>
            {
                entity(&mut out, c);
            }
            // Addresses that become links by themselves, and emoji.
            ':' if letters[index..].starts_with(&[':', '/', '/']) || after && !before => entity(&mut out, c),
            '.' if before_is(&letters[..index], "www") => entity(&mut out, c),
            c => out.push(c),
        }
    }
    out
}

/// The length of an interval such as `[0.7, 20.2]` at the beginning of `letters`, where what follows makes no link of it.
fn numbers_in_brackets(letters: &[char]) -> Option<usize> {
    let inner = letters.strip_prefix(&['['])?;
    let length = inner.iter().position(|c| !(c.is_ascii_digit() || ".,- ".contains(*c)))?;
    let is_number = inner.first()?.is_ascii_digit() && inner[length] == ']';
    (is_number && !matches!(inner.get(length + 1), Some('(' | '[' | ':'))).then_some(length + 2)
}

fn entity(out: &mut String, c: char) {
    let _ = write!(out, "&#{};", u32::from(c));
}

fn is_number(letters: &[char]) -> bool {
    !letters.is_empty() && letters.iter().all(char::is_ascii_digit)
}

fn before_is(letters: &[char], word: &str) -> bool {
    let from = letters.len().saturating_sub(word.len());
    letters[from..].iter().collect::<String>().eq_ignore_ascii_case(word)
}

/// Text that has to be taken letter by letter, as code inside of a line of Markdown. In a table's cell, the table writes
/// `|` as `\|`, code or not.
pub(super) fn markdown_code(text: &str) -> String {
    let text = visible(text);
    if text.is_empty() {
        return text;
    }
    // Code ends at as many backticks as it begins with.
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let space = if longest > 0 || text.starts_with(' ') && text.ends_with(' ') { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// A command line as a person would give it to a shell again, in one line.
pub fn shell_command(arguments: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    let quoted: Vec<String> = arguments
        .iter()
        .map(|argument| {
            if !argument.is_empty() && argument.chars().all(plain) {
                argument.clone()
            } else if argument.chars().any(is_invisible) {
                dollar_quoted(argument)
            } else {
                format!("'{}'", argument.replace('\'', r"'\''"))
            }
        })
        .collect();
    quoted.join(" ")
}

/// `$'...'` of POSIX 2024, bash and zsh: every byte of what cannot be seen by its number.
fn dollar_quoted(argument: &str) -> String {
    let mut out = String::from("$'");
    for c in argument.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            '\n' => out += "\\n",
            c if is_invisible(c) => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    // Three octal digits end by themselves; hexadecimal ones go on.
                    let _ = write!(out, "\\{byte:03o}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a file may be called on Linux, and what an error may say.
    const NAMES: [&str; 14] = [
        "<b>x</b>",
        "[x](javascript:alert(1))",
        "![x](https://example.org/x.png)",
        "a|b",
        "`code`",
        "*a* _b_ **c** ~~d~~",
        "# heading",
        "- item",
        "1. item",
        "line\n\n# heading\n",
        "&lt;script&gt;",
        "www.example.org and a@example.org, @someone, #7, :tada:, $x$",
        "\u{202e}gpj.exe \u{200b}\u{1b}[2J\u{9b}31m\u{7}",
        "\\[x\\](y) \\<b>",
    ];

    /// What is text to a reader of XML: entities as what they stand for.
    fn read(escaped: &str) -> String {
        let mut text = String::new();
        let mut parts = escaped.split('&');
        text += parts.next().unwrap();
        for part in parts {
            let (entity, rest) = part.split_once(';').unwrap();
            text.push(match entity {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                number => char::from_u32(number.trim_start_matches('#').parse().unwrap()).unwrap(),
            });
            text += rest;
        }
        text
    }

    #[test]
    fn a_reader_sees_the_name_and_nothing_else() {
        for name in NAMES {
            let shown = visible(name);
            assert!(!shown.chars().any(is_invisible), "{shown}");
            assert_eq!(read(&escaped(name)), shown);
            assert_eq!(read(&markdown_text(name)), shown);
            for text in [escaped(name), markdown_text(name)] {
                assert!(!text.contains(['<', '>', '\n']), "{text}");
            }
            let text = markdown_text(name);
            // Entities aside, nothing is left that means something in Markdown.
            let rest: String =
                text.split('&').map(|part| part.split_once(';').map_or(part, |it| it.1)).collect();
            assert!(!rest.contains(['[', ']', '`', '*', '|', '~', '$', '@', '\\']), "{text}");
            assert!(!text.contains("://") && !text.contains("www."), "{text}");
            assert!(!text.starts_with(['#', '-', '+', ' ']), "{text}");
            assert!(!text.starts_with("1."), "{text}");
        }
    }

    #[test]
    fn plain_words_stay_plain() {
        for text in [
            "ppcls/xception41_deeplab",
            "2 x thop MACs at 224x224",
            "(keras-applications#88), -0.011; a: b",
            "0.05",
            "-",
            "+0.1 pp",
        ] {
            assert_eq!(markdown_text(text), text);
        }
        assert_eq!(escaped("a<b & \"c\"\n\u{1}"), "a&lt;b &amp; &quot;c&quot;\\n\\u{1}");
    }

    #[test]
    fn numbers_in_brackets_are_no_link() {
        for text in ["[1](x)", "[1][2]", "[1]: x", "[x]", "[ ] x", "[1", "[]", "![1](x)", "[[1](x)](y)"] {
            assert!(!markdown_text(text).contains("](") && !markdown_text(text).starts_with("[x"), "{text}");
        }
        assert_eq!(markdown_text("[1](x)"), "&#91;1&#93;(x)");
        assert_eq!(markdown_text("[1, 2][x]"), "&#91;1, 2&#93;&#91;x&#93;");
        assert_eq!(markdown_text("[1]: <x>"), "&#91;1&#93;: &lt;x&gt;");
    }

    #[test]
    fn code_holds_any_text() {
        assert_eq!(markdown_code("a.pth"), "`a.pth`");
        assert_eq!(markdown_code("a`b``c"), "``` a`b``c ```");
        assert_eq!(markdown_code("`"), "`` ` ``");
        assert_eq!(markdown_code("a\nb"), "`a\\nb`");
        assert_eq!(markdown_code(""), "");
    }

    #[test]
    fn a_command_can_be_repeated() {
        let arguments = ["cargo", "xtask", "--model", "timm/*", "--data", "it's here"].map(str::to_owned);
        assert_eq!(shell_command(&arguments), r"cargo xtask --model 'timm/*' --data 'it'\''s here'");
        let arguments = ["a\n```\n'\u{202e}"].map(str::to_owned);
        assert_eq!(shell_command(&arguments), r"$'a\n```\n\'\342\200\256'");
    }
}
