//! `dataset check`: what lies at a path, before hours are spent on it.

mod complete;
mod digests;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Subcommand, value_parser};
use dataset::labels::{CLASSES, VAL_IMAGES};
use dataset::{Census, Dataset, LabelCheck, LabelSource};
use eval::Remedy;
use eval::report::visible;
use indicatif::BinaryBytes;

use crate::output::note;
use crate::process::{processors, stop_on_signal};
use crate::progress::Count;
use crate::{EXIT_DIFFERS, EXIT_HOLDS, EXIT_INTERRUPTED, EXIT_WRONG, output, remedy};

/// Looks at images and labels before hours are spent on them
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Counts, classes, labels and their order, undecodable files, colour modes, EXIF orientation, sizes,
    /// duplicates, and the fingerprint that goes into every report
    ///
    /// The exit code is 2 when files cannot be decoded, labels contradict the known ones, or images are not those of the run
    /// that they are held against; 1 when only --complete is not met.
    Check(CheckArgs),
}

#[derive(clap::Args)]
struct CheckArgs {
    /// The images, in any layout that eval takes
    #[arg(value_name = "PATH")]
    path: PathBuf,

    /// A list of labels to use instead of what is found with the images
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,

    /// Exit with 1, and say what is missing, unless this is the whole validation set: 50,000 images named
    /// ILSVRC2012_val_..., each once, with the known labels, decodable
    #[arg(long)]
    complete: bool,

    /// Compare each image's bytes with those that a run read (its digests.csv), or with a file of --write-digests
    #[arg(long, value_name = "RUN")]
    against: Option<PathBuf>,

    /// Write the SHA-256 of each image's bytes to a file, as a run writes digests.csv; of ILSVRC2012_img_val.tar, verified by its MD5, with that: by such a
    /// file, `eval --digests` knows the images elsewhere
    #[arg(long, value_name = "FILE")]
    write_digests: Option<PathBuf>,

    /// Threads that decode [default: one a processor]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

/// Names that are shown of each kind of finding.
const SHOWN: usize = 5;

/// Files with warnings that are named beside those that are shown: nothing else names them, but a line of 50,000 names helps nobody.
const NAMED: usize = 100;

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let Action::Check(check) = &args.action;
    // Read before hours are spent on the images.
    let then = check.against.as_deref().map(digests::read).transpose()?;
    let dataset = Dataset::open(&check.path, check.labels.as_deref())?;
    let stop = stop_on_signal("Stopping.")?;
    let mut count = Count::new(dataset.items().len());
    let threads = check.threads.map_or_else(processors, usize::from);
    let census = Census::take(&dataset, threads, &stop, || count.image());
    count.finish();
    let Some(census) = census? else {
        note("Interrupted: nothing was written.");
        return Ok(EXIT_INTERRUPTED);
    };
    let labels = dataset.label_check();
    let mut findings = Findings {
        problems: problems(&census, &labels, dataset.label_source()),
        missing: check.complete.then(|| complete::missing(&dataset, &census)),
        ..Findings::default()
    };
    let now = digests::of(&census.digests);
    let pixels = digests::pixels(&dataset, &census, &stop)?;
    findings.pixels = pixels.words;
    if pixels.are_others {
        findings.problems.push(format!("{}. Get them again.", findings.pixels));
    }
    if let Some((path, then)) = then {
        let differences = digests::differences(&then, &now);
        findings.against = Some(match differences.is_empty() {
            true => format!("the same {} images as {}", then.len(), path.display()),
            false => format!("not the images of {}", path.display()),
        });
        if !differences.is_empty() {
            findings.problems.push(format!(
                "images are not those that {} tells of: {}. Get them again, or begin a new run.",
                path.display(),
                differences.join(", ")
            ));
        }
    }
    if let Some(path) = &check.write_digests {
        match &pixels.of_tar {
            Some(text) => digests::write_text(path, text)?,
            None => digests::write(path, &now)?,
        }
    }
    output::print(&text(&dataset, &census, &labels, &findings))?;
    Ok(match (findings.problems.is_empty(), findings.missing.is_none_or(|missing| missing.is_empty())) {
        (false, _) => EXIT_WRONG,
        (true, false) => EXIT_DIFFERS,
        (true, true) => EXIT_HOLDS,
    })
}

