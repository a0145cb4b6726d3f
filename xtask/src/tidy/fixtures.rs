//! That no fixture, snapshot or data file is left over: each is named by the code that reads it.

use std::collections::{BTreeMap, BTreeSet};

use glob::Pattern;

use crate::tidy::Tree;

/// Where data of tests and programs lie.
const DATA: [&str; 4] = [
    "crates/*/tests/fixtures/**",
    "crates/*/tests/**/snapshots/*",
    "xtask/tests/**/snapshots/*",
    "datasets/**",
];

/// Files whose names the code puts together, or that it finds by looking into a folder.
struct Family {
    files: &'static str,
    /// The source that reads them, and the piece of it that does.
    read_by: (&'static str, &'static str),
    /// The source that has each name, what `*` stands for, as a string.
    names_in: Option<&'static str>,
}

const FAMILIES: [Family; 8] = [
    Family {
        files: "datasets/sample/sample_*.JPEG",
        read_by: ("crates/dataset/src/open/sample.rs", "datasets/sample/sample_\", $number, \".JPEG\""),
        names_in: Some("crates/dataset/src/open/sample.rs"),
    },
    Family {
        files: "datasets/reference/stages/*.json",
        read_by: ("crates/models/src/reference.rs", "datasets/reference/stages/\", $name, \".json\""),
        names_in: Some("crates/models/src/reference.rs"),
    },
    Family {
        files: "datasets/reference/states/*.json",
        read_by: ("crates/models/tests/catalog.rs", "\"states/{network}.json\""),
        names_in: Some("crates/models/src/networks/mod.rs"),
    },
    Family {
        files: "crates/models/tests/fixtures/narrow-*-logits.json",
        read_by: ("crates/models/tests/narrow/mod.rs", "\"narrow-{source}-logits.json\""),
        names_in: Some("crates/models/tests/narrow/mod.rs"),
    },
    Family {
        files: "crates/models/tests/fixtures/onnx/*.onnx",
        read_by: ("crates/models/tests/onnx.rs", "\"tests/fixtures/onnx\""),
        names_in: None,
    },
    Family {
        files: "crates/dataset/tests/fixtures/formats/*",
        read_by: ("crates/dataset/tests/formats.rs", "\"tests/fixtures/formats\""),
        names_in: None,
    },
    Family {
        files: "crates/dataset/tests/fixtures/parquet/hub/data/*",
        read_by: ("crates/dataset/tests/parquet.rs", "\"hub/data\""),
        names_in: None,
    },
    Family {
        files: "xtask/tests/cli/snapshots/cli__verbs__help_*.snap",
        read_by: ("xtask/tests/cli/verbs.rs", "\"help_{}\""),
        names_in: Some("xtask/tests/cli/verbs.rs"),
    },
];

pub(crate) fn findings(tree: &Tree) -> Vec<String> {
    let patterns: Vec<Pattern> = DATA.iter().filter_map(|pattern| Pattern::new(pattern).ok()).collect();
    // The code of each crate, and as that of no crate, all of it.
    let mut code: BTreeMap<&str, String> = BTreeMap::new();
    for file in tree.with_ending("rs") {
        let text = without_comments(&tree.text(file));
        for folder in BTreeSet::from(["", folder_of(file)]) {
            *code.entry(folder).or_default() += &text;
        }
    }
    let code = |folder: &str| code.get(folder).map_or("", String::as_str);
    let mut findings = Vec::new();
    for file in tree.files().filter(|file| patterns.iter().any(|pattern| pattern.matches(file))) {
        let name = file.rsplit('/').next().unwrap_or(file);
        let is_named = match file.split_once("/tests/") {
            _ if name == "README.md" => true,
            Some(_) if name.ends_with(".snap") => is_snapshot_of_a_test(tree, file),
            Some((folder, _)) => names(code(folder), name),
            None => names(code(""), name),
        };
        if !is_named && !FAMILIES.iter().any(|family| family.has(tree, file)) {
            findings.push(format!(
                "{file}: no code names it; remove it, or say in xtask/src/tidy/fixtures.rs which code reads it"
            ));
        }
    }
    findings
}

/// The folder of the crate that `file` is a source or test of.
fn folder_of(file: &str) -> &str {
    ["/src/", "/tests/"].iter().find_map(|part| Some(file.split_once(part)?.0)).unwrap_or_default()
}

