//! The swaps: a recipe with one factor changed.

use dataset::{Channels, Decoder, Filter, Normalisation, Offset, RECIPES, Recipe, Resize, ResizeTo};

/// A recipe with one factor changed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Swap {
    pub(super) factor: &'static str,
    pub(super) name: String,
    pub(super) recipe: Recipe,
    pub(super) zune_jpeg: bool,
}

/// Every swap for `base`, one factor each.
pub(super) fn swaps(base: &Recipe) -> Vec<Swap> {
    let itself = Swap { factor: "decoder", name: String::new(), recipe: base.clone(), zune_jpeg: false };
    let mut swaps =
        vec![Swap { name: "zune-jpeg (the `image` crate's)".to_owned(), zune_jpeg: true, ..itself }];
    let own = base.keys();
    let mut add = |factor, name: &str, recipe: Recipe| {
        if recipe.keys() != own {
            swaps.push(Swap { factor, name: name.to_owned(), recipe, zune_jpeg: false });
        }
    };
    for (name, decoder) in [("as PIL reads it", Decoder::Pil), ("as OpenCV reads it", Decoder::OpenCv)] {
        add("decoder", name, Recipe { decoder, ..base.clone() });
    }
    for (name, filter) in [
        ("PIL nearest", Filter::PilNearest),
        ("PIL bilinear", Filter::PilBilinear),
        ("PIL bicubic", Filter::PilBicubic),
        ("OpenCV linear", Filter::OpenCvLinear),
        ("OpenCV cubic", Filter::OpenCvCubic),
    ] {
        let resize = base.resize.map(|resize| Resize { filter, ..resize });
        add("resampler", name, Recipe { resize, ..base.clone() });
    }
    // What resizes nothing has a filter only here.
    let filter = base.resize.map_or(Filter::PilBilinear, |resize| resize.filter);
    let side = base.crop.width.max(base.crop.height);
    let own = match base.resize.map(|resize| resize.to) {
        Some(ResizeTo::ShortTruncate(short) | ResizeTo::ShortRound(short)) => Some(short),
        Some(ResizeTo::Pct(share)) => Some((side as f64 / share) as usize),
        Some(ResizeTo::Exact(_)) | None => None,
    };
    // The whole image's middle, the usual crop of 0.875, and what lies between.
    for short in [side, side * 100 / 94, side * 8 / 7] {
        // A few pixels more or less are no other size.
        if own.is_none_or(|own| own.abs_diff(short) > 4) {
            let resize = Some(Resize { to: ResizeTo::ShortTruncate(short), filter });
            add("size", &format!("short side {short}"), Recipe { resize, ..base.clone() });
        }
    }
    let resize = Some(Resize { to: ResizeTo::Exact(base.crop), filter });
    add("size", "stretched, no crop", Recipe { resize, ..base.clone() });
    for (name, offset) in
        [("offset rounded down", Offset::Floor), ("offset rounded half to even", Offset::RoundHalfEven)]
    {
        add("crop", name, Recipe { offset, ..base.clone() });
    }
    for (name, normalise) in [
        ("to [-1, 1]", Normalisation::HALF),
        ("ImageNet statistics", Normalisation::IMAGENET),
        ("to [0, 1]", Normalisation { mean: [0.0; 3], std: [1.0; 3], scale: 255.0 }),
        ("none, 0 to 255", Normalisation { mean: [0.0; 3], std: [1.0; 3], scale: 1.0 }),
    ] {
        add("normalisation", name, Recipe { normalise, ..base.clone() });
    }
    for (name, channels) in [("RGB", Channels::Rgb), ("BGR", Channels::Bgr)] {
        add("channels", name, Recipe { channels, ..base.clone() });
    }
    for recipe in RECIPES.iter().filter(|recipe| recipe.crop == base.crop) {
        add("recipe", recipe.name, recipe.recipe().as_ref().clone());
    }
    swaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(base: &str) -> Vec<String> {
        let swaps = swaps(&Recipe::by_name(base).unwrap());
        swaps.iter().map(|swap| format!("{}: {}", swap.factor, swap.name)).collect()
    }

    #[test]
    fn every_factor_is_swapped_and_none_for_itself() {
        for base in RECIPES {
            let swaps = swaps(base);
            for factor in ["decoder", "resampler", "size", "crop", "normalisation", "channels"] {
                assert!(swaps.iter().any(|swap| swap.factor == factor), "{}: {factor}", base.name);
            }
            let same = |swap: &&Swap| swap.recipe.keys() == base.keys() && !swap.zune_jpeg;
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
