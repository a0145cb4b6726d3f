//! What a target is, and what it says of a case.

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
    hasher: DefaultHasher,
    values: usize,
}

/// Words of a message that tell it from others.
const WORDS: usize = 10;

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

    /// Notes words. What a file puts into a message (numbers, names, quotations) is left out.
    pub fn say(&mut self, message: &str) {
        let plain = |word: &&str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
        let mut count = 0;
        for (index, part) in message.split(['`', '"']).enumerate() {
            if index % 2 == 0 {
                for word in part.split_whitespace().filter(plain).take(WORDS - count) {
                    word.hash(&mut self.hasher);
                    count += 1;
                }
            }
        }
        count.hash(&mut self.hasher);
    }

    /// Equal for cases that went the same way.
    #[must_use]
    pub fn signature(&self) -> u64 {
        self.hasher.finish()
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
