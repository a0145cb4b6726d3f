//! Damaged parquet files, thousands of them: an error or images, never a panic that leaves the library, a hang, or memory
//! that the file's length does not explain.
//!
//! `MUTATIONS` and `MUTATION_SEED` in the environment make it longer and another one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataset::Dataset;
use parquet::basic::{Compression, Encoding, GzipLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;

/// Numbers that follow from a seed (a linear congruential generator).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// A file of four rows, small enough that most mutations hit what the format says of itself.
fn written(
    version: WriterVersion,
    compression: Compression,
    encoding: Option<Encoding>,
    optional: bool,
) -> Vec<u8> {
    let kind = if optional { "optional" } else { "required" };
    let schema = format!(
        "message m {{ {kind} group image {{ {kind} binary bytes; {kind} binary path (UTF8); }} {kind} int64 label; }}"
    );
    let schema = parquet::schema::parser::parse_message_type(&schema).expect("a schema");
    let mut properties = WriterProperties::builder().set_writer_version(version).set_compression(compression);
    properties = properties.set_data_page_row_count_limit(2).set_write_batch_size(2);
    if let Some(encoding) = encoding {
        properties = properties.set_dictionary_enabled(false).set_encoding(encoding);
        // That encoding is not one of integers.
        properties = properties.set_column_encoding("label".into(), Encoding::DELTA_BINARY_PACKED);
    }
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties.build()))
        .expect("a writer");
    let mut group = writer.next_row_group().expect("a row group");
    let texts = |prefix: &str| -> Vec<ByteArray> {
        (0..4)
            .map(|row| ByteArray::from(format!("{prefix}{row}{}", "y".repeat(row * 9)).into_bytes()))
            .collect()
    };
    let levels = optional.then_some([2_i16; 4]);
    for prefix in ["\u{ff}image", "name"] {
        let mut column = group.next_column().expect("a column").expect("one more");
        let levels = levels.as_ref().map(<[i16; 4]>::as_slice);
        column.typed::<ByteArrayType>().write_batch(&texts(prefix), levels, None).expect("written");
        column.close().expect("closed");
    }
    let mut column = group.next_column().expect("a column").expect("one more");
    let levels = optional.then_some([1_i16; 4]);
    let levels = levels.as_ref().map(<[i16; 4]>::as_slice);
    column.typed::<Int64Type>().write_batch(&[7, 8, 9, 999], levels, None).expect("written");
    column.close().expect("closed");
    group.close().expect("closed");
    writer.into_inner().expect("finished")
}

fn seeds() -> Vec<Vec<u8>> {
    let (first, second) = (WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0);
    let gzip = Compression::GZIP(GzipLevel::default());
    let mut seeds = vec![
        written(first, Compression::UNCOMPRESSED, None, true),
        written(first, Compression::SNAPPY, None, false),
        written(first, Compression::LZ4_RAW, Some(Encoding::PLAIN), true),
        written(second, gzip, Some(Encoding::PLAIN), true),
        written(second, Compression::UNCOMPRESSED, Some(Encoding::DELTA_LENGTH_BYTE_ARRAY), true),
        written(second, Compression::SNAPPY, Some(Encoding::DELTA_BYTE_ARRAY), false),
        written(first, Compression::UNCOMPRESSED, Some(Encoding::DELTA_BYTE_ARRAY), true),
    ];
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parquet");
    for name in ["wnids.parquet", "paths.parquet", "three.parquet", "damaged.parquet"] {
        seeds.push(fs::read(fixtures.join(name)).expect("readable"));
    }
    seeds
}

/// Numbers as Thrift writes them, and lengths of four and eight bytes, that ask for much.
const GREEDY: [&[u8]; 8] = [
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xfe, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x40],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff],
    &[0, 0, 0, 0, 0, 0, 0, 0],
    &[0x80],
];

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    let footer = bytes.len().checked_sub(8).map(|tail| {
        let length: [u8; 4] = bytes[tail..tail + 4].try_into().expect("four bytes");
        tail.saturating_sub(u32::from_le_bytes(length) as usize)
    });
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            return;
        }
        // Half of them in the footer, which says where everything is.
        let from = if random.below(2) == 0 { footer.unwrap_or_default().min(bytes.len() - 1) } else { 0 };
        let at = from + random.below(bytes.len() - from);
        match random.below(8) {
            0 | 1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = random.below(256) as u8,
            3 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            // In place, so that all else stays where it is; or pushed in between.
            4 | 5 => {
                let greedy = GREEDY[random.below(GREEDY.len())];
                let end = (at + greedy.len()).min(bytes.len());
                bytes[at..end].copy_from_slice(&greedy[..end - at]);
            }
            6 => drop(bytes.splice(at..at, GREEDY[random.below(GREEDY.len())].iter().copied())),
            _ => {
                let end = (at + random.below(16)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn mutated_files_are_errors_or_images() {
    let folder = tempfile::tempdir().expect("a folder");
    let path: PathBuf = folder.path().join("a.parquet");
    let seeds = seeds();
    let open = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("written");
        let dataset = Dataset::open(&path, None)?;
        Ok::<Vec<bool>, dataset::DatasetError>(
            (0..dataset.items().len()).map(|index| dataset.read(index).is_ok()).collect(),
        )
    };
    for seed in &seeds[..7] {
        assert_eq!(open(seed).expect("whole"), [true; 4]);
    }
    let mut random = Random(number("MUTATION_SEED", 18));
    let cases = number("MUTATIONS", 4000);
    let (mut refused, mut damaged) = (0, 0);
    for case in 0..cases {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        mutate(&mut bytes, &mut random);
        match open(&bytes) {
            Err(_) => refused += 1,
            Ok(read) => damaged += u64::from(read.contains(&false)),
        }
        if std::env::var_os("MUTATIONS").is_some() && case % 20_000 == 0 {
            println!("{case} cases, {refused} refused, {damaged} with images that are errors");
        }
    }
    println!("{cases} cases, {refused} refused, {damaged} with images that are errors");
    assert!(refused > cases / 4 && damaged > cases / 100, "{refused} refused, {damaged} damaged of {cases}");
}
