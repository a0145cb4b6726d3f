//! The swaps: a recipe with one factor changed. What may be put in a factor's place is data, keys of the recipes' grammar; what
//! changes a size is computed from the recipe's own.

use std::sync::Arc;

use dataset::{Filter, RECIPES, Recipe, Resize, ResizeTo, Size};

/// A recipe with one factor changed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Swap {
    pub(super) factor: &'static str,
    pub(super) name: String,
    pub(super) recipe: Arc<Recipe>,
    /// The factors that it changes: more than one if it is a whole recipe.
    pub(super) changes: Vec<&'static str>,
    /// Whether `recipe` is that of the model's source.
    pub(super) is_own: bool,
    /// Whether the file is decoded by zune-jpeg, which no recipe can say.
    pub(super) zune_jpeg: bool,
}

/// What may stand in a factor's place: the factor, its name for people, the keys.
const KEYS: [(&str, &str, &str); 24] = [
    ("decoder", "as PIL reads it", "decoder=pil"),
    ("decoder", "as OpenCV reads it", "decoder=opencv"),
    ("filter", "PIL nearest", "filter=pil-nearest"),
    ("filter", "PIL box", "filter=pil-box"),
    ("filter", "PIL bilinear", "filter=pil-bilinear"),
    ("filter", "PIL hamming", "filter=pil-hamming"),
    ("filter", "PIL bicubic", "filter=pil-bicubic"),
    ("filter", "PIL lanczos", "filter=pil-lanczos"),
    ("filter", "OpenCV nearest", "filter=opencv-nearest"),
    ("filter", "OpenCV linear", "filter=opencv-linear"),
    ("filter", "OpenCV cubic", "filter=opencv-cubic"),
    ("filter", "OpenCV area", "filter=opencv-area"),
    ("filter", "OpenCV lanczos4", "filter=opencv-lanczos4"),
    ("offset", "rounded down", "offset=floor"),
    ("offset", "rounded half to even", "offset=round-half-even"),
    ("normalisation", "to [-1, 1]", "mean=half,std=half,scale=255"),
    ("normalisation", "ImageNet statistics", "mean=imagenet,std=imagenet,scale=255"),
    ("normalisation", "to [0, 1]", "mean=0/0/0,std=1/1/1,scale=255"),
    ("normalisation", "none, 0 to 255", "mean=0/0/0,std=1/1/1,scale=1"),
    ("normalisation", "Caffe's mean, 0 to 255", "mean=123.68/116.779/103.939,std=1/1/1,scale=1"),
    ("normalisation", "Caffe's mean for BGR, 0 to 255", "mean=103.939/116.779/123.68,std=1/1/1,scale=1"),
    ("normalisation", "ImageNet deviation, mean 0.5", "mean=half,std=imagenet,scale=255"),
    ("channels", "RGB", "channels=rgb"),
    ("channels", "BGR", "channels=bgr"),
];

/// Shares of the short side that a crop takes, as sources have them: the usual one, timm's others, all of it.
const SHARES: [f64; 5] = [0.875, 0.9, 0.95, 1.0, 0.8];

/// The factor of swaps that are whole recipes.
const RECIPE: &str = "recipe";

/// A resize to a few pixels more or less is no other size.
const SAME_SIDE: usize = 2;

/// Sides of crops, in pixels, for which classifiers are published. Of those near the recipe's own each is tried.
const CROPS: [usize; 10] = [128, 160, 192, 224, 240, 260, 288, 299, 331, 384];

/// A crop is tried if it has between half and twice the pixels of the recipe's.
const CROP_RATIO: std::ops::RangeInclusive<f64> = 0.5..=2.0;