/// What is said of a data set beside its description.
#[derive(Default)]
struct Findings {
    /// What has to be mended, a sentence each.
    problems: Vec<String>,
    /// What the whole validation set has beside it, a sentence each, if that was asked.
    missing: Option<Vec<String>>,
    /// What is known of the images' bytes.
    pixels: String,
    /// How the images compare with a run's, if that was asked.
    against: Option<String>,
}

/// What has to be mended before an accuracy means anything, a sentence each.
fn problems(census: &Census, labels: &LabelCheck, source: &LabelSource) -> Vec<String> {
    let mut problems = Vec::new();
    if !census.undecodable.is_empty() {
        problems.push(format!(
            "{} files cannot be decoded; every model will be wrong on them. Get them again.",
            census.undecodable.len()
        ));
    }
    if labels.wrong > 0 {
        problems.push(format!(
            "{} of {} labels contradict the known ones. {}",
            labels.wrong,
            labels.known,
            remedy::with(source.advice(), source.remedy().map(Remedy::Dataset).as_ref())
        ));
    }
    problems
}

fn text(dataset: &Dataset, census: &Census, labels: &LabelCheck, findings: &Findings) -> String {
    let mut text = String::new();
    let mut line = |name: &str, fact: &str| {
        let _ = writeln!(text, "{name:<13}{}", visible(fact));
    };
    let which = match dataset.is_complete_ilsvrc2012_val() {
        true => "the whole ILSVRC2012 validation set, by name".to_owned(),
        false => format!("not the {VAL_IMAGES} of the ILSVRC2012 validation set"),
    };
    line("images", &format!("{} ({which}), {}", census.images, BinaryBytes(census.bytes)));
    line("layout", &dataset.layout().to_string());
    line("labels", &dataset.label_source().to_string());
    line("order", &order(labels));
    line("classes", &classes(&census.per_class));
    let decoded = census.images - census.undecodable.len();
    line("decoded", &format!("{decoded} of {}", census.images));
    for (name, reason) in census.undecodable.iter().take(SHOWN) {
        line("", &format!("{name}: {reason}"));
    }
    if census.undecodable.len() > SHOWN {
        line("", &format!("and {} more", census.undecodable.len() - SHOWN));
    }
    if !census.warned.is_empty() {
        line("warned of", &format!("{}, by libjpeg, which decodes them all the same", census.warned.len()));
        for (name, warnings) in census.warned.iter().take(SHOWN) {
            line("", &format!("{name}: {warnings}"));
        }
        if census.warned.len() > SHOWN {
            let more: Vec<&str> = census.warned[SHOWN..].iter().map(|(name, _)| name.as_str()).collect();
            line("", &and_more(&more));
        }
    }
    let kinds: Vec<String> = census.kinds.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
    if !kinds.is_empty() {
        line("stored as", &kinds.join("; "));
    }
    for (kind, names) in &census.unusual {
        line("", &format!("{kind}: {}", some(names)));
    }
    let rotated: Vec<String> = census.rotated.iter().map(|(name, turn)| format!("{name} ({turn})")).collect();
    let upright = "none is rotated".to_owned();
    line(
        "EXIF",
        &if rotated.is_empty() { upright } else { format!("{} rotated: {}", rotated.len(), some(&rotated)) },
    );
    if let Some(sides) = census.sides {
        let [low, middle, high] = sides.width;
        let widths = format!("{low} to {high} pixels wide, median {middle}");
        let [low, middle, high] = sides.height;
        let prescaled = match (sides.width, sides.height) {
            // One image has one size whatever was done to it.
            ([low, _, high], [lowest, _, highest]) if low == high && lowest == highest && decoded > 1 => {
                format!("; prescaled: all are {low}x{lowest}, the validation set's files have many sizes")
            }
            _ => String::new(),
        };
        line("sizes", &format!("{widths}; {low} to {high} high, median {middle}{prescaled}"));
    }
    let twice: Vec<String> = census.duplicates.iter().map(|group| joined(group, " = ")).collect();
    line(
        "duplicates",
        &match twice.len() {
            0 => "no two files have the same content".to_owned(),
            count => format!(
                "{count} contents more than once, {} with different labels: {}",
                census.contradictory_duplicates,
                some(&twice)
            ),
        },
    );
    line("fingerprint", &dataset.fingerprint());
    line("pixels", &findings.pixels);
    if let Some(against) = &findings.against {
        line("against", against);
    }
    if findings.missing.as_ref().is_some_and(Vec::is_empty) {
        line("complete", "each of the 50,000 images once, with its known label, decodable");
    }
    for warning in dataset.warnings() {
        let _ = writeln!(text, "warning: {}", visible(warning));
    }
    for problem in &findings.problems {
        let _ = writeln!(text, "problem: {problem}");
    }
    for missing in findings.missing.iter().flatten() {
        let _ = writeln!(text, "incomplete: {missing}");
    }
    if findings.problems.is_empty() && findings.missing.as_ref().is_none_or(Vec::is_empty) {
        text += &match census.warned.len() {
            0 => "Nothing has to be mended.\n".to_owned(),
            count => format!(
                "{count} files may be damaged: libjpeg warns of them. Get them again, or compare them with another copy.\n"
            ),
        };
    }
    text
}

