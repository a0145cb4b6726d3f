//! Recipes of files that people have, against the input that the programs of these files made of the sample by them
//! (`tools/reference/make_recipe_files.py`).

use std::collections::BTreeSet;

use dataset::{Dataset, Decoded, Recipe};
use serde_json::Value;
use sha2::{Digest, Sha256};

const FROZEN: &str = include_str!("../../../datasets/reference/recipe_files.json");

#[test]
fn inputs_equal_those_of_the_programs_whose_files_they_are() {
    let frozen: Value = serde_json::from_str(FROZEN).unwrap();
    let sample = Dataset::sample();
    let decoded: Vec<Decoded> = (0..sample.items().len())
        .map(|index| Decoded::from_bytes(&sample.read(index).unwrap()).unwrap())
        .collect();
    let mut kinds = BTreeSet::new();
    for entry in frozen.as_array().unwrap() {
        let text = entry["file"].to_string();
        let recipe =
            Recipe::from_json(&text, "config.json").unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(recipe.provenance.ends_with("from config.json"), "{}", recipe.provenance);
        // A recipe of a file is one of its keys, so that a run is identified by them.
        assert_eq!(recipe.keys().parse::<Recipe>().unwrap().keys(), recipe.keys());
        let hashes = entry["sha256"].as_array().unwrap();
        assert_eq!(hashes.len(), decoded.len());
        for (index, hash) in hashes.iter().enumerate() {
            let input = recipe.input(&decoded[index]).unwrap();
            let found: String =
                Sha256::digest(&input.pixels).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(
                Some(found.as_str()),
                hash.as_str(),
                "image {} by {}: {text}",
                index + 1,
                recipe.keys()
            );
        }
        kinds.insert(entry["kind"].as_str().unwrap());
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["hugging-face", "timm"]);
}
