//! Steps that compute nothing: channels of several maps put together, some of a map's channels, pixels taken from elsewhere.

use std::ops::Range;

use graph::Geometry;
use graph::operations::PadWith;

use crate::elsewhere::{Held, to_size};
use crate::simd::BLOCK;

/// Where the elements of a step that computes nothing come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Move {
    /// The channels of these maps, one map after the other.
    Concat(Vec<Piece>),
    /// Some channels of a map, in runs.
    Channels(Vec<Run>),
    /// Pixels of a map: of which row and of which column.
    Pixels([Along; 2]),
    /// A value of which the elements lie one after the other in the order of its axes, from element `begin` on.
    Unpacked { begin: usize, held: Held },
}

/// A map that is put beside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The value of the program.
    pub(crate) value: usize,
    /// Its channels.
    pub(crate) width: usize,
}

/// Channels that lie one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) from: usize,
    pub(crate) len: usize,
}

/// Which elements of an axis of a map are taken.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Along {
    /// Those at these places.
    Places(Vec<usize>),
    /// All of them, and so many more before and after.
    Padded { before: usize, after: usize, with: PadWith },
}

impl Along {
    /// All of them.
    pub(crate) const ALL: Self = Self::Padded { before: 0, after: 0, with: PadWith::Constant(0.0) };

    /// How many there are of an axis of `size`; `None` where it has not what is asked for.
    fn len(&self, size: usize) -> Option<usize> {
        match self {
            Self::Places(places) => places.iter().all(|&place| place < size).then_some(places.len()),
            &Self::Padded { before, after, with } => {
                let most = match with {
                    PadWith::Constant(_) => usize::MAX,
                    PadWith::Edge if size > 0 => usize::MAX,
                    PadWith::Edge => 0,
                    PadWith::Reflection => size.saturating_sub(1),
                };
                if before > most || after > most {
                    return None;
                }
                size.checked_add(before)?.checked_add(after)
            }
        }
    }

    /// The place of element `at`; `None` for a zero.
    fn place(&self, at: usize, size: usize) -> Option<usize> {
        match self {
            Self::Places(places) => Some(places[at]),
            &Self::Padded { before, with, .. } => match (at.checked_sub(before), with) {
                (Some(place), _) if place < size => Some(place),
                (_, PadWith::Constant(_)) => None,
                (None, PadWith::Edge) => Some(0),
                (Some(_), PadWith::Edge) => Some(size - 1),
                (None, PadWith::Reflection) => Some(before - at),
                (Some(place), PadWith::Reflection) => Some(2 * (size - 1) - place),
            },
        }
    }
}

/// Channels in runs.
pub(crate) fn runs(places: impl IntoIterator<Item = usize>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for place in places {
        match runs.last_mut() {
            Some(run) if run.from + run.len == place => run.len += 1,
            _ => runs.push(Run { from: place, len: 1 }),
        }
    }
    runs
}

impl Move {
    /// What it makes of a map of `input` pixels; `None` where the map has not what is asked for.
    pub(crate) fn geometry(&self, input: [usize; 2]) -> Option<Geometry> {
        let output = match self {
            Self::Unpacked { held, .. } => return Some(to_size(input, held.size)),
            Self::Concat(_) | Self::Channels(_) => input,
            Self::Pixels([rows, columns]) => [rows.len(input[0])?, columns.len(input[1])?],
        };
        let one = [1; 2];
        Some(Geometry { input, output, kernel: one, stride: one, dilation: one, pad: [0; 2] })
    }

    /// The values of the program that it reads beside the first.
    pub(crate) fn others(&self) -> impl Iterator<Item = usize> + '_ {
        let pieces = match self {
            Self::Concat(pieces) => &pieces[1..],
            _ => &[],
        };
        pieces.iter().map(|piece| piece.value)
    }

    /// The values of the program that it reads, of which `input` is the first.
    pub(crate) fn reads(&self, input: usize) -> impl Iterator<Item = usize> + '_ {
        [input].into_iter().chain(self.others())
    }

    /// Puts the output pixels `pixels` to `to`, which has room for them and no more: `channels` (padded) elements each. `read` gives
    /// the elements of a value and how many a pixel of it has, or nothing where it is there already; `input` is the value that is read first.
    ///
    /// # Panics
    /// Where a value has fewer pixels or channels than are asked for.
    pub(crate) fn copy<'a>(
        &self,
        input: usize,
        read: impl Fn(usize) -> Option<(&'a [f32], usize)>,
        geometry: &Geometry,
        pixels: Range<usize>,
        (channels, to): (usize, &mut [f32]),
    ) {
        assert_eq!(pixels.len() * channels, to.len(), "elements of {pixels:?}");
        match self {
            Self::Unpacked { begin, held } => {
                let Some((from, _)) = read(input) else { return };
                held.copy(&from[*begin..begin + held.elements()], pixels, (channels, to));
            }
            Self::Concat(pieces) => {
                let mut begin = 0;
                // Beside what is there already, nothing is written that would be written once more.
                let is_exact = pieces.iter().any(|piece| read(piece.value).is_none());
                for &Piece { value, width } in pieces {
                    if let Some((from, stride)) = read(value) {
                        let end = if is_exact { begin + width } else { channels };
                        for (pixel, to) in pixels.clone().zip(to.chunks_exact_mut(channels)) {
                            let from = &from[pixel * stride..(pixel + 1) * stride];
                            copy_piece(from, &mut to[begin..end], width);
                        }
                    }
                    begin += width;
                }
                if begin < channels {
                    to.chunks_exact_mut(channels).for_each(|to| to[begin..].fill(0.0));
                }
            }
            Self::Channels(runs) => {
                let Some((from, stride)) = read(input) else { return };
                for (pixel, to) in pixels.zip(to.chunks_exact_mut(channels)) {
                    let from = &from[pixel * stride..(pixel + 1) * stride];
                    let mut begin = 0;
                    for &Run { from: first, len } in runs {
                        match len {
                            1 => to[begin] = from[first],
                            _ => to[begin..begin + len].copy_from_slice(&from[first..first + len]),
                        }
                        begin += len;
                    }
                    to[begin..].fill(0.0);
                }
            }
            Self::Pixels([rows, columns]) => {
                let Some((from, stride)) = read(input) else { return };
                let [height, width] = geometry.input;
                for (pixel, to) in pixels.zip(to.chunks_exact_mut(channels)) {
                    let (row, column) = (pixel / geometry.output[1], pixel % geometry.output[1]);
                    match (rows.place(row, height), columns.place(column, width)) {
                        (Some(y), Some(x)) => {
                            let from = &from[(y * width + x) * stride..][..stride];
                            to[..stride].copy_from_slice(from);
                            to[stride..].fill(0.0);
                        }
                        _ => to.fill(0.0),
                    }
                }
            }
        }
    }
}

