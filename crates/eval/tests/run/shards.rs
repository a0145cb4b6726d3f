//! Shards of one evaluation, merged into one run.

use super::*;

#[test]
fn shards_merge_into_the_run_that_was_not_sharded() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    sample_as_files(&data, 4);
    fs::write(data.join("ILSVRC2012_val_00000005.JPEG"), "no image").unwrap();
    let options =
        |shard| Options { data: Some(&data), weights: vec![WeightsArg::Seeded], shard, ..Options::default() };
    let whole = folder.path().join("whole");
    run(&plan(&options(None)).unwrap(), &whole).unwrap();
    let shards: Vec<_> = (1..=3)
        .map(|index| {
            let path = folder.path().join(format!("shard {index}"));
            let outcome = run(&plan(&options(Some(Shard::new(index, 3).unwrap()))).unwrap(), &path).unwrap();
            let [model] = &outcome.record.models[..] else { panic!("one model") };
            assert_eq!(model.images, if index == 3 { 1 } else { 2 });
            assert!(
                model.figures[0].reason.starts_with(&format!("shard {index}/3, ")),
                "{:?}",
                model.figures[0]
            );
            path
        })
        .collect();
    let definitions = Definitions::built_in();
    let merge = |runs: &[&std::path::PathBuf], out: &str| {
        let runs: Vec<_> = runs.iter().map(|&run| run.clone()).collect();
        eval::stored::merge::merge(
            &runs,
            &folder.path().join(out),
            false,
            (&definitions, &[]),
            None,
            invocation(),
        )
    };
    let [one, two, three] = &shards[..] else { panic!("three shards") };
    for round in 0..2 {
        let record = merge(&[three, one, two], "merged").unwrap();
        assert_eq!(record.sessions.len(), 3, "round {round}");
        let merged = folder.path().join("merged");
        assert_eq!(results(&merged), results(&whole));
        let names: Vec<String> = log(&merged).into_iter().map(|row| row.image).collect();
        assert!(names.len() == IMAGES && names.is_sorted(), "{names:?}");
    }

    let refusal = |runs: &[&std::path::PathBuf]| merge(runs, "other").unwrap_err().to_string();
    assert!(refusal(&[one, three]).contains("shards 2/3 are missing"), "{}", refusal(&[one, three]));
    assert!(refusal(&[one, two, two, three]).contains("shard 2/3 is there twice"));
    assert!(refusal(&[one, two, &whole]).contains("it is a run of all images, not a shard"));
    assert!(refusal(&[one, two, &data]).contains("data has no run.json"));
    // Another evaluation: other labels.
    let labels = folder.path().join("labels.txt");
    fs::write(&labels, "7\n7\n7\n7\n7\n").unwrap();
    let other = folder.path().join("other labels");
    let options = Options { labels: Some(&labels), ..options(Some(Shard::new(3, 3).unwrap())) };
    run(&plan(&options).unwrap(), &other).unwrap();
    assert!(refusal(&[one, two, &other]).contains("the images or labels differ"));
    // An image that is lost from a log.
    let path = two.join("predictions/timm-xception.csv");
    let text = fs::read_to_string(&path).unwrap();
    let shorter: Vec<&str> = text.lines().take(2).collect();
    fs::write(&path, format!("{}\n", shorter.join("\n"))).unwrap();
    assert!(refusal(&[one, two, three]).contains("it has 1 rows for 2 images"));
    // Unfinished.
    let path = two.join("run.json");
    let text = fs::read_to_string(&path).unwrap().replace("\"finished\"", "\"interrupted\"");
    fs::write(&path, text).unwrap();
    assert!(refusal(&[one, two, three]).contains("shard 2 is unfinished; finish it first: test"));
}

/// Both shards of two images, finished.
fn shards(folder: &Path) -> Vec<std::path::PathBuf> {
    let shard = |index: usize| {
        let path = folder.join(format!("shard{index}"));
        let shard = Some(Shard::new(index, 2).unwrap());
        run(&plan(&Options { limit: Some(2), shard, ..Options::default() }).unwrap(), &path).unwrap();
        path
    };
    vec![shard(1), shard(2)]
}

