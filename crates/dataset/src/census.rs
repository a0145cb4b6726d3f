//! What is in a data set, file by file, before hours are spent on it: which files cannot be decoded, how
//! they store colour, which are rotated or there twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use sha2::{Digest, Sha256};

use crate::labels::CLASSES;
use crate::{Dataset, DatasetError, DecodeError, Decoded, Warnings};

/// A census of a data set's files. All lists are in the order of the images' names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Files that were looked at.
    pub images: usize,
    /// Their sizes together, in bytes.
    pub bytes: u64,
    /// Files that give no pixels, and why.
    pub undecodable: Vec<(String, String)>,
    /// Files that decode with warnings, as damaged ones do, and what libjpeg says of them.
    pub warned: Vec<(String, Warnings)>,
    /// How many files of each kind there are, for example `JPEG, RGB`.
    pub kinds: BTreeMap<String, usize>,
    /// Files that are no RGB JPEGs, as the validation set's are but for a few, by kind.
    pub unusual: BTreeMap<String, Vec<String>>,
    /// Files whose EXIF orientation is not upright, with that orientation. OpenCV turns them, PIL does not.
    pub rotated: Vec<(String, u8)>,
    /// Widths and heights in pixels: the smallest, the median and the largest of each.
    pub sides: Option<Sides>,
    /// Files with the same content, in groups of two and more.
    pub duplicates: Vec<Vec<String>>,
    /// How many of those groups have different labels: at most one of them can be right.
    pub contradictory_duplicates: usize,
    /// How many images each class has.
    pub per_class: Vec<usize>,
    /// SHA-256 of the bytes of each file that could be read, decodable or not.
    pub digests: Vec<(String, [u8; 32])>,
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
struct FileFacts {
    index: usize,
    bytes: u64,
    /// Of what was read.
    content: Option<[u8; 32]>,
    decoded: Result<ImageFacts, String>,
}

struct ImageFacts {
    kind: String,
    is_rgb_jpeg: bool,
    orientation: u8,
    size: (usize, usize),
    warnings: Warnings,
}

impl Census {
    /// Reads and decodes every file of `dataset` on `threads` threads. `image` is called after each, in the
    /// thread that asked. `None` when `stop` was set before the end.
    ///
    /// # Errors
    /// [`DatasetError`] when the data cannot be reached, a disk that went away or a file that is gone: that is no
    /// property of an image, and every further one would be counted as undecodable.
    ///
    /// ```
    /// use std::sync::atomic::AtomicBool;
    /// use dataset::{Census, Dataset};
    ///
    /// let census = Census::take(&Dataset::sample(), 2, &AtomicBool::new(false), || ())?.expect("not stopped");
    /// assert_eq!((census.images, census.undecodable.len()), (24, 0));
    /// assert_eq!(census.kinds["PNG, RGB"], 1);
    /// # Ok::<(), dataset::DatasetError>(())
    /// ```
    pub fn take(
        dataset: &Dataset,
        threads: usize,
        stop: &AtomicBool,
        mut image: impl FnMut(),
    ) -> Result<Option<Self>, DatasetError> {
        let total = dataset.items().len();
        let next = AtomicUsize::new(0);
        let mut order: Vec<usize> = (0..total).collect();
        order.sort_by_cached_key(|&index| dataset.stored_at(index));
        let mut found: Vec<FileFacts> = Vec::with_capacity(total);
        std::thread::scope(|scope| -> Result<(), DatasetError> {
            let (sender, receiver) = mpsc::channel();
            let (next, order) = (&next, &order);
            let look_at_all = move |sender: mpsc::Sender<Result<FileFacts, DatasetError>>| {
                while !stop.load(Ordering::Relaxed) {
                    let index = order.get(next.fetch_add(1, Ordering::Relaxed));
                    if index.is_none_or(|&index| sender.send(look(dataset, index)).is_err()) {
                        break;
                    }
                }
            };
            for number in 0..threads.clamp(1, total.max(1)) {
                let own = sender.clone();
                let started = std::thread::Builder::new().spawn_scoped(scope, move || look_at_all(own));
                if started.is_err() {
                    // Those that there are do it as well; where the system starts none, this one does.
                    if number == 0 {
                        look_at_all(sender.clone());
                    }
                    break;
                }
            }
            drop(sender);
            // An error ends the loop and with it the receiver, so that the threads stop.
            for one in receiver {
                found.push(one?);
                image();
            }
            Ok(())
        })?;
        if found.len() < total {
            return Ok(None);
        }
        found.sort_by_key(|one| one.index);
        Ok(Some(Self::of(dataset, found)))
    }

