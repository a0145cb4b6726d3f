//! Whether a data set is the whole validation set: a gate asks before it believes that an evaluation measured something.

use dataset::labels::{VAL_IMAGES, val_file_number, val_label};
use dataset::{Census, Dataset};

use super::some;

/// What is missing, a sentence each; none where these are the 50,000 images, each once, with their known labels, decodable.
pub(super) fn missing(dataset: &Dataset, census: &Census) -> Vec<String> {
    let mut seen = vec![0_usize; VAL_IMAGES];
    let (mut others, mut twice, mut mislabelled) = (Vec::new(), Vec::new(), Vec::new());
    for item in dataset.items() {
        let Some(number) = val_file_number(&item.name) else {
            others.push(item.name.clone());
            continue;
        };
        seen[number - 1] += 1;
        if seen[number - 1] > 1 {
            twice.push(item.name.clone());
        }
        if val_label(&item.name) != Some(item.label) {
            mislabelled.push(item.name.clone());
        }
    }
    let absent: Vec<String> = (1..)
        .zip(&seen)
        .filter(|(_, times)| **times == 0)
        .map(|(number, _)| format!("ILSVRC2012_val_{number:08}"))
        .collect();
    let undecodable: Vec<String> = census.undecodable.iter().map(|(name, _)| name.clone()).collect();
    let counted = |names: &[String], one: &str, several: &str| match names.len() {
        1 => format!("1 image {one}"),
        count => format!("{count} images {several}"),
    };
    [
        (&absent, format!("{} of the {VAL_IMAGES} images are not there", absent.len())),
        (
            &others,
            counted(&others, "is not named ILSVRC2012_val_NNNNNNNN", "are not named ILSVRC2012_val_NNNNNNNN"),
        ),
        (&twice, counted(&twice, "is there twice", "are there twice")),
        (
            &mislabelled,
            counted(&mislabelled, "has another label than the known", "have other labels than the known"),
        ),
        (&undecodable, counted(&undecodable, "cannot be decoded", "cannot be decoded")),
    ]
    .into_iter()
    .filter(|(names, _)| !names.is_empty())
    .map(|(names, what)| format!("{what}: {}", some(names)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_not_the_validation_set() {
        let census =
            Census { undecodable: vec![("x".to_owned(), "cut off".to_owned())], ..Census::default() };
        let sentences = missing(&Dataset::sample(), &census);
        let starts = [
            "50000 of the 50000 images are not there: ILSVRC2012_val_00000001, ",
            "24 images are not named ILSVRC2012_val_NNNNNNNN: sample_00000001.JPEG, ",
            "1 image cannot be decoded: x",
        ];
        assert_eq!(sentences.len(), starts.len(), "{sentences:?}");
        assert!(sentences.iter().zip(starts).all(|(text, start)| text.starts_with(start)), "{sentences:?}");
    }

    #[test]
    fn the_validation_set_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        for number in 1..=VAL_IMAGES {
            std::fs::File::create(folder.path().join(format!("ILSVRC2012_val_{number:08}.JPEG"))).unwrap();
        }
        let open = || Dataset::open(folder.path(), None).unwrap();
        assert_eq!(missing(&open(), &Census::default()), [""; 0]);
        std::fs::write(folder.path().join("val.txt"), "ILSVRC2012_val_00000001.JPEG 7\n").unwrap();
        let sentences = missing(&open(), &Census::default());
        assert_eq!(sentences.len(), 2, "{sentences:?}");
        assert!(sentences[0].starts_with("49999 of the 50000 images are not there"), "{sentences:?}");
        assert_eq!(sentences[1], "1 image has another label than the known: ILSVRC2012_val_00000001.JPEG");
    }
}
