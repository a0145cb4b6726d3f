//! The multiplication of a tile, where nearly all of a network's time goes: sums of products in registers, and the epilogue
//! before they leave them.

use graph::Activation;

use super::strassen::{ProductPlan, Use};
use super::tiles::Tile;
use crate::activation::activate;
use crate::epilogue::{Epilogue, Finish};
use crate::map::Output;
use crate::simd::{BLOCK, Kernel, Simd};
use crate::unary;

/// Where a tile's results go.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    output: Output<'a>,
    /// Element at which the first row begins.
    row: usize,
    stride: usize,
    channel: usize,
    /// Rows that there are; fewer than the tile's, where the last one has no partner.
    height: usize,
}

impl<'a> Place<'a> {
    /// Of those `height` rows of `tile` that begin with its row `first`, from channel `channel` on. The first row of the first
    /// tile is that of output pixel `first_row`.
    #[inline(always)]
    pub(super) fn of(
        output: Output<'a>,
        first_row: usize,
        tile: Tile,
        first: usize,
        height: usize,
        channel: usize,
    ) -> Self {
        let stride = output.stride();
        let row = (first_row + tile.start + first) * stride;
        Self { output, row, stride: tile.together * stride, channel, height }
    }

    /// Where the last row's `width` channels end; 0 without rows.
    #[inline(always)]
    fn end(&self, width: usize) -> usize {
        let last = self.height.checked_sub(1).map(|last| self.row + last * self.stride);
        last.map_or(0, |row| row + self.channel + width)
    }
}

/// The multiplication of a tile. Not inlined where it is used, which is in two places: it is large.
pub(super) struct Multiply<'a> {
    pub(super) height: usize,
    /// Vectors of output channels.
    pub(super) vectors: usize,
    /// Multiplicands: block `block` of row `row` begins at word `block * stride + row * WORDS`.
    pub(super) a: &'a [f32],
    pub(super) stride: usize,
    /// Weights, `[depth, width]`.
    pub(super) b: &'a [f32],
    /// Words that are multiplied for an element.
    pub(super) depth: usize,
    /// After how many of them a block begins, whatever is left of the one before.
    pub(super) run: usize,
    /// Weights that are read after these, a part of which is loaded into the second-level cache meanwhile. A hint: it need not be
    /// valid.
    pub(super) next: *const f32,
    pub(super) plan: &'a ProductPlan,
    /// Sums that are not finished: four quadrants of them, in each row after row.
    pub(super) results: &'a mut [f32],
    pub(super) epilogue: &'a Epilogue<'a>,
    /// Where what is finished goes.
    pub(super) place: Place<'a>,
}

impl Kernel for &mut Multiply<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        self.check::<S>();
        if self.plan.finished.is_some() {
            for finish in self.epilogue.operations() {
                if let Finish::Residual(residual) | Finish::Product(residual) = finish {
                    self.lines::<S>(|at| simd.prefetch(residual.as_ptr().wrapping_add(at)));
                }
            }
        }
        match self.vectors {
            4 if S::NV >= 4 => self.by_height::<S, 4>(simd),
            2 if S::NV >= 2 => self.by_height::<S, 2>(simd),
            1 if S::NV == 2 && S::LANES == BLOCK => self.by_height::<S, 1>(simd),
            _ => unreachable!("panels are whole, or a block where that is one vector"),
        }
    }
}

