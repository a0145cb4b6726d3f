//! Runs read back: their figures follow the catalog of the day, and what no longer belongs to it is refused.

use super::*;

/// What is built in, with one more model, whose entry ends with `more`.
fn definitions(folder: &Path, network: &str, more: &str) -> Definitions {
    let path = folder.join("catalog.toml");
    let entry = format!(
        "[[models]]\nid = \"mine/x\"\nnetwork = \"{network}\"\nrecipe = \"timm-333-bicubic\"\ninput_size = 299\n{more}"
    );
    fs::write(&path, entry).unwrap();
    let mut definitions = Definitions::built_in();
    definitions.add_file(&path).unwrap();
    definitions
}

fn documented(flops: &str) -> String {
    format!(
        "[models.documented]\nflops_g = {{ figure = \"{flops}\", rule = \"thop-flops\", input_size = 224 }}\n\
         params_m = {{ figure = \"22.9\", rule = \"thop\" }}\n"
    )
}

/// The figure FLOPs of the only model: its verdict, and why.
fn flops(record: &RunRecord) -> (Verdict, String) {
    let figure = record.models[0].figure(FigureName::FlopsG).unwrap();
    (figure.verdict, figure.reason.clone())
}

#[test]
fn counts_are_judged_by_the_catalog_of_the_day() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let network = "timm-xception";
    let first = definitions(folder.path(), network, &documented("9.198"));
    // The only shard there is, so that it can be merged too.
    let shard = Some(Shard::new(1, 1).unwrap());
    let options = Options { limit: Some(1), shard, ..Options::default() };
    let outcome = run(&plan_of(&first, "mine/x", &options).unwrap(), &out).unwrap();
    assert_eq!(flops(&outcome.record).0, Verdict::Reproduced);

    let judged = |more: &str| {
        let now = definitions(folder.path(), network, more);
        StoredRun::open(&out).unwrap().judged(&now, &[], None).unwrap()
    };
    assert_eq!(flops(&judged(&documented("9.198"))), flops(&outcome.record));
    // The printed figure, a tolerance, an erratum.
    assert_eq!(flops(&judged(&documented("9.21"))).0, Verdict::NotReproduced);
    let tolerated = format!("tolerance = {{ flops_g = 0.02 }}\n{}", documented("9.21"));
    assert_eq!(flops(&judged(&tolerated)).0, Verdict::Reproduced);
    let misprint = |corrected: &str| {
        let erratum = format!("figure = \"flops_g\"\ncorrected = \"{corrected}\"\nreason = \"rounded up\"\n");
        flops(&judged(&format!("{}[[models.errata]]\n{erratum}", documented("9.210"))))
    };
    assert_eq!(misprint("9.198").0, Verdict::Erratum);
    let (verdict, reason) = misprint("9.199");
    assert_eq!(verdict, Verdict::NotReproduced);
    assert!(
        reason.contains("nor is 9.199 reproduced, to which an erratum corrects it (rounded up)"),
        "{reason}"
    );
    // The run has counted by every rule, at the sizes that were claimed then.
    let other_rule = documented("9.198").replace("thop-flops", "flops");
    assert_eq!(flops(&judged(&other_rule)).0, Verdict::NotReproduced);
    let (verdict, reason) = flops(&judged(&documented("9.198").replace("224", "256")));
    assert_eq!(verdict, Verdict::NotComparable);
    assert!(reason.contains("no count by 2 x thop MACs at 256x256, so evaluate again"), "{reason}");
    // What a run from before that counted is no count by another rule.
    let path = out.join("run.json");
    let now = fs::read(&path).unwrap();
    let mut old: serde_json::Value = serde_json::from_slice(&now).unwrap();
    old["models"][0].as_object_mut().unwrap().remove("counts");
    fs::write(&path, old.to_string()).unwrap();
    assert_eq!(flops(&judged(&documented("9.198"))), flops(&outcome.record));
    let (verdict, reason) = flops(&judged(&other_rule));
    assert_eq!(verdict, Verdict::NotComparable);
    assert!(
        reason.contains("the card's rule is another now") && reason.contains("evaluate again"),
        "{reason}"
    );
    fs::write(&path, now).unwrap();

    // A run from before the rule rounded: its count says all, whatever was printed of it.
    let path = out.join("run.json");
    let mut before: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    before["models"][0].as_object_mut().unwrap().remove("counts");
    let figure = before["models"][0]["figures"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .find(|it| it["figure"] == "flops_g");
    let figure = figure.unwrap().as_object_mut().unwrap();
    figure.insert("reproduced".to_owned(), "9.198849".into());
    figure.insert("reason".to_owned(), "2 x thop MACs at 224x224, printed truncated".into());
    let now = fs::read(&path).unwrap();
    fs::write(&path, before.to_string()).unwrap();
    let anew = judged(&documented("9.198"));
    assert_eq!(flops(&anew), flops(&outcome.record));
    assert_eq!(anew.models[0].figure(FigureName::FlopsG).unwrap().reproduced, "9.198");
    fs::write(&path, now).unwrap();

    // A merge judges in the same way.
    let merged = |now: &Definitions| {
        let runs = std::slice::from_ref(&out);
        eval::stored::merge::merge(runs, &folder.path().join("merged"), true, (now, &[]), None, invocation())
    };
    let now = definitions(folder.path(), network, &documented("9.21"));
    assert_eq!(flops(&merged(&now).unwrap()).0, Verdict::NotReproduced);

    // A run from before counts were stored keeps what was said of them, and says nothing of another print.
    let path = out.join("run.json");
    let mut old: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    old["models"][0].as_object_mut().unwrap().remove("counts");
    for figure in old["models"][0]["figures"].as_array_mut().unwrap() {
        figure.as_object_mut().unwrap().remove("count");
    }
    fs::write(&path, old.to_string()).unwrap();
    assert_eq!(flops(&judged(&documented("9.198"))), flops(&outcome.record));
    let (verdict, reason) = flops(&judged(&documented("9.21")));
    assert_eq!(verdict, Verdict::NotComparable);
    assert!(reason.contains("from before counts were stored, so evaluate again"), "{reason}");

    // Another network is another model.
    let other = definitions(folder.path(), "timm-xception41", &documented("9.198"));
    let compared = StoredRun::open(&out).unwrap().judged(&other, &[], None);
    for refused in [compared, merged(&other)] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("mine/x was evaluated with the network timm-xception,"), "{error}");
        assert!(error.contains("the catalog has timm-xception41 for it"), "{error}");
    }
}

