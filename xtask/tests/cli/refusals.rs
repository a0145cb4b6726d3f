//! What is refused, or taken from the environment, before anything is computed.

use super::*;

#[test]
fn wrong_commands_say_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let refused = |arguments: &[&str], expected: &str| {
        xtask(arguments).assert().code(EXIT_WRONG).stderr(contains(expected));
        // What the command would do is not shown either, where it would do nothing.
        if arguments[0] == "eval" {
            let plan = [arguments, &["--plan"]].concat();
            xtask(&plan).assert().code(EXIT_WRONG).stdout("").stderr(contains(expected));
        }
    };
    refused(&["eval"], "--all|--model");
    refused(
        &["eval", "--model", "timm/xceptoin"],
        "no model matches `timm/xceptoin`; the nearest are timm/xception",
    );
    let own = folder.path().join("own.toml");
    let entry = |arch: &str| {
        format!(
            "[[models]]\nid = \"mine/{arch}\"\nnetwork = \"timm-{arch}\"\nrecipe = \"card-342-bilinear\"\ninput_size = 299\n"
        )
    };
    fs::write(&own, entry("xception41") + &entry("xception98")).unwrap();
    let own = own.to_str().unwrap();
    for selection in [&["--all"][..], &["--model", "mine/*"]] {
        refused(
            &[&["eval", "--catalog", own], selection].concat(),
            "model `mine/xception98`: there is no network `timm-xception98`; there are timm-xception,",
        );
    }
    refused(&["eval", "--model", "timm/["], "is no pattern");
    refused(&eval(&out, &["--device", "tpu"]), "no device is called `tpu`; this build has flex, ndarray");
    refused(&eval(&out, &["--dtype", "f64"]), "no type is called `f64`; there are f32, f16 and bf16");
    refused(&eval(&out, &["--dtype", "f16"]), "the device `flex` does not compute in f16 here; it has f32");
    refused(&eval(&out, &["--recipe", "timm-9"]), "use source, card or one of timm-333-bicubic");
    refused(&eval(&out, &["--recipe", "card-342-bilinaer"]), "(did you mean card-342-bilinear?)");
    let keys = "resize=short:256,filter=pil-bicubc,crop=224,mean=half,std=half";
    refused(&eval(&out, &["--recipe", keys]), "did you mean `pil-bicubic`? There are pil-nearest,");
    refused(&eval(&out, &["--recipe", "resize=short:256"]), "`filter` is missing; write filter=pil-bilinear");
    refused(&eval(&out, &["--batch", "0"]), "--batch");
    refused(&eval(&out, &["--batch", "9223372036854775807"]), "--batch");
    refused(&eval(&out, &["--labels", "list.txt"]), "--labels goes with --data");
    refused(&eval(&out, &["--tolerance", "-1"]), "--tolerance");
    refused(&eval(&out, &["--tolerance", "many"]), "percentage points from 0 to 100");
    refused(&eval(&out, &["--sample", "0"]), "a sample of no images says nothing; N is 1 to 49999");
    refused(&eval(&out, &["--sample", "50000"]), "leave it out to evaluate all of them");
    refused(&eval(&out, &["--sample", "1e3"]), "N or N:SEED is needed, such as 1000 or 1000:7");
    refused(&eval(&out, &["--sample", "9:-1"]), "N or N:SEED is needed");
    refused(&eval(&out, &["--sample", "9"]), "embedded sample has not all of them by name");
    refused(&eval(&out, &["--sample", "9", "--limit", "3"]), "cannot be used with");
    refused(&eval(&out, &["--until", "decided"]), "a random sample is drawn from all 50,000 images");
    refused(&eval(&out, &["--until", "noon"]), "decided");
    refused(&eval(&out, &["--until", "decided", "--shard", "1/2"]), "cannot be used with");
    refused(&eval(&out, &["--until", "decided", "--precision", "-1"]), "percentage points from 0 to 100");
    refused(&eval(&out, &["--precision", "1"]), "--until");
    refused(
        &eval(&out, &["--digests", "/no/such.csv"]),
        "/no/such.csv holds no digests of ILSVRC2012_img_val.tar",
    );
    refused(&eval(&out, &["--weights", "/no/such.pth"]), "cannot read the weights /no/such.pth");
    refused(
        &eval(&out, &["--offline", "--weights", "pretrained"]),
        "/nonexistent/cache/xception-43020ad28.pth",
    );
    refused(&eval(&out, &["--catalog", "/no/such.toml"]), "cannot read the catalog /no/such.toml");
    refused(&["complexity", "--rule", "guess"], "thop-flops");
    assert!(!out.exists(), "a refused command leaves nothing behind");
}