fn order(labels: &LabelCheck) -> String {
    match (labels.known, labels.wrong) {
        (0, _) => "cannot be checked: no image is named like a validation file, and no list is held against WNID folders".to_owned(),
        (known, 0) if labels.by_folder == 0 => format!("agrees with the known labels of {known} validation files"),
        (known, 0) => format!("agrees with the known labels of {known} images ({} by WNID folder)", labels.by_folder),
        (known, wrong) => {
            format!("{wrong} of {known} labels are not the known ones; they are {}", labels.order)
        }
    }
}

fn classes(per_class: &[usize]) -> String {
    let present: Vec<usize> = per_class.iter().copied().filter(|&images| images > 0).collect();
    let (low, high) = (present.iter().min().copied(), present.iter().max().copied());
    let range = match (low.unwrap_or(0), high.unwrap_or(0)) {
        (low, high) if low == high => format!("{low} images each"),
        (low, high) => format!("{low} to {high} images each"),
    };
    format!("{} of {CLASSES}, {range}", present.len())
}

/// The files with warnings that are not shown.
fn and_more(names: &[&str]) -> String {
    let named = &names[..names.len().min(NAMED)];
    let rest = match names.len() - named.len() {
        0 => String::new(),
        rest => format!(" and {rest} others"),
    };
    format!("and {} more: {}{rest}", names.len(), named.join(", "))
}

fn some(names: &[String]) -> String {
    joined(names, ", ")
}

/// The first few names.
fn joined(names: &[String], separator: &str) -> String {
    let mut text = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(separator);
    if names.len() > SHOWN {
        let _ = write!(text, " and {} more", names.len() - SHOWN);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_so_many_files_and_counts_the_others() {
        assert_eq!(and_more(&["a", "b"]), "and 2 more: a, b");
        let line = and_more(&["ILSVRC2012_val_00000001.JPEG"; VAL_IMAGES]);
        assert!(line.starts_with("and 50000 more: ILSVRC2012_val_00000001.JPEG, "), "{line}");
        assert!(line.ends_with(" and 49900 others") && line.len() < 4000, "{} bytes", line.len());
    }
}
