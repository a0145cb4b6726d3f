//! Downloads published weights, so that a bad network costs time and never a wrong or half file.
//!
//! Bytes go to `<file>.part` and are kept when something fails; the next attempt, or the next process,
//! asks for the rest only (`Range`, guarded by `If-Range`), and takes it only as a part of the same version. A file gets its
//! name when it is whole and checked, in one step. Where no hash is published, whatever loads as the network's checkpoint
//! is taken for the file, and nothing else: an error message with status 200 or a body that ends early must not become
//! what is expected from then on.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dataset::regular::RegularFile;
use models::catalog::PublishedWeights;

use super::attempt::{Attempt, Request, Transfer};
use super::cache::Cache;
use super::check::{Check, Fingerprint};
use super::member::{Taken, take_out};
use super::part::{discard, length, remove, sidecar};

/// A published file that is asked for.
pub struct Wanted<'a> {
    /// The model that it is for.
    pub id: &'a str,
    /// Where it is and how it is told.
    pub weights: &'a PublishedWeights,
    /// Whether a file is a checkpoint of the model's network, and else why not. Asked where no hash tells the file.
    pub loads: &'a dyn Fn(&Arc<RegularFile>) -> Result<(), String>,
}

/// Fetches files; the fields are the policy.
#[derive(Debug, Clone)]
pub struct Downloader {
    /// Base address that stands for every published one, `IMAGENET_EVAL_MIRROR`.
    pub mirror: Option<String>,
    /// Attempts at a file before giving up. An attempt that got further does not count.
    pub attempts: u32,
    /// Wait before the second attempt; doubled for each one after it.
    pub backoff: Duration,
    /// Longest wait, also when a server asks for more.
    pub longest_wait: Duration,
    /// A connection that says nothing for so long is given up.
    pub stall: Duration,
    /// A file whose size the catalog does not know (`bytes`) may have so many: an answer without an end would fill the disk.
    pub most_bytes: u64,
}

impl Default for Downloader {
    fn default() -> Self {
        Self {
            mirror: None,
            attempts: 5,
            backoff: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
            stall: Duration::from_secs(30),
            // The largest classifiers that are published have half of it.
            most_bytes: 16 << 30,
        }
    }
}

impl Downloader {
    /// The policy, with the mirror that the environment names.
    pub fn from_environment() -> Self {
        let mirror = std::env::var("IMAGENET_EVAL_MIRROR").ok().filter(|base| !base.is_empty());
        Self { mirror, ..Self::default() }
    }

    /// Where `weights` are fetched from.
    pub fn address(&self, weights: &PublishedWeights) -> String {
        match &self.mirror {
            Some(base) => format!("{}/{}", base.trim_end_matches('/'), in_an_address(&weights.file)),
            None => weights.url.clone(),
        }
    }

    /// Makes sure that the published file is in the cache, whole and checked, and says how it was told.
    ///
    /// # Errors
    /// A sentence that says what went wrong; what was received is kept where another attempt can use it.
    pub fn fetch(
        &self,
        cache: &Cache,
        wanted: &Wanted<'_>,
        transfer: &mut dyn Transfer,
    ) -> Result<Check, String> {
        let weights = wanted.weights;
        let path = cache.path(weights);
        let at = |error: io::Error| format!("{}: {error}", path.display());
        let _lock = cache
            .lock(weights, || {
                transfer.note(&format!("{}: waiting for another process that fetches it", weights.file));
            })
            .map_err(at)?;
        if path.exists() {
            let file = Arc::new(RegularFile::open(&path).map_err(at)?);
            let (found, verdict) = checked(cache, wanted, &file).map_err(at)?;
            match verdict {
                Assessment::As(Check::Differs(reason)) | Assessment::Useless { reason, recorded: false } => {
                    transfer.note(&format!(
                        "{}: what is cached is not the published file ({reason}); fetching it again",
                        weights.file
                    ));
                }
                // Its own record would refuse any other file.
                Assessment::Useless { reason, recorded: true } => {
                    return Err(format!(
                        "{} {reason}, and {} says that it is the file that was first seen, which has to be forgotten before another \
                         is fetched",
                        path.display(),
                        cache.record().display()
                    ));
                }
                Assessment::As(Check::Unknown) => return trust(cache, weights, &found),
                Assessment::As(told) => return Ok(told),
            }
        }
        self.fetch_locked(cache, wanted, transfer)
    }

