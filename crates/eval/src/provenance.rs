//! What a number was computed with, for the record: no number stands without it.

use std::process::Command;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::record::Session;

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
    fn build(&self) -> (&str, &str, &str) {
        (&self.version, &self.git_revision, &self.burn)
    }

    /// Whether the other is the same kind of machine, whatever the program.
    pub(crate) fn is_same_machine(&self, other: &Self) -> bool {
        (&self.platform, &self.cpu, self.cpus) == (&other.platform, &other.cpu, other.cpus)
    }
}

/// A sentence that names the builds of the program, where not all of `sessions` ran the same, and what each computed:
/// shards of a merged run, else sessions by their numbers.
pub fn differing_builds(sessions: &[Session]) -> Option<String> {
    let mut builds: Vec<(&Environment, Vec<String>)> = Vec::new();
    for (index, Session { environment, shard, .. }) in sessions.iter().enumerate() {
        let part = shard.map_or_else(|| format!("session {}", index + 1), |shard| format!("shard {shard}"));
        match builds.iter_mut().find(|(known, _)| known.build() == environment.build()) {
            // A shard that was interrupted has several sessions.
            Some((_, parts)) if parts.last() == Some(&part) => {}
            Some((_, parts)) => parts.push(part),
            None => builds.push((environment, vec![part])),
        }
    }
    if builds.len() < 2 {
        return None;
    }
    let named = builds.iter().map(|(environment, parts)| {
        let (version, revision, burn) = environment.build();
        format!("{version}, revision {revision}, with Burn {burn} ({})", parts.join(", "))
    });
    Some(format!(
        "Parts of this run were computed by different builds of imagenet-eval, so no single program stands for its figures: {}.",
        named.collect::<Vec<_>>().join("; ")
    ))
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
    use super::*;
    use crate::shard::Shard;

    fn session(revision: &str, cpu: &str, shard: Option<Shard>) -> Session {
        let environment =
            Environment { git_revision: revision.to_owned(), cpu: cpu.to_owned(), ..Environment::current() };
        Session {
            shard,
            command: Vec::new(),
            environment,
            batch: 8,
            threads: 2,
            engine: "burn".to_owned(),
            started_utc: String::new(),
            ended_utc: None,
            images_before: 0,
            smaller_batches: Vec::new(),
        }
    }

    #[test]
    fn builds_that_differ_are_named_with_what_they_computed() {
        let shard = |index| Some(Shard::new(index, 3).unwrap());
        // Other machines are no other build; an interrupted shard is named once.
        let same = [session("a", "x", shard(1)), session("a", "y", shard(2))];
        assert_eq!(differing_builds(&same), None);
        let merged = [
            session("a", "x", shard(1)),
            session("a", "x", shard(1)),
            session("b", "x", shard(2)),
            session("a", "x", shard(3)),
        ];
        let said = differing_builds(&merged).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        for expected in [
            format!(": {version}, revision a, with Burn {BURN} (shard 1/3, shard 3/3); "),
            format!("; {version}, revision b, with Burn {BURN} (shard 2/3)."),
        ] {
            assert!(said.contains(&expected), "{expected}: {said}");
        }
        let resumed = differing_builds(&[session("a", "x", None), session("b", "x", None)]).unwrap();
        assert!(resumed.contains("revision b, with Burn") && resumed.contains("(session 2)"), "{resumed}");
        assert_eq!(differing_builds(&[]), None);
    }

    #[test]
    fn the_recorded_version_of_burn_is_the_locked_one() {
        let lock = include_str!("../../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"burn\"\nversion = \"{}\"", super::BURN)));
    }
}
