//! The evaluation recipes, as plain data: how each source turns a decoded file into the crop that its
//! network was evaluated on. A new recipe is one entry in [`RECIPES`].

use crate::resample::{Window, crop, opencv, opencv_cubic, pil};
use crate::{Decoded, Decoder, Normalisation, RgbImage};

/// Preprocessing as one source does it: decode, resize, crop to a square, normalise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// What the catalog, the command line and reports call it.
    pub name: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// Where it comes from, and whether it is documented or inferred.
    pub provenance: &'static str,
    /// Whose reading of the file it starts from.
    pub decoder: Decoder,
    /// To what size.
    pub resize: Resize,
    /// By which library's filter.
    pub interpolation: Interpolation,
    /// Where the centre crop begins.
    pub offset: CropOffset,
    /// Side of the square crop, in pixels.
    pub size: usize,
    /// From pixels to the network's input.
    pub normalise: Normalisation,
}

/// The size an image is resized to before the crop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// The short side to this many pixels, the long side in proportion, its fraction cut off
    /// (torchvision's `Resize`).
    ShortSideTruncate(usize),
    /// Both sides times `pixels as f64 / short`, each rounded half to even (PaddleClas'
    /// `resize_short`).
    ShortSideRound(usize),
    /// Straight to the crop's size; the aspect ratio is not kept.
    Stretch,
}

/// A library's resampling filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// Pillow's `NEAREST`.
    PilNearest,
    /// Pillow's `BILINEAR`, antialiased.
    PilBilinear,
    /// Pillow's `BICUBIC` (a = -0.5), antialiased.
    PilBicubic,
    /// OpenCV's `INTER_LINEAR`, not antialiased.
    OpenCvLinear,
    /// OpenCV's `INTER_CUBIC` (a = -0.75), not antialiased, as the 4.5.5 wheels compute it.
    OpenCvCubic,
}

/// How the margin left and above a centre crop is rounded when it is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CropOffset {
    /// Half to even (torchvision).
    RoundHalfEven,
    /// Down (OpenCV users' integer division).
    Floor,
}

const fn torchvision(name: &'static str, short: usize, interpolation: Interpolation) -> Recipe {
    Recipe {
        name,
        summary: "",
        provenance: "",
        decoder: Decoder::Pil,
        resize: Resize::ShortSideTruncate(short),
        interpolation,
        offset: CropOffset::RoundHalfEven,
        size: 299,
        normalise: Normalisation::HALF,
    }
}