/// Every swap for `base`, one factor each, and the recipe `own` of the model's source, where the run has another. With `any_crop` the
/// network takes crops of other sizes.
pub(super) fn swaps(base: &Recipe, own: Option<&Arc<Recipe>>, any_crop: bool) -> Vec<Swap> {
    let zune = "zune-jpeg (the `image` crate's)".to_owned();
    let mut swaps = vec![Swap {
        factor: "decoder",
        name: zune,
        recipe: Arc::new(base.clone()),
        changes: vec!["decoder"],
        is_own: false,
        zune_jpeg: true,
    }];
    let mut seen = vec![explicit(base)];
    let own = own.filter(|own| any_crop || own.crop == base.crop);
    let mut add = |factor, mut name: String, recipe: Recipe| {
        let does = explicit(&recipe);
        if seen.contains(&does) {
            return;
        }
        let own = own.filter(|own| explicit(own) == does);
        if own.is_some() && factor != RECIPE {
            name += ", which makes it the model's own recipe";
        }
        let changes = if factor == RECIPE { changes(base, &recipe) } else { vec![factor] };
        // The source's keys are those that a person finds there.
        let recipe = own.map_or_else(|| Arc::new(recipe), Arc::clone);
        seen.push(does);
        swaps.push(Swap { factor, name, recipe, changes, is_own: own.is_some(), zune_jpeg: false });
    };
    for (factor, name, keys) in KEYS {
        // A filter where nothing is resized, for one, makes no recipe.
        if let Some(recipe) = with(base, keys) {
            add(factor, name.to_owned(), recipe);
        }
    }
    for (name, recipe) in resized(base) {
        add("resize", name, recipe);
    }
    if any_crop && base.crop.is_square() {
        let side = base.crop.width;
        let ratio = |crop: usize| (crop * crop) as f64 / (side * side) as f64;
        let near = |crop: &usize| CROP_RATIO.contains(&ratio(*crop)) && crop.abs_diff(side) > SAME_SIDE;
        for crop in CROPS.into_iter().filter(near) {
            add("crop", format!("{crop} pixels"), at_crop(base, crop));
        }
    }
    if let Some(own) = own {
        add(RECIPE, format!("the model's own, {}", own.name), own.as_ref().clone());
    }
    for recipe in RECIPES.iter().filter(|recipe| recipe.crop == base.crop) {
        add(RECIPE, recipe.name.to_owned(), recipe.recipe().as_ref().clone());
    }
    swaps
}

/// What `recipe` does, by its keys: a share of the crop's side is the short side that it amounts to.
fn explicit(recipe: &Recipe) -> String {
    let to = |to| match to {
        ResizeTo::Pct(share) => ResizeTo::ShortTruncate((recipe.crop.width as f64 / share) as usize),
        other => other,
    };
    let resize = recipe.resize.map(|resize| Resize { to: to(resize.to), ..resize });
    Recipe { resize, ..recipe.clone() }.keys()
}

/// The factors in which `other` differs from `base`. A crop of another size and of the same part of the image is another crop and no other
/// resize.
fn changes(base: &Recipe, other: &Recipe) -> Vec<&'static str> {
    let scaled = if base.crop.is_square() && other.crop.is_square() {
        at_crop(base, other.crop.width)
    } else {
        base.clone()
    };
    let filter = |recipe: &Recipe| recipe.resize.map(|resize| resize.filter);
    let is_same_size = match (short_side(&scaled), short_side(other)) {
        (Some(short), Some(other)) => short.abs_diff(other) <= SAME_SIDE,
        (None, None) => scaled.resize.map(|resize| resize.to) == other.resize.map(|resize| resize.to),
        _ => false,
    };
    let differs = [
        ("decoder", base.decoder != other.decoder),
        ("filter", filter(base) != filter(other)),
        ("resize", !is_same_size || base.crop_first != other.crop_first),
        ("crop", base.crop != other.crop || base.pad != other.pad),
        ("offset", base.offset != other.offset),
        ("normalisation", base.normalise != other.normalise),
        ("channels", base.channels != other.channels),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(factor, _)| factor).collect()
}

/// `base` with these `keys` in the place of its own.
fn with(base: &Recipe, keys: &str) -> Option<Recipe> {
    let pair = |part: &str| part.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    let mut pairs: Vec<(String, String)> = base.keys().split(',').filter_map(pair).collect();
    for (key, value) in keys.split(',').filter_map(pair) {
        pairs.iter_mut().filter(|(known, _)| *known == key).for_each(|(_, own)| own.clone_from(&value));
        if pairs.iter().all(|(known, _)| *known != key) {
            pairs.push((key, value));
        }
    }
    Recipe::unnamed(pairs).ok()
}

