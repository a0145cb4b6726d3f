//! The one parser of recipes: keys and values as text, wherever they were written. `docs/recipes.md` has the grammar.

use std::str::FromStr;

use super::{
    Channels, CropFirst, Filter, KEYS, Key, Normalisation, Offset, Pad, Recipe, RecipeKeyError, Resize,
    ResizeTo, Size, nearest,
};
use crate::Decoder;

/// Crops, and sizes that images are resized to, have at most so many pixels a side.
const MOST_PIXELS: [usize; 2] = [8192, 65_535];

type Parsed<T> = Result<T, RecipeKeyError>;

impl FromStr for Recipe {
    type Err = RecipeKeyError;

    /// Reads `key=value,key=value`. The recipe is called what [`Recipe::keys`] says.
    fn from_str(text: &str) -> Parsed<Self> {
        let pairs = text.split(',').map(|part| {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| RecipeKeyError::NotAPair { part: part.trim().to_owned() })?;
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        });
        Self::unnamed(pairs.collect::<Parsed<Vec<_>>>()?)
    }
}

impl Recipe {
    /// Makes a recipe of keys and their values, called `name`.
    ///
    /// # Errors
    /// [`RecipeKeyError`] for the first that is wrong with them, or with the name.
    pub fn named(name: &str, pairs: impl IntoIterator<Item = (String, String)>) -> Parsed<Self> {
        let wrong = |reason| Err(RecipeKeyError::Name { name: name.to_owned(), reason });
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
            return wrong("a name is of letters, digits, '.', '_' and '-'");
        }
        if ["source", "card", "elsewhere"].contains(&name) {
            return wrong("it means something else already");
        }
        Ok(Self { name: name.to_owned(), ..Self::unnamed(pairs)? })
    }

    /// Makes a recipe of keys and their values. It is called what [`Recipe::keys`] says.
    ///
    /// # Errors
    /// [`RecipeKeyError`] for the first that is wrong with them.
    pub fn unnamed(pairs: impl IntoIterator<Item = (String, String)>) -> Parsed<Self> {
        let mut values: [Option<String>; KEYS.len()] = Default::default();
        for (key, value) in pairs {
            let Some(at) = KEYS.iter().position(|known| known.name == key) else {
                return Err(RecipeKeyError::UnknownKey { key });
            };
            if values[at].replace(value).is_some() {
                return Err(RecipeKeyError::Repeated { key });
            }
        }
        Values(values).recipe()
    }
}

/// Values as text, in the order of [`KEYS`].
struct Values([Option<String>; KEYS.len()]);

