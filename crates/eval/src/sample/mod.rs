//! A random sample of the validation set: `--sample N[:SEED]`, and `--until decided`, whose sample grows.
//!
//! The sample follows from its seed and the file numbers alone, so it is the same on every machine and in every layout. Within a
//! class, images come in the order of the SHA-256 of the text `imagenet-eval sample SEED image NUMBER`. Rounds then take the next image of every
//! class; round R (from 0) visits the classes in the order of the SHA-256 of `imagenet-eval sample SEED round R class INDEX`. The first N images of
//! this order are the sample. So every class has as many as every other, or one more, and a larger sample of a seed has all images
//! of a smaller one.

pub(crate) mod hypergeometric;
pub(crate) mod looks;
mod part;
mod shard;

use std::fmt;
use std::str::FromStr;

use dataset::labels::{CLASSES, VAL_IMAGES, ilsvrc2012_val};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use looks::FIRST_LOOK;
pub use part::Part;
pub use shard::Shard;

/// A random sample of the 50,000 images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// How many images it has (so far, where it grows).
    pub images: usize,
    /// What it was drawn by.
    pub seed: u64,
    /// How it grows, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
}

/// A sample that grows until every accuracy is decided: `--until decided`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Until {
    /// How many images it begins with. The sizes that follow are fixed by that.
    pub first: usize,
    /// Differences above so many percentage points, once excluded, are enough too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision_pp: Option<f64>,
}

impl Sample {
    /// `images` of the 50,000, drawn by `seed`.
    ///
    /// # Errors
    /// A sentence, unless `images` is 1 to 49,999.
    pub fn new(images: usize, seed: u64) -> Result<Self, String> {
        match images {
            1..VAL_IMAGES => Ok(Self { images, seed, until: None }),
            0 => Err("a sample of no images says nothing; N is 1 to 49999".to_owned()),
            _ => Err(format!("{images} images are no sample of 50000; leave it out to evaluate all of them")),
        }
    }

    /// One that begins with this sample and grows until every accuracy is decided, or differences above `precision_pp` are
    /// excluded.
    #[must_use]
    pub fn growing(self, precision_pp: Option<f64>) -> Self {
        Self { until: Some(Until { first: self.images, precision_pp }), ..self }
    }

    /// Whether it has grown into the whole set.
    pub fn is_whole(self) -> bool {
        self.images >= VAL_IMAGES
    }

    /// The next size of a sample that grows; none of one that does not, or has all images.
    pub(crate) fn grown(self) -> Option<Self> {
        let sizes = looks::sizes(self.until?.first);
        let images = sizes.into_iter().find(|&size| size > self.images)?;
        Some(Self { images, ..self })
    }

    /// The sizes at which it is looked at, up to its own, and how many there are in all before the whole set. A sample that does
    /// not grow is looked at once.
    pub(crate) fn looks(self) -> (Vec<usize>, usize) {
        let Some(until) = self.until else { return (vec![self.images], 1) };
        let mut sizes = looks::sizes(until.first);
        sizes.retain(|&size| size < VAL_IMAGES);
        let all = sizes.len();
        sizes.retain(|&size| size <= self.images);
        (sizes, all)
    }

    /// What tells one sample from another for whoever goes on with a run: not how far one has grown.
    pub(crate) fn identity(self) -> String {
        match self.until {
            Some(until) => format!("{}:{}, growing until decided", until.first, self.seed),
            None => self.to_string(),
        }
    }

