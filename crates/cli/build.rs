//! Records the revision that is built: asked at run time, a checkout says what it is by then.

use std::path::Path;
use std::process::Command;

/// What the program is built of. A change there has Cargo run this again, which is how changes that are not committed become `-dirty`.
const SOURCES: [&str; 5] = ["crates", "datasets", "xtask", "Cargo.toml", "Cargo.lock"];

/// The checkout, from this package. Paths are relative, and asked for when this runs: checkouts that share a target folder share what was
/// compiled of this file, too, and absolute ones would ask the first of them for ever.
const ROOT: &str = "../..";

fn main() {
    println!("cargo::rerun-if-env-changed=IMAGENET_EVAL_REVISION");
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("Cargo says where the package is");
    let root = Path::new(&package).join(ROOT);
    let watch = |path: &str| println!("cargo::rerun-if-changed={ROOT}/{path}");
    SOURCES.into_iter().for_each(watch);
    let head = git(&root, &["symbolic-ref", "HEAD"]);
    for file in ["HEAD", "packed-refs"].into_iter().chain(head.as_deref()) {
        let path = git(&root, &["rev-parse", "--path-format=relative", "--git-path", file]);
        // A path that is not there would have this run at every build.
        if let Some(path) = path.filter(|path| root.join(path).exists()) {
            watch(&path);
        }
    }
    let described = || git(&root, &["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]);
    // Without a checkout, as in an unpacked archive or a container, who builds may say it.
    let revision = if is_ours(&root) { described() } else { None };
    let revision = revision.or_else(|| std::env::var("IMAGENET_EVAL_REVISION").ok());
    println!("cargo::rustc-env=IMAGENET_EVAL_REVISION={}", revision.as_deref().unwrap_or("unknown"));
}

/// Whether the checkout is this project's: an archive may have been unpacked within another one.
fn is_ours(root: &Path) -> bool {
    let top = git(root, &["rev-parse", "--show-toplevel"]);
    top.is_some_and(|top| Path::new(&top).canonicalize().ok() == root.canonicalize().ok())
}

/// What git prints; none where it fails. A checkout may be another user's, which git alone would not ask: whoever builds it runs its
/// code anyway.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.args(["-c", "safe.directory=*", "-C"]).arg(root).args(arguments);
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
