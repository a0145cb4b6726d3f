//! Hits of f32 at a lower price: a network computes in a reduced type of numbers, and an image is computed again in f32 where its label
//! lies so near the first or the fifth place that the reduced type may have moved it across.
//!
//! How near, is learned in the run: the largest error of a margin that was seen, times [`FACTOR`]. It is learned of the first
//! [`CALIBRATION`] images and of all that are near, and grows until no image is nearer than that without having been computed again. Of the
//! others a random part, the audit, is computed in f32 too. It plays no part in what is learned, so that it can tell how many hits were
//! missed at most. Where the audit finds one, and where most images are near anyway, all are computed in f32.
//!
//! The outcome does not depend on the order in which images are finished: the threshold is the least one that agrees with itself.

mod margin;
mod record;

use sha2::{Digest, Sha256};

pub(crate) use margin::Margins;
pub use record::{AllAgain, Recheck, RecheckRecord};

/// Images whose errors are learned first, near or not.
pub(crate) const CALIBRATION: usize = 64;

/// By how much the threshold exceeds the largest error that was seen.
const FACTOR: f32 = 1.5;

/// Where more than this share of the first images is near, nothing would be saved.
const MOST_NEAR: f64 = 0.5;

/// What is known of an image.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Known {
    /// Its margins in the reduced type of numbers; none where no class is right for it, where it has no finite logits, and where it
    /// was computed in f32 at once.
    pub(crate) reduced: Option<Margins>,
    /// Its margins in f32, if it was computed in f32.
    pub(crate) exact: Option<Margins>,
}

/// Which images of a run are computed again, for one model.
#[derive(Debug)]
pub(crate) struct Rechecking {
    audit_pct: f64,
    images: Vec<Image>,
    /// Those to begin with.
    first: Vec<usize>,
    /// How near an image has to be.
    threshold: f32,
    /// The largest error of what was learned.
    largest_error: f32,
    all_again: Option<AllAgain>,
}

/// An image of the data.
#[derive(Debug, Clone, Copy, Default)]
struct Image {
    known: Option<Known>,
    /// Whether it is one of the first.
    is_calibration: bool,
    /// Whether it is of the random part.
    is_audited: bool,
    /// Whether its error was learned.
    is_learned: bool,
}

impl Image {
    /// Its margins in the reduced type and in f32.
    fn both(self) -> Option<(Margins, Margins)> {
        let Known { reduced, exact } = self.known?;
        Some((reduced?, exact?))
    }
}

