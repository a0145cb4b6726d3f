//! What a gate rests on: a run that measured nothing, runs that share little, predictions whose columns nobody can tell.

use super::*;

/// The second exit code: a figure is not reproduced, or a gate fails.
const EXIT_DIFFERS: i32 = 1;

/// What a command prints that ends with `code`.
fn ends_with(code: i32, arguments: &[&str]) -> String {
    let output = xtask(arguments).assert().code(code).get_output().clone();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn a_gate_that_measured_nothing_is_not_green() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let arguments = eval(&run, &["--limit", "1", "--require-comparable"]);
    let missing = [
        "Not compared, which --require-comparable does not allow:",
        "timm/xception top1_pct: embedded sample; seeded weights",
        "timm/xception top5_pct: embedded sample; seeded weights",
    ];
    let text = ends_with(EXIT_DIFFERS, &arguments);
    assert!(missing.iter().all(|line| text.contains(line)), "{text}");
    // FLOPs and parameters were.
    assert!(!text.contains("timm/xception flops_g:") && !text.contains("timm/xception params_m:"), "{text}");
    let run = run.to_str().unwrap();
    let text = ends_with(EXIT_DIFFERS, &["compare", run, "--require-comparable"]);
    assert!(missing.iter().all(|line| text.contains(line)), "{text}");
    ends_with(0, &["compare", run]);
    ends_with(0, &["compare", run, "--against", run, "--require-comparable"]);

    let predictions = folder.path().join("predictions.csv");
    fs::write(&predictions, "ILSVRC2012_val_00000001.JPEG,65\n").unwrap();
    let score = ["score", predictions.to_str().unwrap(), "--model", "timm/xception"];
    ends_with(0, &score);
    let text = ends_with(EXIT_DIFFERS, &[&score[..], &["--require-comparable"]].concat());
    for line in [
        "timm/xception top1_pct: 1 images, not the 50,000 of the validation set",
        "timm/xception top5_pct: the file has fewer than five classes an image",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let text = ends_with(EXIT_DIFFERS, &["score", score[1], "--require-comparable"]);
    assert!(
        text.contains("no model was named, so there is no documented accuracy (score --model ID)"),
        "{text}"
    );
}

#[test]
fn a_complete_score_is_comparable() {
    let folder = tempfile::tempdir().unwrap();
    let predictions = folder.path().join("predictions.csv");
    // Right for 39,525 images, and among the best five for all.
    let rows: String = (1..)
        .zip(dataset::labels::ilsvrc2012_val())
        .map(|(number, &label)| {
            let others = (1..5).map(|step| (label + step) % 1000);
            let mut classes: Vec<u16> = std::iter::once(label).chain(others).collect();
            if number > 39_525 {
                classes.swap(0, 1);
            }
            let classes: Vec<String> = classes.iter().map(u16::to_string).collect();
            format!("ILSVRC2012_val_{number:08}.JPEG,{}\n", classes.join(","))
        })
        .collect();
    fs::write(&predictions, rows).unwrap();
    let catalog = folder.path().join("mine.toml");
    let entry = |documented: &str| {
        format!(
            "[[models]]\nid = \"mine/x\"\nnetwork = \"timm-xception\"\nrecipe = \"timm-333-bicubic\"\n\
             input_size = 299\n[models.documented]\n{documented}"
        )
    };
    let (predictions, catalog_path) = (predictions.to_str().unwrap(), catalog.to_str().unwrap());
    let score =
        ["score", predictions, "--catalog", catalog_path, "--model", "mine/x", "--require-comparable"];
    fs::write(&catalog, entry("top1_pct = \"79.05\"\ntop5_pct = \"100\"\n")).unwrap();
    ends_with(0, &score);
    // Counts are nothing that predictions could be held against.
    fs::write(&catalog, entry("params_m = { figure = \"22.856\", rule = \"thop\" }\n")).unwrap();
    let text = ends_with(EXIT_DIFFERS, &score);
    assert!(text.contains("mine/x top1_pct: nothing documented"), "{text}");
    // A misprint is one only where the corrected figure is met.
    let misprint = |corrected: &str| {
        let erratum = "[[models.errata]]\nfigure = \"top1_pct\"\nreason = \"digits transposed\"\ncorrected =";
        entry(&format!("top1_pct = \"97.05\"\ntop5_pct = \"100\"\n{erratum} \"{corrected}\"\n"))
    };
    fs::write(&catalog, misprint("79.05")).unwrap();
    let text = ends_with(0, &score);
    assert!(text.contains("erratum (digits transposed; 79.05, as corrected, is reproduced"), "{text}");
    fs::write(&catalog, misprint("79.20")).unwrap();
    let text = ends_with(EXIT_DIFFERS, &score);
    assert!(
        text.contains("not reproduced (-18.000 pp, tolerance 0.05 pp; nor is 79.20 reproduced"),
        "{text}"
    );
    // The tolerance of a file is that of its own entries.
    fs::write(&catalog, format!("accuracy_tolerance_pp = 90\n{}", misprint("79.20"))).unwrap();
    ends_with(0, &score);
    let built_in = ["score", predictions, "--catalog", catalog_path, "--model", "keras/xception"];
    let text = ends_with(EXIT_DIFFERS, &built_in);
    assert!(text.contains("tolerance 0.05 pp"), "{text}");
}

#[test]
fn runs_over_different_images_are_not_compared_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (one, two, flips) = (path("one"), path("two"), path("flips.csv"));
    for (limit, out) in [("1", &one), ("2", &two)] {
        ends_with(0, &eval(Path::new(out), &["--limit", limit]));
    }
    for (run, against, parts) in [
        (&one, &two, "1 of 1 images here are among the 2 there"),
        (&two, &one, "1 of 2 images here are among the 1 there"),
    ] {
        let text = ends_with(EXIT_WRONG, &["compare", run, "--against", against]);
        assert!(text.contains("they are over different images") && text.contains(parts), "{text}");
        assert!(text.contains("--shared"), "{text}");
    }
    let shared = ["compare", &one, "--against", &two, "--shared"];
    let text = ends_with(0, &shared);
    assert!(text.contains("1 of 1 images here are among the 2 there; only those are compared"), "{text}");
    let text = ends_with(EXIT_DIFFERS, &[&shared[..], &["--require-comparable"]].concat());
    assert!(text.contains("timm/xception: 1 images are in both runs, of 1 and 2"), "{text}");
    let text = ends_with(EXIT_WRONG, &["compare", &one, "--shared"]);
    assert!(text.contains("--shared goes with --against RUN"), "{text}");

    // Only one of two models is in the other run.
    let log = Path::new(&two).join("predictions/timm-xception.csv");
    // The label leaves the best five of one image: a flip by top-5, and by top-1 none.
    let content = fs::read_to_string(&log).unwrap();
    let edit = |rank: Option<usize>| -> String {
        let edited = content.lines().enumerate().map(|(index, line)| {
            let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            if index == 1 {
                let label = cells[1].clone();
                let free = (0..1000_u16).map(|class| class.to_string());
                let mut free = free.filter(|class| *class != label && !cells[2..7].contains(class));
                let (first, other) = (free.next().unwrap(), free.next().unwrap());
                cells[2] = first;
                for cell in cells[3..7].iter_mut().filter(|cell| **cell == label) {
                    cell.clone_from(&other);
                }
                if let Some(rank) = rank {
                    cells[2 + rank] = label;
                }
            }
            cells.join(",") + "\n"
        });
        edited.collect()
    };
    let copy = path("copy");
    fs::create_dir_all(format!("{copy}/predictions")).unwrap();
    fs::copy(format!("{two}/run.json"), format!("{copy}/run.json")).unwrap();
    fs::write(format!("{copy}/predictions/timm-xception.csv"), edit(Some(4))).unwrap();
    fs::write(&log, edit(None)).unwrap();
    let text = ends_with(EXIT_DIFFERS, &["compare", &copy, "--against", &two, "--flips", &flips]);
    assert!(text.contains("top-5 gained sample_0000000") && text.contains("exceeded 0.05 pp"), "{text}");
    let flips = fs::read_to_string(&flips).unwrap();
    let rows: Vec<&str> = flips.lines().collect();
    assert_eq!(rows[0], "id,image,label,class,against_class,change,k");
    assert!(rows.len() == 2 && rows[1].ends_with(",gained,5"), "{flips}");
}

