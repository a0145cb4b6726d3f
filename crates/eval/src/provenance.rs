//! What a number was computed with, for the record: no number stands without it.

use std::process::Command;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// The machine and program of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Version of imagenet-eval.
    pub version: String,
    /// Git revision of the checkout that the program was built in as the run started, `-dirty` with
    /// changes. Where there is no checkout, what `IMAGENET_EVAL_REVISION` was when the program was built, else `unknown`. `cargo xtask` builds what is checked out, so it is the
    /// program's.
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
    /// The environment of this process. What was asked of git once holds until the process ends.
    pub fn current() -> Self {
        static REVISION: OnceLock<String> = OnceLock::new();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            git_revision: REVISION.get_or_init(git_revision).clone(),
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

fn git_revision() -> String {
    let described = Command::new("git")
        .args([
            "-C",
            env!("CARGO_MANIFEST_DIR"),
            "describe",
            "--always",
            "--dirty",
            "--abbrev=40",
            "--exclude=*",
        ])
        .output();
    match described {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        // Built in a checkout and copied to a machine without it, as into a container.
        _ => option_env!("IMAGENET_EVAL_REVISION").unwrap_or("unknown").to_owned(),
    }
}

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