    /// Of each file number less 1, the place in the order in which images are drawn, from 0.
    pub(crate) fn ranks(self) -> Vec<usize> {
        let key = |what: &str, number: usize, rest: &str| -> [u8; 32] {
            Sha256::digest(format!("imagenet-eval sample {} {what} {number}{rest}", self.seed)).into()
        };
        let mut classes: Vec<Vec<usize>> = vec![Vec::new(); CLASSES];
        for (index, &class) in ilsvrc2012_val().iter().enumerate() {
            classes[usize::from(class)].push(index);
        }
        for images in &mut classes {
            images.sort_by_cached_key(|index| key("image", index + 1, ""));
        }
        let rounds = classes.iter().map(Vec::len).max().unwrap_or_default();
        let mut ranks = vec![0; VAL_IMAGES];
        let mut drawn = 0;
        for round in 0..rounds {
            // What lies beyond the sample needs no order.
            let mut order: Vec<usize> = (0..CLASSES).collect();
            if drawn < self.images {
                order.sort_by_cached_key(|class| key("round", round, &format!(" class {class}")));
            }
            for index in order.into_iter().filter_map(|class| classes[class].get(round)) {
                ranks[*index] = drawn;
                drawn += 1;
            }
        }
        ranks
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.images, self.seed)
    }
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (images, seed) = text.split_once(':').unwrap_or((text, "0"));
        // A sign would be taken by `parse`, and mean nothing.
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok());
        match (number(images).flatten(), number(seed).flatten()) {
            (Some(images), Some(seed)) => Self::new(usize::try_from(images).unwrap_or(usize::MAX), seed),
            _ => Err("N or N:SEED is needed, such as 1000 or 1000:7, in digits".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_read_as_it_is_written() {
        assert_eq!("1000:7".parse(), Sample::new(1000, 7));
        assert_eq!("1000".parse(), Sample::new(1000, 0));
        assert_eq!(Sample::new(1000, 7).unwrap().to_string(), "1000:7");
        let too_large = format!("7:{}0", u64::MAX);
        for (text, reason) in [
            ("0", "says nothing"),
            ("50000", "no sample of 50000"),
            ("99999999999999999999", "in digits"),
            ("+5", "in digits"),
            ("5:", "in digits"),
            (":5", "in digits"),
            ("5:-1", "in digits"),
            ("5:1:2", "in digits"),
            ("5 ", "in digits"),
            (too_large.as_str(), "in digits"),
        ] {
            let error = text.parse::<Sample>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    /// The first images of seed 0, as anyone computes them by the order that is documented above. They never change.
    #[test]
    fn the_order_is_the_documented_one() {
        let sample = Sample::new(1500, 0).unwrap();
        let ranks = sample.ranks();
        let mut by_rank: Vec<usize> = (0..VAL_IMAGES).collect();
        by_rank.sort_by_key(|&index| ranks[index]);
        assert!(by_rank.iter().enumerate().all(|(rank, &index)| ranks[index] == rank));
        let labels = ilsvrc2012_val();
        let of_class =
            |class: u16| by_rank[..1500].iter().filter(move |&&index| labels[index] == class).count();
        assert!((0..1000).all(|class| [1, 2].contains(&of_class(class))));
        // Larger samples have all of smaller ones.
        let larger = Sample::new(2500, 0).unwrap().ranks();
        assert!(by_rank[..1500].iter().all(|&index| larger[index] == ranks[index]));
        assert_ne!(Sample::new(1500, 1).unwrap().ranks()[..100], ranks[..100]);
        // By Python's hashlib and the labels.
        let numbers = |from: usize| by_rank[from..from + 4].iter().map(|index| index + 1).collect::<Vec<_>>();
        assert_eq!(numbers(0), [30968, 39842, 10742, 14373]);
        assert_eq!(numbers(1000), [22770, 37577, 9839, 39412]);
    }

    #[test]
    fn a_sample_grows_into_the_whole_set() {
        let mut sample = Sample::new(200, 3).unwrap().growing(Some(0.5));
        let (first, all) = sample.looks();
        assert_eq!((first, all), (vec![200], 14));
        let identity = sample.identity();
        let mut steps = 0;
        while let Some(grown) = sample.grown() {
            assert!(grown.images > sample.images && grown.identity() == identity);
            sample = grown;
            steps += 1;
        }
        assert!(sample.is_whole() && sample.images == VAL_IMAGES && steps == all);
        assert_eq!(sample.looks().0.len(), 14);
        assert_eq!(Sample::new(200, 3).unwrap().grown(), None);
    }
}
