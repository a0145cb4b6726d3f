//! The swaps: a recipe with one factor changed.

use dataset::{CropOffset, Decoder, Interpolation, Normalisation, RECIPES, Recipe, Resize};

/// A recipe with one factor changed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Swap {
    pub(super) factor: &'static str,
    pub(super) name: String,
    pub(super) recipe: Recipe,
    pub(super) zune_jpeg: bool,
    pub(super) bgr: bool,
}

/// Every swap for `base`, one factor each.
pub(super) fn swaps(base: &Recipe) -> Vec<Swap> {
    let mut swaps = Vec::new();
    let mut add = |factor, name: &str, recipe: Recipe| {
        if recipe != *base {
            swaps.push(Swap { factor, name: name.to_owned(), recipe, zune_jpeg: false, bgr: false });
        }
    };
    for (name, decoder) in [("as PIL reads it", Decoder::Pil), ("as OpenCV reads it", Decoder::OpenCv)] {
        add("decoder", name, Recipe { decoder, ..*base });
    }
    for (name, interpolation) in [
        ("PIL nearest", Interpolation::PilNearest),
        ("PIL bilinear", Interpolation::PilBilinear),
        ("PIL bicubic", Interpolation::PilBicubic),
        ("OpenCV linear", Interpolation::OpenCvLinear),
        ("OpenCV cubic", Interpolation::OpenCvCubic),
    ] {
        add("resampler", name, Recipe { interpolation, ..*base });
    }
    let own = match base.resize {
        Resize::ShortSideTruncate(short) | Resize::ShortSideRound(short) => Some(short),
        Resize::Stretch => None,
    };
    // The whole image's middle, the usual crop of 0.875, and what lies between.
    for short in [base.size, base.size * 100 / 94, base.size * 8 / 7] {
        // A few pixels more or less are no other size.
        if own.is_none_or(|own| own.abs_diff(short) > 4) {
            let resize = Resize::ShortSideTruncate(short);
            add("size", &format!("short side {short}"), Recipe { resize, ..*base });
        }
    }
    add("size", "stretched, no crop", Recipe { resize: Resize::Stretch, ..*base });
    for (name, offset) in [
        ("offset rounded down", CropOffset::Floor),
        ("offset rounded half to even", CropOffset::RoundHalfEven),
    ] {
        add("crop", name, Recipe { offset, ..*base });
    }
    for (name, normalise) in [
        ("to [-1, 1]", Normalisation::HALF),
        ("ImageNet statistics", Normalisation::IMAGENET),
        ("to [0, 1]", Normalisation { mean: [0.0; 3], std: [1.0; 3] }),
        ("none, 0 to 255", Normalisation { mean: [0.0; 3], std: [1.0 / 255.0; 3] }),
    ] {
        add("normalisation", name, Recipe { normalise, ..*base });
    }
    for recipe in RECIPES.iter().filter(|recipe| recipe.size == base.size && recipe.name != base.name) {
        add("recipe", recipe.name, *recipe);
    }
    let itself = Swap { factor: "decoder", name: String::new(), recipe: *base, zune_jpeg: false, bgr: false };
    let zune = Swap { name: "zune-jpeg (the `image` crate's)".to_owned(), zune_jpeg: true, ..itself.clone() };
    swaps.insert(0, zune);
    let bgr = Swap { factor: "channels", name: "BGR".to_owned(), bgr: true, ..itself };
    let recipes = swaps.iter().position(|swap| swap.factor == "recipe").unwrap_or(swaps.len());
    swaps.insert(recipes, bgr);
    swaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(base: &str) -> Vec<String> {
        let swaps = swaps(Recipe::by_name(base).unwrap());
        swaps.iter().map(|swap| format!("{}: {}", swap.factor, swap.name)).collect()
    }

    #[test]
    fn every_factor_is_swapped_and_none_for_itself() {
        for base in RECIPES {
            let swaps = swaps(base);
            for factor in ["decoder", "resampler", "size", "crop", "normalisation", "channels"] {
                assert!(swaps.iter().any(|swap| swap.factor == factor), "{}: {factor}", base.name);
            }
            let same = |swap: &&Swap| swap.recipe == *base && !swap.zune_jpeg && !swap.bgr;
            assert_eq!(swaps.iter().find(same), None);
            let others = RECIPES.iter().filter(|other| other.size == base.size && other.name != base.name);
            assert_eq!(swaps.iter().filter(|swap| swap.factor == "recipe").count(), others.count());
        }
        let names = names("timm-333-bicubic");
        assert_eq!(names.len(), 21, "{names:?}");
        assert!(!names.contains(&"resampler: PIL bicubic".to_owned()));
        assert!(names.contains(&"size: short side 341".to_owned()));
    }
}
