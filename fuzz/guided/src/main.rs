//! A target of `fuzz` under libFuzzer: the one that the variable `FUZZ_TARGET` names. libFuzzer keeps what reaches new
//! code; half the mutations are those of `fuzz`, which know formats, and checksums are set right as there.

#![no_main]

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::LazyLock;

use fuzz::mutate::{Random, mutate};
use fuzz::{Target, by_name, case};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    by_name(&name).unwrap_or_else(|| panic!("FUZZ_TARGET is {name}, and no target's name"))
});

/// The case's own folder, in memory where there is such a place.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = base.join(format!("fuzz-guided-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for files");
    folder
});

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| (TARGET.seeds)().unwrap_or_default());

/// Faults that were found before, a line each; what goes on past them may find others.
fn is_known(fault: &str) -> bool {
    let Some(path) = std::env::var_os("FUZZ_KNOWN") else { return false };
    if std::fs::read_to_string(&path).is_ok_and(|known| known.lines().any(|line| line == fault)) {
        return true;
    }
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
    if let Err(error) = file.and_then(|mut file| writeln!(file, "{fault}")) {
        eprintln!("cannot write {}: {error}", path.display());
    }
    false
}

fuzz_target!(|bytes: &[u8]| {
    let tried = case::read(*TARGET, &FOLDER, bytes);
    for fault in &tried.faults {
        let line = format!("{} {} {}", TARGET.name, fault.kind, fault.place);
        if !is_known(&line) {
            eprintln!("fault: {line} {}", fault.words);
            std::process::abort();
        }
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut random = Random::new(u64::from(seed));
    if random.below(2) == 0 {
        let size = fuzzer_mutate(data, size, max_size);
        if let Some(mend) = TARGET.mend {
            mend(&mut data[..size]);
        }
        return size;
    }
    // This file and one seed beside it, for pieces.
    let mut files = vec![data[..size].to_vec()];
    files.extend(random.pick(&SEEDS).cloned());
    let bytes = mutate(&mut random, *TARGET, &files, 2);
    let size = bytes.len().min(max_size);
    data[..size].copy_from_slice(&bytes[..size]);
    size
});
