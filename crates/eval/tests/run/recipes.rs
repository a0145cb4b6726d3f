//! Recipes stated by their keys: a run is identified by what its recipe does, whatever it is called.

use super::*;

const OWN: &str = "[[recipes]]\nname = \"mine-256\"\nresize = \"short:256\"\nfilter = \"pil-box\"\ncrop = 224\n\
                   mean = [0.485, 0.456, 0.406]\nstd = \"imagenet\"\n\
                   [[models]]\nid = \"mine/x\"\nnetwork = \"timm-resnet18\"\nrecipe = \"mine-256\"\ninput_size = 224\n";

fn definitions(text: &str, folder: &Path) -> Definitions {
    let path = folder.join("own.toml");
    fs::write(&path, text).unwrap();
    let mut definitions = Definitions::built_in();
    definitions.add_file(&path).unwrap();
    definitions
}

fn record(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path.join("run.json")).unwrap()).unwrap()
}

#[test]
fn keys_that_are_the_models_own_are_its_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let one = || Options { limit: Some(1), ..Options::default() };
    run(&plan(&one()).unwrap(), &path).unwrap();
    let before = record(&path);
    let own = before["models"][0]["recipe_in_full"].as_str().unwrap();
    assert!(own.starts_with("decoder=pil,resize=short:333,filter=pil-bicubic,crop=299,"), "{own}");
    // In another order, and without what need not be stated.
    let keys = "mean=half,std=half,crop=299,filter=pil-bicubic,resize=short:333";
    let stated = plan(&Options { keys: Some(keys), ..one() }).unwrap();
    run(&stated, &path).unwrap();
    let now = record(&path);
    assert_eq!(now["models"][0]["recipe"], own);
    let reason = now["models"][0]["figures"][0]["reason"].as_str().unwrap();
    assert!(!reason.contains("recipe"), "{reason}");
    let other = keys.replace("333", "334");
    let other = plan(&Options { keys: Some(&other), ..one() }).unwrap();
    let message = run(&other, &path).unwrap_err().to_string();
    assert!(
        message.contains("the recipes of timm/xception differ") && message.contains("short:334"),
        "{message}"
    );
}

#[test]
fn a_run_from_before_recipes_were_recorded_in_full_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let one = Options { limit: Some(1), ..Options::default() };
    run(&plan(&one).unwrap(), &path).unwrap();
    let mut old = record(&path);
    old["models"][0].as_object_mut().unwrap().remove("recipe_in_full").unwrap();
    fs::write(path.join("run.json"), old.to_string()).unwrap();
    let message = run(&plan(&Options { card: true, ..one }).unwrap(), &path).unwrap_err().to_string();
    assert!(message.contains("(timm-333-bicubic there"), "{message}");
    run(&plan(&Options { limit: Some(1), ..Options::default() }).unwrap(), &path).unwrap();
    assert!(record(&path)["models"][0]["recipe_in_full"].is_string());
}

#[test]
fn a_users_recipe_is_what_it_says_at_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let one = Options { limit: Some(1), ..Options::default() };
    run(&plan_of(&definitions(OWN, folder.path()), "mine/x", &one).unwrap(), &path).unwrap();
    assert_eq!(record(&path)["models"][0]["recipe"], "mine-256");
    let changed = definitions(&OWN.replace("pil-box", "opencv-area"), folder.path());
    let message = run(&plan_of(&changed, "mine/x", &one).unwrap(), &path).unwrap_err().to_string();
    assert!(message.contains("filter=pil-box") && message.contains("filter=opencv-area"), "{message}");
}

#[test]
fn a_crop_that_is_no_square_runs_where_the_network_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let keys = "resize=exact:260x224,filter=opencv-area,mean=imagenet,std=imagenet,channels=bgr";
    let options = Options { keys: Some(keys), limit: Some(2), ..Options::default() };
    let built_in = Definitions::built_in();
    let path = folder.path().join("run");
    run(&plan_of(&built_in, "timm/resnet18", &options).unwrap(), &path).unwrap();
    let model = &record(&path)["models"][0];
    assert_eq!((model["images"].as_u64(), model["errors"].as_u64()), (Some(2), Some(0)));
    let reason = model["figures"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("crop=260x224") && reason.contains("instead of timm-256-bilinear"), "{reason}");

    let refused = |keys| match plan(&Options { keys: Some(keys), ..Options::default() }) {
        Ok(_) => panic!("{keys}"),
        Err(error) => error.to_string(),
    };
    let small = refused("resize=exact:2x2,filter=pil-box,mean=half,std=half");
    assert!(small.starts_with("timm/xception: "), "{small}");
    assert!(refused("resize=exact:9x9,filter=pil-bix").contains("did you mean `pil-box`?"));
}
