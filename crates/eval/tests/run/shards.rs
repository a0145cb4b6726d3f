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
    let catalog = Catalog::built_in();
    let merge = |runs: &[&std::path::PathBuf], out: &str| {
        let runs: Vec<_> = runs.iter().map(|&run| run.clone()).collect();
        eval::merge::merge(&runs, &folder.path().join(out), false, &catalog, None, vec!["test".to_owned()])
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
