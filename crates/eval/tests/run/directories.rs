//! Whose files are in a run directory: a run writes and deletes its own, and nothing else.

use super::*;

fn open(path: &Path, plan: &Plan, fresh: bool) -> Result<(), EvalError> {
    RunDir::open(path, &RunIdentity::of_plan(plan), fresh).map(drop)
}

/// Every file below `folder` with its content.
fn files(folder: &Path) -> BTreeSet<(String, Vec<u8>)> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if entry.file_name() != ".lock" {
            found.insert((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    found
}

#[test]
fn starting_over_deletes_what_the_run_wrote_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let one = plan(&Options { limit: Some(1), ..Options::default() }).unwrap();
    run(&one, &out).unwrap();
    let mine = ["notes.txt", "predictions/mywork/thesis.txt", "predictions/other.csv", "confidences/x"];
    fs::create_dir(out.join("predictions/mywork")).unwrap();
    for name in mine {
        fs::write(out.join(name), "mine").unwrap();
    }
    // What a process that was killed left.
    fs::write(out.join(".run.json.tmp"), "{").unwrap();
    fs::write(out.join("predictions/.timm-xception.csv.tmp"), "image").unwrap();
    let before = fs::read(out.join("run.json")).unwrap();
    open(&out, &one, true).unwrap();
    assert_eq!(
        fs::read(out.join("run.json")).unwrap(),
        before,
        "nothing is deleted before something replaces it"
    );
    assert!(started_over(&one, &out).unwrap().interrupted());
    let left: Vec<String> = files(&out).into_iter().map(|(path, _)| path).collect();
    let begun = ["run.json", "digests.csv", "predictions/timm-xception.csv", "confidences/timm-xception.csv"];
    let expected = mine.iter().chain(&begun).map(|name| out.join(name).display().to_string());
    let mut expected: Vec<String> = expected.collect();
    expected.sort();
    assert_eq!(left, expected);
    // And the run begins anew beside them.
    run(&one, &out).unwrap();
    assert!(mine.iter().all(|name| fs::read_to_string(out.join(name)).unwrap() == "mine"));
}

#[test]
fn a_folder_that_is_no_run_is_left_alone() {
    let one = plan(&Options { limit: Some(1), ..Options::default() }).unwrap();
    for (name, content) in [
        ("run.json", "{\"mine\": true}"),
        ("run.json", "not json"),
        ("run.json", "{\"schema_version\": 1}"),
        ("results.csv", "mine"),
        ("digests.csv", "mine"),
        (".lock", "mine"),
        ("predictions/timm-xception.csv", "mine"),
        ("confidences/timm-xception.csv", "mine"),
    ] {
        for fresh in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let out = folder.path().join("theirs");
            fs::create_dir_all(out.join("predictions/mywork")).unwrap();
            fs::create_dir_all(out.join("confidences")).unwrap();
            fs::write(out.join("predictions/mywork/thesis.txt"), "mine").unwrap();
            fs::write(out.join(name), content).unwrap();
            let before = files(&out);
            let error = open(&out, &one, fresh).unwrap_err();
            assert!(
                matches!(
                    error,
                    EvalError::NotARun { .. } | EvalError::ForeignRecord { .. } | EvalError::InTheWay { .. }
                ),
                "{name}: {error}"
            );
            assert!(error.to_string().contains(name), "{name}: {error}");
            assert_eq!(files(&out), before, "{name}");
            let lock = fs::read_to_string(out.join(".lock"));
            assert!(if name == ".lock" { lock.unwrap() == content } else { lock.is_err() }, "{name}");
        }
    }
    // Folders of the same names are in nobody's way.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("predictions/mywork")).unwrap();
    fs::write(folder.path().join("predictions/mywork/thesis.txt"), "mine").unwrap();
    open(folder.path(), &one, true).unwrap();
}

