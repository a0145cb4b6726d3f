//! What a target is, and what it says of a case.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;

/// A reader of foreign bytes.
pub struct Target {
    /// What the command line calls it.
    pub name: &'static str,
    /// What is read, for people.
    pub about: &'static str,
    /// Whole files, as they should be.
    pub seeds: fn() -> io::Result<Vec<Vec<u8>>>,
    /// Pieces that the format is made of.
    pub words: &'static [&'static [u8]],
    /// Makes a damaged file consistent again, where the format has checksums.
    pub mend: Option<fn(&mut [u8])>,
    /// Memory that a case may take beside a small multiple of its file, in bytes.
    pub memory_bytes: usize,
    /// Reads `bytes`. The folder is the case's own: empty, or as the case before left it.
    pub read: fn(&Path, &[u8], &mut Outcome),
}

/// What came of a case: which values and errors there were, as far as that tells cases apart.
#[derive(Debug, Default)]
pub struct Outcome {
    said: BTreeSet<u64>,
    values: usize,
}

/// Words of a message that tell it from others.
const WORDS: usize = 6;

impl Outcome {
    /// Notes a result; gives its value.
    pub fn of<T, E: Display>(&mut self, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => {
                self.values += 1;
                self.say("ok");
                Some(value)
            }
            Err(error) => {
                self.say(&error.to_string());
                None
            }
        }
    }

    /// Notes words. What a file puts into a message (numbers, names, quotations) is left out, as far as that can be told.
    pub fn say(&mut self, message: &str) {
        let plain = |word: &&str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
        // Every second part stands in quotes.
        let unquoted = message.split(['`', '"']).step_by(2);
        let mut hasher = DefaultHasher::new();
        unquoted
            .flat_map(str::split_whitespace)
            .filter(plain)
            .take(WORDS)
            .for_each(|word| word.hash(&mut hasher));
        self.said.insert(hasher.finish());
    }

    /// Equal for cases that went the same way, however often.
    #[must_use]
    pub fn signature(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.said.hash(&mut hasher);
        hasher.finish()
    }

    /// Whether anything was read from the file.
    #[must_use]
    pub fn has_values(&self) -> bool {
        self.values > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_told_apart_by_what_happened_and_not_by_what_a_file_says() {
        let of = |message: &str| {
            let mut outcome = Outcome::default();
            outcome.of(Err::<(), _>(message));
            outcome.signature()
        };
        assert_eq!(of("line 3: `abc` is no class"), of("line 17: `xyz def` is no class"));
        assert_ne!(of("line 3: `abc` is no class"), of("line 3: `abc` is no image"));
    }
}