/// What a gate rests on: each documented figure, and an accuracy.
#[test]
fn what_was_not_compared_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let network = "timm-xception";
    let definitions_of = |more: &str| definitions(folder.path(), network, more);
    let first = definitions_of(&documented("9.198"));
    run(&plan_of(&first, "mine/x", &Options { limit: Some(1), ..Options::default() }).unwrap(), &out)
        .unwrap();
    let missing = |more: &str| {
        let record = StoredRun::open(&out).unwrap().judged(&definitions_of(more), &[], None).unwrap();
        record.models[0].not_compared()
    };
    // Counts alone are no accuracy.
    let none = missing(&documented("9.198"));
    assert_eq!(none, ["mine/x top1_pct: nothing documented", "mine/x top5_pct: nothing documented"]);
    assert_eq!(missing("").len(), 2);
    let top1 = format!("{}top1_pct = \"79.0\"\n", documented("9.198"));
    assert_eq!(missing(&top1), ["mine/x top1_pct: embedded sample; seeded weights"]);

    // The type of numbers is one of the conditions, and results.csv says it.
    let mut stored = StoredRun::open(&out).unwrap();
    stored.record.dtype = Dtype::Bf16;
    let record = stored.judged(&definitions_of(&top1), &[], None).unwrap();
    let said = "mine/x top1_pct: embedded sample; seeded weights; computed in bf16 instead of f32";
    assert_eq!(record.models[0].not_compared(), [said]);
    assert!(eval::report::results_csv(&record).contains(",seeded,flex/bf16,"));
    let documented = top1.replace("[models.documented]\n", "[models.documented]\ndtype = \"bf16\"\n");
    let record = stored.judged(&definitions_of(&documented), &[], None).unwrap();
    assert_eq!(record.models[0].not_compared(), ["mine/x top1_pct: embedded sample; seeded weights"]);
}

#[test]
fn the_tolerance_is_the_cards_unless_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { limit: Some(1), tolerance_pp: Some(3.0), ..Options::default() };
    let out = folder.path().join("run");
    run(&plan(&options).unwrap(), &out).unwrap();
    let (definitions, stored) = (Definitions::built_in(), StoredRun::open(&out).unwrap());
    for (asked, expected) in [(None, 0.05), (Some(2.0), 2.0)] {
        let tolerance = stored.judged(&definitions, &[], asked).unwrap().tolerance;
        assert_eq!((tolerance.tolerance_pp, tolerance.tolerance_over_all), (expected, asked.is_some()));
    }
}
