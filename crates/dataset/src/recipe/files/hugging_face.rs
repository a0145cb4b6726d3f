//! Hugging Face's `preprocessor_config.json`: an image processor of the package transformers, whose type says what its keys mean.
//! The source followed is transformers 4.46, the processors that resize by Pillow.

use super::fields::Fields;
use super::{RecipeFileError, Stated};

/// How an image processor of a type resizes.
#[derive(Clone, Copy, PartialEq)]
enum Resizing {
    /// To a size, or where only a short side is given to that; then a crop, if there is one.
    AsSaid,
    /// ConvNeXt's: below 384 pixels the short side to size / crop_pct, then a crop of size; else to a square.
    CropPct,
}

/// A type of image processor, without the ending of its name.
struct Processor {
    name: &'static str,
    resizing: Resizing,
    /// The filter where `resample` is not there, by Pillow's number.
    resample: u64,
    /// Whether it crops where `do_center_crop` is not there.
    crops: bool,
    /// Whether it subtracts means where `do_normalize` is not there; MobileViT's never does.
    normalises: bool,
}

const PROCESSORS: [Processor; 9] = {
    const fn of(name: &'static str, resample: u64, crops: bool) -> Processor {
        Processor { name, resizing: Resizing::AsSaid, resample, crops, normalises: true }
    }
    [
        of("ViT", 2, false),
        of("DeiT", 3, true),
        of("Beit", 3, true),
        of("MobileNetV1", 2, true),
        of("MobileNetV2", 2, true),
        of("CLIP", 3, true),
        of("Bit", 3, true),
        Processor { normalises: false, ..of("MobileViT", 2, true) },
        Processor { resizing: Resizing::CropPct, ..of("ConvNext", 2, false) },
    ]
};

/// Pillow's filters by their numbers.
const FILTERS: [&str; 6] = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];

/// ConvNeXt's, where it is not there.
const CROP_PCT: f64 = 224.0 / 256.0;

const TYPE: [&str; 2] = ["image_processor_type", "feature_extractor_type"];

pub(super) fn is_one(fields: &Fields<'_>) -> bool {
    TYPE.iter().any(|key| fields.has(key)) || (fields.has("do_resize") && fields.has("size"))
}

pub(super) fn read(fields: &Fields<'_>) -> Result<Stated, RecipeFileError> {
    let said = TYPE.iter().find(|key| fields.has(key)).copied().unwrap_or(TYPE[0]);
    let kind = fields.text(said)?;
    let kind = fields.need(said, kind)?;
    let processor = PROCESSORS.iter().find(|processor| {
        kind.strip_prefix(processor.name)
            .is_some_and(|ending| ["ImageProcessor", "FeatureExtractor"].contains(&ending))
    });
    let Some(processor) = processor else {
        let why = if kind.ends_with("Fast") { ", which resizes tensors and not by Pillow," } else { "" };
        return Err(RecipeFileError::NotExact { what: format!("the image processor {kind}{why}") });
    };
    let flag = |key: &str, otherwise: bool| Ok(fields.flag(key)?.unwrap_or(otherwise));

    let resample = fields.pixels("resample")?.unwrap_or(processor.resample);
    let Some(filter) = usize::try_from(resample).ok().and_then(|at| FILTERS.get(at)) else {
        return fields.wrong("resample", format!("{resample} is none of Pillow's filters, 0 to 5"));
    };
    let (resize, crop) = match (flag("do_resize", true)?, processor.resizing) {
        (true, Resizing::AsSaid) => (size(fields)?, crop(fields, processor)?),
        (true, Resizing::CropPct) => crop_pct(fields)?,
        (false, _) => ("none".to_owned(), crop(fields, processor)?),
    };
    let scale = match (flag("do_rescale", true)?, fields.number("rescale_factor")?) {
        (false, _) => 1.0,
        (true, None) => 255.0,
        (true, Some(factor)) => divisor(fields, factor)?,
    };
    let (mean, std) = match flag("do_normalize", processor.normalises)? {
        false => ("0/0/0".to_owned(), "1/1/1".to_owned()),
        true => {
            let need = |key| fields.three(key).and_then(|said| fields.need(key, said));
            (need("image_mean")?, need("image_std")?)
        }
    };
    let exchanged = flag("do_flip_channel_order", processor.name == "MobileViT")?;
    let mut keys = vec![("decoder", "pil".to_owned()), ("resize", resize.clone())];
    if resize != "none" {
        keys.push(("filter", format!("pil-{filter}")));
    }
    if let Some(crop) = crop {
        keys.push(("crop", crop));
    }
    keys.extend([
        ("offset", "floor".to_owned()),
        ("mean", mean),
        ("std", std),
        ("scale", scale.to_string()),
        ("channels", if exchanged { "bgr" } else { "rgb" }.to_owned()),
    ]);
    let of = format!("Hugging Face's image processor {kind} (an EXIF orientation is not applied)");
    Ok(Stated { keys, of })
}

