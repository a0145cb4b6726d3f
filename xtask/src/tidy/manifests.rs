//! That crates depend on each other in one direction, and that every version stands once, in the workspace.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::tidy::Tree;

/// What of this workspace each crate may use, in the tests too: `xtask -> cli -> eval -> models -> kernels -> graph`, `cards`
/// beside `models`, `dataset` under all but `kernels` and `graph`, and `memory` under all of them.
const MAY_USE: [(&str, &[&str]); 14] = [
    ("benches", &["dataset", "graph", "kernels", "models"]),
    ("cards", &["dataset", "graph", "toml-keys"]),
    ("cli", &["cards", "dataset", "eval", "kernels", "models"]),
    ("dataset", &["memory"]),
    ("eval", &["cards", "dataset", "memory", "models"]),
    ("fuzz", &["cards", "dataset", "eval", "models"]),
    ("graph", &[]),
    ("kernels", &["graph", "memory"]),
    ("launch", &[]),
    ("memory", &[]),
    // Itself, with a feature that only its tests need.
    ("models", &["dataset", "graph", "kernels", "memory", "models", "toml-keys", "workspace-hack"]),
    ("toml-keys", &["dataset"]),
    ("workspace-hack", &[]),
    ("xtask", &["cli", "dataset", "eval", "models"]),
];

const ROOT: &str = "Cargo.toml";
const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

pub(crate) fn findings(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    let root: Table = tree.text(ROOT).parse().unwrap_or_default();
    let workspace = root.get("workspace").and_then(Value::as_table).cloned().unwrap_or_default();
    let versions = workspace.get("dependencies").and_then(Value::as_table).cloned().unwrap_or_default();
    let members = workspace.get("members").and_then(Value::as_array).cloned().unwrap_or_default();
    if members.is_empty() {
        findings.push(format!("{ROOT}: there are no workspace.members that can be read"));
    }
    let may_use = BTreeMap::from(MAY_USE);
    let crates: BTreeSet<&str> = may_use.keys().copied().collect();
    let mut used = BTreeSet::new();
    for folder in members.iter().filter_map(Value::as_str) {
        let file = format!("{folder}/{ROOT}");
        let name = folder.rsplit('/').next().unwrap_or(folder);
        let Some(allowed) = may_use.get(name) else {
            findings.push(format!("{file}: say in xtask/src/tidy/manifests.rs what `{name}` may use"));
            continue;
        };
        for (dependency, from) in dependencies(&tree.text(&file).parse().unwrap_or_default()) {
            if crates.contains(dependency.as_str()) && !allowed.contains(&dependency.as_str()) {
                findings.push(format!(
                    "{file}: `{name}` may not use `{dependency}`: crates depend on each other in one direction (ARCHITECTURE.md)"
                ));
            }
            if from.get("workspace").and_then(Value::as_bool) != Some(true) {
                findings.push(format!(
                    "{file}: write `{dependency}.workspace = true`, and its version into {ROOT}"
                ));
            }
            used.insert(dependency);
        }
    }
    for dependency in versions.keys().filter(|name| !used.contains(*name)) {
        findings.push(format!("{ROOT}: no crate uses `{dependency}`; remove it from workspace.dependencies"));
    }
    findings
}

/// All dependencies of a manifest, for every target and kind, each with what is said of it.
fn dependencies(manifest: &Table) -> Vec<(String, Table)> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let tables = [manifest].into_iter().chain(targets);
    tables
        .flat_map(|table| KINDS.iter().filter_map(|kind| table.get(*kind)?.as_table()))
        .flatten()
        .map(|(name, said)| (name.clone(), said.as_table().cloned().unwrap_or_default()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::planted;

    fn of(root: &str, models: &str) -> String {
        let (_folder, tree) = planted(&[
            (ROOT, root),
            ("crates/models/Cargo.toml", models),
            ("crates/kernels/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nlibc.workspace = true\n"),
        ]);
        findings(&tree).join("\n")
    }

    const WORKSPACE: &str = "[workspace]\nmembers = [\"crates/models\", \"crates/kernels\"]\n\
        [workspace.dependencies]\nlibc = \"0.2\"\nkernels = { path = \"crates/kernels\" }\n";
    const MODELS: &str = "[dependencies]\nkernels = { workspace = true, features = [\"x\"] }\n";

    #[test]
    fn imports_that_turn_back_and_stray_versions_are_found() {
        assert_eq!(of(WORKSPACE, MODELS), "");
        let back = of(WORKSPACE, &format!("{MODELS}[dev-dependencies]\neval.workspace = true\n"));
        assert!(back.contains("`models` may not use `eval`"), "{back}");
        assert!(
            of(WORKSPACE, &format!("{MODELS}libc = \"0.2\"\n")).contains("write `libc.workspace = true`")
        );
        assert!(of(WORKSPACE, "").contains("no crate uses `kernels`"));
        let new = of(&WORKSPACE.replace("crates/kernels\"]", "crates/kernels\", \"crates/new\"]"), MODELS);
        assert!(new.contains("what `new` may use"), "{new}");
        assert!(of("", MODELS).contains("workspace.members"));
    }
}