/// Copies the first `width` elements, and perhaps some after them where `to` has them, which are written once more after that. In blocks
/// whose length the compiler knows: a call of `memcpy` takes longer than the few elements of a pixel.
fn copy_piece(from: &[f32], to: &mut [f32], width: usize) {
    let blocks = from.as_chunks::<BLOCK>().0.iter().zip(to.as_chunks_mut::<BLOCK>().0);
    let mut done = 0;
    for (from, to) in blocks.take(width.div_ceil(BLOCK)) {
        *to = *from;
        done += BLOCK;
    }
    let (from, to) = (&from[done.min(width)..width], &mut to[done.min(width)..width]);
    let ((from, last), (to, to_last)) = (from.as_chunks::<4>(), to.as_chunks_mut::<4>());
    from.iter().zip(to).for_each(|(from, to)| *to = *from);
    last.iter().zip(to_last).for_each(|(from, to)| *to = *from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_beyond_an_axis_are_what_the_padding_says() {
        let places = |with| {
            let along = Along::Padded { before: 2, after: 2, with };
            let len = along.len(3).unwrap();
            (0..len).map(|at| along.place(at, 3)).collect::<Vec<_>>()
        };
        let some = |places: [usize; 7]| places.map(Some).to_vec();
        assert_eq!(places(PadWith::Edge), some([0, 0, 0, 1, 2, 2, 2]));
        assert_eq!(places(PadWith::Reflection), some([2, 1, 0, 1, 2, 1, 0]));
        let zeros = [None, None, Some(0), Some(1), Some(2), None, None];
        assert_eq!(places(PadWith::Constant(0.0)), zeros);
        let wide = Along::Padded { before: 3, after: 0, with: PadWith::Reflection };
        assert_eq!(wide.len(3), None);
        assert_eq!(Along::Places(vec![0, 3]).len(3), None);
    }

    #[test]
    fn pieces_of_any_width_lie_one_after_the_other() {
        for widths in [[8, 8], [12, 12], [24, 24], [36, 37], [16, 5], [1, 63], [40, 8]] {
            let padded = |width: usize| width.next_multiple_of(BLOCK);
            // What is beyond a piece's channels is not taken for them.
            let values = widths.map(|width| -> Vec<f32> {
                (0..3 * padded(width))
                    .map(|at| if at % padded(width) < width { at as f32 } else { -1.0 })
                    .collect()
            });
            let pieces = (0..2).map(|value| Piece { value, width: widths[value] }).collect();
            let channels = padded(widths[0] + widths[1]);
            let mut to = vec![7.0; 2 * channels];
            let geometry = graph::Window::PIXEL.on([1, 3]).unwrap();
            let read = |value: usize| Some((&values[value][..], padded(widths[value])));
            Move::Concat(pieces).copy(0, read, &geometry, 1..3, (channels, &mut to));
            let piece =
                |value: usize, pixel: usize| &values[value][pixel * padded(widths[value])..][..widths[value]];
            for (pixel, to) in (1..3).zip(to.chunks_exact(channels)) {
                let mut expected = [piece(0, pixel), piece(1, pixel)].concat();
                expected.resize(channels, 0.0);
                assert_eq!(to, expected, "{widths:?}");
            }
            // One of them is there already.
            for there in 0..2 {
                let pieces = (0..2).map(|value| Piece { value, width: widths[value] }).collect();
                let mut to = vec![7.0; 2 * channels];
                let read = |value: usize| read(value).filter(|_| value != there);
                Move::Concat(pieces).copy(0, read, &geometry, 1..3, (channels, &mut to));
                for (pixel, to) in (1..3).zip(to.chunks_exact(channels)) {
                    let expected = |value: usize| match value == there {
                        true => vec![7.0; widths[value]],
                        false => piece(value, pixel).to_vec(),
                    };
                    let mut expected = [expected(0), expected(1)].concat();
                    expected.resize(channels, 0.0);
                    assert_eq!(to, expected, "{widths:?}, {there} is there");
                }
            }
        }
    }

    #[test]
    fn channels_that_follow_each_other_are_a_run() {
        let one = |from, len| Run { from, len };
        assert_eq!(runs([3, 4, 5, 0, 2, 3]), [one(3, 3), one(0, 1), one(2, 2)]);
    }
}