impl Values {
    /// The value of a key, read by `parse`.
    fn get<T>(&self, key: &str, parse: impl Fn(&'static str, &str) -> Parsed<T>) -> Parsed<Option<T>> {
        let (Key { name, .. }, value) = self.entry(key);
        value.map(|value| parse(name, value)).transpose()
    }

    fn need<T>(&self, key: &str, parse: impl Fn(&'static str, &str) -> Parsed<T>) -> Parsed<T> {
        let (Key { name, example }, _) = self.entry(key);
        self.get(key, parse)?.ok_or(RecipeKeyError::Missing { key: name, example })
    }

    fn entry(&self, key: &str) -> (Key, Option<&str>) {
        let at = KEYS.iter().position(|known| known.name == key).expect("a key of the table");
        (KEYS[at], self.0[at].as_deref())
    }

    fn recipe(&self) -> Parsed<Recipe> {
        let crop_first = self.get("crop-first", crop_first)?;
        let to = self.need("resize", resize)?;
        let filter = self.get("filter", |_, value| Filter::parse(value))?;
        let resize = match (to, filter) {
            (Some(to), Some(filter)) => Some(Resize { to, filter }),
            (Some(_), None) => {
                let (Key { name, example }, _) = self.entry("filter");
                return Err(RecipeKeyError::Missing { key: name, example });
            }
            (None, None) => None,
            (None, Some(filter)) => {
                return conflict(format!("resize=none uses no filter, so filter={filter} must go"));
            }
        };
        let crop = match (self.get("crop", |key, value| size(key, value, MOST_PIXELS[0]))?, to) {
            (Some(crop), _) => crop,
            // Nothing is cut off unless it is asked for.
            (None, Some(ResizeTo::Exact(exact))) => exact,
            (None, _) => self.need("crop", |key, value| size(key, value, MOST_PIXELS[0]))?,
        };
        if let (Some(ResizeTo::Pct(_)), false) = (to, crop.is_square()) {
            return conflict(format!(
                "resize=pct goes with a square crop, because timm's versions resize for {crop} in different ways; write \
                 short:N or exact:WxH"
            ));
        }
        if let Some(ResizeTo::Pct(pct)) = to
            && crop.width as f64 / pct > MOST_PIXELS[1] as f64
        {
            return conflict(format!("resize=pct:{pct} makes more than {} pixels", MOST_PIXELS[1]));
        }
        if crop_first == Some(CropFirst::Pad32) && !crop.is_square() {
            return conflict(format!("crop-first=pad32 goes with a square crop, and {crop} is none"));
        }
        let pad = self.get("pad", pad)?;
        let too_small = match to {
            Some(ResizeTo::Exact(exact)) => exact.width < crop.width || exact.height < crop.height,
            Some(ResizeTo::ShortTruncate(short) | ResizeTo::ShortRound(short)) => {
                short < crop.width.min(crop.height)
            }
            Some(ResizeTo::Pct(_)) | None => false,
        };
        if let (true, None, Some(to)) = (too_small, pad, to) {
            return conflict(format!(
                "every image would be too small: resize={to} makes it smaller than crop={crop}; pad=zero would fill it up"
            ));
        }
        let decoder = self.get("decoder", decoder)?;
        let decoder = decoder.or(filter.map(Filter::decoder)).unwrap_or(Decoder::Pil);
        let mut recipe = Recipe {
            name: String::new(),
            summary: String::new(),
            provenance: String::new(),
            decoder,
            crop_first,
            resize,
            crop,
            offset: self.get("offset", offset)?.unwrap_or(decoder.usual_offset()),
            pad,
            normalise: Normalisation {
                mean: self.need("mean", |key, value| {
                    three(key, value, [Normalisation::IMAGENET.mean, Normalisation::HALF.mean])
                })?,
                std: self.need("std", deviation)?,
                scale: self.get("scale", scale)?.unwrap_or(255.0),
            },
            channels: self.get("channels", channels)?.unwrap_or(Channels::Rgb),
        };
        recipe.name = recipe.keys();
        Ok(recipe)
    }
}

fn conflict<T>(reason: String) -> Parsed<T> {
    Err(RecipeKeyError::Conflict { reason })
}

/// One of some words.
fn word<T: Copy>(key: &'static str, value: &str, words: &[(&str, T)]) -> Parsed<T> {
    let found = words.iter().find(|(word, _)| *word == value).map(|(_, it)| *it);
    found.ok_or_else(|| {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        RecipeKeyError::value(key, value, nearest::unknown(key, value, &names))
    })
}

fn decoder(key: &'static str, value: &str) -> Parsed<Decoder> {
    word(key, value, &[("pil", Decoder::Pil), ("opencv", Decoder::OpenCv)])
}

fn offset(key: &'static str, value: &str) -> Parsed<Offset> {
    word(key, value, &[("round-half-even", Offset::RoundHalfEven), ("floor", Offset::Floor)])
}

fn pad(key: &'static str, value: &str) -> Parsed<Pad> {
    word(key, value, &[("zero", Pad::Zero)])
}

fn channels(key: &'static str, value: &str) -> Parsed<Channels> {
    word(key, value, &[("rgb", Channels::Rgb), ("bgr", Channels::Bgr)])
}

fn crop_first(key: &'static str, value: &str) -> Parsed<CropFirst> {
    if value == "pad32" {
        return Ok(CropFirst::Pad32);
    }
    let share = number(value).filter(|share| *share > 0.0 && *share <= 1.0);
    share.map(CropFirst::Share).ok_or_else(|| {
        RecipeKeyError::value(
            key,
            value,
            "write pad32, or a share of the short side above 0 and up to 1: 0.875",
        )
    })
}

/// `None` for `none`.
fn resize(key: &'static str, value: &str) -> Parsed<Option<ResizeTo>> {
    let what = "there are short:N, short-round:N, pct:F, exact:WxH and none";
    if value == "none" {
        return Ok(None);
    }
    let wrong = |reason: String| RecipeKeyError::value(key, value, reason);
    let (rule, argument) = value.split_once(':').ok_or_else(|| wrong(what.to_owned()))?;
    let pixels = || pixels(argument, MOST_PIXELS[1]).map_err(wrong);
    Ok(Some(match rule {
        "short" => ResizeTo::ShortTruncate(pixels()?),
        "short-round" => ResizeTo::ShortRound(pixels()?),
        "pct" => {
            let share = number(argument).filter(|share| *share > 0.0 && *share <= 1.0);
            ResizeTo::Pct(share.ok_or_else(|| {
                wrong("the crop's share of the short side is above 0 and up to 1: pct:0.875".to_owned())
            })?)
        }
        "exact" => ResizeTo::Exact(size(key, argument, MOST_PIXELS[0])?),
        _ => return Err(wrong(what.to_owned())),
    }))
}

/// `N` or `WxH`.
fn size(key: &'static str, value: &str, most: usize) -> Parsed<Size> {
    let (width, height) = value.split_once('x').unwrap_or((value, value));
    let wrong =
        |reason| RecipeKeyError::value(key, value, format!("{reason}; write a side or WxH: 224, 320x240"));
    Ok(Size { width: pixels(width, most).map_err(wrong)?, height: pixels(height, most).map_err(wrong)? })
}

fn pixels(text: &str, most: usize) -> Result<usize, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let pixels = text.parse().ok().filter(|pixels| digits && (1..=most).contains(pixels));
    pixels.ok_or_else(|| format!("`{text}` is no number of pixels from 1 to {most}"))
}

/// A finite number as people write them.
fn number(text: &str) -> Option<f64> {
    let plain =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    text.parse().ok().filter(|number: &f64| plain && number.is_finite())
}

/// Three numbers, or the name of three: of `imagenet` and of `half`.
fn three(key: &'static str, value: &str, [imagenet, half]: [[f32; 3]; 2]) -> Parsed<[f32; 3]> {
    match value {
        "imagenet" => return Ok(imagenet),
        "half" => return Ok(half),
        _ => {}
    }
    // Through f64, because Python reads them so.
    let numbers: Option<Vec<f32>> =
        value.split('/').map(|it| number(it.trim()).map(|it| it as f32)).collect();
    let numbers = numbers.filter(|numbers| numbers.iter().all(|number| number.is_finite()));
    numbers.and_then(|numbers| <[f32; 3]>::try_from(numbers).ok()).ok_or_else(|| {
        RecipeKeyError::value(
            key,
            value,
            "write imagenet, half, or three numbers with / between: 0.5/0.5/0.5",
        )
    })
}

fn deviation(key: &'static str, value: &str) -> Parsed<[f32; 3]> {
    let std = three(key, value, [Normalisation::IMAGENET.std, Normalisation::HALF.std])?;
    if std.iter().all(|std| *std > 0.0) {
        return Ok(std);
    }
    Err(RecipeKeyError::value(key, value, "a deviation is above 0, because pixels are divided by it"))
}

fn scale(key: &'static str, value: &str) -> Parsed<f64> {
    let scale = number(value).filter(|scale| *scale >= 1e-6);
    scale.ok_or_else(|| {
        RecipeKeyError::value(key, value, "pixels are divided by a number above 0: 255, 127.5, 1")
    })
}
