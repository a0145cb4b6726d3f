//! The embedded data set, from `datasets/sample` (see the README there): every claim of this project
//! can be checked where nothing can be downloaded.

use super::LabelledImage;

macro_rules! embed {
    ($($number:literal)*) => {
        [$((
            concat!("sample_", $number, ".JPEG"),
            include_bytes!(concat!("../../../../datasets/sample/sample_", $number, ".JPEG")),
        )),*]
    };
}

const FILES: [(&str, &[u8]); 24] = embed!(
    "00000001" "00000002" "00000003" "00000004" "00000005" "00000006" "00000007" "00000008"
    "00000009" "00000010" "00000011" "00000012" "00000013" "00000014" "00000015" "00000016"
    "00000017" "00000018" "00000019" "00000020" "00000021" "00000022" "00000023" "00000024"
);

/// `NAME LABEL` a line, in name order.
const LABELS: &str = include_str!("../../../../datasets/sample/val.txt");

pub(super) fn items() -> Vec<LabelledImage> {
    LABELS
        .lines()
        .map(|line| {
            let (name, label) = line.split_once(' ').expect("datasets/sample/val.txt: NAME LABEL");
            let label = label.parse().expect("datasets/sample/val.txt: a class index");
            LabelledImage { name: name.to_owned(), label }
        })
        .collect()
}

/// The file of that name.
///
/// # Panics
/// If the sample has none; names come from [`items`].
pub(super) fn bytes(name: &str) -> &'static [u8] {
    let file = FILES.iter().find(|(file, _)| *file == name);
    file.map(|(_, bytes)| *bytes).expect("a name from the sample")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels;

    #[test]
    fn names_labels_and_files_agree() {
        let items = items();
        assert_eq!(items.len(), FILES.len());
        for (index, (item, (name, bytes))) in items.iter().zip(FILES).enumerate() {
            assert_eq!(item.name, name);
            assert_eq!(item.label, labels::ilsvrc2012_val()[index]);
            assert!(!bytes.is_empty());
        }
    }
}
