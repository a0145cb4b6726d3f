//! A user's catalog, what the cache remembers, and words of the command line.

use std::io;
use std::path::Path;
use std::sync::LazyLock;

use cards::Figure;
use dataset::labels::{self, LabelSet};
use dataset::{Recipe, RgbImage};
use eval::judge::complexity_figures;
use eval::judge::counts::{CountRecord, counts};
use eval::record::AccuracyTolerance;
use eval::score::Score;
use eval::weights::{Cache, WeightsArg};
use eval::{Definitions, Shard};
use models::{Catalog, DeviceName, Dtype};

use super::{MEMORY_BYTES, fixtures, put, texts};
use crate::{Outcome, Target};

pub(super) const CATALOG: Target = Target {
    name: "catalog",
    about: "a catalog of one's own, and figures judged by it",
    seeds: catalogs,
    words: &[
        b"[[models]]\n",
        b"[models.weights]\n",
        b"[models.documented]\n",
        b"[[models.errata]]\n",
        b"[[recipes]]\n",
        b"crop = \"8192x1\"\n",
        b"filter = \"opencv-area\"\n",
        b"mean = [0, 0, 0]\n",
        b"tolerance = { top1_pct = 99999 }\n",
        b"accuracy_tolerance_pp = 100\n",
        b"decimals = 400\n",
        b"top1_pct = \"170\"\n",
        b"file = \"../x\"\n",
        b"sha256_prefix = \"\"\n",
        b"in_table = false\n",
        b"nan",
        b"inf",
        b"\"\"\"",
        b"'",
        b"[[[[[[[[",
        b"{a={a={a={",
        b"\xff",
        b"\0",
        b"a.a.a.a.a.a.a.a = 1\n",
    ],
    mend: None,
    memory_bytes: MEMORY_BYTES,
    read: read_catalog,
};

pub(super) const FIRST_SEEN: Target = Target {
    name: "first-seen",
    about: "what the cache of weights remembers of files without a published hash",
    seeds: first_seen,
    words: &[b"sha256", b"md5", b"bytes", b"null", b"[[[[[[[[", b"{\"a\":", b"\"\\ud800\"", b"-1", b"1e999"],
    mend: None,
    memory_bytes: MEMORY_BYTES,
    read: read_first_seen,
};

pub(super) const ARGUMENTS: Target = Target {
    name: "arguments",
    about: "words of the command line: globs, shards, devices, weights, numbers of files",
    seeds: arguments,
    words: &[
        b"*",
        b"**",
        b"[!",
        b"[a-",
        b"]",
        b"?",
        b"/",
        b"=",
        b"18446744073709551615",
        b"\xc3\xa9",
        b"ILSVRC2012_val_",
        b"99999999",
        b",crop=1x8192",
        b",pad=zero",
        b",crop-first=pad32",
        b"resize=pct:1e-3,",
        b"opencv-lanczos4",
        b"/",
        b"1e-45",
    ],
    mend: None,
    memory_bytes: MEMORY_BYTES,
    read: read_arguments,
};

static BUILT_IN: LazyLock<Catalog> = LazyLock::new(Catalog::built_in);

/// The same with the built-in cards.
pub(super) static DEFINITIONS: LazyLock<Definitions> = LazyLock::new(Definitions::built_in);

/// What a network counts; which one matters little, and a small one is quick.
static COUNTS: LazyLock<Vec<CountRecord>> = LazyLock::new(|| {
    let small = BUILT_IN.models().iter().find(|model| model.network == "timm-resnet18");
    small.and_then(|model| counts(&model.network().build(), &[224]).ok()).unwrap_or_default()
});

fn read_catalog(folder: &Path, bytes: &[u8], outcome: &mut Outcome) {
    let path = folder.join("catalog.toml");
    let mut definitions = DEFINITIONS.clone();
    put(&path, bytes);
    if outcome.of(definitions.add_file(&path)).is_none() {
        return;
    }
    let all = Score { images: 50_000, top1_hits: 39_525, top5_hits: Some(47_196), ..Score::default() };
    for model in definitions.catalog().own() {
        outcome.say(&format!("{} {}", model.source(), model.arch()).replace(['/', '-'], " "));
        outcome.of(definitions.catalog().select(&model.id));
        assert!(model.network().name == model.network && (32..=8192).contains(&model.input_size));
        let claims = definitions.claims_of(model);
        for figure in complexity_figures(model, claims.first(), &COUNTS) {
            outcome.say(figure.verdict.name());
        }
        for judged in claims.iter().flat_map(|claim| all.judged(claim, AccuracyTolerance::new(None), None)) {
            outcome.say(judged.judgement.verdict.name());
        }
    }
}

