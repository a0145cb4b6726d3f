//! Pages in delta encodings, looked at before the library makes lists of as many lengths as they declare.
//!
//! After <https://parquet.apache.org/docs/file-format/data-pages/encodings/>.

use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::ParquetError;

use super::bounds::Chunk;
use super::thrift::Damage;

/// Pages whose delta encodings declare no more values than the page: the library makes lists of what they declare.
pub(super) struct BoundedPages {
    pub(super) pages: Box<dyn PageReader>,
    pub(super) chunk: Chunk,
}

impl BoundedPages {
    fn checked(&self, page: Option<Page>) -> Result<Option<Page>, ParquetError> {
        if let Some(page) = &page {
            self.check(page).map_err(ParquetError::General)?;
        }
        Ok(page)
    }

    fn check(&self, page: &Page) -> Result<(), Damage> {
        let lists = match page.encoding() {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
            // Of prefixes, and of what follows them.
            Encoding::DELTA_BYTE_ARRAY => 2,
            _ => return Ok(()),
        };
        let mut bytes = self.values_of(page).ok_or("a page ends within its levels")?;
        for _ in 0..lists {
            bytes = after_deltas(bytes, u64::from(page.num_values()))?;
        }
        Ok(())
    }

    /// A data page's values, behind its levels.
    fn values_of<'a>(&self, page: &'a Page) -> Option<&'a [u8]> {
        let levels = match page {
            Page::DataPage { buf, num_values, def_level_encoding, .. } => match self.chunk.max_def_level {
                0 => 0,
                _ if *def_level_encoding == Encoding::RLE => {
                    let length: [u8; 4] = buf.get(..4)?.try_into().ok()?;
                    4 + usize::try_from(i32::from_le_bytes(length)).ok()?
                }
                level => {
                    let bits = (i16::BITS - level.leading_zeros()) as usize;
                    (*num_values as usize * bits).div_ceil(8)
                }
            },
            Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
                *def_levels_byte_len as usize + *rep_levels_byte_len as usize
            }
            Page::DictionaryPage { .. } => 0,
        };
        let (Page::DataPage { buf, .. } | Page::DataPageV2 { buf, .. } | Page::DictionaryPage { buf, .. }) =
            page;
        buf.get(levels..)
    }
}

/// What follows a list of numbers in `DELTA_BINARY_PACKED`, which may have `most` of them.
fn after_deltas(bytes: &[u8], most: u64) -> Result<&[u8], Damage> {
    const ENDS: &str = "a page ends within its lengths";
    let mut rest = bytes;
    let varint = |rest: &mut &[u8]| -> Result<u64, Damage> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (first, others) = rest.split_first().ok_or(ENDS)?;
            *rest = others;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number in a page is too long".to_owned())
    };
    let (block, minis) = (varint(&mut rest)?, varint(&mut rest)?);
    let count = varint(&mut rest)?;
    varint(&mut rest)?;
    if count > most {
        return Err(format!("a page declares {count} lengths for {most} values"));
    }
    // Blocks of such sizes are never written; the library multiplies by them.
    if minis == 0 || block / minis == 0 || block > 1 << 20 {
        return Err(format!("a page declares blocks of {block} lengths in {minis} parts"));
    }
    let mut left = count.saturating_sub(1);
    while left > 0 {
        varint(&mut rest)?;
        let minis = usize::try_from(minis).map_err(|_| ENDS)?;
        let (widths, others) = rest.split_at_checked(minis).ok_or(ENDS)?;
        rest = others;
        for &width in widths {
            if left == 0 {
                break;
            }
            let each = block / minis as u64;
            let bytes = usize::try_from(u64::from(width) * each / 8).map_err(|_| ENDS)?;
            rest = rest.get(bytes..).ok_or(ENDS)?;
            left = left.saturating_sub(each);
        }
    }
    Ok(rest)
}

impl Iterator for BoundedPages {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for BoundedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        let page = self.pages.get_next_page()?;
        self.checked(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool, ParquetError> {
        self.pages.at_record_boundary()
    }

    fn supports_deferred_dictionary(&self) -> bool {
        self.pages.supports_deferred_dictionary()
    }

    fn take_deferred_dictionary(&mut self) -> Result<Option<Page>, ParquetError> {
        self.pages.take_deferred_dictionary()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_lengths_have_no_more_than_the_page() {
        // Blocks of 128 in 4 parts, 3 values, the first 0, smallest difference 0; widths 0, 0, 0, 0.
        let lengths = [0x80, 0x01, 4, 3, 0, 0, 0, 0, 0, 0, b'x'];
        assert_eq!(after_deltas(&lengths, 3), Ok(&b"x"[..]));
        assert!(after_deltas(&lengths, 2).is_err());
        let many = [0x80, 0x01, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 0];
        assert!(after_deltas(&many, 3).expect_err("too many").contains("lengths for 3 values"));
        assert!(after_deltas(&[0x80, 0x01, 0, 3, 0], 3).is_err());
    }
}
