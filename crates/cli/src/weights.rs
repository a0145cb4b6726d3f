//! `weights`: the published files that evaluations need: which are here, fetching the others, checking all.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use dataset::regular::RegularFile;
use eval::report::Style;
use eval::weights::{Cache, Check, Downloader, ForgottenFile, Wanted};
use eval::{EvalError, NoWeights};
use indicatif::BinaryBytes;
use models::Model;
use models::catalog::PublishedWeights;

use crate::options::Select;
use crate::output::note;
use crate::program::command;
use crate::progress::Download;
use crate::{EXIT_HOLDS, EXIT_WRONG, output};

/// Lists, fetches, verifies and forgets the published weight files
///
/// They are kept in the folder that IMAGENET_EVAL_CACHE names, else in the user's cache directory; those of
/// a catalog of your own in a folder an address there. A file is told by the SHA-256 digits in its name
/// (timm) or by MD5 and size (Keras); PaddleClas publishes neither, so what its files are when first seen
/// is recorded in first-seen.json, and expected ever after; they have to load as their network's checkpoint.
///
/// IMAGENET_EVAL_MIRROR names a base address to fetch from instead: BASE/FILE. Proxies are taken from
/// HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Shows each model's file, whether it is cached, and by what it is checked
    List(Selected),
    /// Fetches what is not cached, going on with what was begun, and checks what is
    Fetch {
        #[command(flatten)]
        select: Selected,

        /// Never use the network: only check what is cached
        #[arg(long)]
        offline: bool,
    },
    /// Reads every cached file and compares it with what the catalog, or the first sight, says
    Verify(Selected),
    /// Forgets what files without a published hash were when first seen, so that others can be
    ///
    /// Nothing is deleted: a cached file that is the one that was first seen is renamed to `<file>.forgotten`; another
    /// one stays, and is recorded when it is used.
    Forget(Selected),
}

#[derive(clap::Args)]
struct Selected {
    #[command(flatten)]
    select: Select,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    match &args.action {
        Action::List(select) => on_each(select, false, |_, weights| Ok(listed(weights))),
        Action::Verify(select) | Action::Fetch { select, offline: true } => {
            on_each(select, true, |model, weights| Ok(verified(model, weights)))
        }
        Action::Forget(select) => forget_each(select),
        Action::Fetch { select, offline: false } => fetch_each(select),
    }
}

/// A table's row: what there is to say about a file, and whether that is as it should be.
struct FileRow {
    status: String,
    good: bool,
}

/// Prints a table of what `look` says of each selected model's file. With
/// `faults`, a file that is not here or not the published one makes the exit code 2.
fn on_each(
    select: &Selected,
    faults: bool,
    look: impl Fn(&Model, &PublishedWeights) -> anyhow::Result<FileRow>,
) -> anyhow::Result<u8> {
    let cache = Cache::from_environment();
    let selected = select.select.load()?;
    let selection = selected.models()?;
    let mut table = Style::Terminal.table(&["model", "file", "status", "checked by"]);
    let (mut bad, mut addresses) = (Vec::new(), String::new());
    for model in selection {
        let Some(weights) = &model.weights else {
            table.add_row([model.id.as_str(), "-", "the catalog names none", "-"]);
            continue;
        };
        let row = look(model, weights)?;
        if !row.good {
            bad.push(model.id.as_str());
            let within = weights.member.as_ref().map(|member| format!(", its {member}")).unwrap_or_default();
            let address = Downloader::from_environment().address(weights);
            addresses += &format!("{}: {address}{within}\n", model.id);
        }
        table.add_row([model.id.clone(), Cache::key(weights), row.status, checked_by(weights)]);
    }
    let mut text = format!("{table}\nCache: {}\n", cache.folder().display());
    text += &selected.passed_over();
    if !bad.is_empty() {
        text += &format!(
            "Not here, or not the published file; `{}{}` gets them from\n{addresses}",
            command("weights fetch"),
            select.select.as_arguments()
        );
    }
    output::print(&text)?;
    Ok(if bad.is_empty() || !faults { EXIT_HOLDS } else { EXIT_WRONG })
}

fn checked_by(weights: &PublishedWeights) -> String {
    let mut by = Vec::new();
    by.extend(weights.sha256_prefix.as_ref().map(|prefix| format!("SHA-256 {prefix}...")));
    by.extend(weights.md5.as_ref().map(|md5| format!("MD5 {md5}")));
    by.extend(weights.bytes.map(|bytes| format!("{bytes} bytes")));
    if weights.sha256_prefix.is_none() && weights.md5.is_none() {
        by.push("first sight".to_owned());
    }
    by.join(", ")
}

fn listed(weights: &PublishedWeights) -> FileRow {
    let cache = Cache::from_environment();
    let size = |path: std::path::PathBuf| path.metadata().ok().filter(|it| it.is_file()).map(|it| it.len());
    let status = match (size(cache.path(weights)), size(cache.part(weights))) {
        (Some(bytes), _) => return FileRow { status: format!("cached, {}", BinaryBytes(bytes)), good: true },
        (None, Some(bytes)) => format!("begun, {}", BinaryBytes(bytes)),
        (None, None) => "not here".to_owned(),
    };
    FileRow { status, good: false }
}

