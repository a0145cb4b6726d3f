//! That the code map of ARCHITECTURE.md names what there is, and all of it.

use std::collections::BTreeSet;

use glob::{MatchOptions, Pattern};

use crate::tidy::Tree;

const FILE: &str = "ARCHITECTURE.md";
const SECTION: &str = "## Code map";

/// Where every `.rs` file has to be in a row.
const MAPPED: [&str; 4] = ["crates/*/src/**", "xtask/src/**", "benches/**", "fuzz/src/**"];

const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

pub(crate) fn findings(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    let mut rows = Vec::new();
    for path in paths(tree, &tree.text(FILE)) {
        match Pattern::new(&if path.ends_with('/') { format!("{path}**") } else { path.clone() }) {
            Ok(pattern) if tree.files().any(|file| pattern.matches_with(file, OPTIONS)) => rows.push(pattern),
            _ => findings
                .push(format!("{FILE}: the code map names `{path}`, which is not there; mend the row")),
        }
    }
    let mapped: Vec<Pattern> = MAPPED.iter().filter_map(|pattern| Pattern::new(pattern).ok()).collect();
    let covered = |file: &str| rows.iter().any(|row| row.matches_with(file, OPTIONS));
    for file in tree.with_ending("rs") {
        if mapped.iter().any(|pattern| pattern.matches_with(file, OPTIONS)) && !covered(file) {
            findings.push(format!("{FILE}: no row of the code map covers {file}; add it to one"));
        }
    }
    let top = |path: &str| path.split_once('/').map(|(folder, _)| folder.to_owned());
    let known: BTreeSet<String> = rows.iter().filter_map(|row| top(row.as_str())).collect();
    for folder in tree.files().filter_map(top).collect::<BTreeSet<_>>().difference(&known) {
        findings.push(format!("{FILE}: no row of the code map is about {folder}/; add one"));
    }
    findings
}

/// The paths that the map's rows name. After the first of a row, a path may be relative to the folder that the first
/// lies in; one that ends in `/` is a folder with all below it, and `*` stands for any name.
fn paths(tree: &Tree, text: &str) -> Vec<String> {
    let section = text.split_once(SECTION).map_or("", |(_, rest)| rest);
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let mut paths = Vec::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.split('|').nth(1).unwrap_or_default();
        let mut beside = String::new();
        for (index, name) in cell.split('`').skip(1).step_by(2).enumerate() {
            if index == 0 {
                let folder = name.trim_end_matches('/').rsplit_once('/');
                beside = folder.map_or(String::new(), |(folder, _)| format!("{folder}/"));
                paths.push(name.to_owned());
                continue;
            }
            let near = format!("{beside}{name}");
            paths.push(if tree.has(&near) || !tree.has(name) { near } else { name.to_owned() });
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::planted;

    fn of(map: &str, more: &str) -> String {
        let text = format!(
            "# A\n\n## Code map\n\n| path | what for |\n| --- | --- |\n{map}\n## Next\n| `x.rs` | |\n"
        );
        let (_folder, tree) = planted(&[
            (FILE, &text),
            ("crates/a/src/lib.rs", ""),
            ("crates/a/src/b/mod.rs", ""),
            ("crates/a/src/c.rs", ""),
            ("docs/d.md", ""),
            ("crates/a/tests/t.rs", ""),
            (more, ""),
        ]);
        findings(&tree).join("\n")
    }

    const MAP: &str =
        "| `crates/a/src/b/`, `c.rs`, `docs/d.md` | these |\n| `crates/*/src/lib.rs` | those |\n";

    #[test]
    fn what_the_map_lacks_or_invents_is_found() {
        assert_eq!(of(MAP, "crates/a/src/b/new.rs"), "");
        assert_eq!(of(MAP, "top.rs"), "");
        assert!(of(MAP, "crates/a/src/e.rs").contains("no row of the code map covers crates/a/src/e.rs"));
        assert!(of(MAP, "crates/a/src/e/lib.rs").contains("crates/a/src/e/lib.rs"));
        assert!(of(MAP, "new/e.md").contains("no row of the code map is about new/"));
        let gone = of(&MAP.replace("`c.rs`", "`gone.rs`"), "top.rs");
        assert!(
            gone.contains("names `crates/a/src/gone.rs`") && gone.contains("covers crates/a/src/c.rs"),
            "{gone}"
        );
        assert!(of("", "top.rs").contains("crates/a/src/lib.rs"), "no map at all");
    }
}