/// Every recipe, in the order in which they are documented.
pub static RECIPES: &[Recipe] = &[
    Recipe {
        summary: "PIL bicubic, short side 333 = floor(299 / 0.8975), centre crop 299",
        provenance: "timm's default configuration of xception (crop_pct 0.8975)",
        ..torchvision("timm-333-bicubic", 333, Interpolation::PilBicubic)
    },
    Recipe {
        summary: "PIL bicubic, short side 331 = floor(299 / 0.903), centre crop 299",
        provenance: "timm's default configuration of xception41 and 71 (crop_pct 0.903)",
        ..torchvision("timm-331-bicubic", 331, Interpolation::PilBicubic)
    },
    Recipe {
        summary: "PIL bicubic, short side 318 = floor(299 / 0.94), centre crop 299",
        provenance: "timm's default configuration of xception41p, 65 and 65p (crop_pct 0.94)",
        ..torchvision("timm-318-bicubic", 318, Interpolation::PilBicubic)
    },
    Recipe {
        summary: "PIL bilinear, short side 256 = floor(224 / 0.875), centre crop 224, ImageNet statistics",
        provenance: "timm's default configuration of resnet18 (crop_pct 0.875)",
        size: 224,
        normalise: Normalisation::IMAGENET,
        ..torchvision("timm-256-bilinear", 256, Interpolation::PilBilinear)
    },
    Recipe {
        summary: "PIL bilinear, short side 342, centre crop 299",
        provenance: "the model card's own preprocessing",
        ..torchvision("card-342-bilinear", 342, Interpolation::PilBilinear)
    },
    Recipe {
        summary: "PIL nearest, straight to 299x299, aspect ratio not kept",
        provenance: "what keras load_img(target_size=(299, 299)) does by default; Keras never documented its evaluation",
        resize: Resize::Stretch,
        ..torchvision("keras-load_img", 0, Interpolation::PilNearest)
    },
    Recipe {
        name: "keras-cv2-cubic-341",
        summary: "OpenCV bicubic, short side 341 = floor(299 / 0.875), centre crop 299",
        provenance: "keras-applications#88 describes cv2 INTER_CUBIC with short side 256 for 224-pixel crops; \
                     341 is inferred from that ratio",
        decoder: Decoder::OpenCv,
        resize: Resize::ShortSideTruncate(341),
        interpolation: Interpolation::OpenCvCubic,
        offset: CropOffset::Floor,
        size: 299,
        normalise: Normalisation::HALF,
    },
    Recipe {
        name: "ppcls-320-bilinear",
        summary: "OpenCV bilinear, short side 320, centre crop 299, ImageNet statistics",
        provenance: "PaddleClas' evaluation configuration of the Xception networks",
        decoder: Decoder::OpenCv,
        resize: Resize::ShortSideRound(320),
        interpolation: Interpolation::OpenCvLinear,
        offset: CropOffset::Floor,
        size: 299,
        normalise: Normalisation::IMAGENET,
    },
];

/// Why an image that was decoded still gives no crop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// The resized image is smaller than the crop. torchvision would pad with black, which no source
    /// of this project documents.
    #[error(
        "recipe {recipe}: a {width}x{height} image becomes {resized_width}x{resized_height}, too small for its \
         crop of {size}x{size}"
    )]
    CropDoesNotFit {
        /// The recipe's name.
        recipe: &'static str,
        /// Pixels in a row of the decoded image.
        width: usize,
        /// Rows of the decoded image.
        height: usize,
        /// Pixels in a row after resizing.
        resized_width: usize,
        /// Rows after resizing.
        resized_height: usize,
        /// Side of the crop.
        size: usize,
    },
    /// OpenCV changes its bicubic algorithm for images this small; the two are not mixed.
    #[error(
        "recipe {recipe}: a {width}x{height} image is too small, OpenCV's bicubic filter needs {} pixels a side",
        opencv_cubic::MIN_SIDE
    )]
    TooSmall {
        /// The recipe's name.
        recipe: &'static str,
        /// Pixels in a row of the decoded image.
        width: usize,
        /// Rows of the decoded image.
        height: usize,
    },
}