#[test]
fn a_label_is_not_taken_for_a_prediction() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (file, list) = (path("predictions.csv"), path("val.txt"));
    let val = "ILSVRC2012_val_0000000";
    for heading in ["image,label,prediction", "filename,true,pred", "File,Ground Truth,y_pred"] {
        fs::write(&file, format!("{heading}\n{val}1.JPEG,65,1\n{val}2.JPEG,970,2\n")).unwrap();
        let text = ends_with(0, &["score", &file]);
        assert!(text.contains("top-1: 0.000 % (0/2"), "{text}");
        let column = heading.rsplit(',').next().unwrap();
        assert!(text.contains(&format!("prediction in `{column}`")), "{text}");
        assert!(text.contains("labels: known by the file numbers"), "{text}");
    }
    for (content, reason) in [
        (format!("image,label,class\n{val}1.JPEG,65,1\n"), "of the columns `image`, `label`, `class`"),
        (format!("{val}1.JPEG,65,1\n"), "nothing says which is the prediction"),
        (format!("image,label\n{val}1.JPEG,65\n"), "none says that it is the prediction"),
        (format!("image,label,prediction\n{val}1.JPEG,66,65\n"), "`label` says 66 for"),
    ] {
        fs::write(&file, content).unwrap();
        let text = ends_with(EXIT_WRONG, &["score", &file]);
        assert!(text.contains(reason), "{text}");
    }
    // A list that is given is complete, or it is an error.
    fs::write(&file, format!("{val}1.JPEG,65\n{val}2.JPEG,970\n")).unwrap();
    fs::write(&list, format!("{val}1.JPEG 64\n")).unwrap();
    let text = ends_with(EXIT_WRONG, &["score", &file, "--labels", &list]);
    assert!(text.contains("1 of 2 images are not among the labels that were given"), "{text}");
    assert!(text.contains(&format!("the first: {val}2.JPEG")), "{text}");
}

