//! Damaged weight files of every format: whatever the bytes say, reading them ends in an answer or an
//! error, without a panic, without a hang, and within a small multiple of the file's size in memory.
//!
//! A deterministic mutator stands in for a fuzzer, so that the same cases run everywhere: bits flipped,
//! bytes set to what lengths and counts are made of, pieces cut out, repeated and moved, ends cut off.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use models::Checkpoint;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Files as the frameworks write them, small ones of each format, and how often each is damaged.
const SEEDS: [(&str, u64); 12] = [
    ("narrow-paddle26.pdparams", 500),
    ("narrow-paddle-table.pdparams", 500),
    ("narrow-paddle-python2.pdparams", 300),
    ("narrow-paddle-tuples.pdparams", 300),
    ("narrow-paddle-evil-system-2.pdparams", 500),
    ("narrow-zip.pth", 300),
    ("narrow-legacy.pth", 500),
    ("narrow-ckpt-train.pth", 200),
    ("narrow.safetensors", 300),
    ("narrow-keras.h5", 300),
    ("narrow-keras3.weights.h5", 200),
    ("narrow-keras3.keras", 200),
];

/// Peak memory allowed beyond what was in use before, in bytes: eight times the file, and what a reader
/// needs for buffers and names whatever the file.
const FACTOR: usize = 8;
const CONSTANT: usize = 4 << 20;

/// How long one file may take. Milliseconds are usual; this is a hang.
const HANG: Duration = Duration::from_secs(60);

/// splitmix64, so that a case is its number and nothing else.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// A place in a file; every other one among its first bytes or its last, where structure is.
    fn place(&mut self, len: usize) -> usize {
        match self.below(4) {
            0 => self.below(len.min(256)),
            1 => len - 1 - self.below(len.min(2048)),
            _ => self.below(len),
        }
    }
}

fn damage(whole: &[u8], random: &mut Random) -> (Vec<u8>, &'static str) {
    let mut bytes = whole.to_vec();
    let len = bytes.len();
    match random.below(7) {
        0 => {
            for _ in 0..=random.below(4) {
                let place = random.place(len);
                bytes[place] ^= 1 << random.below(8);
            }
            (bytes, "bits flipped")
        }
        1 => {
            let place = random.place(len);
            bytes[place] = [0, 1, 0x7f, 0x80, 0xff, b'.', b'(', b'}'][random.below(8)];
            (bytes, "a byte set")
        }
        2 => {
            let width = [2, 4, 8][random.below(3)].min(len);
            let place = random.place(len - width + 1);
            let value = [u64::MAX, 1 << 62, 1 << 40, 0x7fff_ffff, 0xffff_ffff, 0][random.below(6)];
            bytes[place..place + width].copy_from_slice(&value.to_le_bytes()[..width]);
            (bytes, "a length inflated")
        }
        3 => {
            bytes.truncate(random.place(len));
            (bytes, "cut off")
        }
        4 => {
            let (a, b) = (random.place(len), random.place(len));
            bytes.drain(a.min(b)..(a.min(b) + random.below(64)).min(len));
            (bytes, "a piece cut out")
        }
        5 => {
            let from = random.place(len);
            let piece = whole[from..(from + random.below(256)).min(len)].to_vec();
            let to = random.place(len);
            bytes.splice(to..to, piece);
            (bytes, "a piece inserted")
        }
        _ => {
            let size = random.below(64).min(len);
            let (from, to) = (random.below(len - size + 1), random.below(len - size + 1));
            bytes.copy_within(from..from + size, to);
            (bytes, "a piece copied over another")
        }
    }
}

/// Reads all there is to read.
fn read(path: &Path) {
    if let Ok(checkpoint) = Checkpoint::open(path) {
        for tensor in checkpoint.tensors() {
            // Larger than the file cannot be, whatever the shape says; a network would refuse the shape.
            drop(tensor.to_bytes());
        }
    }
}

/// Ends the process when one case takes too long, naming it: a hang would otherwise be silent.
fn watch(case: Arc<Mutex<String>>, count: Arc<AtomicU64>) {
    std::thread::spawn(move || {
        let mut last = 0;
        loop {
            std::thread::sleep(HANG);
            let now = count.load(Ordering::Relaxed);
            if now == last {
                let case = case.lock().unwrap().clone();
                panic_outside(&format!("hangs: {case}"));
            }
            last = now;
        }
    });
}

#[allow(clippy::print_stderr, reason = "the process ends here, so no panic message would be shown")]
fn panic_outside(message: &str) {
    eprintln!("{message}");
    std::process::abort();
}

#[test]
fn damaged_files_end_in_an_answer_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("weights");
    let case = Arc::new(Mutex::new(String::new()));
    let count = Arc::new(AtomicU64::new(0));
    watch(Arc::clone(&case), Arc::clone(&count));
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut failures = Vec::new();
    for (seed, cases) in SEEDS {
        let whole = fs::read(fixtures.join(seed)).unwrap();
        for number in 0..cases {
            let mut random = Random(number ^ (whole.len() as u64) << 32);
            let (bytes, kind) = damage(&whole, &mut random);
            fs::write(&path, &bytes).unwrap();
            let allowed = FACTOR * bytes.len() + CONSTANT;
            drop(bytes);
            let name = format!("{seed}, case {number} ({kind})");
            case.lock().unwrap().clone_from(&name);
            ALLOCATOR.reset_peak_usage();
            let before = ALLOCATOR.current_usage();
            if catch_unwind(AssertUnwindSafe(|| read(&path))).is_err() {
                failures.push(format!("{name} panics"));
            }
            let peak = ALLOCATOR.peak_usage().saturating_sub(before);
            if peak > allowed {
                failures.push(format!("{name} takes {peak} bytes; {allowed} are allowed"));
            }
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
    assert!(failures.is_empty(), "{} cases:\n{}", failures.len(), failures.join("\n"));
}
