//! Whether one program computed all of a run.

use crate::provenance::Environment;
use crate::record::Session;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Shard;

    fn session(revision: &str, cpu: &str, shard: Option<Shard>) -> Session {
        let environment = Environment {
            git_revision: revision.to_owned(),
            cpu: cpu.to_owned(),
            ..Environment::of("unknown")
        };
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
        let burn = Environment::of("unknown").burn;
        for expected in [
            format!(": {version}, revision a, with Burn {burn} (shard 1/3, shard 3/3); "),
            format!("; {version}, revision b, with Burn {burn} (shard 2/3)."),
        ] {
            assert!(said.contains(&expected), "{expected}: {said}");
        }
        let resumed = differing_builds(&[session("a", "x", None), session("b", "x", None)]).unwrap();
        assert!(resumed.contains("revision b, with Burn") && resumed.contains("(session 2)"), "{resumed}");
        assert_eq!(differing_builds(&[]), None);
    }
}