/// The resize of `size`: a number is a square for these processors, or the short side for those that always crop.
fn size(fields: &Fields<'_>) -> Result<String, RecipeFileError> {
    if fields.is_number("size") {
        let side = fields.pixels("size")?;
        let side = fields.need("size", side)?;
        // Files of before 2022 have a number; what it meant is the processor's.
        let squares = ["ViT", "DeiT", "Beit"];
        let kind = TYPE.iter().find_map(|key| fields.text(key).ok().flatten()).unwrap_or_default();
        return Ok(match squares.iter().any(|square| kind.starts_with(square)) {
            true => format!("exact:{side}x{side}"),
            false => format!("short:{side}"),
        });
    }
    let size = fields.object("size")?;
    let size = fields.need("size", size)?;
    match (size.pixels("shortest_edge")?, size.pixels("height")?, size.pixels("width")?) {
        (Some(short), None, None) if !size.has("longest_edge") => Ok(format!("short:{short}")),
        (None, Some(height), Some(width)) => Ok(format!("exact:{width}x{height}")),
        _ => fields.wrong("size", "a number, height and width, or shortest_edge alone is needed"),
    }
}

/// The centre crop, if there is one.
fn crop(fields: &Fields<'_>, processor: &Processor) -> Result<Option<String>, RecipeFileError> {
    if !fields.flag("do_center_crop")?.unwrap_or(processor.crops) {
        return Ok(None);
    }
    if fields.is_number("crop_size") {
        return Ok(fields.pixels("crop_size")?.map(|side| side.to_string()));
    }
    let crop = fields.object("crop_size")?;
    let crop = fields.need("crop_size", crop)?;
    let (height, width) = (crop.pixels("height")?, crop.pixels("width")?);
    Ok(Some(format!("{}x{}", crop.need("width", width)?, crop.need("height", height)?)))
}

/// ConvNeXt's resize and crop.
fn crop_pct(fields: &Fields<'_>) -> Result<(String, Option<String>), RecipeFileError> {
    let side = match fields.is_number("size") {
        true => fields.pixels("size")?,
        false => match fields.object("size")? {
            Some(size) => size.pixels("shortest_edge")?,
            None => None,
        },
    };
    let side = fields.need("size", side)?;
    if side >= 384 {
        return Ok((format!("exact:{side}x{side}"), None));
    }
    let share = fields.number("crop_pct")?.unwrap_or(CROP_PCT);
    if !(share > 0.0 && share <= 1.0) {
        return fields.wrong("crop_pct", format!("{share} is no share above 0 and up to 1"));
    }
    Ok((format!("short:{}", (side as f64 / share) as u64), Some(side.to_string())))
}

/// What pixels are divided by, of what they are multiplied by; such as 255 of 0.00392156862745098.
fn divisor(fields: &Fields<'_>, factor: f64) -> Result<f64, RecipeFileError> {
    let divisor = 1.0 / factor;
    let nearest = (divisor * 2.0).round() / 2.0;
    match (divisor - nearest).abs() < 1e-6 && nearest >= 1.0 {
        true => Ok(nearest),
        false => {
            fields.wrong("rescale_factor", format!("{factor} is not 1 over a number of whole or half levels"))
        }
    }
}
