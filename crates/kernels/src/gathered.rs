//! Elements of values put in another order, and values put one after the other: what attention does between its products.

use std::ops::Range;

/// Of which elements a value's pixels are made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gathered {
    /// Height and width of the result.
    pub(crate) size: [usize; 2],
    /// Sizes of the axes that its pixels are in, the last fastest.
    pub(crate) axes: Vec<usize>,
    /// What it is made of.
    pub(crate) pieces: Vec<Piece>,
}

/// A box of the result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Piece {
    /// The value of the program that it is made of.
    pub(crate) value: usize,
    /// Of these pixels of each axis.
    pub(crate) pixels: Vec<Range<usize>>,
    /// Its first channel.
    pub(crate) channel: usize,
    /// The element of the value that its first element is.
    pub(crate) offset: usize,
    /// How far the elements of each axis of pixels are from the first.
    pub(crate) distances: Vec<Vec<usize>>,
    /// How far the channels are.
    pub(crate) channels: Vec<usize>,
}

impl Piece {
    /// Elements that the value has at least.
    fn reach(&self) -> usize {
        let last = |distances: &Vec<usize>| distances.iter().copied().max().unwrap_or(0);
        self.offset + self.distances.iter().map(last).sum::<usize>() + last(&self.channels) + 1
    }
}

impl Gathered {
    /// Puts the output pixels `pixels` to `to`: `channels` (padded) elements each. `read` gives the elements of a value.
    ///
    /// # Panics
    /// Where a value has fewer elements than are asked for.
    pub(crate) fn copy<'a>(
        &self,
        read: impl Fn(usize) -> &'a [f32],
        pixels: Range<usize>,
        (channels, to): (usize, &mut [f32]),
    ) {
        to.fill(0.0);
        for piece in &self.pieces {
            let from = read(piece.value);
            assert!(piece.reach() <= from.len(), "{} elements of {}", piece.reach(), from.len());
            let is_run = piece.channels.windows(2).all(|two| two[0] + 1 == two[1]);
            let mut index = self.index(pixels.start);
            for to in to.chunks_exact_mut(channels) {
                if let Some(begin) = piece.begin(&index) {
                    let to = &mut to[piece.channel..piece.channel + piece.channels.len()];
                    if is_run {
                        to.copy_from_slice(&from[begin..begin + to.len()]);
                    } else {
                        to.iter_mut().zip(&piece.channels).for_each(|(to, at)| *to = from[begin + at]);
                    }
                }
                for (at, &size) in index.iter_mut().zip(&self.axes).rev() {
                    *at += 1;
                    if *at < size {
                        break;
                    }
                    *at = 0;
                }
            }
        }
    }

    /// Where a pixel is along each axis.
    fn index(&self, mut pixel: usize) -> Vec<usize> {
        let mut index = vec![0; self.axes.len()];
        for (at, &size) in index.iter_mut().zip(&self.axes).rev() {
            *at = pixel % size;
            pixel /= size;
        }
        index
    }
}

impl Piece {
    /// The first element that the pixel at `index` of the result is made of, if it is of this piece.
    fn begin(&self, index: &[usize]) -> Option<usize> {
        let along = |(at, (pixels, distances)): (&usize, (&Range<usize>, &Vec<usize>))| {
            pixels.contains(at).then(|| distances[at - pixels.start])
        };
        let distances = index.iter().zip(self.pixels.iter().zip(&self.distances)).map(along);
        distances.sum::<Option<usize>>().map(|distance| self.offset + distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_lie_side_by_side_in_any_order() {
        let (a, b): (Vec<f32>, Vec<f32>) = ((0..8u8).map(f32::from).collect(), vec![9.0; 4]);
        // Two rows of two columns of `a` by its columns, then a row of `b`.
        let gathered = Gathered {
            size: [3, 1],
            axes: vec![3],
            pieces: vec![
                Piece {
                    value: 1,
                    pixels: vec![Range { start: 0, end: 2 }],
                    channel: 0,
                    offset: 1,
                    distances: vec![vec![0, 1]],
                    channels: vec![0, 4],
                },
                Piece {
                    value: 2,
                    pixels: vec![Range { start: 2, end: 3 }],
                    channel: 0,
                    offset: 0,
                    distances: vec![vec![0]],
                    channels: vec![0, 1],
                },
            ],
        };
        let read = |value| if value == 1 { &a[..] } else { &b[..] };
        let mut to = vec![7.0; 9];
        gathered.copy(read, 0..3, (3, &mut to));
        assert_eq!(to, [1.0, 5.0, 0.0, 2.0, 6.0, 0.0, 9.0, 9.0, 0.0]);
        let mut last = vec![7.0; 3];
        gathered.copy(read, 2..3, (3, &mut last));
        assert_eq!(last, to[6..]);
    }
}
