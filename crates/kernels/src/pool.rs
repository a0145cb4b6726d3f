//! The steps that multiply no matrices: max-pooling, the mean over all pixels, and an epilogue that has nothing to follow.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "the functions are unsafe for their pointers, which is all they handle"
)]

use std::ops::Range;

use crate::epilogue::Epilogue;
use crate::map::MapView;
use crate::simd::{Simd, relu};

/// Max-pooling of output pixels `first` and on; padding never wins.
#[inline(always)]
pub(crate) unsafe fn max_pool<S: Simd>(
    map: MapView,
    epilogue: &Epilogue,
    first: usize,
    count: usize,
    output: *mut f32,
) {
    let geometry = map.geometry;
    let [kernel_height, kernel_width] = geometry.kernel;
    for pixel in first..first + count {
        let (oy, ox) = (pixel / geometry.output[1], pixel % geometry.output[1]);
        let begin = pixel * map.channels;
        // Of a window larger than this, several parts are pooled one after another.
        let mut taps = [map.data; POOLED_TAPS];
        let mut found = 0;
        let mut pooled = false;
        for tap in 0..kernel_height * kernel_width {
            if let Some(from) = geometry.input_pixel(oy, ox, tap / kernel_width, tap % kernel_width) {
                taps[found] = map.data.add(from * map.channels);
                found += 1;
            }
            let last = tap + 1 == kernel_height * kernel_width;
            if found == POOLED_TAPS || last {
                for channel in (0..map.channels).step_by(S::LANES) {
                    let to = output.add(begin + channel);
                    let mut largest = if pooled { S::load(to) } else { S::splat(f32::NEG_INFINITY) };
                    for tap in &taps[..found] {
                        largest = S::max_or_nan(largest, S::load(tap.add(channel)));
                    }
                    // Where the window's rows will be two pixels later.
                    for last_in_row in taps[..found].iter().skip(kernel_width - 1).step_by(kernel_width) {
                        S::prefetch(
                            last_in_row.wrapping_add(2 * geometry.stride[1] * map.channels + channel),
                        );
                    }
                    let done = if last { epilogue.finish::<S>(largest, begin, channel) } else { largest };
                    S::store(to, done);
                }
                (found, pooled) = (0, true);
            }
        }
    }
}

/// Taps of a pooling window that are read at once.
const POOLED_TAPS: usize = 9;

/// Sums of all pixels of a map of `[rows, columns, channels]` times `factor`, for the channels `part`.
#[inline(always)]
pub(crate) unsafe fn average<S: Simd>(
    data: *const f32,
    channels: usize,
    [rows, columns]: [usize; 2],
    with_relu: bool,
    factor: f32,
    part: Range<usize>,
    output: *mut f32,
) {
    for channel in part.step_by(S::LANES) {
        let mut sum = S::splat(0.0);
        for y in 0..rows {
            // Row by row, which keeps the partial sums small.
            let mut row = S::splat(0.0);
            for x in 0..columns {
                let mut x = S::load(data.add((y * columns + x) * channels + channel));
                if with_relu {
                    x = relu::<S>(x);
                }
                row = S::add(row, x);
            }
            sum = S::add(sum, row);
        }
        let sum = S::mul_add(sum, S::splat(factor), S::splat(0.0));
        S::store(output.add(channel), sum);
    }
}

/// Finishes every element of output pixels `first` and on by `epilogue`.
#[inline(always)]
pub(crate) unsafe fn finish<S: Simd>(
    map: MapView,
    epilogue: &Epilogue,
    first: usize,
    count: usize,
    output: *mut f32,
) {
    for begin in (first * map.channels..(first + count) * map.channels).step_by(map.channels) {
        for channel in (0..map.channels).step_by(S::LANES) {
            let x = S::load(map.data.add(begin + channel));
            S::store(output.add(begin + channel), epilogue.finish::<S>(x, begin, channel));
        }
    }
}
