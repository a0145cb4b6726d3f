//! What is in a data set, file by file, before hours are spent on it: which files cannot be decoded, how
//! they store colour, which are rotated or there twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use sha2::{Digest, Sha256};

use crate::labels::CLASSES;
use crate::{Dataset, Decoded};

/// A census of a data set's files. All lists are in the order of the images' names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Files that were looked at.
    pub images: usize,
    /// Their sizes together, in bytes.
    pub bytes: u64,
    /// Files that give no pixels, and why.
    pub undecodable: Vec<(String, String)>,
    /// How many files of each kind there are, for example `JPEG, RGB`.
    pub kinds: BTreeMap<String, usize>,
    /// Files that are stored in another colour mode than RGB, by kind.
    pub unusual: BTreeMap<String, Vec<String>>,
    /// Files whose EXIF orientation is not upright, with that orientation. OpenCV turns them, PIL does not.
    pub rotated: Vec<(String, u8)>,
    /// Widths and heights in pixels: the smallest, the median and the largest of each.
    pub sides: Option<Sides>,
    /// Files with the same content, in groups of two and more.
    pub duplicates: Vec<Vec<String>>,
    /// How many images each class has.
    pub per_class: Vec<usize>,
}

/// Smallest, median and largest, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides {
    /// Pixels in a row, before any rotation.
    pub width: [usize; 3],
    /// Rows.
    pub height: [usize; 3],
}

/// What is found in one file.
struct Found {
    index: usize,
    bytes: u64,
    content: Option<[u8; 32]>,
    decoded: Result<Image, String>,
}

struct Image {
    kind: String,
    is_rgb: bool,
    orientation: u8,
    size: (usize, usize),
}

impl Census {
    /// Reads and decodes every file of `dataset` on `threads` threads. `image` is called after each, in the
    /// thread that asked. `None` when `stop` was set before the end.
    pub fn take(
        dataset: &Dataset,
        threads: usize,
        stop: &AtomicBool,
        mut image: impl FnMut(),
    ) -> Option<Self> {
        let total = dataset.items().len();
        let next = AtomicUsize::new(0);
        let mut order: Vec<usize> = (0..total).collect();
        order.sort_by_cached_key(|&index| dataset.stored_at(index));
        let mut found: Vec<Found> = Vec::with_capacity(total);
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            for _ in 0..threads.clamp(1, total.max(1)) {
                let (sender, next, order) = (sender.clone(), &next, &order);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let index = order.get(next.fetch_add(1, Ordering::Relaxed));
                        if index.is_none_or(|&index| sender.send(look(dataset, index)).is_err()) {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            for one in receiver {
                found.push(one);
                image();
            }
        });
        if found.len() < total {
            return None;
        }
        found.sort_by_key(|one| one.index);
        Some(Self::of(dataset, found))
    }

    fn of(dataset: &Dataset, found: Vec<Found>) -> Self {
        let mut census = Self { images: found.len(), per_class: vec![0; CLASSES], ..Self::default() };
        let (mut widths, mut heights) = (Vec::new(), Vec::new());
        let mut by_content: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
        for one in found {
            let item = &dataset.items()[one.index];
            census.bytes += one.bytes;
            census.per_class[usize::from(item.label)] += 1;
            if let Some(content) = one.content {
                by_content.entry(content).or_default().push(one.index);
            }
            let image = match one.decoded {
                Ok(image) => image,
                Err(reason) => {
                    census.undecodable.push((item.name.clone(), reason));
                    continue;
                }
            };
            if !image.is_rgb {
                census.unusual.entry(image.kind.clone()).or_default().push(item.name.clone());
            }
            *census.kinds.entry(image.kind).or_default() += 1;
            if image.orientation != 1 {
                census.rotated.push((item.name.clone(), image.orientation));
            }
            widths.push(image.size.0);
            heights.push(image.size.1);
        }
        let mut groups: Vec<Vec<usize>> = by_content.into_values().filter(|group| group.len() > 1).collect();
        groups.sort_unstable();
        let name = |index: usize| dataset.items()[index].name.clone();
        census.duplicates = groups.into_iter().map(|group| group.into_iter().map(name).collect()).collect();
        census.sides = spread(widths).zip(spread(heights)).map(|(width, height)| Sides { width, height });
        census
    }

    /// Names of files among `duplicates` that have different labels: at most one of those can be right.
    #[must_use]
    pub fn contradictory_duplicates(&self, dataset: &Dataset) -> Vec<&[String]> {
        let label: HashMap<&str, u16> =
            dataset.items().iter().map(|item| (item.name.as_str(), item.label)).collect();
        let differ = |group: &&[String]| {
            let mut labels = group.iter().map(|name| label.get(name.as_str()));
            let first = labels.next();
            labels.any(|label| Some(label) != first)
        };
        self.duplicates.iter().map(Vec::as_slice).filter(differ).collect()
    }
}

fn look(dataset: &Dataset, index: usize) -> Found {
    let bytes = match dataset.read(index) {
        Ok(bytes) => bytes,
        Err(error) => return Found { index, bytes: 0, content: None, decoded: Err(error.to_string()) },
    };
    let decoded = Decoded::from_bytes(&bytes).map_err(|error| error.to_string()).map(|decoded| Image {
        kind: format!("{}, {}", decoded.format(), decoded.colour()),
        is_rgb: decoded.format() == crate::Format::Jpeg && decoded.colour() == crate::Colour::Rgb,
        orientation: decoded.orientation(),
        size: decoded.size(),
    });
    let content = (!bytes.is_empty()).then(|| Sha256::digest(&bytes).into());
    Found { index, bytes: bytes.len() as u64, content, decoded }
}

fn spread(mut values: Vec<usize>) -> Option<[usize; 3]> {
    values.sort_unstable();
    Some([*values.first()?, values[values.len() / 2], *values.last()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_counted() {
        let dataset = Dataset::sample();
        let mut seen = 0;
        let census = Census::take(&dataset, 3, &AtomicBool::new(false), || seen += 1).expect("not stopped");
        assert_eq!((seen, census.images, census.undecodable.len()), (24, 24, 0));
        assert_eq!(census.kinds.values().sum::<usize>(), 24);
        assert_eq!(census.per_class.iter().sum::<usize>(), 24);
        // The sample's README: grey, CMYK and PNG files are among them, and rotated ones.
        assert!(census.unusual.contains_key("JPEG, grey") && census.unusual.contains_key("JPEG, CMYK"));
        assert!(!census.rotated.is_empty() && census.duplicates.is_empty());
        let sides = census.sides.expect("decoded images");
        assert!(sides.width[0] <= sides.width[1] && sides.width[1] <= sides.width[2]);
        // The same whatever the number of threads.
        assert_eq!(Census::take(&dataset, 1, &AtomicBool::new(false), || ()), Some(census));
        assert_eq!(Census::take(&dataset, 2, &AtomicBool::new(true), || ()), None);
    }
}
