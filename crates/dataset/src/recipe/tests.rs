//! What recipes say, read and print, and the sizes and corners that they come to.

use super::*;

const EXAMPLE: &str = Recipe::EXAMPLE;

fn size(name: &str, width: usize, height: usize) -> (usize, usize) {
    Recipe::by_name(name).unwrap().resized(width, height)
}

fn parsed(text: &str) -> Recipe {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn names_are_unique_and_found() {
    for recipe in RECIPES {
        assert_eq!(Recipe::by_name(recipe.name).as_ref(), Some(recipe.recipe()));
        assert_eq!(recipe.crop, Size::square(recipe.size));
        assert!(!recipe.summary.is_empty() && !recipe.provenance.is_empty());
        assert!(!recipe.provenance.contains("  "), "{}", recipe.provenance);
    }
    assert_eq!(Recipe::by_name("timm-332-bicubic"), None);
}

#[test]
fn a_recipe_prints_itself_back() {
    for text in RECIPES.iter().map(|recipe| recipe.keys()).chain(
        [
            "decoder=opencv,crop-first=pad32,resize=exact:224x224,filter=opencv-lanczos4,crop=224,offset=floor,\
             mean=103.939/116.779/123.68,std=1/1/1,scale=1,channels=bgr",
            "decoder=pil,resize=short-round:10,filter=pil-hamming,crop=320x240,offset=floor,pad=zero,mean=half,\
             std=imagenet,scale=127.5,channels=rgb",
            "decoder=pil,crop-first=0.875,resize=none,crop=7x9,offset=round-half-even,pad=zero,mean=0.1/-2/0.0003,\
             std=0.229/0.224/0.2251,scale=255,channels=rgb",
            "decoder=pil,resize=pct:0.8975,filter=pil-box,crop=299,offset=round-half-even,mean=0/0/0,std=half,\
             scale=255,channels=rgb",
        ]
        .map(str::to_owned),
    ) {
        assert_eq!(parsed(&text).keys(), text);
        assert_eq!(parsed(&text).name, text);
    }
}

#[test]
fn what_is_left_out_is_what_the_filters_library_does() {
    let short = parsed("mean=half, std=half, filter=opencv-linear, resize=exact:20x10");
    assert_eq!(
        short.keys(),
        "decoder=opencv,resize=exact:20x10,filter=opencv-linear,crop=20x10,offset=floor,mean=half,std=half,\
         scale=255,channels=rgb"
    );
    assert!(parsed(EXAMPLE).keys().starts_with("decoder=pil,"));
    let numbers = EXAMPLE.replace("std=imagenet", "std=0.229/0.224/0.225");
    assert_eq!(parsed(&numbers).keys(), parsed(EXAMPLE).keys());
}

#[test]
fn errors_say_what_where_and_what_is_possible() {
    let with = |from: &str, to: &str| EXAMPLE.replace(from, to).parse::<Recipe>().unwrap_err().to_string();
    for (from, to, expected) in [
        (
            "filter=",
            "filtre=",
            "there is no key `filtre`; did you mean `filter`? There are decoder, crop-first,",
        ),
        ("pil-bilinear", "pil-bilnear", "there is no filter `pil-bilnear`; did you mean `pil-bilinear`?"),
        ("pil-bilinear", "catmull", "there is no filter `catmull`"),
        (",crop=224", "", "`crop` is missing; write crop=224"),
        ("filter=pil-bilinear,", "", "`filter` is missing; write filter="),
        ("resize=short:256,", "", "`resize` is missing; write resize="),
        ("crop=224", "crop=224,crop=225", "`crop` is there twice"),
        ("crop=224", "crop=0", "crop=0: `0` is no number of pixels from 1 to 8192"),
        ("crop=224", "crop=+3", "`+3` is no number of pixels"),
        ("crop=224", "crop=4x", "`` is no number of pixels"),
        ("crop=224", "224", "`224` is not key=value; a recipe is written like resize=short:256,"),
        ("crop=224", "crop=257", "every image would be too small"),
        ("short:256", "exact:100x300", "every image would be too small"),
        (
            "short:256",
            "long:256",
            "resize=long:256: there are short:N, short-round:N, pct:F, exact:WxH and none",
        ),
        ("short:256", "pct:1.5", "above 0 and up to 1"),
        ("short:256", "pct:1e-9", "more than 65535 pixels"),
        ("short:256", "none", "so filter=pil-bilinear must go"),
        ("short:256,filter=pil-bilinear,crop=224", "pct:0.9,filter=pil-box,crop=20x10", "square crop"),
        ("mean=imagenet", "mean=0.5", "three numbers"),
        ("mean=imagenet", "mean=nan/0/0", "three numbers"),
        ("std=imagenet", "std=0/1/1", "a deviation is above 0"),
        ("std=imagenet", "std=imagenet,scale=0", "scale=0: pixels are divided by a number above 0"),
        ("std=imagenet", "std=imagenet,channels=grb", "there is no channels `grb`"),
        ("std=imagenet", "std=imagenet,offset=half", "There are round-half-even, floor"),
    ] {
        let message = with(from, to);
        assert!(message.contains(expected), "{from} {to}: {message}");
    }
    for (name, expected) in [("a,b", "letters"), ("", "letters"), ("card", "means something else")] {
        let error = Recipe::named(name, []).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn sizes_as_the_sources_round_them() {
    assert_eq!(size("timm-333-bicubic", 500, 375), (444, 333));
    assert_eq!(size("timm-333-bicubic", 375, 500), (333, 444));
    assert_eq!(size("timm-331-bicubic", 331, 450), (331, 450));
    assert_eq!(size("ppcls-320-bilinear", 500, 375), (427, 320));
    assert_eq!(size("keras-cv2-cubic-341", 500, 375), (454, 341));
    assert_eq!(size("keras-load_img", 500, 375), (299, 299));
    // Those of `RECIPES` state the short sides that timm computes.
    for (pct, side, short) in [(0.8975, 299, 333), (0.903, 299, 331), (0.94, 299, 318), (0.875, 224, 256)] {
        let text = format!("resize=pct:{pct},filter=pil-bicubic,crop={side},mean=half,std=half");
        assert_eq!(parsed(&text).resized(500, 375), parsed(&text).resized(500, 375));
        assert_eq!(parsed(&text).resized(400, 400), (short, short));
    }
}

#[test]
fn offsets_round_half_to_even() {
    let offsets = |rule: Offset| [0, 1, 2, 3, 4, 5, 7].map(|spare| rule.of(9 + spare, 9).0);
    // Python: round(0.5) == 0, round(1.5) == 2, round(2.5) == 2, round(3.5) == 4.
    assert_eq!(offsets(Offset::RoundHalfEven), [0, 0, 1, 2, 2, 2, 4]);
    assert_eq!(offsets(Offset::Floor), [0, 0, 1, 1, 2, 2, 3]);
}

#[test]
fn degenerate_sizes_are_errors() {
    let image = RgbImage { width: 3, height: 9, pixels: vec![0; 81] };
    let cubic = Recipe::by_name("keras-cv2-cubic-341").unwrap();
    let cropping_more = Recipe { crop: Size::square(400), ..cubic.as_ref().clone() };
    let error = cropping_more.crop_view(&image).unwrap_err();
    assert!(error.to_string().contains("becomes 341x1023, too small for its crop of 400x400"), "{error}");
    let no_pixel = Recipe { crop_first: Some(CropFirst::Share(0.2)), ..cropping_more };
    assert!(no_pixel.crop_view(&image).unwrap_err().to_string().contains("leaves no pixel"));
}

#[test]
fn the_network_takes_blue_first_where_it_says_so() {
    let decoded = Decoded::from_bytes(&crate::Dataset::sample().read(0).unwrap()).unwrap();
    let rgb = parsed(EXAMPLE);
    let bgr = parsed(&format!("{EXAMPLE},channels=bgr"));
    let (rgb, crop, input) =
        (rgb.input(&decoded).unwrap(), bgr.crop(&decoded).unwrap(), bgr.input(&decoded).unwrap());
    assert_eq!(rgb, crop);
    let swapped = input.pixels.chunks_exact(3).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]);
    assert!(swapped.eq(rgb.pixels));
}
