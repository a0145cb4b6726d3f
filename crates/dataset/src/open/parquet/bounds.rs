//! What a parquet file declares, held against its length before the library allocates, recurses or loops by it.
//!
//! The library believes a footer's and a page's counts: one flipped bit asks it for terabytes, which ends the process
//! where a panic could be caught. Structures after <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>.

use parquet::basic::{Compression, Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::reason::Reason;
use super::thrift::{BINARY, Damage, I32, I64, LIST, STRUCT, Thrift};

/// Groups in groups of columns. An image feature's columns are two deep.
const MAX_SCHEMA_DEPTH: usize = 64;

/// Rows that any file may declare: they take some hundred megabytes.
const ROWS_ALWAYS: u64 = 1 << 20;

/// The least that a row takes in a larger file; no image file has fewer bytes.
const BYTES_A_ROW: u64 = 64;

/// Looks at a footer, before it is parsed.
pub(super) fn check_footer(footer: &[u8]) -> Result<(), Damage> {
    let mut thrift = Thrift::new(footer, footer.len() as u64);
    thrift.fields(|thrift, field, kind| {
        let expected = match field {
            1 => I32,
            2 | 4 | 5 | 7 => LIST,
            3 => I64,
            6 | 9 => BINARY,
            8 => STRUCT,
            _ => return Ok(false),
        };
        expect(field, kind, expected)?;
        if field != 2 {
            return Ok(false);
        }
        schema(thrift)?;
        Ok(true)
    })
}

fn expect(field: i16, kind: u8, expected: u8) -> Result<(), Damage> {
    match kind == expected {
        true => Ok(()),
        false => Err(format!("field {field} of one of its headers is of another type than parquet's")),
    }
}

/// The schema is a tree, written as a list: each element says how many of the following are its children.
fn schema(thrift: &mut Thrift<&[u8]>) -> Result<(), Damage> {
    let (kind, count) = thrift.list()?;
    if kind != STRUCT {
        return Err("its schema is no list of columns".to_owned());
    }
    // Of the groups that are open: how many children are still to come.
    let mut open: Vec<u64> = Vec::new();
    for element in 0..count {
        let mut children = 0;
        thrift.fields(|thrift, field, kind| {
            match field {
                1..=3 | 6..=9 => expect(field, kind, I32)?,
                4 => expect(field, kind, BINARY)?,
                10 => expect(field, kind, STRUCT)?,
                5 => {
                    expect(field, kind, I32)?;
                    children = thrift.i32()?;
                    return Ok(true);
                }
                _ => {}
            }
            Ok(false)
        })?;
        let following = count - element - 1;
        let children =
            u64::try_from(children).ok().filter(|children| *children <= following).ok_or_else(|| {
                format!("its schema declares {children} columns in a group where {following} follow")
            })?;
        while open.last() == Some(&0) {
            open.pop();
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        if children > 0 {
            open.push(children);
        }
        if open.len() > MAX_SCHEMA_DEPTH {
            return Err("its schema is nested too deep".to_owned());
        }
    }
    Ok(())
}

/// Looks at the number of rows, which lists are made of.
pub(super) fn check_rows(metadata: &ParquetMetaData, file_bytes: u64) -> Result<(), Reason> {
    let mut rows = 0_u64;
    for group in metadata.row_groups() {
        let count = u64::try_from(group.num_rows()).ok();
        rows = count.and_then(|count| rows.checked_add(count)).ok_or_else(|| {
            Reason::damaged(&format!("it declares {} rows in a row group", group.num_rows()))
        })?;
    }
    if rows > ROWS_ALWAYS && rows > file_bytes / BYTES_A_ROW {
        return Err(Reason::damaged(&format!("it declares {rows} rows in {file_bytes} bytes")));
    }
    Ok(())
}

/// What is known of the column chunk whose pages are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    pub(super) compression: Compression,
    pub(super) kind: Type,
    /// Rows of its row group, each of which has one value or none.
    pub(super) rows: u64,
    pub(super) max_def_level: i16,
}

impl Chunk {
    /// The fewest bytes that a value takes in a dictionary.
    fn least_bytes(&self) -> u64 {
        match self.kind {
            Type::INT64 => 8,
            _ => 4,
        }
    }

    /// How many bytes one can become, at most.
    fn expansion(&self) -> u64 {
        match self.compression {
            Compression::SNAPPY => 32,
            Compression::LZ4 | Compression::LZ4_RAW => 256,
            _ => 1040,
        }
    }

    /// Looks at the page's header that `from` begins with, where the file has `left` bytes. Says how many of them it is.
    pub(super) fn check_page(&self, from: impl std::io::Read, left: u64) -> Result<u64, ParquetError> {
        let mut thrift = Thrift::new(from, left);
        let header = Header::read(&mut thrift).map_err(ParquetError::General)?;
        self.check_header(&header, thrift.left()).map_err(ParquetError::General)?;
        Ok(left - thrift.left())
    }

    /// `left` bytes follow the header.
    fn check_header(&self, header: &Header, left: u64) -> Result<(), Damage> {
        let count = |name: &str, value: i32| {
            u64::try_from(value).map_err(|_| format!("a page declares {value} {name}"))
        };
        let compressed = count("bytes", header.compressed)?;
        let declared = count("bytes", header.uncompressed)?;
        let values = count("values", header.values)?;
        if compressed > left {
            return Err(format!("a page declares {compressed} bytes where {left} follow"));
        }
        let plain = match self.compression {
            Compression::UNCOMPRESSED => compressed,
            _ => declared,
        };
        if plain > compressed * self.expansion() + 64 {
            return Err(format!("a page declares that its {compressed} bytes become {plain}"));
        }
        match header.kind {
            PageKind::Dictionary if values > plain / self.least_bytes() => {
                Err(format!("a page declares a dictionary of {values} values in {plain} bytes"))
            }
            PageKind::Data if values > self.rows => {
                Err(format!("a page declares {values} values in a row group of {} rows", self.rows))
            }
            PageKind::Data => {
                let levels = header.level_bytes.iter().map(|bytes| count("bytes of levels", *bytes));
                let levels: u64 = levels.sum::<Result<u64, Damage>>()?;
                match levels > plain.min(compressed) {
                    true => Err(format!("a page declares {levels} bytes of levels in {compressed}")),
                    false => Ok(()),
                }
            }
            PageKind::Dictionary | PageKind::Other => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum PageKind {
    Data,
    Dictionary,
    #[default]
    Other,
}

/// What a page's header declares.
#[derive(Debug, Default)]
struct Header {
    kind: PageKind,
    uncompressed: i32,
    compressed: i32,
    values: i32,
    /// Of repetition and definition levels, where the header says it.
    level_bytes: [i32; 2],
}

impl Header {
    fn read<R: std::io::Read>(thrift: &mut Thrift<R>) -> Result<Self, Damage> {
        let mut header = Self::default();
        // By the number of the field: data page, dictionary page, data page of the second version.
        let mut values = [0; 3];
        let mut page_kind = None;
        thrift.fields(|thrift, field, kind| {
            let which = match field {
                1..=4 => {
                    expect(field, kind, I32)?;
                    let value = thrift.i32()?;
                    match field {
                        1 => page_kind = Some(value),
                        2 => header.uncompressed = value,
                        3 => header.compressed = value,
                        _ => {}
                    }
                    return Ok(true);
                }
                5 => 0,
                7 => 1,
                8 => 2,
                _ => return Ok(false),
            };
            expect(field, kind, STRUCT)?;
            thrift.fields(|thrift, inner, kind| {
                let number = match (which, inner) {
                    (_, 1) | (2, 5 | 6) => {
                        expect(inner, kind, I32)?;
                        thrift.i32()?
                    }
                    (_, 2) | (0, 3 | 4) | (2, 3 | 4) => {
                        expect(inner, kind, I32)?;
                        return Ok(false);
                    }
                    _ => return Ok(false),
                };
                match inner {
                    1 => values[which] = number,
                    5 => header.level_bytes[1] = number,
                    _ => header.level_bytes[0] = number,
                }
                Ok(true)
            })?;
            Ok(true)
        })?;
        (header.kind, header.values) = match page_kind {
            Some(0) => (PageKind::Data, values[0]),
            Some(2) => (PageKind::Dictionary, values[1]),
            Some(3) => (PageKind::Data, values[2]),
            _ => (PageKind::Other, 0),
        };
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_of_more_columns_than_follow_is_refused() {
        // {2: [{5: CHILDREN}, {}]}: a root and one column.
        let footer = |children: &[u8]| [&[0x29, 0x2c, 0x55], children, &[0, 0, 0]].concat();
        assert_eq!(check_footer(&footer(&[2])), Ok(()));
        for children in [&[4][..], &[1], &[0xfe, 0xff, 0xff, 0xff, 0x0f]] {
            let error = check_footer(&footer(children)).expect_err("too many");
            assert!(error.contains("where 1 follow"), "{error}");
        }
        // A thousand groups, each in the other.
        let deep = [&[0x29, 0xfc, 0xe8, 0x07][..], &[0x55, 2, 0].repeat(999), &[0, 0]].concat();
        assert_eq!(check_footer(&deep), Err("its schema is nested too deep".to_owned()));
        let flat = [&[0x29, 0xfc, 0xe8, 0x07, 0x55, 0xce, 0x0f, 0][..], &[0; 999], &[0]].concat();
        assert_eq!(check_footer(&flat), Ok(()));
    }

    #[test]
    fn a_page_of_more_than_its_bytes_can_be_is_refused() {
        let chunk = |compression| Chunk { compression, kind: Type::BYTE_ARRAY, rows: 100, max_def_level: 0 };
        let header = |kind, uncompressed, compressed, values| Header {
            kind,
            uncompressed,
            compressed,
            values,
            level_bytes: [0; 2],
        };
        let check = |compression, header| chunk(compression).check_header(&header, 1000);
        let snappy = Compression::SNAPPY;
        assert_eq!(check(snappy, header(PageKind::Data, 3000, 1000, 100)), Ok(()));
        for bad in [
            header(PageKind::Data, 3000, 1001, 100),
            header(PageKind::Data, 3000, -1, 100),
            header(PageKind::Data, 40_000, 1000, 100),
            header(PageKind::Data, i32::MAX, 1000, 100),
            header(PageKind::Data, 3000, 1000, 101),
            header(PageKind::Data, 3000, 1000, -5),
            header(PageKind::Dictionary, 3000, 1000, 751),
            Header { level_bytes: [900, 101], ..header(PageKind::Data, 3000, 1000, 100) },
        ] {
            assert!(check(snappy, bad).is_err());
        }
        // Nothing is allocated by the length that an uncompressed page declares.
        assert_eq!(check(Compression::UNCOMPRESSED, header(PageKind::Data, 7, 1000, 100)), Ok(()));
    }
}
