//! Many cases of one target in one process, which something else watches: it may die of any of them.
//!
//! Coverage is not known here. What a reader says is: a case that ends as none did before joins the files that further
//! cases are made of, so that a run gets deeper than one step away from the seeds.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::case::{self, Fault, Kind};
use crate::mutate::{Random, mutate};
use crate::said::{CURRENT, EXIT_HANG, Finding, NUMBER, Tally, tell};
use crate::target::Target;

/// Processor time that a case may take. Milliseconds are usual; processor time, because other work on the machine is
/// not a file's doing.
const HANG: Duration = Duration::from_secs(10);
/// Time by the clock that it may take, should it wait for something.
const WAITS: Duration = Duration::from_secs(180);

/// Files that join the seeds at most.
const JOINED: usize = 512;

/// Files that are kept of each fault.
const KEPT: usize = 3;

/// What a process does.
#[derive(Debug)]
pub struct Work {
    /// Which.
    pub seed: u64,
    /// The number of the first case.
    pub first: u64,
    /// The number after the last.
    pub cases: u64,
    /// When to stop whatever is left.
    pub until: Option<Instant>,
    /// More files to start from.
    pub corpus: Option<PathBuf>,
    /// A folder for this process, which says there what it is at.
    pub folder: PathBuf,
    /// A folder for files with which something is wrong.
    pub found: PathBuf,
}

/// Runs the cases; `found` hears of each finding at once.
///
/// # Errors
/// When seeds cannot be read, or the folder not be written.
pub fn run(target: &'static Target, work: &Work, mut found: impl FnMut(&Finding)) -> io::Result<Tally> {
    let case_folder = work.folder.join("case");
    // What a process that died was at may be the reason.
    if case_folder.exists() {
        fs::remove_dir_all(&case_folder)?;
    }
    fs::create_dir_all(&case_folder)?;
    let mut number_file = File::create(work.folder.join(NUMBER))?;
    let mut files = (target.seeds)()?;
    files.extend(work.corpus.as_deref().map(corpus).transpose()?.unwrap_or_default());
    let seeds = files.len();
    let at = Arc::new(AtomicU64::new(work.first));
    watch(&at, target, work);
    let (mut tally, mut seen) = (Tally::default(), HashSet::new());
    let mut kept: BTreeMap<(Kind, String), usize> = BTreeMap::new();
    for number in work.first..work.cases {
        if work.until.is_some_and(|until| Instant::now() > until) {
            break;
        }
        let mut random = Random::new(work.seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ number);
        // The seeds as they are, first.
        let whole = usize::try_from(number).ok().and_then(|number| files[..seeds].get(number));
        let bytes = whole.cloned().unwrap_or_else(|| mutate(&mut random, target, &files, seeds));
        fs::write(work.folder.join(CURRENT), &bytes)?;
        number_file.seek(SeekFrom::Start(0))?;
        number_file.write_all(format!("{number:020}").as_bytes())?;
        at.store(number, Ordering::Relaxed);
        let tried = case::read(target, &case_folder, &bytes);
        tally.cases += 1;
        tally.with_values += u64::from(tried.outcome.has_values());
        tally.peak_bytes = tally.peak_bytes.max(tried.peak_bytes as u64);
        for panic in tried.guarded {
            *tally.guarded.entry(panic.place).or_default() += 1;
        }
        for fault in tried.faults {
            let count = kept.entry((fault.kind, fault.place.clone())).or_default();
            *count += 1;
            let file = (*count <= KEPT).then(|| keep(target, work, number, &bytes)).transpose()?;
            found(&Finding { fault, file });
        }
        if seen.insert(tried.outcome.signature()) {
            tally.last_new = number;
            if files.len() < seeds + JOINED {
                files.push(bytes);
            }
        }
    }
    tally.outcomes = seen.len() as u64;
    Ok(tally)
}

fn keep(target: &Target, work: &Work, number: u64, bytes: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(&work.found)?;
    let path = work.found.join(format!("{}-{}-{number}", target.name, work.seed));
    fs::write(&path, bytes)?;
    Ok(path)
}

/// The files of a folder, in the order of their names.
fn corpus(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut paths =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    paths.iter().filter(|path| path.is_file()).map(fs::read).collect()
}

/// Ends the process when one case does not end.
fn watch(at: &Arc<AtomicU64>, target: &'static Target, work: &Work) {
    let at = Arc::clone(at);
    let (current, found, seed) = (work.folder.join(CURRENT), work.found.clone(), work.seed);
    std::thread::spawn(move || {
        let (mut last, mut cpu, mut clock) = (u64::MAX, Duration::ZERO, Instant::now());
        loop {
            std::thread::sleep(Duration::from_millis(250));
            let now = at.load(Ordering::Relaxed);
            if now != last {
                (last, cpu, clock) = (now, cpu_time(), Instant::now());
            } else if cpu_time().saturating_sub(cpu) > HANG || clock.elapsed() > WAITS {
                let file = found.join(format!("{}-{seed}-{now}", target.name));
                let kept = fs::create_dir_all(&found).and_then(|()| fs::copy(&current, &file));
                let fault = Fault { kind: Kind::Hang, place: String::new(), words: format!("case {now}") };
                tell(&Finding { fault, file: kept.is_ok().then_some(file) });
                std::process::exit(EXIT_HANG);
            }
        }
    });
}

/// Processor time of this process; nothing where the system does not say it as Linux does.
fn cpu_time() -> Duration {
    const TICKS_A_SECOND: u64 = 100;
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name before may hold anything; user and system time are the 12th and 13th behind it.
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: u64 = rest.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS_A_SECOND)
}
