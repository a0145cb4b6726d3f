//! The pixels of a PNG: inflated, unfiltered, and put in their places where they are interlaced. Done here because the two
//! libraries refuse streams that the `png` crate lets pass: OpenCV one without its end, PIL one with a wrong checksum.

use flate2::{Decompress, FlushDecompress, Status};

use super::corrupt;
use crate::decode::{DecodeError, Format};

const TRUNCATED: DecodeError = DecodeError::Truncated { format: Format::Png };

/// Deflate makes at most this many bytes of one.
const MOST_FROM_A_BYTE: usize = 1032;

/// First column and row, and steps from one to the next, of the seven passes.
const ADAM7: [[usize; 4]; 7] =
    [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

/// How the pixels are stored.
#[derive(Clone, Copy)]
pub(super) struct Storage {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) channels: usize,
    /// Bits a channel, 1 to 8.
    pub(super) depth: usize,
    pub(super) interlaced: bool,
}

/// The part of an image that one pass stores.
struct Pass {
    start: [usize; 2],
    step: [usize; 2],
    width: usize,
    height: usize,
}

impl Storage {
    fn passes(self) -> Vec<Pass> {
        let pass = |&[x, y, across, down]: &[usize; 4]| Pass {
            start: [x, y],
            step: [across, down],
            width: self.width.saturating_sub(x).div_ceil(across),
            height: self.height.saturating_sub(y).div_ceil(down),
        };
        match self.interlaced {
            true => ADAM7.iter().map(pass).filter(|pass| pass.width > 0 && pass.height > 0).collect(),
            false => vec![pass(&[0, 0, 1, 1])],
        }
    }

    /// Bytes of a row of `width` pixels, without the one that names its filter.
    fn row(self, width: usize) -> usize {
        (width * self.channels * self.depth).div_ceil(8)
    }

    /// The samples, a byte each, rows from the top, from the content of the `IDAT` chunks.
    pub(super) fn samples(self, compressed: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let passes = self.passes();
        let size = passes.iter().map(|pass| pass.height * (1 + self.row(pass.width))).sum();
        let mut raw = inflate(compressed, size)?;
        let mut samples = memory::filled(0, self.width * self.height * self.channels)?;
        let mut rest = &mut raw[..];
        for pass in passes {
            let row = self.row(pass.width);
            let rows;
            (rows, rest) = rest.split_at_mut(pass.height * (1 + row));
            unfilter(rows, row, (self.channels * self.depth).div_ceil(8))?;
            for (y, row) in rows.chunks_exact(1 + row).enumerate() {
                let at = ((pass.start[1] + y * pass.step[1]) * self.width + pass.start[0]) * self.channels;
                let out = samples[at..].chunks_mut(pass.step[0] * self.channels);
                self.spread(&row[1..], out.take(pass.width));
            }
        }
        Ok(samples)
    }

    /// The samples of a row into pixels, each at the beginning of one of `out`.
    fn spread<'a>(self, row: &[u8], out: impl Iterator<Item = &'a mut [u8]>) {
        let (channels, depth) = (self.channels, self.depth);
        let mask = ((1_u16 << depth) - 1) as u8;
        for (x, pixel) in out.enumerate() {
            for (channel, sample) in pixel[..channels].iter_mut().enumerate() {
                let bit = (x * channels + channel) * depth;
                *sample = row[bit / 8] >> (8 - depth - bit % 8) & mask;
            }
        }
    }
}

/// A whole stream of `size` bytes. Bytes after its end are passed over, as libpng does.
fn inflate(compressed: &[u8], size: usize) -> Result<Vec<u8>, DecodeError> {
    if size > compressed.len().saturating_mul(MOST_FROM_A_BYTE) {
        return Err(TRUNCATED);
    }
    // One byte more than there should be, to notice that there are more.
    let mut raw = memory::filled(0, size + 1)?;
    let mut stream = Decompress::new(true);
    loop {
        let (read, written) = (stream.total_in() as usize, stream.total_out() as usize);
        let status = stream.decompress(&compressed[read..], &mut raw[written..], FlushDecompress::Finish);
        let now = stream.total_out() as usize;
        match status {
            Ok(Status::StreamEnd) if now == size => break,
            Ok(Status::StreamEnd) if now < size => return Err(TRUNCATED),
            _ if now > size => return Err(corrupt(&"more pixels than its header announces")),
            Ok(_) if stream.total_in() as usize == read && now == written => return Err(TRUNCATED),
            Ok(_) => {}
            Err(error) => return Err(corrupt(&format!("its pixels cannot be inflated: {error}"))),
        }
    }
    raw.truncate(size);
    Ok(raw)
}

/// Undoes the filters of rows of `row` bytes and one before them, in place. `pixel` bytes before a byte lies its neighbour.
fn unfilter(rows: &mut [u8], row: usize, pixel: usize) -> Result<(), DecodeError> {
    let mut above = vec![0; row];
    for line in rows.chunks_exact_mut(1 + row) {
        let (filter, line) = line.split_at_mut(1);
        match filter[0] {
            0 => {}
            1 => {
                for x in pixel..row {
                    line[x] = line[x].wrapping_add(line[x - pixel]);
                }
            }
            2 => {
                for (byte, above) in line.iter_mut().zip(&above) {
                    *byte = byte.wrapping_add(*above);
                }
            }
            3 => {
                for x in 0..row {
                    let left = if x < pixel { 0 } else { u16::from(line[x - pixel]) };
                    line[x] = line[x].wrapping_add(((left + u16::from(above[x])) / 2) as u8);
                }
            }
            4 => {
                for x in 0..row {
                    let (left, corner) = if x < pixel { (0, 0) } else { (line[x - pixel], above[x - pixel]) };
                    line[x] = line[x].wrapping_add(paeth(left, above[x], corner));
                }
            }
            other => return Err(corrupt(&format!("a row is filtered by method {other}"))),
        }
        above.copy_from_slice(line);
    }
    Ok(())
}

/// Which of three neighbours is closest to left + above - corner.
fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let (a, b, c) = (i16::from(left), i16::from(above), i16::from(corner));
    let (to_left, to_above, to_corner) = ((b - c).abs(), (a - c).abs(), (a + b - 2 * c).abs());
    if to_left <= to_above && to_left <= to_corner {
        left
    } else if to_above <= to_corner {
        above
    } else {
        corner
    }
}