#[test]
fn wrong_data_says_where_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let refused = |data: &Path, expected: &str| {
        let arguments = eval(&out, &["--weights", "seeded", "--data", data.to_str().unwrap()]);
        xtask(&arguments).assert().code(EXIT_WRONG).stderr(contains(expected));
        if !expected.contains("could be evaluated") {
            let plan = [&arguments[..], &["--plan"]].concat();
            xtask(&plan).assert().code(EXIT_WRONG).stderr(contains(expected));
        }
    };
    refused(&folder.path().join("absent"), "no such file or folder");
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    refused(&images, "no images");
    sample_as_files(&images, 2);
    fs::write(images.join("cat.jpg"), "").unwrap();
    refused(&images, "cat.jpg");
    let list = images.join("val.txt");
    let names = ["cat.jpg", "ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000002.JPEG"];
    let write_list = |labels: [&str; 3]| {
        let lines: Vec<String> =
            names.iter().zip(labels).map(|(name, label)| format!("{name} {label}\n")).collect();
        fs::write(&list, lines.concat()).unwrap();
    };
    fs::write(&list, "cat.jpg 1\nILSVRC2012_val_00000009.JPEG 1\n").unwrap();
    refused(&images, "ILSVRC2012_val_00000009.JPEG");
    write_list(["0", "1001", "2"]);
    refused(&images, "line 2: label 1001 is not in 0..999");
    write_list(["tabby", "1", "2"]);
    refused(&images, "line 1");
    // Every image unreadable: there is nothing to report, and that is an error.
    names.iter().for_each(|name| fs::write(images.join(name), "text").unwrap());
    write_list(["0", "1", "2"]);
    refused(&images, "not one of the 3 images could be evaluated");
}

#[test]
fn a_directory_that_cannot_be_written_is_said_before_anything_is_computed() {
    // A file where a folder is needed is in the way of root too.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for plan in [&[][..], &["--plan"]] {
        xtask(&eval(&file.join("run"), plan)).assert().code(EXIT_WRONG).stderr(contains("cannot create"));
    }
}

#[test]
fn a_folder_can_come_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let images = sample_as_files(&folder.path().join("images"), 1);
    let out = folder.path().join("run");
    xtask(&eval(&out, &["--weights", "seeded"]))
        .env("IMAGENET_DATA", &images)
        .assert()
        .success()
        .stdout(contains("1 images, not the 50,000").and(contains("seeded weights")));
}

#[test]
fn a_cached_file_that_is_not_the_published_one_is_refused() {
    let cache = tempfile::tempdir().unwrap();
    fs::write(cache.path().join("xception-43020ad28.pth"), "half a download").unwrap();
    let out = cache.path().join("run");
    xtask(&eval(&out, &["--weights", "pretrained"]))
        .env("IMAGENET_EVAL_CACHE", cache.path())
        .assert()
        .code(EXIT_WRONG)
        .stderr(contains("is not the published file").and(contains("should begin with 43020ad28")));
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    xtask(&eval(&out, &["--limit", "1"])).env("IMAGENET_DATA", "").assert().success();
}