#[test]
fn a_merge_never_writes_to_what_it_merges() {
    let folder = tempfile::tempdir().unwrap();
    let runs = shards(folder.path());
    let definitions = Definitions::built_in();
    let merge = |out: &Path, fresh| {
        eval::stored::merge::merge(&runs, out, fresh, (&definitions, &[]), None, invocation())
    };
    let content = || -> Vec<Vec<u8>> {
        let of = |run: &std::path::PathBuf| {
            ["run.json", "predictions/timm-xception.csv", "digests.csv"]
                .map(|name| fs::read(run.join(name)).unwrap())
        };
        runs.iter().flat_map(of).collect()
    };
    let before = content();
    let mut places = vec![
        runs[0].clone(),
        runs[1].join("."),
        runs[1].join("merged/deep"),
        folder.path().join("shard1/../shard2"),
        folder.path().join("new/../shard2"),
    ];
    #[cfg(unix)]
    {
        let (link, within) = (folder.path().join("link"), folder.path().join("within"));
        std::os::unix::fs::symlink(&runs[0], &link).unwrap();
        places.extend([link.clone(), link.join("deep")]);
        // A folder whose logs lie in a shard.
        fs::create_dir(&within).unwrap();
        std::os::unix::fs::symlink(runs[0].join("predictions"), within.join("predictions")).unwrap();
        places.push(within);
    }
    for out in places {
        for fresh in [false, true] {
            let error = merge(&out, fresh).unwrap_err();
            assert_eq!(error.remedy(), Some(Remedy::OtherFolder), "{out:?}: {error}");
            assert_eq!(content(), before, "{out:?}");
        }
    }

    // What is there stays until all of the new is written: here a folder is in the way of the last file.
    let out = folder.path().join("merged");
    merge(&out, false).unwrap();
    let there = fs::read(out.join("run.json")).unwrap();
    fs::remove_file(out.join("report.html")).unwrap();
    fs::create_dir(out.join("report.html")).unwrap();
    assert!(merge(&out, true).is_err());
    assert_eq!(fs::read(out.join("run.json")).unwrap(), there);
    fs::remove_dir(out.join("report.html")).unwrap();
    merge(&out, true).unwrap();
    let digests = fs::read_to_string(out.join("digests.csv")).unwrap();
    let names: Vec<&str> = digests.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(names, ["sample_00000001.JPEG", "sample_00000002.JPEG"]);

    // Shards whose digests contradict each other are not of one set of images.
    let (image, digest) = digests.lines().nth(1).unwrap().split_once(',').unwrap();
    let foreign = format!("{image},{}", digest.chars().rev().collect::<String>());
    let path = runs[1].join("digests.csv");
    let own = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{own}{foreign}\n")).unwrap();
    let error = merge(&folder.path().join("other"), false).unwrap_err().to_string();
    assert!(error.contains("was read as other bytes than in another shard"), "{error}");
}

#[test]
fn a_record_may_claim_any_number_of_shards() {
    let folder = tempfile::tempdir().unwrap();
    let runs = shards(folder.path());
    for run in &runs {
        let path = run.join("run.json");
        let text = fs::read_to_string(&path).unwrap();
        let claims = text.replace("\"count\": 2\n", "\"count\": 1000000000000\n");
        assert_ne!(claims, text);
        fs::write(&path, claims).unwrap();
    }
    let out = folder.path().join("merged");
    let error =
        eval::stored::merge::merge(&runs, &out, false, (&Definitions::built_in(), &[]), None, invocation())
            .unwrap_err()
            .to_string();
    assert!(error.contains("shards 3/1000000000000, 4/1000000000000, "), "{error}");
    assert!(error.contains("and 999999999978 more are missing"), "{error}");
    assert!(error.len() < 1000 && !out.exists(), "{error}");
}
