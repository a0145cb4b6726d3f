//! Recipes of every filter on generated images against the frozen answers of Pillow 9.5.0 and OpenCV 4.5.5
//! (`tools/reference/make_crops.py`): enlarging and shrinking, odd sizes, sides of 1 pixel, the crops that people use.

use std::collections::BTreeMap;

use dataset::{Filter, Recipe, RecipeError, RgbImage};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A recipe, an image's number and size, and the SHA-256 of the crop, or nothing where the image is smaller than it.
const FROZEN: &str = include_str!("../../../datasets/reference/crops.json");

/// The image that `make_crops.py` makes of a number: noise, slopes with noise, black and white blocks, or faint noise.
fn image(number: u32, width: u32, height: u32) -> RgbImage {
    let noise = |at: u32| {
        let hash = at.wrapping_add(number.wrapping_mul(40_503)).wrapping_mul(2_654_435_761);
        let hash = (hash ^ (hash >> 13)).wrapping_mul(3_266_489_917);
        (hash ^ (hash >> 16)) & 255
    };
    let mut pixels = Vec::new();
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        for channel in 0..3 {
            let at = (y * width + x) * 3 + channel;
            let value = match number % 4 {
                0 => noise(at),
                1 => x * 200 / width / 2 + y * 240 / height / 2 + noise(at) % 32,
                2 => noise((y / 3).wrapping_mul(1009) + x / 5 * 3 + channel) % 2 * 255,
                _ => 120 + noise(at) % 9,
            };
            pixels.push(value as u8);
        }
    }
    RgbImage { width: width as usize, height: height as usize, pixels }
}

#[test]
fn crops_equal_the_libraries_bit_for_bit() {
    let frozen: Value = serde_json::from_str(FROZEN).unwrap();
    let (mut equal, mut wrong) = (BTreeMap::<&str, usize>::new(), Vec::new());
    for crop in frozen["crops"].as_array().unwrap() {
        let text = crop[0].as_str().unwrap();
        let [number, width, height] = [1, 2, 3].map(|at| crop[at].as_u64().unwrap() as u32);
        let recipe: Recipe = match text.parse() {
            Ok(recipe) => recipe,
            Err(error) if crop[4].is_null() => {
                // What fits for no image is refused when it is read.
                assert!(error.to_string().contains("every image would be too small"), "{text}: {error}");
                continue;
            }
            Err(error) => panic!("{text}: {error}"),
        };
        assert_eq!(recipe.keys(), text);
        let filter = recipe.resize.map_or("none", |resize| resize.filter.name());
        let same = match (recipe.crop_view(&image(number, width, height)), crop[4].as_str()) {
            (Ok(found), Some(sha256)) => {
                assert_eq!([found.height, found.width], recipe.crop.axes());
                sha256
                    == Sha256::digest(&found.pixels)
                        .iter()
                        .map(|byte| format!("{byte:02x}"))
                        .collect::<String>()
            }
            (Err(RecipeError::CropDoesNotFit { .. }), None) => true,
            _ => false,
        };
        match same {
            true => *equal.entry(filter).or_default() += 1,
            false => wrong.push(format!("{text} of {width}x{height}, image {number}")),
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "equal: {equal:?}");
    assert!(Filter::ALL.iter().all(|filter| equal[filter.name()] >= 50), "{equal:?}");
    assert!(equal.values().sum::<usize>() >= 600, "{equal:?}");
}
