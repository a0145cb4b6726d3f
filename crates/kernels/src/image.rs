//! A batch of images as it comes: bytes as decoders give them, or numbers as tensors hold them.

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
    pub fn count(&self) -> usize {
        let [height, width] = self.size();
        let len = match self {
            Self::Planar { values, .. } => values.len(),
            Self::Bytes { values, .. } => values.len(),
        };
        len / (height * width * self.channels()).max(1)
    }

    /// All images as normalised numbers, `[images, channels, height, width]`.
    pub fn to_planar(&self) -> Vec<f32> {
        match *self {
            Self::Planar { values, .. } => values.to_vec(),
            Self::Bytes { values, tables, size: [height, width] } => {
                let image = height * width * tables.len();
                let mut planar = vec![0.0; values.len()];
                for (from, to) in values.chunks_exact(image).zip(planar.chunks_exact_mut(image)) {
                    for ((channel, table), plane) in
                        tables.iter().enumerate().zip(to.chunks_exact_mut(height * width))
                    {
                        for (pixel, to) in from.chunks_exact(tables.len()).zip(plane) {
                            *to = table[usize::from(pixel[channel])];
                        }
                    }
                }
                planar
            }
        }
    }

    /// Writes a row of an image's pixels, channel after channel.
    ///
    /// # Safety
    /// `to` must have room for the row.
    pub(crate) unsafe fn write_row(&self, image: usize, row: usize, to: *mut f32) {
        let [height, width] = self.size();
        let channels = self.channels();
        // SAFETY: the caller's.
        let to = unsafe { std::slice::from_raw_parts_mut(to, width * channels) };
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