#[test]
fn complexity_has_a_line_a_figure_and_every_rule_on_request() {
    let lines = |arguments: &[&str]| {
        let text = printed(&mut xtask(&[&["complexity", "timm/xception"], arguments].concat()));
        text.lines().filter(|line| line.contains("timm/xception") || line.contains("params")).count()
    };
    assert_eq!(lines(&[]), 2);
    assert_eq!(lines(&["--input-size", "299"]), 2);
    assert_eq!(lines(&["--rule", "macs"]), 2, "at 224 and at 299 pixels");
    assert_eq!(lines(&["--rule", "macs", "--input-size", "299"]), 1);
    assert_eq!(lines(&["--all-rules"]), 17);
    let text = printed(&mut xtask(&["complexity", "timm/xception", "--input-size", "299"]));
    assert!(text.contains("16.884 G") && text.contains("not comparable"), "{text}");
    assert!(text.contains("2 x thop MACs at 299x299; documented at 224x224"), "{text}");
    let text = printed(&mut xtask(&["complexity", "keras/xception"]));
    assert!(text.contains("the source prints 9.2"), "{text}");
    xtask(&["complexity", "--all-rules", "--rule", "macs"]).assert().code(EXIT_WRONG);
}

/// What a device is given and what it makes of it belong together.
#[test]
fn predictions_are_held_against_what_they_were_made_from() {
    let folder = tempfile::tempdir().unwrap();
    let data = sample_as_files(&folder.path().join("val"), 2);
    let [out, file] = ["prepared", "predictions.csv"].map(|name| folder.path().join(name));
    let [data, out, file] = [&data, &out, &file].map(|path| path.to_str().unwrap());
    let recipe = "resize=short:299,filter=pil-bicubic,crop=299,mean=half,std=half";
    printed(&mut xtask(&["prepare", "--recipe", recipe, "--data", data, "--out", out]));
    let score = ["score", file, "--manifest", out, "--model", "timm/xception"];
    fs::write(file, "ILSVRC2012_val_00000001.JPEG,65\nILSVRC2012_val_00000002.JPEG,1\n").unwrap();
    let text = printed(&mut xtask(&score));
    for expected in [
        "labels: those of the manifest\n",
        "  2 images, 2 tensors, 2 of them beside it, as they were prepared; unverified pixels\n",
        "top-1: 50.000 % (1/2",
        "instead of timm-333-bicubic",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let refused = |arguments: &[&str], expected: &str| {
        xtask(arguments).assert().code(EXIT_WRONG).stderr(contains(expected));
    };
    refused(&[&score[..], &["--data", data]].concat(), "cannot be used with");
    refused(&["score", file, "--manifest", file], "it is no manifest of prepared inputs");
    refused(&["score", file, "--manifest", data], "manifest.json");
    fs::write(file, "ILSVRC2012_val_00000001.JPEG,65\nILSVRC2012_val_00000003.JPEG,1\n").unwrap();
    refused(&score, "1 of 2 predictions are of images that it does not have (ILSVRC2012_val_00000003.JPEG)");
}
