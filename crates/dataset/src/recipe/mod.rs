//! Recipes as data: how a decoded file becomes the crop that a network was evaluated on. One grammar states them all
//! (`docs/recipes.md`), inline or in a catalog; those with a name here are in [`RECIPES`].

mod built_in;
mod error;
mod files;
mod filter;
mod keys;
mod nearest;

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::Arc;

pub use built_in::{BuiltIn, RECIPES};
pub use error::{RecipeError, RecipeKeyError};
pub use files::RecipeFileError;
pub use filter::Filter;

use crate::resample::{Region, crop, padded, resize};
use crate::{Decoded, Decoder, Normalisation, RgbImage};

/// Preprocessing as one source does it: decode, resize, crop, normalise.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// What the catalog, the command line and reports call it; its keys, where it has no other name.
    pub name: String,
    /// One line for people; may be empty.
    pub summary: String,
    /// Where it comes from, and whether it is documented or inferred; may be empty.
    pub provenance: String,
    /// Whose reading of the file it starts from.
    pub decoder: Decoder,
    /// What is cut out before the resize.
    pub crop_first: Option<CropFirst>,
    /// To what size and by which filter; not at all without it.
    pub resize: Option<Resize>,
    /// The crop, in pixels.
    pub crop: Size,
    /// Where the centre crop begins.
    pub offset: Offset,
    /// What an image that is smaller than the crop gets; an error without it.
    pub pad: Option<Pad>,
    /// From pixels to the network's input, in the order of `channels`.
    pub normalise: Normalisation,
    /// In which order the network takes colours.
    pub channels: Channels,
}

/// Width and height, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// A resize: the size, and by which library's filter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resize {
    /// To what size.
    pub to: ResizeTo,
    /// By which filter.
    pub filter: Filter,
}

/// The size an image is resized to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ResizeTo {
    /// The short side to this many pixels, the long side in proportion, its fraction cut off (torchvision's `Resize`).
    ShortTruncate(usize),
    /// Both sides times `pixels as f64 / short`, each rounded half to even (PaddleClas' `resize_short`).
    ShortRound(usize),
    /// As [`Self::ShortTruncate`], of floor(the crop's side / this) pixels (timm's `crop_pct`).
    Pct(f64),
    /// Straight to a size; the aspect ratio is not kept.
    Exact(Size),
}

/// A square in the middle that is cut out before the resize (TensorFlow's EfficientNet).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CropFirst {
    /// Its side is this share of the short side.
    Share(f64),
    /// The share is the crop's side over 32 more than it.
    Pad32,
}

/// How the margin left and above a centre crop is rounded when it is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offset {
    /// Half to even (torchvision).
    RoundHalfEven,
    /// Down (OpenCV users' integer division).
    Floor,
}

/// What stands around an image that is smaller than the crop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pad {
    /// Black, the odd pixel to the right and below (torchvision's `CenterCrop`).
    Zero,
}

/// The order of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// A key of the grammar.
#[derive(Debug, Clone, Copy)]
struct Key {
    name: &'static str,
    /// What it looks like when it is right.
    example: &'static str,
}

/// Every key, in the order in which a recipe is printed.
const KEYS: [Key; 11] = {
    const fn key(name: &'static str, example: &'static str) -> Key {
        Key { name, example }
    }
    [
        key("decoder", "decoder=pil"),
        key("crop-first", "crop-first=0.875"),
        key("resize", "resize=short:256"),
        key("filter", "filter=pil-bilinear"),
        key("crop", "crop=224"),
        key("offset", "offset=round-half-even"),
        key("pad", "pad=zero"),
        key("mean", "mean=imagenet"),
        key("std", "std=imagenet"),
        key("scale", "scale=255"),
        key("channels", "channels=rgb"),
    ]
};

impl Recipe {
    /// What one looks like, inline.
    pub const EXAMPLE: &str = "resize=short:256,filter=pil-bilinear,crop=224,mean=imagenet,std=imagenet";

    /// The recipe of that name in [`RECIPES`].
    #[must_use]
    pub fn by_name(name: &str) -> Option<Arc<Self>> {
        RECIPES.iter().find(|recipe| recipe.name == name).map(|it| Arc::clone(it.recipe()))
    }

