//! Every recipe on every sample image against the frozen answers of Pillow 9.5.0 and OpenCV 4.5.5.
//! Iterates [`RECIPES`], so that a new recipe is tested as soon as its answers are frozen.

use dataset::{Dataset, Decoded, Decoder, RECIPES};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 of the decoded pixels and of each recipe's crop, by image name.
const FROZEN: &str = include_str!("../../../datasets/sample/preprocess.json");

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn decoded_pixels_and_crops_equal_the_sources() {
    let frozen: Value = serde_json::from_str(FROZEN).unwrap();
    let sample = Dataset::sample();
    let (mut decodes, mut crops, mut wrong) = (0, 0, Vec::new());
    for (index, item) in sample.items().iter().enumerate() {
        let frozen = &frozen["images"][&item.name];
        let decoded = Decoded::from_bytes(&sample.read(index).unwrap()).unwrap();
        let view = decoded.view(Decoder::Pil).unwrap();
        assert_eq!(view.width as u64, frozen["width"].as_u64().unwrap(), "{}", item.name);
        assert_eq!(view.height as u64, frozen["height"].as_u64().unwrap(), "{}", item.name);
        if sha256(&view.pixels) == frozen["decoded"].as_str().unwrap() {
            decodes += 1;
        } else {
            wrong.push(format!("{} decoded", item.name));
        }
        for recipe in RECIPES {
            let crop = recipe.crop(&decoded).unwrap();
            assert_eq!((crop.width, crop.height), (recipe.size, recipe.size));
            let answer =
                frozen[recipe.name].as_str().unwrap_or_else(|| panic!("{}: not frozen", recipe.name));
            if sha256(&crop.pixels) == answer {
                crops += 1;
            } else {
                wrong.push(format!("{} {}", item.name, recipe.name));
            }
        }
    }
    assert_eq!((decodes, crops), (24, 24 * RECIPES.len()), "not bit for bit: {wrong:#?}");
}