impl Rechecking {
    /// Nothing is known yet of images of these `names`, of which `first` are those to begin with.
    pub(crate) fn new<'a>(recheck: Recheck, names: impl Iterator<Item = &'a str>, first: &[usize]) -> Self {
        let image = |name| Image { is_audited: recheck.audits(name), ..Image::default() };
        let mut rechecking = Self {
            audit_pct: recheck.audit_pct,
            images: names.map(image).collect(),
            first: Vec::new(),
            threshold: 0.0,
            largest_error: 0.0,
            all_again: None,
        };
        rechecking.begin_with(first);
        rechecking
    }

    /// Takes the images `first` as those to begin with, in place of what it began with.
    pub(crate) fn begin_with(&mut self, first: &[usize]) {
        self.first.iter().for_each(|&index| self.images[index].is_calibration = false);
        self.first = first.iter().copied().take(CALIBRATION).collect();
        self.first.iter().for_each(|&index| self.images[index].is_calibration = true);
        self.learn();
    }

    /// Whether everything is computed in f32, so that nothing has to be computed in the reduced type before.
    pub(crate) fn is_all_again(&self) -> bool {
        self.all_again.is_some()
    }

    /// Whether an image has to be computed again whose margins are these; without margins, if `is_labelled`.
    pub(crate) fn wants(&self, index: usize, reduced: Option<Margins>, is_labelled: bool) -> bool {
        let image = self.images[index];
        let is_near = || reduced.is_none_or(|margins| self.is_near(margins));
        is_labelled && (self.is_all_again() || image.is_calibration || image.is_audited || is_near())
    }

    fn is_near(&self, reduced: Margins) -> bool {
        reduced.least() <= self.threshold
    }

    /// Notes what is known of an image now, nothing of one without a prediction.
    pub(crate) fn note(&mut self, index: usize, known: Known) {
        self.images[index] = Image { known: Some(known), is_learned: false, ..self.images[index] };
        if known.exact.is_some() {
            self.learn_of(index);
        }
    }

    /// What is known of an image.
    pub(crate) fn known(&self, index: usize) -> Option<Known> {
        self.images[index].known
    }

    /// Learns an image's error, if it is one to learn from. Where the threshold grows by that, others may be near now.
    fn learn_of(&mut self, index: usize) {
        let before = self.threshold;
        self.learn_one(index);
        if self.threshold > before {
            self.learn();
        }
        if self.all_again.is_none() && self.is_mostly_near() {
            self.all_again = Some(AllAgain::MostAreNear);
        }
    }

    fn learn_one(&mut self, index: usize) {
        let image = self.images[index];
        let Some((reduced, exact)) = image.both().filter(|_| !image.is_learned) else { return };
        if image.is_calibration || self.is_near(reduced) {
            self.images[index].is_learned = true;
            self.largest_error = self.largest_error.max(reduced.error(exact));
            self.threshold = self.largest_error * FACTOR;
        }
    }

    /// Learns of all images that are near, until the threshold agrees with itself.
    fn learn(&mut self) {
        loop {
            let before = self.threshold;
            (0..self.images.len()).for_each(|index| self.learn_one(index));
            if self.threshold == before {
                break;
            }
        }
    }

    /// Whether so many of the first images are near that nothing is saved. Before all of them are known, nobody can tell.
    fn is_mostly_near(&self) -> bool {
        let first = || self.first.iter().map(|&index| self.images[index]);
        if !first().all(|image| image.known.is_some()) {
            return false;
        }
        let both: Vec<Margins> = first().filter_map(|image| Some(image.both()?.0)).collect();
        let near = both.iter().filter(|&&margins| self.is_near(margins)).count();
        both.len() >= CALIBRATION / 2 && near as f64 > MOST_NEAR * both.len() as f64
    }

    /// The images that have to be computed again after all, once every image was computed: those that are [`Self::wanted`], and when there are
    /// none, all that are known in the reduced type only if the audit found a hit that the threshold missed.
    pub(crate) fn left(&mut self) -> Vec<usize> {
        let wanted = self.wanted();
        let missed = |image: &Image| !image.is_learned && image.is_audited && is_flip(*image) != [false; 2];
        if wanted.is_empty() && self.all_again.is_none() && self.images.iter().any(missed) {
            self.all_again = Some(AllAgain::AuditFoundAFlip);
            return self.wanted();
        }
        wanted
    }

    /// The images that are known in the reduced type only and have to be computed again, by what was learned since.
    pub(crate) fn wanted(&self) -> Vec<usize> {
        let is_wanted = |&index: &usize| match self.images[index].known {
            Some(Known { reduced: Some(margins), exact: None }) => self.wants(index, Some(margins), true),
            _ => false,
        };
        (0..self.images.len()).filter(is_wanted).collect()
    }

    /// What a run records of it.
    pub(crate) fn record(&self) -> RecheckRecord {
        let mut record = RecheckRecord {
            audit_pct: self.audit_pct,
            threshold: self.threshold,
            largest_error: self.largest_error,
            all_again: self.all_again,
            ..RecheckRecord::default()
        };
        for image in &self.images {
            let Some(Known { reduced, exact }) = image.known else { continue };
            record.images += u64::from(reduced.is_some() || exact.is_some());
            record.again += u64::from(exact.is_some());
            let near = reduced.is_none_or(|margins| self.is_near(margins));
            let is_beyond = exact.is_some() && !near && !image.is_calibration;
            record.audited += u64::from(is_beyond && image.is_audited);
            let [top1, top5] = is_flip(*image);
            record.top1_flips += u64::from(top1);
            record.top5_flips += u64::from(top5);
            record.audit_flips += u64::from(is_beyond && image.is_audited && (top1 || top5));
        }
        record
    }
}

/// Whether its hits are others in f32, of the best class and of the five best.
fn is_flip(image: Image) -> [bool; 2] {
    let Some((reduced, exact)) = image.both() else { return [false; 2] };
    let (before, after) = (reduced.hits(), exact.hits());
    [before[0] != after[0], before[1] != after[1]]
}

impl Recheck {
    /// Whether the image `name` is of the random part: by its own name, in whatever folder it lies, so that a larger part has all images
    /// of a smaller one.
    fn audits(self, name: &str) -> bool {
        let own = name.rsplit('/').next().unwrap_or(name);
        let hash = Sha256::digest(format!("recheck audit {own}"));
        let head: [u8; 8] = std::array::from_fn(|at| hash[at]);
        (u64::from_be_bytes(head) as f64) < self.audit_pct / 100.0 * 2_f64.powi(64)
    }
}

#[cfg(test)]
mod tests;
