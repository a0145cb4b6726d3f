//! Whether the images were resized before. The validation set's files have many sizes; a copy whose files all have one was
//! scaled by somebody, and gives other accuracies under the same names.

use super::{Dataset, Store};

/// Files that are looked at when a data set is opened.
const LOOKED_AT: usize = 16;

/// Files of one size that are no accident.
const ENOUGH: usize = 8;

/// What to say of a data set of which every file that was looked at has the same size.
pub(super) fn warning(dataset: &Dataset) -> Option<String> {
    let total = dataset.items.len();
    let mut order: Vec<usize> = (0..total).collect();
    let every = match dataset.store {
        Store::Embedded => return None,
        // Neighbours are read together there.
        Store::Parquet(_) => {
            order.sort_by_cached_key(|&index| dataset.stored_at(index));
            1
        }
        Store::Files | Store::Tar(_) => total.div_ceil(LOOKED_AT).max(1),
    };
    let looked_at = order.into_iter().step_by(every).take(LOOKED_AT);
    let sizes: Vec<(u32, u32)> = looked_at.filter_map(|index| size(&dataset.read(index).ok()?)).collect();
    let (width, height) = *sizes.first()?;
    (sizes.len() >= ENOUGH && sizes.iter().all(|size| *size == (width, height))).then(|| {
        format!(
            "prescaled: all {} images that were looked at are {width}x{height}, where the validation set's files have many \
             sizes; figures of resized copies are not those of the originals",
            sizes.len()
        )
    })
}

/// Width and height by the header of a JPEG or PNG file, as they are stored.
fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        let side = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        return Some((side(16)?, side(20)?));
    }
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    loop {
        // Segments: a mark, which any number of 0xff may stand before, and a length, which counts itself.
        let at = rest.iter().position(|&byte| byte != 0xff)?;
        let (mark, after) = rest.get(at..)?.split_first()?;
        let length = usize::from(u16::from_be_bytes(after.get(..2)?.try_into().ok()?));
        // A frame's header; three marks of that range are tables.
        if matches!(mark, 0xc0..=0xcf) && !matches!(mark, 0xc4 | 0xc8 | 0xcc) {
            let side =
                |at: usize| Some(u32::from(u16::from_be_bytes(after.get(at..at + 2)?.try_into().ok()?)));
            return Some((side(5)?, side(3)?));
        }
        rest = after.get(length.max(2)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Decoded;

    #[test]
    fn sizes_are_those_of_the_decoder() {
        let sample = Dataset::sample();
        for index in 0..sample.items().len() {
            let bytes = sample.read(index).expect("embedded");
            let (width, height) = Decoded::from_bytes(&bytes).expect("an image").size();
            assert_eq!(size(&bytes), Some((width as u32, height as u32)), "{}", sample.items()[index].name);
            for length in 0..bytes.len().min(700) {
                let _ = size(&bytes[..length]);
            }
        }
        assert_eq!(size(b"\xff\xd8\xff\xff"), None);
    }
}
