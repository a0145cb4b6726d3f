//! What a source file has to be: headed by why it exists, of a length that can be read, finished, and free of what
//! only its author's machine has.

use crate::tidy::Tree;

/// Lines that a source file may have. Most have fewer than 400.
const LIMIT: usize = 500;

/// What no committed text may hold, and why.
const FORBIDDEN: [(&str, &str); 6] = [
    (concat!("..", "/shared"), "is outside the repository"),
    (concat!("/", "work/"), "is a path of one machine"),
    (concat!("/", "home/"), "is a path of one machine"),
    (concat!("/", "Users/"), "is a path of one machine"),
    (concat!("/", "root/"), "is a path of one machine"),
    (concat!("todo", "!("), "is unfinished"),
];

/// Kinds of files that hold text.
const TEXTS: [&str; 16] = [
    "css", "csv", "html", "json", "lock", "md", "py", "rs", "sh", "snap", "svg", "toml", "txt", "xml",
    "yaml", "yml",
];

pub(crate) fn findings(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in tree.with_ending("rs") {
        let text = tree.text(file);
        if !text.starts_with("//! ") {
            findings.push(format!("{file}: begin with `//!` and say why the file exists"));
        }
        let lines = text.lines().count();
        let is_source = file.contains("/src/");
        if is_source && lines > LIMIT {
            findings.push(format!("{file}: {lines} lines are more than {LIMIT}; split it by what it does"));
        }
    }
    for file in TEXTS.iter().flat_map(|ending| tree.with_ending(ending)) {
        let text = tree.text(file);
        for (number, line) in (1..).zip(text.lines()) {
            for (word, reason) in FORBIDDEN.iter().filter(|(word, _)| line.contains(word)) {
                findings.push(format!("{file}:{number}: `{word}` {reason}; remove it"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::planted;

    fn of(file: &str, text: &str) -> String {
        let (_folder, tree) = planted(&[(file, text)]);
        findings(&tree).join("\n")
    }

    #[test]
    fn sources_without_a_head_too_long_or_unfinished_are_found() {
        let lines = |count: usize| format!("//! Why.\n{}", "x\n".repeat(count - 1));
        assert_eq!(of("crates/a/src/b.rs", &lines(LIMIT)), "");
        assert_eq!(of("crates/a/tests/b.rs", &lines(LIMIT + 1)), "");
        assert!(of("crates/a/src/b.rs", &lines(LIMIT + 1)).contains("b.rs: 501 lines are more than 500"));
        assert!(of("crates/a/tests/b.rs", "use x;\n").contains("begin with `//!`"));
        for (word, _) in FORBIDDEN {
            assert!(of("docs/a.md", &format!("a\nb {word} c\n")).contains(&format!("docs/a.md:2: `{word}`")));
        }
    }
}
