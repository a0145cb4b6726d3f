//! The Kubernetes Job's scripts, with stand-ins for the program and for `kubectl`.

use super::*;

#[test]
fn the_wait_for_the_job_ends_whatever_becomes_of_it() {
    let yaml = text("kubernetes-indexed-job.yaml");
    let lines = yaml
        .lines()
        .map(|line| line.trim_start_matches('#').trim())
        .skip_while(|line| !line.starts_with("until "));
    let mut wait = String::new();
    for line in lines {
        wait += &format!("{line}\n");
        if line == "done" {
            break;
        }
    }
    let cluster = Cluster::new();
    for (state, said) in [
        ("condition=Complete", "wait --for=condition=Complete --timeout=30s job/imagenet-eval\n"),
        ("condition=Failed", "wait --for=condition=Failed --timeout=0s job/imagenet-eval\n"),
        ("gone", "get job/imagenet-eval\n"),
    ] {
        let _ = fs::remove_file(cluster.path("asked"));
        cluster.script(
            "kubectl",
            &format!(
                "echo \"$*\" >>'{}'; case $* in *{state}*) ;; *) exit 1 ;; esac",
                cluster.path("asked").display()
            ),
        );
        let mut sh = Command::new("sh");
        let path = format!("{}:{}", cluster.folder.path().display(), std::env::var("PATH").unwrap());
        sh.args(["-c", &wait]).env("PATH", path);
        ends(&mut sh, 0);
        let asked = cluster.read("asked");
        assert!(asked.ends_with(said) && asked.lines().count() < 4, "{state}: {asked}");
    }
}

#[test]
fn scripts_are_well_formed() {
    let bash = Command::new("bash").arg("-n").arg(deploy("slurm-array.sh")).output().unwrap();
    assert!(bash.status.success() && bash.stderr.is_empty(), "{}", said(&bash));
    let job = block(&text("kubernetes-indexed-job.yaml"), "- |");
    assert!(job.contains("imagenet-eval eval") && job.ends_with("exit \"$code\"\n"), "{job}");
    let sh = Command::new("sh").args(["-n", "-c", &job]).output().unwrap();
    assert!(sh.status.success() && sh.stderr.is_empty(), "{}", said(&sh));
}

#[test]
fn a_pod_is_a_shard_whose_exit_code_tells_what_stays_wrong() {
    let cluster = Cluster::new();
    let job = block(&text("kubernetes-indexed-job.yaml"), "- |");
    let pod = |index: &str| {
        let mut command = Command::new("sh");
        let path = format!("{}:{}", cluster.folder.path().display(), std::env::var("PATH").unwrap());
        command.args(["-c", &job]).env("PATH", path).env("JOB_COMPLETION_INDEX", index).env("SHARDS", "8");
        command
    };
    for (behaviour, code) in
        [("exit 0", 0), ("exit 1", 0), ("exit 2", 2), ("exit 101", 101), ("kill -KILL $$", 137)]
    {
        cluster.behave(behaviour);
        ends(&mut pod("6"), code);
    }
    let arguments = cluster.arguments().join(" ");
    assert_eq!(
        arguments,
        "eval --all --data /data --offline --wait --threads 8 --shard 7/8 --out /runs/shard-7"
    );
    // The pod is asked to go, and so is eval.
    stoppable(&cluster);
    let child = pod("0").spawn().unwrap();
    cluster.wait_for("begun");
    signal(&child, "-TERM");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
}
