//! Images that decode and that the decoder warns of, as libjpeg does of damaged ones: counted and named in `run.json`. Such an
//! image has a prediction like others, because Pillow and OpenCV let it pass; who doubts a figure can look at it.

use std::fmt;

use dataset::Warnings;
use serde::{Deserialize, Serialize};

/// Images that a sentence names; the others are counted.
const NAMED: usize = 3;

/// An image that the decoder warned of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarnedImage {
    /// Its name.
    pub image: String,
    /// How many warnings there were.
    pub warnings: usize,
    /// The first one, in libjpeg's words.
    pub first: String,
}

impl WarnedImage {
    /// `image`, if there are `warnings` of it.
    pub(crate) fn new(image: &str, warnings: &Warnings) -> Option<Self> {
        let (count, first) = (warnings.count(), warnings.first().to_owned());
        (count > 0).then(|| Self { image: image.to_owned(), warnings: count, first })
    }
}

impl fmt::Display for WarnedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.warnings {
            1 => write!(f, "{} ({})", self.image, self.first),
            count => write!(f, "{} ({count} warnings, the first: {})", self.image, self.first),
        }
    }
}

/// How many there are, and the first of them by name; nothing where there is none.
pub(crate) fn sentence(warned: &[WarnedImage]) -> Option<String> {
    let named: Vec<String> = warned.iter().take(NAMED).map(ToString::to_string).collect();
    let more = match warned.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more, all in run.json"),
    };
    (!named.is_empty()).then(|| {
        format!(
            "libjpeg warns of {} images, which decode and may be damaged: {}{more}",
            warned.len(),
            named.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_named_and_the_others_counted() {
        let warned = |warnings: usize| WarnedImage {
            image: format!("{warnings}.JPEG"),
            warnings,
            first: "Corrupt JPEG data: bad Huffman code".to_owned(),
        };
        let all: Vec<WarnedImage> = (1..=5).map(warned).collect();
        assert_eq!(sentence(&[]), None);
        assert_eq!(
            sentence(&all[..1]).unwrap(),
            "libjpeg warns of 1 images, which decode and may be damaged: 1.JPEG (Corrupt JPEG data: bad Huffman code)"
        );
        let text = sentence(&all).unwrap();
        assert!(text.contains("of 5 images") && text.ends_with("and 2 more, all in run.json"), "{text}");
        assert!(text.contains("3.JPEG (3 warnings, the first: Corrupt"), "{text}");
    }
}
