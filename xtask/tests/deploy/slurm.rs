//! The Slurm script, with a stand-in for `scontrol`.

use super::*;

const THREE: [usize; 3] = [1, 3, 3];

#[test]
fn a_task_is_a_shard_and_can_be_done_again() {
    let cluster = Cluster::new();
    let given = ["the data", "seeded", "out"];
    ends(&mut cluster.task(2, THREE, &given), 0);
    let expected = [
        "eval",
        "--data",
        "the data",
        "--shard",
        "2/3",
        "--out",
        "out/shard-2",
        "--weights",
        "seeded",
        "--all",
        "--offline",
        "--wait",
        "--threads",
        "3",
    ];
    assert_eq!(cluster.arguments(), expected);
    // One of them again, and some.
    for array in [[2, 2, 1], [2, 3, 2], [1, 2, 2]] {
        ends(&mut cluster.task(2, array, &given), 0);
        assert_eq!(cluster.arguments(), expected);
    }
    assert!(ends(&mut cluster.task(4, [4, 4, 1], &given), 2).contains("there is no shard 4 of 3"));
    assert!(ends(&mut cluster.task(0, [0, 2, 3], &given), 2).contains("counted from 1"));
    assert!(ends(cluster.task(2, THREE, &given).env("SHARDS", "4"), 2).contains("divided into 3 shards"));
    // Nobody knows what a single task, or tasks with gaps, are parts of.
    let fresh = ["data", "seeded", "fresh"];
    for array in [[2, 2, 1], [1, 1, 1], [1, 7, 4], [0, 3, 4]] {
        let refused = ends(&mut cluster.task(array[0], array, &fresh), 2);
        assert!(refused.contains("into how many shards?"), "{refused}");
    }
    for wrong in ["0", "-1", "many", "08", "1000000000000", "a[$(touch x)]"] {
        assert!(ends(cluster.task(2, [2, 2, 1], &fresh).env("SHARDS", wrong), 2).contains("a number from 1"));
    }
    assert!(cluster.arguments().is_empty(), "a refused task computes nothing");
    let kept = cluster.path("a cluster").join("out/shards");
    fs::write(&kept, "a[$(touch x)]\n").unwrap();
    for job in [&mut cluster.task(2, THREE, &given), &mut cluster.job(&["merge", "out"])] {
        assert!(ends(job, 2).contains("out/shards says a[$(touch x)]: a number from 1"));
    }
    assert!(!cluster.path("a cluster").join("x").exists());
    ends(cluster.task(2, [2, 2, 1], &fresh).env("SHARDS", "8"), 0);
    assert!(cluster.arguments().contains(&"2/8".to_owned()));
    assert!(ends(&mut cluster.task(1, THREE, &["data", "seeded"]), 2).contains("DATA WEIGHTS OUT"));
    assert!(ends(&mut cluster.job(&given), 2).contains("--array=1-N"));
}

#[test]
fn arguments_are_passed_on_to_eval() {
    let cluster = Cluster::new();
    let more = [
        "--model",
        "timm/*",
        "--threads",
        "5",
        "--offline",
        "--wait",
        "--catalog",
        "my models.toml",
        "--fresh",
    ];
    let given = [&["data", "seeded", "out"], &more[..]].concat();
    ends(&mut cluster.task(1, THREE, &given), 0);
    let first = cluster.arguments();
    assert_eq!(first[9..], more);
    // To start over was meant for the first start.
    ends(cluster.task(1, THREE, &given).env("SLURM_RESTART_COUNT", "1"), 0);
    assert_eq!(cluster.arguments()[..], first[..first.len() - 1]);
    for selection in ["--model=timm/xception", "--card=mine", "--onnx=a.onnx"] {
        ends(&mut cluster.task(1, THREE, &["data", "seeded", "out", selection]), 0);
        let arguments = cluster.arguments();
        assert!(!arguments.contains(&"--all".to_owned()) && arguments.contains(&selection.to_owned()));
    }
}

