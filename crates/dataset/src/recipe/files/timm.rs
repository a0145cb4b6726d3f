//! timm's `config.json`, as on the Hugging Face hub: the model's `pretrained_cfg`, which older files have at the top. The source
//! followed is `transforms_imagenet_eval` of timm 0.6.5 and 1.0, which `resolve_data_config` calls.

use super::fields::Fields;
use super::{RecipeFileError, Stated};

/// What timm takes where its configuration does not say.
const CROP_PCT: f64 = 0.875;
const INTERPOLATION: &str = "bicubic";

pub(super) fn is_one(fields: &Fields<'_>) -> bool {
    fields.has("pretrained_cfg") || (fields.has("architecture") && fields.has("input_size"))
}

pub(super) fn read(fields: &Fields<'_>) -> Result<Stated, RecipeFileError> {
    let architecture = fields.text("architecture")?.unwrap_or("a model");
    let within = fields.object("pretrained_cfg")?;
    let config = within.as_ref().unwrap_or(fields);
    let mut added = Vec::new();

    let input = config.list("input_size")?;
    let [3, height, width] = config.need("input_size", input)?[..] else {
        return config.wrong(
            "input_size",
            "[3, height, width] is needed: networks of other inputs take no photographs",
        );
    };
    let crop = format!("{width}x{height}");
    let crop_pct = config.number("crop_pct")?;
    let crop_pct = crop_pct.unwrap_or_else(|| {
        added.push(format!("crop_pct {CROP_PCT}"));
        CROP_PCT
    });
    if !(crop_pct > 0.0 && crop_pct <= 1.0) {
        return config.wrong("crop_pct", format!("{crop_pct} is no share above 0 and up to 1"));
    }
    let scaled = |side: u64| (side as f64 / crop_pct).floor();
    let resize = match config.text("crop_mode")?.unwrap_or("center") {
        "center" if width == height => format!("pct:{crop_pct}"),
        "center" => {
            let what = format!(
                "a crop of {crop} with crop_mode center, for which versions of timm resize in different ways"
            );
            return Err(RecipeFileError::NotExact { what });
        }
        "squash" => format!("exact:{}x{}", scaled(width), scaled(height)),
        mode => return Err(RecipeFileError::NotExact { what: format!("crop_mode {mode}") }),
    };
    let interpolation = config.text("interpolation")?.unwrap_or_else(|| {
        added.push(format!("interpolation {INTERPOLATION}"));
        INTERPOLATION
    });
    let filter = match interpolation {
        "nearest" | "box" | "bilinear" | "hamming" | "bicubic" | "lanczos" => format!("pil-{interpolation}"),
        "random" => return Err(RecipeFileError::NotExact { what: "interpolation random".to_owned() }),
        _ => return config.wrong("interpolation", format!("{interpolation} is none of Pillow's filters")),
    };
    let mut three = |key: &str| {
        let said = config.three(key)?;
        Ok(said.unwrap_or_else(|| {
            added.push(format!("{key} imagenet"));
            "imagenet".to_owned()
        }))
    };
    let (mean, std) = (three("mean")?, three("std")?);
    let defaults = match added.is_empty() {
        true => String::new(),
        false => format!(" (timm's defaults where it is silent: {})", added.join(", ")),
    };
    Ok(Stated {
        keys: vec![
            ("decoder", "pil".to_owned()),
            ("resize", resize),
            ("filter", filter),
            ("crop", crop),
            ("offset", "round-half-even".to_owned()),
            ("mean", mean),
            ("std", std),
        ],
        of: format!("timm's configuration of {architecture}{defaults}"),
    })
}
