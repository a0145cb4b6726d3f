//! How an input is written: which numbers, in which order, in which kind of file.

use std::fmt;
use std::str::FromStr;

use dataset::{Channels, Recipe, RgbImage};
use serde::{Deserialize, Serialize};

/// Which numbers a tensor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TensorValues {
    /// Pixels, 0 to 255: the device normalises.
    U8,
    /// The network's input: normalised.
    F32,
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TensorLayout {
    /// Channel, height, width.
    Nchw,
    /// Height, width, channel.
    Nhwc,
}

/// In which kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TensorFormat {
    /// NumPy's archive, uncompressed, with one array `input`.
    Npz,
    /// The numbers alone, little-endian.
    Raw,
}

/// What each file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorSpec {
    /// Which numbers.
    pub values: TensorValues,
    /// In which order.
    pub layout: TensorLayout,
    /// In which kind of file.
    pub format: TensorFormat,
}

/// A word, as the command line and the manifest have it.
macro_rules! words {
    ($name:ident, $($word:literal => $variant:ident),*) => {
        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(format!("there are {}", [$($word),*].join(" and "))),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)*
                })
            }
        }
    };
}

words!(TensorValues, "f32" => F32, "u8" => U8);
words!(TensorLayout, "nchw" => Nchw, "nhwc" => Nhwc);
words!(TensorFormat, "npz" => Npz, "raw" => Raw);

impl TensorSpec {
    /// The axes of one image's tensor, a batch of one in front.
    pub fn shape(&self, recipe: &Recipe) -> [usize; 4] {
        let [height, width] = recipe.crop.axes();
        match self.layout {
            TensorLayout::Nchw => [1, 3, height, width],
            TensorLayout::Nhwc => [1, height, width, 3],
        }
    }

    /// What a file's name ends in.
    pub(crate) fn ending(&self) -> &'static str {
        match self.format {
            TensorFormat::Npz => "npz",
            TensorFormat::Raw => "bin",
        }
    }

    /// The numbers of an input, little-endian. `input` has the network's order of channels.
    pub(crate) fn bytes(&self, recipe: &Recipe, input: &RgbImage) -> Vec<u8> {
        let pixels = input.width * input.height;
        // Element `at` of the tensor is this channel of this pixel.
        let place = |at: usize| match self.layout {
            TensorLayout::Nchw => (at / pixels, at % pixels),
            TensorLayout::Nhwc => (at % 3, at / 3),
        };
        let pixel = |at: usize| {
            let (channel, pixel) = place(at);
            (channel, input.pixels[3 * pixel + channel])
        };
        match self.values {
            TensorValues::U8 => (0..3 * pixels).map(|at| pixel(at).1).collect(),
            TensorValues::F32 => {
                let table = recipe.normalise.table();
                let numbers = (0..3 * pixels).map(pixel);
                numbers
                    .flat_map(|(channel, value)| table[channel][usize::from(value)].to_le_bytes())
                    .collect()
            }
        }
    }

    /// The file of a tensor.
    pub(crate) fn file(&self, shape: [usize; 4], bytes: &[u8]) -> Result<Vec<u8>, String> {
        match self.format {
            TensorFormat::Raw => Ok(bytes.to_vec()),
            TensorFormat::Npz => self.npz(shape, bytes).map_err(|error| error.to_string()),
        }
    }

    /// NumPy's archive: an uncompressed ZIP file of `input.npy`, whose time is that of no clock, so that equal inputs have equal files.
    fn npz(&self, shape: [usize; 4], bytes: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
        use std::io::Write as _;

        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::default());
        archive.start_file("input.npy", options)?;
        archive.write_all(&self.npy_head(shape))?;
        archive.write_all(bytes)?;
        Ok(archive.finish()?.into_inner())
    }

    /// What stands before the numbers in a `.npy` file of version 1.0, after NumPy's `numpy/lib/format.py`.
    fn npy_head(&self, [n, a, b, c]: [usize; 4]) -> Vec<u8> {
        let kind = match self.values {
            TensorValues::U8 => "|u1",
            TensorValues::F32 => "<f4",
        };
        let mut text =
            format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({n}, {a}, {b}, {c}), }}");
        // The numbers begin at a multiple of 64 bytes; the head ends with a newline.
        const BEFORE: usize = 10;
        while !(BEFORE + text.len() + 1).is_multiple_of(64) {
            text.push(' ');
        }
        text.push('\n');
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        [b"\x93NUMPY\x01\x00".as_slice(), &length.to_le_bytes(), text.as_bytes()].concat()
    }
}

/// The order of colours, for the manifest.
pub(crate) fn channels(recipe: &Recipe) -> &'static str {
    match recipe.channels {
        Channels::Rgb => "rgb",
        Channels::Bgr => "bgr",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(values: TensorValues, layout: TensorLayout) -> TensorSpec {
        TensorSpec { values, layout, format: TensorFormat::Raw }
    }

    #[test]
    fn numbers_lie_as_the_layout_says() {
        let recipe: Recipe =
            "resize=exact:2x1,filter=pil-nearest,mean=0/0/1,std=1/1/2,scale=1".parse().unwrap();
        let input = RgbImage { width: 2, height: 1, pixels: vec![1, 2, 3, 4, 5, 6] };
        let of = |values, layout| spec(values, layout).bytes(&recipe, &input);
        assert_eq!(of(TensorValues::U8, TensorLayout::Nhwc), [1, 2, 3, 4, 5, 6]);
        assert_eq!(of(TensorValues::U8, TensorLayout::Nchw), [1, 4, 2, 5, 3, 6]);
        let numbers: Vec<u8> =
            [1.0_f32, 4.0, 2.0, 5.0, 1.0, 2.5].iter().flat_map(|it| it.to_le_bytes()).collect();
        assert_eq!(of(TensorValues::F32, TensorLayout::Nchw), numbers);
        assert_eq!(spec(TensorValues::U8, TensorLayout::Nhwc).shape(&recipe), [1, 1, 2, 3]);
    }

    #[test]
    fn a_head_of_npy_is_numpys() {
        let head = spec(TensorValues::F32, TensorLayout::Nchw).npy_head([1, 3, 224, 224]);
        // As numpy 1.26 writes it: np.lib.format.write_array_header_1_0.
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 224, 224), }";
        assert_eq!(&head[..10], b"\x93NUMPY\x01\x00\x76\x00");
        assert_eq!(head.len(), 128);
        assert_eq!(std::str::from_utf8(&head[10..]).unwrap().trim_end(), text);
        assert_eq!(head.last(), Some(&b'\n'));
    }
}
