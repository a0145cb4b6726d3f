//! A preparation of the sample: what is written, what goes on, what is left alone.

use super::*;

fn spec(format: TensorFormat) -> TensorSpec {
    TensorSpec { values: TensorValues::U8, layout: TensorLayout::Nhwc, format }
}

fn recipe(side: usize) -> Recipe {
    format!("resize=exact:{side}x{side},filter=pil-bilinear,mean=half,std=half").parse().unwrap()
}

fn run(out: &Path, recipe: &Recipe, spec: TensorSpec, until: usize) -> Result<Option<Manifest>, String> {
    let dataset = Dataset::sample();
    let invocation = Invocation { command: vec!["test".to_owned()], git_revision: "0".to_owned() };
    let work = Preparation { dataset: &dataset, data: "sample".to_owned(), recipe, spec, out, invocation };
    let threads = Threads::new(2).unwrap();
    let stop = AtomicBool::new(until == 0);
    prepare(&work, &threads, &stop, || {}).map_err(|error| error.to_string())
}

#[test]
fn every_tensor_is_the_recipes_crop_and_the_manifest_says_of_what() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(32);
    let made = run(folder.path(), &recipe, spec(TensorFormat::Raw), 1).unwrap().unwrap();
    let (path, manifest) = Manifest::open(folder.path()).unwrap();
    assert_eq!(made, manifest);
    assert_eq!((manifest.shape, manifest.images.len()), ([1, 32, 32, 3], 24));
    assert_eq!(manifest.recipe_in_full, recipe.keys());
    let sample = Dataset::sample();
    for (index, image) in manifest.images.iter().enumerate() {
        let bytes = sample.read(index).unwrap();
        assert_eq!(image.image_sha256.as_deref(), Some(digests::hex(digests::of(&bytes)).as_str()));
        let crop = recipe.input(&Decoded::from_bytes(&bytes).unwrap()).unwrap();
        let written = std::fs::read(folder.path().join(image.file.as_ref().unwrap())).unwrap();
        assert_eq!(written, crop.pixels);
        assert_eq!(image.sha256.as_deref(), Some(digests::hex(digests::of(&written)).as_str()));
    }
    assert_eq!(manifest.check_files(&path), (24, Vec::new()));
    let first = manifest.images[0].file.clone().unwrap();
    std::fs::write(folder.path().join(&first), "other").unwrap();
    assert_eq!(manifest.check_files(&path), (24, vec![first.clone()]));
    // Given again, it mends what is not what it should be.
    run(folder.path(), &recipe, spec(TensorFormat::Raw), 1).unwrap().unwrap();
    assert_eq!(manifest.check_files(&path), (24, Vec::new()));
}

#[test]
fn a_stopped_preparation_has_no_manifest_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), &recipe(8), spec(TensorFormat::Npz), 0).unwrap(), None);
    let error = Manifest::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains(MANIFEST), "{error}");
    let error = run(folder.path(), &recipe(9), spec(TensorFormat::Npz), 1).unwrap_err();
    assert!(error.contains("inputs of another recipe"), "{error}");
    let manifest = run(folder.path(), &recipe(8), spec(TensorFormat::Npz), 1).unwrap().unwrap();
    assert!(
        manifest.images.iter().all(|image| image.file.as_ref().is_some_and(|file| file.ends_with(".npz")))
    );
}

#[test]
fn a_folder_with_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
    let error = run(folder.path(), &recipe(8), spec(TensorFormat::Raw), 1).unwrap_err();
    assert!(error.contains("thesis.txt lies there"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    for name in ["../x", "/etc/x", "a/../../x", "a\\..\\x"] {
        assert!(!is_below(name), "{name}");
    }
    assert!(is_below("n01440764/x.JPEG"));
}
