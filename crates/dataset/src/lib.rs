//! Finds ILSVRC2012 images and their labels, decodes them, and runs the recipes that turn a file
//! into the crop a published network was evaluated on.
//!
//! Knows no network and no tensor library. The promise is exactness: what comes out is, byte for
//! byte, what Pillow 9.5.0 and OpenCV 4.5.5 make of the same file (`tests/golden.rs` holds the
//! frozen answers of both).
//!
//! ```
//! use dataset::{Dataset, Decoded, Recipe};
//!
//! let sample = Dataset::sample();
//! let bytes = sample.read(0)?;
//! let decoded = Decoded::from_bytes(&bytes)?;
//! let recipe = Recipe::by_name("timm-333-bicubic").expect("a catalogued recipe");
//! let crop = recipe.crop(&decoded)?;
//! let mut nchw = vec![0.0; 3 * recipe.crop.pixels()];
//! recipe.normalise.write_chw(&crop, &mut nchw);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | `decode` | JPEG, PNG, EXIF orientation; PIL's and OpenCV's view of one file |
//! | `resample` | PIL's resampler, and those of OpenCV |
//! | `recipe` | the recipes, as plain data: their grammar, and those that have a name |
//! | [`labels`] | the 1,000 classes and the 50,000 validation labels |
//! | `census` | what is in the files of a data set |
//! | `thumbnail` | small pictures for reports |
//! | [`guard`] | the boundary around readers of foreign bytes |
//! | [`regular`] | regular files, opened once; pipes and devices are refused |
//! | `open` | what lies at a path: layouts, label lists, their errors |
//! | `names` | parts of names, and which files nobody means |

mod census;
mod decode;
pub mod guard;
mod image;
pub mod labels;
mod names;
mod normalise;
mod open;
mod recipe;
pub mod regular;
mod resample;
mod thumbnail;

pub use census::{Census, Sides};
pub use decode::{Colour, DecodeError, Decoded, Decoder, Format, Warnings};
pub use image::RgbImage;
pub use memory::NoMemory;
pub use normalise::Normalisation;
pub use open::{
    ArchiveProblem, Dataset, DatasetError, KnownLabels, LabelCheck, LabelSource, LabelledImage, Layout,
    Remedy,
};
pub use recipe::{
    BuiltIn, Channels, CropFirst, Filter, Offset, Pad, RECIPES, Recipe, RecipeError, RecipeFileError,
    RecipeKeyError, Resize, ResizeTo, Size,
};
pub use thumbnail::thumbnail_jpeg;
