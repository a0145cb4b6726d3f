//! VastModelZOO's `*-vdsp_params.json`: what its accelerator does to an image, as a resize to an exact size, a crop at a
//! place, and a normalisation. Its page may say something else, such as a short side.

use super::fields::Fields;
use super::{RecipeFileError, Stated};

pub(super) fn read(fields: &Fields<'_>) -> Result<Stated, RecipeFileError> {
    let config = fields.object("OpConfig")?;
    let config = fields.need("OpConfig", config)?;
    let pixels = |key: &str| {
        let said = config.pixels(key)?;
        config.need(key, said)
    };
    let (width, height) = (pixels("OimageWidth")?, pixels("OimageHeight")?);
    // Without a size of its own the resize is to the output.
    let resized = match (config.pixels("ResizeWidth")?, config.pixels("ResizeHeight")?) {
        (None, None) => (width, height),
        (width, height) => (config.need("ResizeWidth", width)?, config.need("ResizeHeight", height)?),
    };
    let offset = |key: &str, resized: u64, crop: u64| -> Result<(), RecipeFileError> {
        let Some(spare) = resized.checked_sub(crop) else {
            return config.wrong(key, format!("a crop of {crop} pixels does not fit into {resized}"));
        };
        let at = config.pixels(key)?.unwrap_or(0);
        if at == spare / 2 {
            return Ok(());
        }
        Err(RecipeFileError::NotExact {
            what: format!("a crop at {key} = {at}, which is not the middle ({})", spare / 2),
        })
    };
    offset("CropX", resized.0, width)?;
    offset("CropY", resized.1, height)?;
    let kind = config.text("ResizeType")?;
    let (decoder, filter) = match config.need("ResizeType", kind)? {
        "BILINEAR_CV" => ("opencv", "opencv-linear"),
        "BILINEAR_PILLOW" => ("pil", "pil-bilinear"),
        other => return Err(RecipeFileError::NotExact { what: format!("ResizeType {other}") }),
    };
    let format = config.text("IimageFormat")?.unwrap_or("RGB_PLANAR");
    if !format.starts_with("RGB") {
        return Err(RecipeFileError::NotExact { what: format!("IimageFormat {format}") });
    }
    // What comes in is RGB, so either name exchanges red and blue.
    let channels = match config.text("ColorCvtCode")?.unwrap_or("NO_CHANGE") {
        "NO_CHANGE" => "rgb",
        "RGB2BGR" | "BGR2RGB" => "bgr",
        other => return Err(RecipeFileError::NotExact { what: format!("ColorCvtCode {other}") }),
    };
    let kind = config.text("NormaType")?;
    let (scale, normalised) = match config.need("NormaType", kind)? {
        "DIV255_MINUSMEAN_DIVSTD" => ("255", true),
        "MINUSMEAN_DIVSTD" => ("1", true),
        "DIV255" => ("255", false),
        "EQUAL" => ("1", false),
        other => return Err(RecipeFileError::NotExact { what: format!("NormaType {other}") }),
    };
    let three = |key: &str, otherwise: &str| match normalised {
        true => {
            let said = config.three(key)?;
            config.need(key, said)
        }
        false => Ok(otherwise.to_owned()),
    };
    Ok(Stated {
        keys: vec![
            ("decoder", decoder.to_owned()),
            ("resize", format!("exact:{}x{}", resized.0, resized.1)),
            ("filter", filter.to_owned()),
            ("crop", format!("{width}x{height}")),
            ("offset", "floor".to_owned()),
            ("mean", three("Mean", "0/0/0")?),
            ("std", three("Std", "1/1/1")?),
            ("scale", scale.to_owned()),
            ("channels", channels.to_owned()),
        ],
        of: "VastModelZOO's preprocessing parameters (its accelerator's arithmetic may round otherwise)"
            .to_owned(),
    })
}
