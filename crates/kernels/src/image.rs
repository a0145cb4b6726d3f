//! A batch of images as it comes: bytes as decoders give them, or numbers as tensors hold them.

use crate::shape::{SizeError, elements};

/// A batch of images.
#[derive(Debug, Clone, Copy)]
pub enum Images<'a> {
    /// Normalised numbers, NCHW.
    Planar {
        /// `[images, channels, height, width]`.
        values: &'a [f32],
        /// Channels.
        channels: usize,
        /// Height and width.
        size: [usize; 2],
    },
    /// Bytes, NHWC, and what each value of each channel stands for.
    Bytes {
        /// `[images, height, width, channels]`.
        values: &'a [u8],
        /// A table a channel.
        tables: &'a [[f32; 256]],
        /// Height and width.
        size: [usize; 2],
    },
}

impl Images<'_> {
    /// Channels of an image.
    pub fn channels(&self) -> usize {
        match self {
            Self::Planar { channels, .. } => *channels,
            Self::Bytes { tables, .. } => tables.len(),
        }
    }

    /// Height and width of an image.
    pub fn size(&self) -> [usize; 2] {
        match self {
            Self::Planar { size, .. } | Self::Bytes { size, .. } => *size,
        }
    }

    /// Number of images.
    ///
    /// # Errors
    /// [`SizeError::TooLarge`] where an image has more elements than can be counted, [`SizeError::Partial`] where the values
    /// are not those of whole images.
    ///
    /// ```
    /// use kernels::Images;
    ///
    /// let images = |size| Images::Planar { values: &[0.0; 24], channels: 3, size };
    /// assert_eq!(images([2, 2]).count(), Ok(2));
    /// assert!(images([2, 3]).count().is_err());
    /// assert!(images([1 << 32, 1 << 32]).count().is_err());
    /// ```
    pub fn count(&self) -> Result<usize, SizeError> {
        let ([height, width], channels) = (self.size(), self.channels());
        let len = match self {
            Self::Planar { values, .. } => values.len(),
            Self::Bytes { values, .. } => values.len(),
        };
        match elements([height, width], channels).ok_or(SizeError::TooLarge { height, width })? {
            _ if len == 0 => Ok(0),
            image if image > 0 && len.is_multiple_of(image) => Ok(len / image),
            _ => Err(SizeError::Partial { values: len, height, width, channels }),
        }
    }

    /// All images as normalised numbers, `[images, channels, height, width]`.
    ///
    /// # Errors
    /// Those of [`Images::count`], and [`SizeError::OutOfMemory`].
    pub fn to_planar(&self) -> Result<Vec<f32>, SizeError> {
        let count = self.count()?;
        let len = match self {
            Self::Planar { values, .. } => values.len(),
            Self::Bytes { values, .. } => values.len(),
        };
        let mut planar = memory::room(len)?;
        match *self {
            _ if count == 0 => {}
            Self::Planar { values, .. } => planar.extend_from_slice(values),
            Self::Bytes { values, tables, size: [height, width] } => {
                let image = height * width * tables.len();
                planar.resize(len, 0.0);
                for (from, to) in values.chunks_exact(image).zip(planar.chunks_exact_mut(image)) {
                    for ((channel, table), plane) in
                        tables.iter().enumerate().zip(to.chunks_exact_mut(height * width))
                    {
                        for (pixel, to) in from.chunks_exact(tables.len()).zip(plane) {
                            *to = table[usize::from(pixel[channel])];
                        }
                    }
                }
            }
        }
        Ok(planar)
    }

    /// Writes row `row` of image `image`, pixel after pixel, to `to`, which has room for it and no more.
    pub(crate) fn write_row(&self, image: usize, row: usize, to: &mut [f32]) {
        let [height, width] = self.size();
        let channels = self.channels();
        assert_eq!(to.len(), width * channels, "elements of a row");
        match self {
            Self::Planar { values, .. } => {
                for channel in 0..channels {
                    let begin = ((image * channels + channel) * height + row) * width;
                    for (x, &value) in values[begin..begin + width].iter().enumerate() {
                        to[x * channels + channel] = value;
                    }
                }
            }
            Self::Bytes { values, tables, .. } => {
                let begin = (image * height + row) * width * channels;
                let pixels = values[begin..begin + width * channels].chunks_exact(channels);
                for (pixel, to) in pixels.zip(to.chunks_exact_mut(channels)) {
                    for ((&byte, table), to) in pixel.iter().zip(*tables).zip(to) {
                        *to = table[usize::from(byte)];
                    }
                }
            }
        }
    }
}