#[test]
fn a_folder_of_weights_is_the_cache_or_ones_own() {
    let cluster = Cluster::new();
    let own = cluster.path("a cluster").join("own files");
    fs::create_dir(&own).unwrap();
    let weights = |arguments: Vec<String>| {
        let at = arguments.iter().position(|word| word == "--weights").unwrap();
        arguments[at + 1].clone()
    };
    let given = ["data", "own files", "out"];
    ends(&mut cluster.task(1, THREE, &given), 0);
    assert_eq!(weights(cluster.arguments()), "own files");
    fs::write(own.join("first-seen.json"), "{}").unwrap();
    ends(&mut cluster.task(1, THREE, &given), 0);
    assert_eq!(weights(cluster.arguments()), "pretrained");
    assert_eq!(cluster.read("cache"), "own files\n");
    ends(cluster.task(1, THREE, &["data", "pretrained", "out"]).env("IMAGENET_EVAL_CACHE", "/cache"), 0);
    assert_eq!(
        (weights(cluster.arguments()), cluster.read("cache")),
        ("pretrained".to_owned(), "/cache\n".to_owned())
    );
}

#[test]
fn the_program_is_found_from_every_folder() {
    let cluster = Cluster::new();
    let given = ["data", "seeded", "out"];
    let lost = ends(cluster.task(1, THREE, &given).env_remove("IMAGENET_EVAL"), 2);
    let built = cluster.path("a cluster").join("checkout/target/release/xtask");
    assert!(lost.contains(built.to_str().unwrap()) && lost.contains("Build it once"), "{lost}");
    fs::create_dir_all(built.parent().unwrap()).unwrap();
    fs::copy(cluster.path("xtask"), &built).unwrap();
    ends(cluster.task(1, THREE, &given).env_remove("IMAGENET_EVAL"), 0);
    assert_eq!(cluster.arguments()[0], "eval");
    ends(cluster.task(1, THREE, &given).env("IMAGENET_EVAL", "checkout/target/release/xtask"), 0);
    ends(cluster.task(1, THREE, &given).env("IMAGENET_EVAL", "xtask"), 0);
    assert!(ends(cluster.task(1, THREE, &given).env("IMAGENET_EVAL", "/no/such"), 2).contains("/no/such"));
}

#[test]
fn what_ends_a_task_decides_whether_it_is_requeued() {
    let cluster = Cluster::new();
    let given = ["data", "seeded", "out"];
    let mut requeued = 0;
    let mut ends_with = |behaviour: &str, code: i32, again: bool| {
        cluster.behave(behaviour);
        let said = ends(&mut cluster.task(2, THREE, &given), code);
        requeued += usize::from(again);
        assert_eq!(cluster.read("requeued"), "requeue 7_2\n".repeat(requeued), "{behaviour}: {said}");
    };
    ends_with("exit 0", 0, false);
    // The merge judges.
    ends_with("exit 1", 0, false);
    // What is wrong stays wrong; a bug too; a person has stopped the program.
    for code in [2, 101, 130] {
        ends_with(&format!("exit {code}"), code, false);
    }
    ends_with("kill -TERM $$", 143, false);
    ends_with("kill -KILL $$", 137, true);
    ends_with("kill -ABRT $$", 134, true);
    // For ever only while images are added.
    let out = cluster.path("a cluster").join("out/shard-2/predictions");
    fs::create_dir_all(&out).unwrap();
    let killed = format!("echo row >>'{}'; kill -KILL $$", out.join("a.csv").display());
    for (behaviour, restarts, again) in
        [("kill -KILL $$", "4", 1), ("kill -KILL $$", "5", 0), (&killed, "50", 1)]
    {
        let _ = fs::remove_file(cluster.path("requeued"));
        cluster.behave(behaviour);
        ends(cluster.task(2, THREE, &given).env("SLURM_RESTART_COUNT", restarts), 137);
        assert_eq!(cluster.read("requeued").lines().count(), again, "{behaviour} after {restarts}");
    }
}

