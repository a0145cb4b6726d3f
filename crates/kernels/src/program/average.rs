//! The mean over an image's pixels: each thread sums the lines that it has written itself, and then the lines' sums are added one after the
//! other, so that bits do not depend on who summed what.

use std::ops::Range;

use super::bands::Turn;
use super::item::{Average, LineSums};
use super::{At, Program};
use crate::activation::OnRead;
use crate::buffer::Shared;
use crate::epilogue::Epilogue;
use crate::simd::BLOCK;
use crate::step::StepKind;
use crate::threads::Member;

/// Channels of an item at most.
const MOST_FEATURES: usize = 8 * BLOCK;

impl Program {
    /// What is applied to the elements of value `value` where the step after the one that puts it out takes its mean.
    pub(super) fn averaged_next(&self, value: usize) -> Option<OnRead> {
        match self.steps.get(value) {
            Some(step) if step.input == value => match step.kind {
                StepKind::Average(on_read) => Some(on_read),
                _ => None,
            },
            Some(_) => None,
            None => self.tail.mean.filter(|_| self.tail.input == value).map(|(on_read, _)| on_read),
        }
    }

    /// Whether the step that puts out `value`, before the one that takes its mean, sums its lines.
    pub(super) fn is_summed(&self, value: usize, at: &At<'_>) -> bool {
        let is_put_out = |turn: &Turn| matches!(turn, Turn::Chain(chain) if chain.last() + 1 == value);
        self.averaged_next(value).is_some() && at.turns.iter().any(is_put_out)
    }

    /// Sums the lines `lines` of `value`, which this thread has written.
    pub(super) fn sum_lines(&self, (value, on_read): (usize, OnRead), lines: Range<usize>, at: &At<'_>) {
        let (channels, [_, columns]) = (self.channels_of(value), at.layout.size(value));
        let elements = lines.start * columns * channels..lines.end * columns * channels;
        let sums = at.sums().part(lines.start * channels..lines.end * channels);
        // SAFETY: the thread has written the lines, or the team has met since they were; until it meets again, nobody writes them, and
        // nobody else reads or writes their sums.
        let (map, sums) = unsafe { (at.value(value).part(elements).as_slice(), sums.as_mut_slice()) };
        self.isa.run(LineSums { map, size: [columns, channels], on_read, sums });
    }

    /// One thread's part of the mean over an image's pixels of a value, of whose lines the sums are there or are not yet, times a factor: an
    /// element a channel, to `to`, which no other team writes and nobody reads before the team meets again.
    pub(super) fn average(
        &self,
        team: &Member<'_>,
        at: &At<'_>,
        (value, on_read, is_summed): (usize, OnRead, bool),
        (factor, epilogue): (f32, Epilogue<'_>),
        to: Shared<'_>,
    ) {
        let (channels, [rows, columns]) = (self.channels_of(value), at.layout.size(value));
        if !is_summed {
            for line in team.items(rows) {
                self.sum_lines((value, on_read), line..line + 1, at);
            }
            team.meet();
        }
        // SAFETY: the team has met since the sums were written, and writes none until it meets again.
        let sums = unsafe { at.sums().part(0..rows * channels).as_slice() };
        let blocks = channels / BLOCK;
        let width = blocks.div_ceil(team.members()).clamp(1, MOST_FEATURES / BLOCK) * BLOCK;
        for item in team.items(channels.div_ceil(width)) {
            let first = item * width;
            let part = to.part(first..(first + width).min(channels));
            self.isa.run(Average {
                sums,
                channels,
                factor: factor / (rows * columns) as f32,
                epilogue,
                first,
                // SAFETY: nobody but this team writes it, says the caller, and each of its items is taken once.
                output: unsafe { part.as_mut_slice() },
            });
        }
    }
}