impl Recipe {
    /// The recipe of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        RECIPES.iter().find(|recipe| recipe.name == name)
    }

    /// The square crop, `size` x `size` RGB, that the network is given (before [`Self::normalise`]).
    ///
    /// # Errors
    /// [`RecipeError`], for degenerate image sizes only.
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
        self.crop_view(&decoded.view(self.decoder))
    }

    /// [`Self::crop`] of what its decoder shows.
    fn crop_view(&self, image: &RgbImage) -> Result<RgbImage, RecipeError> {
        let (width, height) = self.resized(image.width, image.height);
        let (Some(spare_width), Some(spare_height)) =
            (width.checked_sub(self.size), height.checked_sub(self.size))
        else {
            return Err(RecipeError::CropDoesNotFit {
                recipe: self.name,
                width: image.width,
                height: image.height,
                resized_width: width,
                resized_height: height,
                size: self.size,
            });
        };
        let window = Window {
            left: self.offset.of(spare_width),
            top: self.offset.of(spare_height),
            width: self.size,
            height: self.size,
        };
        if (width, height) == (image.width, image.height) {
            return Ok(crop(image, window));
        }
        Ok(match self.interpolation {
            Interpolation::PilNearest => crop(&pil::nearest(image, width, height), window),
            Interpolation::PilBilinear => pil::resize(image, pil::Filter::Bilinear, width, height, window),
            Interpolation::PilBicubic => pil::resize(image, pil::Filter::Bicubic, width, height, window),
            Interpolation::OpenCvLinear => opencv::resize_linear(image, width, height, window),
            Interpolation::OpenCvCubic => {
                if image.width.min(image.height) < opencv_cubic::MIN_SIDE {
                    let (width, height) = (image.width, image.height);
                    return Err(RecipeError::TooSmall { recipe: self.name, width, height });
                }
                opencv_cubic::resize_cubic(image, width, height, window)
            }
        })
    }

    /// The size, width and height, that an image is resized to.
    fn resized(&self, width: usize, height: usize) -> (usize, usize) {
        let short = width.min(height);
        match self.resize {
            // Python divides in f64 and cuts off; that equals the integer division for any size that
            // fits into memory. The short side comes out as `pixels` exactly.
            Resize::ShortSideTruncate(pixels) => (pixels * width / short, pixels * height / short),
            Resize::ShortSideRound(pixels) => {
                let factor = pixels as f64 / short as f64;
                let scaled = |side: usize| (side as f64 * factor).round_ties_even() as usize;
                (scaled(width), scaled(height))
            }
            Resize::Stretch => (self.size, self.size),
        }
    }
}

impl CropOffset {
    fn of(self, spare: usize) -> usize {
        match self {
            Self::Floor => spare / 2,
            Self::RoundHalfEven => spare / 2 + usize::from(spare % 4 == 3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(name: &str, width: usize, height: usize) -> (usize, usize) {
        Recipe::by_name(name).unwrap().resized(width, height)
    }

    #[test]
    fn names_are_unique_and_found() {
        for recipe in RECIPES {
            assert_eq!(Recipe::by_name(recipe.name), Some(recipe));
            assert!(!recipe.summary.is_empty() && !recipe.provenance.is_empty());
            assert!(!recipe.provenance.contains("  "), "{}", recipe.provenance);
        }
        assert_eq!(Recipe::by_name("timm-332-bicubic"), None);
    }

    #[test]
    fn sizes_as_the_sources_round_them() {
        assert_eq!(size("timm-333-bicubic", 500, 375), (444, 333));
        assert_eq!(size("timm-333-bicubic", 375, 500), (333, 444));
        assert_eq!(size("timm-331-bicubic", 331, 450), (331, 450));
        assert_eq!(size("ppcls-320-bilinear", 500, 375), (427, 320));
        assert_eq!(size("keras-cv2-cubic-341", 500, 375), (454, 341));
        assert_eq!(size("keras-load_img", 500, 375), (299, 299));
    }

    #[test]
    fn offsets_round_half_to_even() {
        let offsets = |rule: CropOffset| [0, 1, 2, 3, 4, 5, 7].map(|spare| rule.of(spare));
        // Python: round(0.5) == 0, round(1.5) == 2, round(2.5) == 2, round(3.5) == 4.
        assert_eq!(offsets(CropOffset::RoundHalfEven), [0, 0, 1, 2, 2, 2, 4]);
        assert_eq!(offsets(CropOffset::Floor), [0, 0, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn degenerate_sizes_are_errors() {
        let image = RgbImage { width: 3, height: 9, pixels: vec![0; 81] };
        let cubic = Recipe::by_name("keras-cv2-cubic-341").unwrap();
        let error = cubic.crop_view(&image).unwrap_err();
        assert!(error.to_string().contains("a 3x9 image is too small"), "{error}");
        let cropping_more = Recipe { size: 400, ..*cubic };
        let error = cropping_more.crop_view(&image).unwrap_err();
        assert!(error.to_string().contains("becomes 341x1023, too small for its crop of 400x400"), "{error}");
    }
}