#[test]
fn what_no_run_wrote_is_not_overwritten_beside_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let definitions = Definitions::built_in();
    let options = || Options { limit: Some(1), ..Options::default() };
    let one = plan(&options()).unwrap();
    run(&one, &out).unwrap();
    // Another model's log, which this run did not write.
    fs::write(out.join("predictions/timm-resnet18.csv"), "mine").unwrap();
    let other = plan_of(&definitions, "timm/resnet18", &options()).unwrap();
    let before = files(&out);
    for fresh in [false, true] {
        let error = open(&out, &other, fresh).unwrap_err();
        assert!(matches!(error, EvalError::InTheWay { .. }), "{error}");
        assert!(error.to_string().contains("predictions/timm-resnet18.csv is in the way"), "{error}");
        assert_eq!(files(&out), before);
    }
    #[cfg(unix)]
    {
        // A link is no file of a run, wherever it leads.
        let log = out.join("predictions/timm-xception.csv");
        fs::rename(&log, folder.path().join("elsewhere.csv")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("elsewhere.csv"), &log).unwrap();
        assert!(matches!(open(&out, &one, true).unwrap_err(), EvalError::InTheWay { .. }));
        assert!(folder.path().join("elsewhere.csv").exists());
    }
}

/// Behind a link to another run's folder are files of the same names.
#[cfg(unix)]
#[test]
fn files_are_not_written_behind_a_linked_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (theirs, mine) = (folder.path().join("theirs"), folder.path().join("mine"));
    let one = plan(&Options { limit: Some(1), ..Options::default() }).unwrap();
    run(&one, &theirs).unwrap();
    run(&one, &mine).unwrap();
    let before = files(&theirs);
    for name in ["predictions", "confidences"] {
        let linked = mine.join(name);
        fs::rename(&linked, folder.path().join("aside")).unwrap();
        std::os::unix::fs::symlink(theirs.join(name), &linked).unwrap();
        for fresh in [false, true] {
            let error = open(&mine, &one, fresh).unwrap_err();
            assert!(matches!(error, EvalError::InTheWay { .. }), "{error}");
            assert!(error.to_string().contains(&format!("{name} is in the way")), "{error}");
        }
        fs::remove_file(&linked).unwrap();
        fs::rename(folder.path().join("aside"), &linked).unwrap();
    }
    assert_eq!(files(&theirs), before);
    open(&mine, &one, true).unwrap();
}

#[test]
fn a_folder_that_is_deleted_while_it_is_waited_for_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("runs/1");
    let identity = RunIdentity::of_plan(&plan(&Options { limit: Some(1), ..Options::default() }).unwrap());
    let held = RunDir::open(&out, &identity, false).unwrap();
    let mut asked = 0;
    let waited = RunDir::open_waiting(&out, &identity, false, &mut |_| {
        asked += 1;
        fs::remove_dir_all(folder.path().join("runs")).unwrap();
        true
    });
    assert_eq!((waited.unwrap().path(), asked), (out.as_path(), 1));
    drop(held);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_made_or_written_is_seen_before_anything_is_made() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let one = plan(&Options { limit: Some(1), ..Options::default() }).unwrap();
    let look = |path: &Path| RunDir::look(path, &RunIdentity::of_plan(&one), false).map(drop);
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    symlink(folder.path().join("nowhere"), &link).unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    let mut refused = vec![link.clone(), link.join("run"), file.clone(), file.join("run")];
    if cfg!(target_os = "linux") {
        refused.extend(["/proc/run", "/proc/run/below", "/sys/run"].map(Into::into));
    }
    // A privileged user may write everywhere.
    let locked = folder.path().join("locked");
    let run = locked.join("run");
    fs::create_dir_all(&run).unwrap();
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(&run, 0o555);
    set(&locked, 0o555);
    let is_privileged = fs::write(locked.join("probe"), "").is_ok();
    if !is_privileged {
        refused.extend([run.clone(), locked.join("new"), run.join("new/below")]);
    }
    for path in refused {
        let (seen, opened) = (look(&path), open(&path, &one, false));
        let both = (&seen, &opened);
        assert!(matches!(both, (Err(EvalError::RunFile { .. }), Err(EvalError::RunFile { .. }))), "{both:?}");
    }
    set(&locked, 0o755);
    set(&run, 0o755);
    let good = folder.path().join("good");
    fs::create_dir(&good).unwrap();
    symlink(&good, folder.path().join("good-link")).unwrap();
    for path in ["good", "good-link", "good-link/new", "new/below", "new/../other"] {
        look(&folder.path().join(path)).unwrap();
    }
    assert_eq!(fs::read_dir(&good).unwrap().count(), 0, "nothing is made");
}