    /// The recipe in full, as an inline recipe that reads back as this one. It identifies what is done to an image: two
    /// recipes of the same keys give the same input, whatever their names.
    #[must_use]
    pub fn keys(&self) -> String {
        let mut text = format!("decoder={}", self.decoder.name());
        let mut add = |key: &str, value: &dyn fmt::Display| {
            let _ = write!(text, ",{key}={value}");
        };
        if let Some(crop_first) = &self.crop_first {
            add("crop-first", crop_first);
        }
        match &self.resize {
            Some(Resize { to, filter }) => {
                add("resize", to);
                add("filter", filter);
            }
            None => add("resize", &"none"),
        }
        add("crop", &self.crop);
        add("offset", &self.offset);
        if let Some(Pad::Zero) = self.pad {
            add("pad", &"zero");
        }
        let Normalisation { mean, std, scale } = self.normalise;
        add("mean", &three(mean, [Normalisation::IMAGENET.mean, Normalisation::HALF.mean]));
        add("std", &three(std, [Normalisation::IMAGENET.std, Normalisation::HALF.std]));
        add("scale", &scale);
        add("channels", &self.channels);
        text
    }

    /// What a reader has to know of its bytes: nothing, unless its library computes others on other processors.
    #[must_use]
    pub fn caveat(&self) -> Option<&'static str> {
        self.resize.and_then(|resize| resize.filter.caveat())
    }

    /// The crop, in RGB, that the network is given (before [`Self::normalise`], and whatever [`Self::channels`] says).
    ///
    /// # Errors
    /// [`RecipeError`], for degenerate image sizes and for want of memory only.
    ///
    /// ```
    /// use dataset::{Dataset, Decoded, RECIPES};
    ///
    /// let decoded = Decoded::from_bytes(&Dataset::sample().read(0)?)?;
    /// for recipe in RECIPES {
    ///     let crop = recipe.crop(&decoded)?;
    ///     assert_eq!((crop.width, crop.height), (recipe.size, recipe.size));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn crop(&self, decoded: &Decoded) -> Result<RgbImage, RecipeError> {
        let view = decoded.view(self.decoder)?;
        self.crop_view(&view)
    }

    /// [`Self::crop`] with its channels in the network's order.
    ///
    /// # Errors
    /// [`RecipeError`], for degenerate image sizes and for want of memory only.
    pub fn input(&self, decoded: &Decoded) -> Result<RgbImage, RecipeError> {
        let mut crop = self.crop(decoded)?;
        if self.channels == Channels::Bgr {
            crop.pixels.chunks_exact_mut(3).for_each(|pixel| pixel.swap(0, 2));
        }
        Ok(crop)
    }

    /// [`Self::crop`] of an image that is decoded already, as [`Self::decoder`] shows it.
    ///
    /// # Errors
    /// [`RecipeError`], for degenerate image sizes and for want of memory only.
    pub fn crop_view(&self, image: &RgbImage) -> Result<RgbImage, RecipeError> {
        let image = match self.crop_first {
            Some(crop_first) => Cow::Owned(self.cropped_first(image, crop_first)?),
            None => Cow::Borrowed(image),
        };
        let image = image.as_ref();
        let (width, height) = self.resized(image.width, image.height);
        let fits = width >= self.crop.width && height >= self.crop.height;
        if !fits && self.pad.is_none() {
            return Err(RecipeError::CropDoesNotFit {
                recipe: self.name.clone(),
                width: image.width,
                height: image.height,
                resized_width: width,
                resized_height: height,
                crop: self.crop,
            });
        }
        // The part of the resized image that there is.
        let (left, columns) = self.offset.of(width, self.crop.width);
        let (top, rows) = self.offset.of(height, self.crop.height);
        let region = Region { left, top, width: columns, height: rows };
        let found = match self.resize {
            Some(Resize { filter, .. }) if (width, height) != (image.width, image.height) => {
                resize(image, filter, width, height, region)?
            }
            _ => crop(image, region)?,
        };
        Ok(if fits { found } else { padded(&found, self.crop)? })
    }

    /// The square that TensorFlow's EfficientNet cuts out: its side in f32, the rest of the margin to the left and above.
    fn cropped_first(&self, image: &RgbImage, crop_first: CropFirst) -> Result<RgbImage, RecipeError> {
        let share = match crop_first {
            CropFirst::Share(share) => share,
            CropFirst::Pad32 => self.crop.width as f64 / (self.crop.width + 32) as f64,
        };
        let side = (share as f32 * image.width.min(image.height) as f32) as usize;
        if side == 0 {
            let (width, height) = (image.width, image.height);
            return Err(RecipeError::NothingLeft { recipe: self.name.clone(), width, height });
        }
        let at = |pixels: usize| (pixels - side).div_ceil(2);
        let (left, top) = (at(image.width), at(image.height));
        Ok(crop(image, Region { left, top, width: side, height: side })?)
    }

    /// The size, width and height, that an image is resized to.
    fn resized(&self, width: usize, height: usize) -> (usize, usize) {
        let short = width.min(height);
        // Python divides in f64 and cuts off; that equals the integer division for any size that
        // fits into memory. The short side comes out as `pixels` exactly.
        let truncated = |pixels: usize| (pixels * width / short, pixels * height / short);
        match self.resize.map(|resize| resize.to) {
            None => (width, height),
            Some(ResizeTo::ShortTruncate(pixels)) => truncated(pixels),
            Some(ResizeTo::ShortRound(pixels)) => {
                let factor = pixels as f64 / short as f64;
                let scaled = |side: usize| (side as f64 * factor).round_ties_even() as usize;
                (scaled(width), scaled(height))
            }
            Some(ResizeTo::Pct(share)) => truncated((self.crop.width as f64 / share) as usize),
            Some(ResizeTo::Exact(size)) => (size.width, size.height),
        }
    }
}