/// `base` with other sizes before the crop.
fn resized(base: &Recipe) -> Vec<(String, Recipe)> {
    // What resizes nothing has a filter only here.
    let filter = base.resize.map_or(Filter::PilBilinear, |resize| resize.filter);
    let to = |to| Recipe { resize: Some(Resize { to, filter }), crop_first: None, ..base.clone() };
    let side = base.crop.width.max(base.crop.height);
    let mut made: Vec<(String, Recipe)> = Vec::new();
    let own = short_side(base);
    let mut sides = Vec::new();
    for share in SHARES {
        let short = (side as f64 / share) as usize;
        if [own]
            .into_iter()
            .flatten()
            .chain(sides.iter().copied())
            .all(|it: usize| it.abs_diff(short) > SAME_SIDE)
        {
            sides.push(short);
            made.push((
                format!("short side {short} (the crop is {share} of it)"),
                to(ResizeTo::ShortTruncate(short)),
            ));
        }
    }
    made.push(("stretched, no crop".to_owned(), to(ResizeTo::Exact(base.crop))));
    // Both sides of what is cropped from, in proportion: the page that says Resize(256) may mean 256 x 256.
    if let Some(short) = own {
        let exact = Size { width: short, height: short };
        made.push((format!("stretched to {short}x{short}, then cropped"), to(ResizeTo::Exact(exact))));
    }
    if let Some(recipe) = with(&to(ResizeTo::Exact(base.crop)), "crop-first=pad32") {
        made.push(("TensorFlow's, the crop before the resize".to_owned(), recipe));
    }
    made
}

/// The short side that `recipe` crops from, where it resizes to one.
fn short_side(recipe: &Recipe) -> Option<usize> {
    match recipe.resize.map(|resize| resize.to) {
        Some(ResizeTo::ShortTruncate(short) | ResizeTo::ShortRound(short)) => Some(short),
        Some(ResizeTo::Pct(share)) => Some((recipe.crop.width as f64 / share) as usize),
        Some(ResizeTo::Exact(_)) | None => None,
    }
}

