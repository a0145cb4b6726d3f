//! Which images of the data a run is about: a random sample, then a shard of that. Every place that counts images asks here, so
//! that they agree.

use std::fmt;

use dataset::LabelledImage;
use dataset::labels::{VAL_IMAGES, val_file_number};

use super::{Sample, Shard};

/// The images of a run, all without a sample and a shard. The sample is taken first: shard I of N has every N-th image
/// of the sample.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Part {
    /// A random sample of the data, which are the whole validation set.
    pub sample: Option<Sample>,
    /// A shard of what is left.
    pub shard: Option<Shard>,
}

impl Part {
    /// How many of `images` images belong to it.
    pub fn size(self, images: usize) -> usize {
        let sampled = self.sample.map_or(images, |sample| sample.images.min(images));
        self.shard.map_or(sampled, |shard| shard.size(sampled))
    }

    /// Which of `items`, in the order of their names, belong to it.
    pub fn members(self, items: &[LabelledImage]) -> Vec<bool> {
        let drawn =
            self.sample.filter(|sample| !sample.is_whole()).map(|sample| (sample.images, sample.ranks()));
        let is_drawn = |item: &LabelledImage| match &drawn {
            Some((images, ranks)) => val_file_number(&item.name).is_some_and(|it| ranks[it - 1] < *images),
            None => true,
        };
        let mut place = 0;
        let is_member = |item| {
            let is_drawn = is_drawn(item);
            let is_here = is_drawn && self.shard.is_none_or(|shard| shard.contains(place));
            place += usize::from(is_drawn);
            is_here
        };
        items.iter().map(is_member).collect()
    }

    /// The sample, where it is less than the whole set.
    pub(crate) fn real_sample(self) -> Option<Sample> {
        self.sample.filter(|sample| !sample.is_whole())
    }
}

/// What it is of the images, for people; nothing where it is all of them.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(sample) = self.real_sample() {
            write!(f, "sample {sample} of {VAL_IMAGES}")?;
        }
        match self.shard {
            Some(shard) if self.real_sample().is_some() => write!(f, ", shard {shard}"),
            Some(shard) => write!(f, "shard {shard}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_one_of_the_sample() {
        let items: Vec<LabelledImage> = (1..=VAL_IMAGES)
            .map(|number| LabelledImage { name: format!("ILSVRC2012_val_{number:08}.JPEG"), label: 0 })
            .collect();
        let sample = Some(Sample::new(1001, 5).unwrap());
        let members = |shard| Part { sample, shard }.members(&items);
        let whole = members(None);
        assert_eq!(whole.iter().filter(|&&is_member| is_member).count(), 1001);
        let mut together = vec![0; VAL_IMAGES];
        for index in 1..=3 {
            let part = Part { sample, shard: Some(Shard::new(index, 3).unwrap()) };
            let of_part = part.members(&items);
            assert_eq!(of_part.iter().filter(|&&is_member| is_member).count(), part.size(VAL_IMAGES));
            of_part.iter().zip(&mut together).for_each(|(here, count)| *count += usize::from(*here));
        }
        assert!(together.iter().zip(&whole).all(|(count, &is_member)| *count == usize::from(is_member)));
        // The place of an image in folders changes nothing.
        let mut folders: Vec<LabelledImage> = items
            .iter()
            .enumerate()
            .map(|(index, item)| LabelledImage { name: format!("{}/{}", index % 7, item.name), label: 0 })
            .collect();
        folders.sort();
        let in_folders = Part { sample, shard: None }.members(&folders);
        for (item, is_member) in folders.iter().zip(in_folders) {
            assert_eq!(is_member, whole[val_file_number(&item.name).unwrap() - 1]);
        }
    }

    #[test]
    fn parts_say_what_they_are() {
        let (sample, shard) = (Sample::new(9, 1).ok(), Shard::new(2, 3).ok());
        let text = |sample, shard| Part { sample, shard }.to_string();
        assert_eq!(text(sample, shard), "sample 9:1 of 50000, shard 2/3");
        assert_eq!((text(None, shard), text(None, None)), ("shard 2/3".to_owned(), String::new()));
    }
}
