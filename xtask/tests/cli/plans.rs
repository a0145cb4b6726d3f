//! `eval --plan`: everything resolved and said, nothing run.

use super::*;

/// A plan's text without what differs from machine to machine.
fn shown(command: &mut Command, folder: &Path) -> String {
    let text = printed(command).replace(folder.to_str().unwrap(), "[FOLDER]");
    let stable = |line: &str| match line.split_once(" images, ") {
        Some((batch, threads)) if threads.ends_with(" threads") => format!("{batch} images, [N] threads"),
        _ => line.to_owned(),
    };
    text.lines().map(|line| stable(line) + "\n").collect()
}

#[test]
fn a_plan_says_what_would_run_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let options = ["--model", "ppcls/xception41", "--limit", "5", "--shard", "1/2", "--explain"];
    let command = || eval(&out, &options);
    let plan = [&command()[..], &["--plan"]].concat();
    insta::assert_snapshot!("plan_new", shown(&mut xtask(&plan), folder.path()));
    assert!(!out.exists(), "nothing is made");

    xtask(&command()[..command().len() - 1]).assert().success();
    let files = || {
        let at = |name: &str| fs::read(out.join(name)).unwrap();
        ["run.json", "results.csv", "predictions/timm-xception.csv", ".lock"].map(at)
    };
    let before = files();
    let text = shown(&mut xtask(&plan), folder.path());
    let only = "3 of 3 done: nothing is left, and the network would be loaded only to explain it";
    assert!(text.contains(only), "{text}");
    assert!(text.contains("  explain  3 images of each model whose accuracy is not reproduced"), "{text}");
    assert!(text.contains("  there    a finished run of this evaluation"), "{text}");
    let none = "3 of 3 done: nothing is left, and no network would be loaded";
    let unexplained = [&command()[..command().len() - 1], &["--plan"]].concat();
    let text = shown(&mut xtask(&unexplained), folder.path());
    assert!(text.contains(none) && !text.contains("explain"), "{text}");

    // With an image gone, and one that had no prediction.
    let log = out.join("predictions/timm-xception.csv");
    let rows = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = rows.lines().collect();
    let (name, label) = (lines[2].split(',').next().unwrap(), lines[2].split(',').nth(1).unwrap());
    let failed = format!("{}\n{}\n{name},{label},,,,,,,,,,,zero bytes\n", lines[0], lines[1]);
    fs::write(&log, &failed).unwrap();
    let text = shown(&mut xtask(&plan), folder.path());
    assert!(text.contains("    images   1 of 3 done, 2 to do, 1 of them tried again"), "{text}");
    assert_eq!(fs::read_to_string(&log).unwrap(), failed, "a plan mends nothing");
    fs::write(&log, rows).unwrap();
    assert_eq!(files(), before);

    // As a run that was killed leaves it.
    let record = fs::read_to_string(out.join("run.json")).unwrap();
    fs::write(out.join("run.json"), record.replacen("\"finished\"", "\"running\"", 1)).unwrap();
    let text = shown(&mut xtask(&plan), folder.path());
    let killed = "a run of this evaluation, which was killed and would go on, or which another process is";
    assert!(text.contains(killed), "{text}");
    fs::write(out.join("run.json"), record).unwrap();

    // Another evaluation is refused as the run would be; or would be deleted.
    let other = eval(&out, &["--plan"]);
    xtask(&other).assert().code(EXIT_WRONG).stderr(contains("holds another evaluation"));
    let text = shown(&mut xtask(&[&other[..], &["--fresh"]].concat()), folder.path());
    assert!(
        text.contains("a finished run, which would be deleted") && text.contains("0 of 24 done"),
        "{text}"
    );
    assert_eq!(files(), before);
}

#[test]
fn a_plan_without_out_names_the_folder_that_would_be_made() {
    let text = printed(&mut xtask(&["eval", "--model", "timm/resnet18", "--plan"]));
    let path = Path::new("reports").join("runs").join("<UTC time>");
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    assert!(text.contains("  there    nothing yet; it would be made"), "{text}");
}

#[test]
fn weights_that_would_be_downloaded_are_named_and_not_downloaded() {
    let folder = tempfile::tempdir().unwrap();
    let images = sample_as_files(&folder.path().join("images"), 2);
    let (out, cache) = (folder.path().join("run"), folder.path().join("cache"));
    let options = ["--model", "keras/xception", "--data", images.to_str().unwrap(), "--plan"];
    let with_cache = |more: &[&str]| {
        let mut command = xtask(&[&eval(&out, &options)[..], more].concat());
        // Nobody answers there.
        command.env("IMAGENET_EVAL_CACHE", &cache).env("IMAGENET_EVAL_MIRROR", "http://127.0.0.1:1");
        command
    };
    insta::assert_snapshot!("plan_downloads", shown(&mut with_cache(&[]), folder.path()));
    with_cache(&["--offline"])
        .assert()
        .code(EXIT_WRONG)
        .stderr(contains("the published weights are not here"));
    assert!(!cache.exists() && !out.exists());

    // What is here is hashed: a file that is not the published one is refused as the run would refuse it.
    fs::create_dir(&cache).unwrap();
    fs::write(cache.join("xception-43020ad28.pth"), "half a download").unwrap();
    with_cache(&[]).assert().code(EXIT_WRONG).stderr(contains("is not the published file"));
}