fn verified(model: &Model, weights: &PublishedWeights) -> FileRow {
    let cache = Cache::from_environment();
    let path = cache.path(weights);
    if !path.is_file() {
        return listed(weights);
    }
    // Where no hash tells a file, it has to be a checkpoint of the network at least.
    let loads = || {
        let file = RegularFile::open(&path).map_err(|error| error.to_string())?;
        eval::weights::loads(model, &Arc::new(file))
    };
    let told = |good: &str, but: &str| match loads() {
        Ok(()) => (good.to_owned(), true),
        Err(reason) => (format!("CORRUPT: {but} no checkpoint of its network ({reason})"), false),
    };
    let (status, good) = match cache.check(weights) {
        Ok((_, Check::Published)) => ("the published file".to_owned(), true),
        Ok((_, Check::AsFirstSeen)) => {
            told("the file first seen", "the file first seen (`weights forget` forgets it), and")
        }
        Ok((_, Check::Unknown)) => {
            told("here, never seen before; the next use records it", "never seen before, and")
        }
        // Where no hash tells it, it was first seen as another.
        Ok((_, Check::Differs(reason))) if !weights.has_hash() => {
            (format!("CORRUPT: {reason}; if it is the right one, `weights forget` forgets the other"), false)
        }
        Ok((_, Check::Differs(reason))) => (format!("CORRUPT: {reason}"), false),
        Err(error) => (format!("cannot be read: {error}"), false),
    };
    FileRow { status, good }
}

/// Fetches `model`'s published file into the cache unless it is there.
///
/// # Errors
/// When it cannot be had, with what to do instead.
pub(crate) fn fetch(model: &Model) -> anyhow::Result<()> {
    let Some(weights) = &model.weights else {
        bail!("{}: the catalog names no published weights; pass --weights FILE to eval", model.id);
    };
    let cache = Cache::from_environment();
    let wanted = Wanted { id: &model.id, weights, loads: &|file| eval::weights::loads(model, file) };
    let told = Downloader::from_environment().fetch(&cache, &wanted, &mut Download::default()).map_err(
        |reason| {
            EvalError::NoWeights(NoWeights::Fetch {
                id: model.id.clone(),
                reason,
                path: cache.path(weights),
                was_seen: cache.remembers(weights),
            })
        },
    )?;
    let how = match told {
        Check::Unknown => "its SHA-256 is recorded and expected from now on",
        Check::AsFirstSeen => "the file first seen",
        Check::Published | Check::Differs(_) => "the published file",
    };
    note(&format!("{}: {} ({how})", model.id, cache.path(weights).display()));
    Ok(())
}

fn fetch_each(select: &Selected) -> anyhow::Result<u8> {
    let selected = select.select.load()?;
    let selection = selected.models()?;
    let mut failed = Vec::new();
    for model in &selection {
        // One bad address must not keep the others from being fetched.
        if let Err(error) = fetch(model) {
            output::error(&error);
            failed.push(model.id.as_str());
        }
    }
    let count = selection.len();
    output::print(&format!("{} of {count} files are here and checked.\n", count - failed.len()))?;
    if failed.is_empty() {
        return Ok(EXIT_HOLDS);
    }
    note(&format!("Not fetched: {}", failed.join(", ")));
    Ok(EXIT_WRONG)
}

fn forget_each(select: &Selected) -> anyhow::Result<u8> {
    let cache = Cache::from_environment();
    let selected = select.select.load()?;
    let selection = selected.models()?;
    let mut table = Style::Terminal.table(&["model", "file", "what was done"]);
    for model in selection {
        let Some(weights) = &model.weights else {
            table.add_row([model.id.as_str(), "-", "the catalog names none"]);
            continue;
        };
        let done =
            match cache.forget(weights).with_context(|| format!("{}: nothing was forgotten", model.id))? {
                None if weights.has_hash() => {
                    "nothing: it is told by its hash, no first sight is recorded".to_owned()
                }
                None => "nothing: no first sight is recorded".to_owned(),
                Some(forgotten) => {
                    let file = match forgotten.cached {
                        ForgottenFile::Absent => "it was not here".to_owned(),
                        ForgottenFile::SetAside(path) => {
                            let name =
                                path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
                            format!("the file lies beside as {name}")
                        }
                        ForgottenFile::Kept => {
                            "the file here is another; it stays, and the next use records it".to_owned()
                        }
                    };
                    format!("SHA-256 {} is forgotten; {file}", forgotten.sha256)
                }
            };
        table.add_row([model.id.clone(), Cache::key(weights), done]);
    }
    output::print(&format!("{table}\nCache: {}\n", cache.folder().display()))?;
    Ok(EXIT_HOLDS)
}