    fn fetch_locked(
        &self,
        cache: &Cache,
        wanted: &Wanted<'_>,
        transfer: &mut dyn Transfer,
    ) -> Result<Check, String> {
        let weights = wanted.weights;
        let part = cache.part(weights);
        let at = |error: io::Error| format!("{}: {error}", part.display());
        let mut wrong = String::new();
        // A file that arrives whole and wrong is fetched once more from its start: a proxy may have
        // damaged it, or a resumed part may not have been of this file.
        for _ in 0..2 {
            let result = self.transfer(&part, weights, transfer);
            transfer.finish();
            result?;
            if let Some(reason) = self.unpack(&part, weights).map_err(at)? {
                transfer.note(&format!("{}: what arrived is not usable: {reason}", weights.file));
                wrong = reason;
                discard(&part).map_err(at)?;
                continue;
            }
            let file = Arc::new(RegularFile::open(&part).map_err(at)?);
            let (found, verdict) = checked(cache, wanted, &file).map_err(at)?;
            drop(file);
            let told = match verdict {
                Assessment::As(Check::Differs(reason)) => {
                    transfer
                        .note(&format!("{}: what arrived is not the published file: {reason}", weights.file));
                    wrong = reason;
                    None
                }
                Assessment::Useless { reason, .. } => {
                    transfer.note(&format!("{}: what arrived {reason}", weights.file));
                    wrong = format!("what it gives {reason}");
                    None
                }
                Assessment::As(told) => Some(told),
            };
            let Some(told) = told else {
                discard(&part).map_err(at)?;
                continue;
            };
            fs::rename(&part, cache.path(weights)).map_err(at)?;
            remove(&sidecar(&part)).map_err(at)?;
            return match told {
                Check::Unknown => trust(cache, weights, &found),
                told => Ok(told),
            };
        }
        Err(format!("{} does not give the published file: {wrong}", self.address(weights)))
    }

    /// Where the published file is a member of an archive, takes it out; says why it cannot, where that is so.
    fn unpack(&self, part: &Path, weights: &PublishedWeights) -> io::Result<Option<String>> {
        let Some(member) = &weights.member else { return Ok(None) };
        // From here on the part file may have other bytes than the server sent: nothing goes on with them.
        remove(&sidecar(part))?;
        Ok(match take_out(part, member, weights.bytes.unwrap_or(self.most_bytes))? {
            Taken::Out | Taken::NotThere => None,
            Taken::Unusable(reason) => Some(reason),
        })
    }

    /// Attempts until the part file is whole.
    fn transfer(
        &self,
        part: &Path,
        weights: &PublishedWeights,
        transfer: &mut dyn Transfer,
    ) -> Result<(), String> {
        let url = self.address(weights);
        let request = Request { url: &url, part, weights, stall: self.stall, most_bytes: self.most_bytes };
        let (mut failures, mut furthest) = (0, length(part));
        loop {
            let (reason, after) = match request.attempt(transfer)? {
                Attempt::Whole => return Ok(()),
                Attempt::Again { reason, after } => (reason, after),
            };
            transfer.finish();
            let now = length(part);
            // As long as each attempt gets further than any before, the network is bad and not broken.
            failures = if now > furthest { 1 } else { failures + 1 };
            furthest = furthest.max(now);
            if failures >= self.attempts {
                return Err(format!("{url}: {reason}, in {failures} attempts; what has arrived is kept"));
            }
            let doubled = self.backoff.saturating_mul(1 << (failures - 1).min(16));
            // Up to a quarter more, so that many machines do not come back at one moment.
            let jitter = doubled.mul_f64(f64::from(std::process::id() % 64) / 256.0);
            let wait = after.unwrap_or(doubled + jitter).min(self.longest_wait);
            transfer.note(&format!(
                "{}: {reason}; trying again in {:.0} s",
                weights.file,
                wait.as_secs_f64().ceil()
            ));
            thread::sleep(wait);
        }
    }
}

/// What is said of a file that is here.
enum Assessment {
    As(Check),
    /// The catalog has nothing to tell it by, and it is no checkpoint of the network: why, and whether the cache expects
    /// it all the same, as older versions recorded whatever came.
    Useless {
        reason: String,
        recorded: bool,
    },
}

/// Compares the file with what the catalog says; where that is nothing, the file has to load as the network's checkpoint.
fn checked(
    cache: &Cache,
    wanted: &Wanted<'_>,
    file: &Arc<RegularFile>,
) -> io::Result<(Fingerprint, Assessment)> {
    let (found, check) = cache.check_file(wanted.weights, file)?;
    let told = match check {
        Check::Unknown | Check::AsFirstSeen => match (wanted.loads)(file) {
            Ok(()) => Assessment::As(check),
            Err(reason) => Assessment::Useless {
                reason: format!("is no checkpoint of {}'s network ({reason})", wanted.id),
                recorded: check == Check::AsFirstSeen,
            },
        },
        check => Assessment::As(check),
    };
    if !file.is_unchanged()? {
        return Err(io::Error::other("it was changed while it was read; let nothing else write there"));
    }
    Ok((found, told))
}

fn trust(cache: &Cache, weights: &PublishedWeights, found: &Fingerprint) -> Result<Check, String> {
    let record = cache.trust(weights, found);
    record.map_err(|error| format!("{}: {error}", cache.record().display()))?;
    Ok(Check::Unknown)
}

/// A file's name as a part of an address: what means something there is written by its number.
fn in_an_address(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=@".contains(&byte);
    let written = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(written).collect()
}