impl Multiply<'_> {
    /// Calls `of` with the first element of each cache line that the tile has of a map like its output.
    #[inline(always)]
    fn lines<S: Simd>(&self, of: impl Fn(usize)) {
        let Place { row: first, stride, channel, height, .. } = self.place;
        for row in 0..height {
            for line in 0..self.vectors * S::LANES / BLOCK {
                of(first + row * stride + channel + line * BLOCK);
            }
        }
    }

    /// Asserts that all that [`Multiply::tile`] reads and writes is there: once a tile, which takes microseconds.
    #[inline(always)]
    fn check<S: Simd>(&self) {
        let width = self.vectors * S::LANES;
        // The last block is not read to its end where the depth is no multiple of its words.
        let blocks = self.depth.div_ceil(self.run.max(1)) * self.run.div_ceil(S::WORDS);
        let last_block = blocks.saturating_sub(1);
        let rows = last_block * self.stride + self.height * S::WORDS;
        assert!(rows <= self.a.len(), "multiplicands: {rows} words in {}", self.a.len());
        assert!(self.depth * width <= self.b.len(), "weights: {}x{width} in {}", self.depth, self.b.len());
        if self.plan.keeps() {
            let results = 4 * self.height * width;
            assert!(results <= self.results.len(), "results: {results} in {}", self.results.len());
        }
        if self.plan.finished.is_some() {
            let end = self.place.end(width);
            assert!(end <= self.place.output.len(), "output: {end} in {}", self.place.output.len());
            self.epilogue.check(self.place.channel + width, end);
        }
    }

    #[inline(always)]
    fn by_height<S: Simd, const NV: usize>(&mut self, simd: S) {
        macro_rules! heights {
            ($($rows:literal)*) => {
                match self.height {
                    // SAFETY: `run` has checked these rows and these vectors.
                    $($rows if S::MR >= $rows => unsafe { self.tile::<S, $rows, NV>(simd) },)*
                    _ => unreachable!("a tile has at most S::MR rows"),
                }
            };
        }
        heights!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    }

    /// The inner kernel: `MR` rows times `NV` vectors of output channels.
    ///
    /// # Safety
    /// `MR` and `NV` must be the height and the vectors for which [`Multiply::check`] held.
    #[inline(always)]
    unsafe fn tile<S: Simd, const MR: usize, const NV: usize>(&mut self, simd: S) {
        let mut sums = [[simd.splat(0.0); NV]; MR];
        let Multiply { mut next, stride, plan, epilogue, place: to, .. } = *self;
        // The cache lines that it will write. Where the last row has no partner, one more is asked for, which costs nothing.
        if plan.finished.is_some() {
            let first = to.output.as_mut_ptr().wrapping_add(to.row + to.channel);
            for row in 0..MR {
                for line in (0..NV * S::LANES).step_by(BLOCK) {
                    simd.prefetch_write(first.wrapping_add(row * to.stride + line));
                }
            }
        }
        let (mut a, mut b) = (self.a.as_ptr(), self.b.as_ptr());
        let mut left_of_run = self.run;
        let mut word = 0;
        // One loop and not one in another, between which the compiler would move the sums from registers to others, or to memory.
        for _ in 0..self.depth {
            let mut weights = [simd.splat(0.0); NV];
            for (v, weights) in weights.iter_mut().enumerate() {
                // SAFETY: `b` has gone over fewer than `depth` rows of `NV * LANES` weights, all of which were checked.
                *weights = unsafe { simd.load(b.add(v * S::LANES)) };
            }
            for line in (0..NV * S::LANES).step_by(BLOCK) {
                simd.prefetch(b.wrapping_add(16 * NV * S::LANES + line));
            }
            simd.prefetch_far(next);
            next = next.wrapping_add(BLOCK);
            // SAFETY: to the next row, or the end of the last.
            b = unsafe { b.add(NV * S::LANES) };
            for (row, sums) in sums.iter_mut().enumerate() {
                // SAFETY: `a` has gone over fewer blocks than the depth has. `word` is below `WORDS`, and the `MR` rows of
                // every block were checked.
                let multiplicand = simd.splat(unsafe { *a.add(row * S::WORDS + word) });
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    *sum = simd.dot(*sum, multiplicand, weights);
                }
            }
            word += 1;
            left_of_run -= 1;
            if word == S::WORDS || left_of_run == 0 {
                word = 0;
                // After the last block, it may lie beyond the multiplicands.
                a = a.wrapping_add(stride);
                if left_of_run == 0 {
                    left_of_run = self.run;
                }
            }
        }
        // What follows is not unrolled for every instruction set, and what a loop indexes lies in memory: a copy, or the
        // sums would have been there all the time.
        let mut finished = [[simd.splat(0.0); NV]; MR];
        for (finished, sums) in finished.iter_mut().zip(&sums) {
            finished.copy_from_slice(sums);
        }
        let mut sums = finished;
        let kept = self.results.as_mut_ptr();
        let results = |to: &Use| kept.wrapping_add(to.quadrant * MR * NV * S::LANES);
        for kept in plan.kept.iter().flatten() {
            let to = results(kept);
            if kept.first {
                for (row, sums) in sums.iter().enumerate() {
                    for (v, &sum) in sums.iter().enumerate() {
                        // SAFETY: a vector of one of four quadrants of `MR` rows and `NV` vectors, which were checked.
                        unsafe { simd.store(to.add((row * NV + v) * S::LANES), sum) };
                    }
                }
            } else {
                let sign = simd.splat(kept.sign);
                for (row, sums) in sums.iter().enumerate() {
                    for (v, &sum) in sums.iter().enumerate() {
                        // SAFETY: as for the first use of the quadrant.
                        unsafe {
                            let to = to.add((row * NV + v) * S::LANES);
                            simd.store(to, simd.mul_add(sign, sum, simd.load(to)));
                        }
                    }
                }
            }
        }
        let Some(finished) = &plan.finished else { return };
        if !finished.first {
            let (from, sign) = (results(finished), simd.splat(finished.sign));
            for (row, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: as for what was kept of the quadrant.
                    let before = unsafe { simd.load(from.add((row * NV + v) * S::LANES)) };
                    *sum = simd.mul_add(sign, *sum, before);
                }
            }
        }
        // An operation of all sums after the other, with its loops unrolled.
        for finish in epilogue.operations() {
            match finish {
                Finish::Bias(bias) => {
                    for v in 0..NV {
                        // SAFETY: the epilogue was checked for `NV` vectors from this channel on.
                        let bias = unsafe { simd.load(bias.as_ptr().add(to.channel + v * S::LANES)) };
                        for sums in &mut sums {
                            sums[v] = simd.add(sums[v], bias);
                        }
                    }
                }
                Finish::Residual(residual) => {
                    for (row, sums) in sums.iter_mut().enumerate() {
                        if row < to.height {
                            let at = to.row + row * to.stride + to.channel;
                            for (v, sum) in sums.iter_mut().enumerate() {
                                // SAFETY: the epilogue was checked for the place's rows, of which this is one, and `NV` vectors
                                // of them.
                                let residual = unsafe { simd.load(residual.as_ptr().add(at + v * S::LANES)) };
                                *sum = simd.add(*sum, residual);
                            }
                        }
                    }
                }
                Finish::Product(factor) => {
                    for (row, sums) in sums.iter_mut().enumerate() {
                        if row < to.height {
                            let at = to.row + row * to.stride + to.channel;
                            for (v, sum) in sums.iter_mut().enumerate() {
                                // SAFETY: as for a residual.
                                let factor = unsafe { simd.load(factor.as_ptr().add(at + v * S::LANES)) };
                                *sum = simd.mul_add(*sum, factor, simd.splat(0.0));
                            }
                        }
                    }
                }
                Finish::Gate(gate) => {
                    for v in 0..NV {
                        // SAFETY: the epilogue was checked for `NV` vectors from this channel on.
                        let gate = unsafe { simd.load(gate.as_ptr().add(to.channel + v * S::LANES)) };
                        let zero = simd.splat(0.0);
                        for sums in &mut sums {
                            sums[v] = simd.mul_add(sums[v], gate, zero);
                        }
                    }
                }
                Finish::Unary(function) => {
                    // A copy, since what is given to a function lies in memory, and the sums would from the beginning.
                    let mut values = sums;
                    // SAFETY: vectors are `LANES` elements each, and these lie one after the other.
                    let values_of = unsafe {
                        std::slice::from_raw_parts_mut(values.as_mut_ptr().cast::<f32>(), MR * NV * S::LANES)
                    };
                    unary::apply(simd, function, values_of);
                    sums = values;
                }
                Finish::Affine([scale, shift]) => {
                    for v in 0..NV {
                        // SAFETY: the epilogue was checked for `NV` vectors from this channel on.
                        let (scale, shift) = unsafe {
                            let at = to.channel + v * S::LANES;
                            (simd.load(scale.as_ptr().add(at)), simd.load(shift.as_ptr().add(at)))
                        };
                        for sums in &mut sums {
                            sums[v] = simd.mul_add(sums[v], scale, shift);
                        }
                    }
                }
                // Which one it is is asked once a tile and not once a vector.
                Finish::Activation(Activation::Relu) => {
                    activate_all(simd, Activation::Relu, &mut sums);
                }
                Finish::Activation(activation) => {
                    activate_all(simd, activation, &mut sums);
                }
            }
        }
        // A tile without rows of this half may begin beyond the output.
        let output = to.output.as_mut_ptr().wrapping_add(to.row + to.channel);
        for (row, sums) in sums.iter().enumerate() {
            if row < to.height {
                for (v, &sum) in sums.iter().enumerate() {
                    // SAFETY: the output was checked for the place's rows, of which this is one, and `NV` vectors of them; they
                    // are the caller's, says `Output::new`.
                    unsafe { simd.store(output.add(row * to.stride + v * S::LANES), sum) };
                }
            }
        }
    }
}

/// Makes of each vector what `activation` makes of it. Loops, since what iterators such as `flatten` call is a function of its own without the
/// instructions, in which each of them is a call.
#[inline(always)]
fn activate_all<S: Simd, const NV: usize, const MR: usize>(
    simd: S,
    activation: Activation,
    sums: &mut [[S::V; NV]; MR],
) {
    for sums in sums {
        for sum in sums {
            *sum = activate(simd, activation, *sum);
        }
    }
}