impl Family {
    /// Whether `file` is one of the family, and the code that reads the family names it.
    fn has(&self, tree: &Tree, file: &str) -> bool {
        let Some((before, after)) = self.files.split_once('*') else { return false };
        let Some(varying) = file.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)) else {
            return false;
        };
        let (reader, piece) = self.read_by;
        without_comments(&tree.text(reader)).contains(piece)
            && self.names_in.is_none_or(|source| {
                let source = without_comments(&tree.text(source));
                // A snapshot's name has no spaces.
                [varying.to_owned(), varying.replace('_', " ")]
                    .iter()
                    .any(|name| source.contains(&format!("\"{name}\"")))
            })
    }
}

/// Whether a string of `code` is `name`, or a path to it.
fn names(code: &str, name: &str) -> bool {
    ["\"", "/"].iter().any(|before| code.contains(&format!("{before}{name}\"")))
}

/// Whether a test asserts the snapshot at `file`: `snapshots/<test file>__<name>.snap`, where the name is that of the
/// function or given.
fn is_snapshot_of_a_test(tree: &Tree, file: &str) -> bool {
    let Some((folder, snapshot)) = file.split_once("/snapshots/") else { return false };
    // insta's `test__name`, or `test__module__name` beside the modules of a test that is a folder.
    let parts: Vec<&str> = snapshot.trim_end_matches(".snap").split("__").collect();
    let [test, modules @ .., name] = &parts[..] else { return false };
    let source = if modules.is_empty() { (*test).to_owned() } else { modules.join("/") };
    let code = without_comments(&tree.text(&format!("{folder}/{source}.rs")));
    code.contains(&format!("fn {name}()")) || names(&code, name)
}

fn without_comments(code: &str) -> String {
    code.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::planted;

    fn of(file: &str, more: &[(&str, &str)]) -> String {
        let code = "fn a_test() {\n read(\"some/a.pth\");\n // read(\"b.pth\")\n assert(\"given\") }\n";
        let files = [
            &[
                (file, ""),
                ("crates/a/tests/t.rs", code),
                ("crates/a/tests/u/part.rs", code),
                ("datasets/README.md", "c.csv"),
            ],
            more,
        ]
        .concat();
        let (_folder, tree) = planted(&files);
        findings(&tree).join("\n")
    }

    #[test]
    fn files_that_no_code_names_are_found() {
        for good in [
            "crates/a/tests/fixtures/a.pth",
            "crates/a/tests/snapshots/t__a_test.snap",
            "crates/a/tests/snapshots/t__given.snap",
            "crates/a/tests/u/snapshots/u__part__a_test.snap",
            "datasets/labels/a.pth",
        ] {
            assert_eq!(of(good, &[]), "");
        }
        for orphan in [
            "crates/a/tests/fixtures/b.pth",
            "crates/b/tests/fixtures/a.pth",
            "crates/a/tests/snapshots/t__gone.snap",
            "crates/a/tests/snapshots/u__a_test.snap",
            "crates/a/tests/u/snapshots/u__part__gone.snap",
            "datasets/labels/c.csv",
            "xtask/tests/cli/snapshots/cli__verbs__help_eval.snap",
        ] {
            let found = of(orphan, &[]);
            assert!(found.starts_with(orphan) && found.contains("no code names it"), "{orphan}: {found}");
        }
    }

    #[test]
    fn a_family_needs_its_reader_and_each_name() {
        let reader = |text: &'static str| [("xtask/tests/cli/verbs.rs", text)];
        let snapshot = "xtask/tests/cli/snapshots/cli__verbs__help_dataset_check.snap";
        assert_eq!(
            of(
                snapshot,
                &reader("for verb in [\"dataset check\"] { snapshot(format!(\"help_{}\", verb)) }\n")
            ),
            ""
        );
        let other = reader("for verb in [\"dataset\"] { snapshot(format!(\"help_{}\", verb)) }\n");
        assert!(!of(snapshot, &other).is_empty());
        assert!(!of(snapshot, &reader("for verb in [\"dataset check\"] {}\n")).is_empty());
    }

    #[test]
    fn every_family_has_files_in_this_repository() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let tree = Tree::open(root).unwrap();
        for family in &FAMILIES {
            assert!(tree.files().any(|file| family.has(&tree, file)), "{}: remove the family", family.files);
        }
    }
}
