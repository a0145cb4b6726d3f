//! The resamplers of the two libraries that the sources use, reproduced bit for bit.
//!
//! Each computes only the [`Region`] of the resized image that a crop keeps; that is exact, because every output pixel
//! depends on source pixels alone.

pub(crate) mod opencv;
pub(crate) mod pil;

use memory::NoMemory;

use crate::RgbImage;
use crate::recipe::{Filter, Size};

/// The region of `image` resized to `width` x `height` by `filter`.
pub(crate) fn resize(
    image: &RgbImage,
    filter: Filter,
    width: usize,
    height: usize,
    region: Region,
) -> Result<RgbImage, NoMemory> {
    let pil = |filter| pil::resize(image, filter, width, height, region);
    match filter {
        Filter::PilNearest => pil::nearest(image, width, height, region),
        Filter::PilBox => pil(pil::ConvolutionFilter::Box),
        Filter::PilBilinear => pil(pil::ConvolutionFilter::Bilinear),
        Filter::PilHamming => pil(pil::ConvolutionFilter::Hamming),
        Filter::PilBicubic => pil(pil::ConvolutionFilter::Bicubic),
        Filter::PilLanczos => pil(pil::ConvolutionFilter::Lanczos),
        Filter::OpenCvNearest => opencv::nearest(image, width, height, region),
        Filter::OpenCvLinear => opencv::linear(image, width, height, region),
        Filter::OpenCvCubic => opencv::cubic(image, width, height, region),
        Filter::OpenCvArea => opencv::area(image, width, height, region),
        Filter::OpenCvLanczos4 => opencv::lanczos4(image, width, height, region),
    }
}

/// The part of a resized image that is wanted, in pixels of the resized image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Region {
    pub(crate) fn columns(self) -> std::ops::Range<usize> {
        self.left..self.left + self.width
    }

    pub(crate) fn rows(self) -> std::ops::Range<usize> {
        self.top..self.top + self.height
    }

    /// Room for its pixels.
    fn room(self) -> Result<Vec<u8>, NoMemory> {
        memory::room(self.width * self.height * 3)
    }
}

/// Cuts the region out of an image that needs no resizing.
pub(crate) fn crop(image: &RgbImage, region: Region) -> Result<RgbImage, NoMemory> {
    let mut pixels = region.room()?;
    for y in region.rows() {
        pixels.extend_from_slice(&image.row(y)[region.left * 3..][..region.width * 3]);
    }
    Ok(RgbImage { width: region.width, height: region.height, pixels })
}

/// `image` in the middle of `size`, with black around it where it is smaller: the odd pixel to the right and below.
pub(crate) fn padded(image: &RgbImage, size: Size) -> Result<RgbImage, NoMemory> {
    let (left, top) = ((size.width - image.width) / 2, (size.height - image.height) / 2);
    let mut pixels = memory::filled(0, size.pixels() * 3)?;
    for y in 0..image.height {
        let at = ((top + y) * size.width + left) * 3;
        pixels[at..at + image.width * 3].copy_from_slice(image.row(y));
    }
    Ok(RgbImage { width: size.width, height: size.height, pixels })
}

/// The pixels at `columns` of the rows `rows` of `image`.
fn pick(image: &RgbImage, columns: &[usize], rows: &[usize]) -> Result<RgbImage, NoMemory> {
    let mut pixels = memory::room(columns.len() * rows.len() * 3)?;
    for &y in rows {
        let row = image.row(y);
        for &x in columns {
            pixels.extend_from_slice(&row[x * 3..x * 3 + 3]);
        }
    }
    Ok(RgbImage { width: columns.len(), height: rows.len(), pixels })
}
