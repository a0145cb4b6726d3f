//! The files that the checks look at.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use walkdir::WalkDir;

/// Where a file that git does not know yet is looked at too. Elsewhere it is a user's own: a run, images.
const SOURCES: [&str; 6] = ["benches", "crates", "datasets", "fuzz", "tools", "xtask"];

/// Further folders of the repository, for when git cannot say.
const OTHERS: [&str; 6] = [".cargo", ".ci", ".github", "deploy", "docs", "reports"];

/// A checkout's files, by path from its root with `/` between folders.
pub(crate) struct Tree {
    root: PathBuf,
    files: BTreeSet<String>,
}

impl Tree {
    /// The files of the checkout at `root`: what git knows of, and what is new in a folder of sources. Without git
    /// (an unpacked archive), what lies in the folders of this repository.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub(crate) fn open(root: &Path) -> anyhow::Result<Self> {
        let listed = listed(root, &["--cached"]).and_then(|mut known| {
            let new = listed(root, &[&["--others", "--exclude-standard", "--"], &SOURCES[..]].concat())?;
            known.extend(new);
            Some(known)
        });
        let mut files = match listed {
            Some(files) => files,
            None => walked(root, |top| SOURCES.contains(&top) || OTHERS.contains(&top))?,
        };
        // What was deleted and not yet committed so.
        files.retain(|file| root.join(file).is_file());
        Ok(Self { root: root.to_owned(), files })
    }

    /// The paths of all files, in order.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// Those of them that end in `.ending`.
    pub(crate) fn with_ending<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = &'a str> {
        self.files().filter(move |file| file.strip_suffix(ending).is_some_and(|rest| rest.ends_with('.')))
    }

    /// Whether there is such a file, or a folder with files.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.contains(path)
            || self.files.range(folder.clone()..).next().is_some_and(|it| it.starts_with(&folder))
    }

    /// The text of a file; of one that is not there or is no text, nothing, which no check takes for right.
    pub(crate) fn text(&self, file: &str) -> String {
        fs::read_to_string(self.root.join(file)).unwrap_or_default()
    }
}

/// What `git ls-files` gives; none where there is no git, or no repository that it trusts.
fn listed(root: &Path, arguments: &[&str]) -> Option<BTreeSet<String>> {
    if !root.join(".git").exists() {
        return None;
    }
    let output =
        Command::new("git").arg("-C").arg(root).args(["ls-files", "-z"]).args(arguments).output().ok()?;
    let text = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
    Some(text.split_terminator('\0').map(str::to_owned).collect())
}

/// The files in `root`, and below those of its folders that `wanted` names; runs, which git ignores, left out.
fn walked(root: &Path, wanted: impl Fn(&str) -> bool) -> anyhow::Result<BTreeSet<String>> {
    let mut files = BTreeSet::new();
    let entries = WalkDir::new(root).into_iter().filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        let top = entry.depth() == 1 && entry.file_type().is_dir();
        (!top || wanted(&name)) && !(entry.depth() == 2 && name == "runs") && name != "__pycache__"
    });
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read the checkout {}", root.display()))?;
        if entry.file_type().is_file() {
            let path = entry.path().strip_prefix(root)?;
            let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
            files.insert(parts.join("/"));
        }
    }
    Ok(files)
}

#[cfg(test)]
pub(super) mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A folder with these files, as a tree.
    pub(in crate::tidy) fn planted(files: &[(&str, &str)]) -> (TempDir, Tree) {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let tree = Tree { root: folder.path().to_owned(), files: walked(folder.path(), |_| true).unwrap() };
        (folder, tree)
    }

    fn names(tree: &Tree) -> Vec<&str> {
        tree.files().collect()
    }

    #[test]
    fn a_folder_is_known_by_its_files() {
        let (_folder, tree) = planted(&[("a/b.rs", "x"), ("a/b.rst", ""), ("ab/c", "")]);
        assert!(
            tree.has("a") && tree.has("a/") && tree.has("a/b.rs") && !tree.has("a/b") && !tree.has("b.rs")
        );
        assert_eq!(tree.with_ending("rs").collect::<Vec<_>>(), ["a/b.rs"]);
        assert_eq!((tree.text("a/b.rs").as_str(), tree.text("a/none").as_str()), ("x", ""));
    }

    #[test]
    fn without_git_only_folders_of_the_repository_are_looked_at() {
        let (folder, _) = planted(&[
            ("README.md", ""),
            ("xtask/a.rs", ""),
            ("run/run.json", ""),
            ("reports/runs/x/run.json", ""),
        ]);
        assert_eq!(names(&Tree::open(folder.path()).unwrap()), ["README.md", "xtask/a.rs"]);
    }

    #[test]
    fn with_git_new_sources_count_and_a_users_own_files_do_not() {
        let (folder, _) =
            planted(&[("README.md", ""), ("gone.md", ""), ("own/run.json", ""), ("xtask/new.rs", "")]);
        let git = |arguments: &[&str]| {
            let done = Command::new("git").arg("-C").arg(folder.path()).args(arguments).output();
            done.is_ok_and(|output| output.status.success())
        };
        if !git(&["init", "-q"]) {
            return; // No git on this machine; then nobody lists by it either.
        }
        assert!(git(&["add", "README.md", "gone.md"]));
        fs::remove_file(folder.path().join("gone.md")).unwrap();
        assert_eq!(names(&Tree::open(folder.path()).unwrap()), ["README.md", "xtask/new.rs"]);
    }
}
