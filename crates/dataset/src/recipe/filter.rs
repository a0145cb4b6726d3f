//! The filters by their names: a library's way to resample.

use std::fmt;

use super::{Offset, RecipeKeyError, nearest};
use crate::Decoder;

/// A library's resampling filter, reproduced bit for bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Pillow's `NEAREST`.
    PilNearest,
    /// Pillow's `BOX`.
    PilBox,
    /// Pillow's `BILINEAR`, antialiased as all that follow of Pillow's.
    PilBilinear,
    /// Pillow's `HAMMING`.
    PilHamming,
    /// Pillow's `BICUBIC` (a = -0.5).
    PilBicubic,
    /// Pillow's `LANCZOS` (three lobes).
    PilLanczos,
    /// OpenCV's `INTER_NEAREST`.
    OpenCvNearest,
    /// OpenCV's `INTER_LINEAR`, not antialiased.
    OpenCvLinear,
    /// OpenCV's `INTER_CUBIC` (a = -0.75), not antialiased, as the 4.5.5 wheels compute it: by Intel's IPP, whose rounding
    /// depends on the processor. Its AVX-512 code is the one followed.
    OpenCvCubic,
    /// OpenCV's `INTER_AREA`: the mean of what a pixel covers when shrinking, else a linear filter of its own.
    OpenCvArea,
    /// OpenCV's `INTER_LANCZOS4` (eight taps), not antialiased.
    OpenCvLanczos4,
}

impl Filter {
    /// Every filter, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::PilNearest,
        Self::PilBox,
        Self::PilBilinear,
        Self::PilHamming,
        Self::PilBicubic,
        Self::PilLanczos,
        Self::OpenCvNearest,
        Self::OpenCvLinear,
        Self::OpenCvCubic,
        Self::OpenCvArea,
        Self::OpenCvLanczos4,
    ];

    /// What recipes call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PilNearest => "pil-nearest",
            Self::PilBox => "pil-box",
            Self::PilBilinear => "pil-bilinear",
            Self::PilHamming => "pil-hamming",
            Self::PilBicubic => "pil-bicubic",
            Self::PilLanczos => "pil-lanczos",
            Self::OpenCvNearest => "opencv-nearest",
            Self::OpenCvLinear => "opencv-linear",
            Self::OpenCvCubic => "opencv-cubic",
            Self::OpenCvArea => "opencv-area",
            Self::OpenCvLanczos4 => "opencv-lanczos4",
        }
    }

    /// What a reader has to know of its bytes: nothing, unless its library computes others on other processors.
    #[must_use]
    pub fn caveat(self) -> Option<&'static str> {
        (self == Self::OpenCvCubic).then_some(
            "opencv-cubic is what the wheels of OpenCV 4.5.5 compute on a processor with AVX-512, by Intel's IPP; on another \
             processor they round a few bytes in a million otherwise",
        )
    }

    /// The decoder of its library.
    pub(super) fn decoder(self) -> Decoder {
        if self.name().starts_with("pil-") { Decoder::Pil } else { Decoder::OpenCv }
    }

    pub(super) fn parse(name: &str) -> Result<Self, RecipeKeyError> {
        Self::ALL.into_iter().find(|filter| filter.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            RecipeKeyError::value("filter", name, nearest::unknown("filter", name, &names))
        })
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Decoder {
    /// What recipes call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pil => "pil",
            Self::OpenCv => "opencv",
        }
    }

    /// How those who decode by it usually round the crop's offset.
    pub(super) fn usual_offset(self) -> Offset {
        match self {
            Self::Pil => Offset::RoundHalfEven,
            Self::OpenCv => Offset::Floor,
        }
    }
}
