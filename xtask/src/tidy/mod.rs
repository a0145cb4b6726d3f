//! What this repository promises of its own files, a check a file. Each gives findings that name a file and what
//! to do; `validate` prints them, and a test here brings them into `cargo test --workspace`.

mod ci;
mod code_map;
mod fixtures;
mod links;
mod manifests;
mod reports;
mod sources;
mod tree;
mod words;

pub(crate) use tree::Tree;

/// One check.
struct TidyCheck {
    name: &'static str,
    findings: fn(&Tree) -> Vec<String>,
}

static CHECKS: [TidyCheck; 8] = [
    TidyCheck { name: "ci", findings: ci::findings },
    TidyCheck { name: "code map", findings: code_map::findings },
    TidyCheck { name: "dependencies", findings: manifests::findings },
    TidyCheck { name: "fixtures", findings: fixtures::findings },
    TidyCheck { name: "links", findings: links::findings },
    TidyCheck { name: "reports", findings: reports::findings },
    TidyCheck { name: "sources", findings: sources::findings },
    TidyCheck { name: "words", findings: words::findings },
];

/// What is wrong in `tree`, a line each.
pub(crate) fn findings(tree: &Tree) -> Vec<String> {
    let of = |check: &'static TidyCheck| {
        (check.findings)(tree).into_iter().map(move |finding| format!("{}: {finding}", check.name))
    };
    CHECKS.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn this_repository_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let tree = Tree::open(root).unwrap();
        assert!(tree.files().count() > 200, "{:?}", tree.files().collect::<Vec<_>>());
        let findings = findings(&tree);
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    }
}
