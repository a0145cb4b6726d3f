//! What a number was computed with, for the record: no number stands without it.

use std::process::Command;

use serde::{Deserialize, Serialize};

/// The program that asks for a run, and how it was called: a library knows neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The command line.
    pub command: Vec<String>,
    /// The Git revision that the program was built of.
    pub git_revision: String,
}

/// The machine and program of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Version of imagenet-eval.
    pub version: String,
    /// Git revision that the program was built of, `-dirty` with changes; `unknown` where it was built without a checkout.
    pub git_revision: String,
    /// Version of Burn, pinned in the workspace's manifest.
    pub burn: String,
    /// Operating system and architecture.
    pub platform: String,
    /// The processor's name.
    pub cpu: String,
    /// Processors that the program may use.
    pub cpus: usize,
}

impl Environment {
    /// This machine, and a program that was built of `git_revision`.
    pub fn of(git_revision: &str) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            git_revision: git_revision.to_owned(),
            burn: BURN.to_owned(),
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cpu: cpu_name(),
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }
}

impl Environment {
    /// What tells one program from another.
    pub(crate) fn build(&self) -> (&str, &str, &str) {
        (&self.version, &self.git_revision, &self.burn)
    }

    /// Whether the other is the same kind of machine, whatever the program.
    pub(crate) fn is_same_machine(&self, other: &Self) -> bool {
        (&self.platform, &self.cpu, self.cpus) == (&other.platform, &other.cpu, other.cpus)
    }
}

/// The pinned version; a test compares it with `Cargo.lock`.
const BURN: &str = "0.22.1";

fn cpu_name() -> String {
    let from_linux = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let from_macos = || {
        let output = Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"]).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    from_linux.or_else(from_macos).unwrap_or_else(|| "unknown".to_owned())
}

/// The present time in UTC, to the second.
pub(crate) fn utc_now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The present time as the name of a folder.
pub fn utc_folder_name() -> String {
    jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_recorded_version_of_burn_is_the_locked_one() {
        let lock = include_str!("../../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"burn\"\nversion = \"{}\"", super::BURN)));
    }
}