/// `base` with a square crop of `side` pixels of the same part of the image.
fn at_crop(base: &Recipe, side: usize) -> Recipe {
    let scaled = |pixels: usize| (pixels * side + base.crop.width / 2) / base.crop.width;
    let to = |to| match to {
        ResizeTo::ShortTruncate(short) => ResizeTo::ShortTruncate(scaled(short)),
        ResizeTo::ShortRound(short) => ResizeTo::ShortRound(scaled(short)),
        ResizeTo::Pct(share) => ResizeTo::Pct(share),
        ResizeTo::Exact(Size { width, height }) => {
            ResizeTo::Exact(Size { width: scaled(width), height: scaled(height) })
        }
    };
    let resize = base.resize.map(|resize| Resize { to: to(resize.to), ..resize });
    let named = Recipe { resize, crop: Size::square(side), ..base.clone() };
    Recipe { name: named.keys(), ..named }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(base: &str, own: Option<&str>, any_crop: bool) -> Vec<String> {
        let recipe = |text: &str| Recipe::by_name(text).unwrap_or_else(|| Arc::new(text.parse().unwrap()));
        let own = own.map(recipe);
        let swaps = swaps(&recipe(base), own.as_ref(), any_crop);
        swaps.iter().map(|swap| format!("{}: {}", swap.factor, swap.name)).collect()
    }

    #[test]
    fn every_factor_is_swapped_and_none_for_itself() {
        for base in RECIPES {
            let swaps = swaps(base, None, true);
            for factor in ["decoder", "filter", "resize", "crop", "offset", "normalisation", "channels"] {
                assert!(swaps.iter().any(|swap| swap.factor == factor), "{}: {factor}", base.name);
            }
            let keys: Vec<String> = swaps.iter().skip(1).map(|swap| swap.recipe.keys()).collect();
            assert!(!keys.contains(&base.keys()), "{}", base.name);
            let others = keys.iter().enumerate().filter(|(index, it)| keys[..*index].contains(it));
            assert_eq!(others.count(), 0, "{}", base.name);
        }
        let found = names("timm-333-bicubic", None, false);
        assert!(!found.contains(&"filter: PIL bicubic".to_owned()));
        assert!(found.contains(&"resize: short side 341 (the crop is 0.875 of it)".to_owned()), "{found:?}");
        assert!(found.contains(&"recipe: card-342-bilinear".to_owned()), "{found:?}");
        assert!(!found.iter().any(|name| name.starts_with("crop: ")), "{found:?}");
        assert!(names("timm-333-bicubic", None, true).contains(&"crop: 240 pixels".to_owned()));
    }

    #[test]
    fn the_source_s_own_recipe_is_tried_and_named() {
        let wrong = "resize=pct:0.875,filter=pil-bicubic,crop=224,mean=imagenet,std=imagenet";
        let right = wrong.replace("mean=imagenet,std=imagenet", "mean=half,std=half");
        let found = names(wrong, Some(&right), true);
        let own = "normalisation: to [-1, 1], which makes it the model's own recipe".to_owned();
        assert!(found.contains(&own), "{found:?}");
        let is_tried = |own: &str, any_crop| {
            names(wrong, Some(own), any_crop).iter().any(|name| name.starts_with("recipe: the model's own"))
        };
        // The same is not tried twice.
        assert!(!is_tried(&right, true) && !is_tried(wrong, true));
        let larger = right.replace("224", "240");
        assert!(is_tried(&larger, true) && !is_tried(&larger, false));
        // By other keys of the same meaning, too, and then with the source's.
        let recipe = |text: &str| Arc::new(text.parse::<Recipe>().unwrap());
        let found = swaps(&recipe(&right.replace("pct:0.875", "pct:1")), Some(&recipe(&right)), true);
        let own: Vec<&Swap> = found.iter().filter(|swap| swap.is_own).collect();
        assert_eq!(own.len(), 1);
        assert_eq!((own[0].factor, own[0].recipe.keys()), ("resize", recipe(&right).keys()));
    }

    #[test]
    fn a_whole_recipe_says_which_factors_it_changes() {
        let base = "decoder=pil,resize=pct:0.875,filter=pil-bicubic,crop=224,mean=half,std=half";
        let imagenet = base.replace("=half", "=imagenet");
        for (other, expected) in [
            (imagenet.clone(), &["normalisation"][..]),
            (base.replace("224", "240"), &["crop"]),
            (base.replace("pct:0.875", "short:256"), &[]),
            (base.replace("pct:0.875", "short:297").replace("224", "260"), &["crop"]),
            (imagenet.replace("pct:0.875", "exact:224x224"), &["resize", "normalisation"]),
            (base.replace("pil-bicubic", "opencv-cubic") + ",channels=bgr", &["filter", "channels"]),
        ] {
            let recipe = |text: &str| text.parse::<Recipe>().unwrap();
            assert_eq!(changes(&recipe(base), &recipe(&other)), expected, "{other}");
        }
    }

    #[test]
    fn a_larger_crop_is_of_the_same_part_of_the_image() {
        for (from, to) in [
            (
                "resize=short:256,filter=pil-bilinear,crop=224",
                "resize=short:274,filter=pil-bilinear,crop=240",
            ),
            ("resize=exact:256x256,filter=pil-box,crop=224", "resize=exact:274x274,filter=pil-box,crop=240"),
            ("resize=pct:0.9,filter=pil-box,crop=224", "resize=pct:0.9,filter=pil-box,crop=240"),
            ("resize=none,crop=224", "resize=none,crop=240"),
        ] {
            let recipe = |text: &str| format!("{text},mean=half,std=half").parse::<Recipe>().unwrap();
            assert_eq!(at_crop(&recipe(from), 240).keys(), recipe(to).keys());
        }
    }
}