fn catalogs() -> io::Result<Vec<Vec<u8>>> {
    let entry = "[[models]]\nid = \"mine/x\"\nnetwork = \"timm-xception\"\nrecipe = \"timm-333-bicubic\"\ninput_size = 299\n";
    let mut seeds = texts([
        entry.to_owned(),
        format!(
            "accuracy_tolerance_pp = 0.1\n{entry}in_table = false\n\n[models.weights]\nurl = \"https://example.org/x.pth\"\nfile = \"x.pth\"\nsha256_prefix = \"ba7816bf\"\nbytes = 3\n"
        ),
        format!(
            "[[recipes]]\nname = \"mine\"\nresize = \"short:342\"\nfilter = \"pil-box\"\ncrop = 299\nmean = [0.5, 0.5, 0.5]\n\
             std = \"imagenet\"\n\n{}",
            entry.replace("timm-333-bicubic", "mine")
        ),
        format!(
            "{entry}recipe_note = \"a note\"\ntolerance = {{ top1_pct = 0.2, flops_g = 0.01 }}\n\n[models.documented]\ntop1_pct = \"79.050\"\ntop5_pct = \"94.392\"\n\
             flops_g = {{ figure = \"9.2\", rule = \"flops\", input_size = 299 }}\nparams_m = {{ figure = \"22.9\", rule = \"trainable\", decimals = 1 }}\n\n\
             [[models.errata]]\nfigure = \"flops_g\"\nreason = \"digits transposed\"\n"
        ),
    ]);
    // The project's own, an entry a seed, since an id that is there already is refused: under another source.
    let own = fixtures("datasets", &["catalog.toml"])?;
    let own = String::from_utf8_lossy(&own[0])
        .replace("id = \"", "id = \"my-")
        .replace("file = \"", "file = \"my-");
    let mut entries = own.split("[[models]]").skip(1);
    seeds.extend(entries.by_ref().take(13).map(|entry| format!("[[models]]{entry}").into_bytes()));
    Ok(seeds)
}

/// A file that the catalog has no hash for, in a cache that may remember it.
fn read_first_seen(folder: &Path, bytes: &[u8], outcome: &mut Outcome) {
    let weights = BUILT_IN.models().iter().filter_map(|model| model.weights.as_ref());
    let Some(weights) = weights.into_iter().find(|weights| !weights.has_hash()) else { return };
    let cache = Cache::new(folder.to_owned());
    put(&cache.path(weights), b"abc");
    put(&folder.join("first-seen.json"), bytes);
    if let Some((found, check)) = outcome.of(cache.check(weights)) {
        outcome.say(&format!("{check:?}").to_lowercase());
        drop(found);
    }
}

fn first_seen() -> io::Result<Vec<Vec<u8>>> {
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let entry = |file: &str| format!("\"{file}\": {{\"sha256\": \"{ABC}\", \"bytes\": 3, \"md5\": null}}");
    Ok(texts([
        "{}".to_owned(),
        format!("{{\n  {}\n}}\n", entry("Xception41_pretrained.pdparams")),
        format!("{{{}, {}}}", entry("Xception65_pretrained.pdparams"), entry("x.pth")),
    ]))
}

fn read_arguments(_: &Path, bytes: &[u8], outcome: &mut Outcome) {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text.lines().take(20).collect();
    for word in words {
        outcome.of(word.parse::<Shard>()).inspect(|shard| {
            assert!((1..=shard.count()).contains(&shard.index()) && shard.size(50_000) <= 50_000);
        });
        outcome.of(word.parse::<DeviceName>());
        outcome.of(word.parse::<Dtype>());
        outcome.of(word.parse::<WeightsArg>());
        outcome.of(word.parse::<LabelSet>());
        outcome.of(BUILT_IN.select(word));
        if let Some(recipe) = outcome.of(BUILT_IN.recipe(word)) {
            read_recipe(&recipe, outcome);
        }
        outcome.of(Figure::try_from(word.to_owned())).inspect(|figure| {
            assert!(!figure.value().is_nan() && figure.decimals() as usize <= word.len());
        });
        if let Some(label) = labels::val_label(word) {
            outcome.say(&labels::described(label));
        }
    }
}

/// A recipe prints itself back, and crops small images or says why not.
fn read_recipe(recipe: &Recipe, outcome: &mut Outcome) {
    let again: Recipe = recipe.keys().parse().expect("a recipe reads what it prints");
    assert_eq!(again.keys(), recipe.keys());
    assert_eq!((again.normalise, again.crop), (recipe.normalise, recipe.crop));
    if recipe.crop.pixels() > 1 << 18 {
        return;
    }
    for (width, height) in [(1, 1), (5, 4), (40, 3)] {
        let pixels = (0..width * height * 3).map(|byte| (byte * 37 % 256) as u8).collect();
        if let Some(crop) = outcome.of(recipe.crop_view(&RgbImage { width, height, pixels })) {
            assert_eq!([crop.height, crop.width], recipe.crop.axes());
            assert_eq!(crop.pixels.len(), recipe.crop.pixels() * 3);
        }
    }
}

fn arguments() -> io::Result<Vec<Vec<u8>>> {
    let words = [
        "1/4",
        "timm/*",
        "*/xception41*",
        "flex",
        "bf16",
        "timm/x=a.pth",
        "79.050",
        "ILSVRC2012_val_00000293.JPEG",
        Recipe::EXAMPLE,
        "crop-first=0.9,resize=exact:20x30,filter=opencv-cubic,crop=40,pad=zero,mean=0/1/2,std=half,scale=1,channels=bgr",
        "decoder=opencv,resize=short-round:9,filter=pil-lanczos,crop=9x12,offset=floor,pad=zero,mean=half,std=1/2/3",
    ];
    Ok(words.iter().map(|word| word.as_bytes().to_vec()).chain([words.join("\n").into_bytes()]).collect())
}