    fn of(dataset: &Dataset, found: Vec<FileFacts>) -> Self {
        let mut census = Self { images: found.len(), per_class: vec![0; CLASSES], ..Self::default() };
        let (mut widths, mut heights) = (Vec::new(), Vec::new());
        let mut by_content: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
        for one in found {
            let item = &dataset.items()[one.index];
            census.bytes += one.bytes;
            census.per_class[usize::from(item.label)] += 1;
            if let Some(content) = one.content {
                census.digests.push((item.name.clone(), content));
                // Files without a byte have no content in common.
                if one.bytes > 0 {
                    by_content.entry(content).or_default().push(one.index);
                }
            }
            let image = match one.decoded {
                Ok(image) => image,
                Err(reason) => {
                    census.undecodable.push((item.name.clone(), reason));
                    continue;
                }
            };
            if image.warnings.count() > 0 {
                census.warned.push((item.name.clone(), image.warnings));
            }
            if !image.is_rgb_jpeg {
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
        let differ = |group: &&Vec<usize>| {
            let mut labels = group.iter().map(|&index| dataset.items()[index].label);
            let first = labels.next();
            labels.any(|label| Some(label) != first)
        };
        census.contradictory_duplicates = groups.iter().filter(differ).count();
        let name = |index: usize| dataset.items()[index].name.clone();
        census.duplicates = groups.into_iter().map(|group| group.into_iter().map(name).collect()).collect();
        census.sides = spread(widths).zip(spread(heights)).map(|(width, height)| Sides { width, height });
        census
    }
}

fn look(dataset: &Dataset, index: usize) -> Result<FileFacts, DatasetError> {
    let bytes = match dataset.read(index) {
        Ok(bytes) => bytes,
        Err(error) if error.concerns_one_image() => {
            return Ok(FileFacts { index, bytes: 0, content: None, decoded: Err(error.to_string()) });
        }
        Err(error) => return Err(error),
    };
    let decoded = match Decoded::from_bytes(&bytes) {
        Err(DecodeError::NoMemory(cause)) => return Err(dataset.no_memory(index, cause)),
        decoded => decoded.map_err(|error| error.to_string()),
    };
    let decoded = decoded.map(|decoded| ImageFacts {
        kind: format!("{}, {}", decoded.format(), decoded.colour()),
        is_rgb_jpeg: decoded.format() == crate::Format::Jpeg && decoded.colour() == crate::Colour::Rgb,
        orientation: decoded.orientation(),
        size: decoded.size(),
        warnings: decoded.warnings().clone(),
    });
    let content = Some(Sha256::digest(&bytes).into());
    Ok(FileFacts { index, bytes: bytes.len() as u64, content, decoded })
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
        let census = Census::take(&dataset, 3, &AtomicBool::new(false), || seen += 1);
        let census = census.expect("readable").expect("not stopped");
        assert_eq!((seen, census.images, census.undecodable.len()), (24, 24, 0));
        assert_eq!(census.kinds.values().sum::<usize>(), 24);
        assert_eq!(census.per_class.iter().sum::<usize>(), 24);
        // The sample's README: grey, CMYK and PNG files are among them, and rotated ones.
        assert!(census.unusual.contains_key("JPEG, grey") && census.unusual.contains_key("JPEG, CMYK"));
        assert!(!census.rotated.is_empty() && census.duplicates.is_empty());
        let sides = census.sides.expect("decoded images");
        assert!(sides.width[0] <= sides.width[1] && sides.width[1] <= sides.width[2]);
        // The same whatever the number of threads.
        let again =
            |threads, stop| Census::take(&dataset, threads, &AtomicBool::new(stop), || ()).expect("readable");
        assert_eq!(again(1, false), Some(census));
        assert_eq!(again(2, true), None);
    }
}