impl Size {
    /// A square.
    #[must_use]
    pub const fn square(side: usize) -> Self {
        Self { width: side, height: side }
    }

    /// Whether it is one.
    #[must_use]
    pub fn is_square(self) -> bool {
        self.width == self.height
    }

    /// Height and width, the order of a network's axes.
    #[must_use]
    pub fn axes(self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// Pixels in it.
    #[must_use]
    pub fn pixels(self) -> usize {
        self.width * self.height
    }
}

impl Offset {
    /// Where a crop of `wanted` pixels begins in `there` pixels, and how many of them it has.
    fn of(self, there: usize, wanted: usize) -> (usize, usize) {
        let Some(spare) = there.checked_sub(wanted) else { return (0, there) };
        let begin = match self {
            Self::Floor => spare / 2,
            Self::RoundHalfEven => spare / 2 + usize::from(spare % 4 == 3),
        };
        (begin, wanted)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_square() {
            true => write!(f, "{}", self.width),
            false => write!(f, "{}x{}", self.width, self.height),
        }
    }
}

impl fmt::Display for ResizeTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortTruncate(pixels) => write!(f, "short:{pixels}"),
            Self::ShortRound(pixels) => write!(f, "short-round:{pixels}"),
            Self::Pct(share) => write!(f, "pct:{share}"),
            Self::Exact(Size { width, height }) => write!(f, "exact:{width}x{height}"),
        }
    }
}

impl fmt::Display for CropFirst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => write!(f, "{share}"),
            Self::Pad32 => f.write_str("pad32"),
        }
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RoundHalfEven => "round-half-even",
            Self::Floor => "floor",
        })
    }
}

impl fmt::Display for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rgb => "rgb",
            Self::Bgr => "bgr",
        })
    }
}

/// Three numbers, by their name where they have one: `imagenet` or `half`.
fn three(numbers: [f32; 3], [imagenet, half]: [[f32; 3]; 2]) -> String {
    match numbers {
        numbers if numbers == imagenet => "imagenet".to_owned(),
        numbers if numbers == half => "half".to_owned(),
        [a, b, c] => format!("{a}/{b}/{c}"),
    }
}

#[cfg(test)]
mod tests;