#[test]
fn a_task_whose_time_is_over_is_requeued_and_a_cancelled_one_is_not() {
    let cluster = Cluster::new();
    for (name, requeued) in [("-USR1", "requeue 7_2\n"), ("-TERM", "")] {
        let _ = fs::remove_file(cluster.path("requeued"));
        stoppable(&cluster);
        let mut task = cluster.task(2, THREE, &["data", "seeded", "out"]);
        let child = task.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        cluster.wait_for("begun");
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{name}: {}", said(&output));
        assert_eq!(cluster.read("requeued"), requeued, "{name}: {}", said(&output));
    }
    // Nothing is left to do when the signal comes late.
    let begun = cluster.path("begun");
    let _ = fs::remove_file(&begun);
    cluster.behave(&format!("trap '' TERM\necho yes >'{}'\nsleep 0.5\nexit 0", begun.display()));
    let child = cluster.task(2, THREE, &["data", "seeded", "out"]).stdout(Stdio::null()).spawn().unwrap();
    cluster.wait_for("begun");
    signal(&child, "-USR1");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    assert_eq!(cluster.read("requeued"), "");
}

#[test]
fn the_merge_says_which_shards_are_missing() {
    let cluster = Cluster::new();
    assert!(ends(&mut cluster.job(&["merge", "out"]), 2).contains("no task has begun"));
    ends(&mut cluster.task(2, THREE, &["data", "seeded", "out"]), 0);
    cluster.arguments();
    let shard = |index: usize| cluster.path("a cluster").join(format!("out/shard-{index}"));
    let made = |index: usize| {
        fs::create_dir_all(shard(index)).unwrap();
        fs::write(shard(index).join("run.json"), "{}").unwrap();
    };
    made(2);
    let refused = ends(&mut cluster.job(&["merge", "out"]), 2);
    assert!(
        refused.contains("of 3 shards, 1,3 have not been evaluated") && refused.contains("--array=1,3"),
        "{refused}"
    );
    assert!(cluster.arguments().is_empty());
    made(1);
    made(3);
    // The verdict is the merge's.
    cluster.behave("exit 1");
    ends(&mut cluster.job(&["merge", "out", "--data", "the data"]), 1);
    assert_eq!(
        cluster.arguments(),
        ["merge", "out/shard-1", "out/shard-2", "out/shard-3", "--out", "out/merged", "--data", "the data",]
    );
}

#[test]
fn tasks_and_their_merge_are_one_evaluation() {
    let cluster = Cluster::new();
    let data = cluster.path("a cluster").join("images");
    fs::create_dir(&data).unwrap();
    let sample = dataset::Dataset::sample();
    for index in 0..4 {
        fs::write(data.join(format!("ILSVRC2012_val_{:08}.JPEG", index + 1)), sample.read(index).unwrap())
            .unwrap();
    }
    // A figure that is wrong, which ends no task.
    let entry = "[[models]]\nid = \"mine/x\"\nnetwork = \"timm-xception\"\nrecipe = \"timm-333-bicubic\"\ninput_size = 299\n\
                 [models.documented]\nparams_m = { figure = \"21.9\", rule = \"thop\" }\n";
    fs::write(cluster.path("a cluster").join("mine.toml"), entry).unwrap();
    let catalog = ["--catalog", "mine.toml"];
    let real = |mut command: Command, code: i32| {
        ends(command.env("IMAGENET_EVAL", env!("CARGO_BIN_EXE_xtask")).env_remove("IMAGENET_DATA"), code)
    };
    for index in [1, 2] {
        let given =
            [&["images", "seeded", "out", "--model", "mine/x", "--batch", "2"], &catalog[..]].concat();
        let said = real(cluster.task(index, [1, 2, 2], &given), 0);
        assert!(said.contains("is judged by the merge"), "{said}");
    }
    let said = real(cluster.job(&[&["merge", "out", "--data", "images"], &catalog[..]].concat()), 1);
    assert!(said.contains("not reproduced"), "{said}");
    let merged = cluster.path("a cluster/out/merged");
    assert!(fs::read_to_string(merged.join("results.csv")).unwrap().contains("flex,4,0,"));
    assert!(
        fs::read_to_string(merged.join("report.html")).unwrap().contains("src=\"data:image/jpeg;base64,")
    );
}
