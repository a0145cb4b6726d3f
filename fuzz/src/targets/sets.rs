//! Data sets in one file, read in place: tar archives and parquet files.

use std::io;
use std::path::Path;

use dataset::Dataset;
use tar::{Builder, EntryType, Header};

use super::{MEMORY_BYTES, fixtures, put};
use crate::{Outcome, Target, checksums};

pub(super) const TAR: Target = Target {
    name: "tar",
    about: "a tar archive of images, opened and every image read",
    seeds: tars,
    words: &[
        b"ustar\0",
        b"ustar  \0",
        b"00000000000\0",
        b"77777777777\0",
        b"\x80\0\0\0\0\0\0\0\0\0\0\x01",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"././@LongLink",
        b"././@PaxHeader",
        b"GNU.sparse.major=1\n",
        b"GNU.sparse.realsize=4096\n",
        b"22 GNU.sparse.major=1\n",
        b"19 path=../../x.JPEG\n",
        b"17 size=99999999\n",
        b"n01440764/",
        b"../",
        b"val.txt",
        b".JPEG",
        b"ILSVRC2012_val_00000001.JPEG",
    ],
    mend: Some(checksums::tar),
    memory_bytes: MEMORY_BYTES,
    read: |folder, bytes, outcome| read_as("data.tar", folder, bytes, outcome),
};

pub(super) const PARQUET: Target = Target {
    name: "parquet",
    about: "a parquet file of images, opened and every image read",
    seeds: parquets,
    words: &[
        b"PAR1",
        b"huggingface",
        b"bytes",
        b"label",
        b"path",
        b"{\"info\": {\"features\": {\"label\": {\"names\": [",
    ],
    mend: None,
    // The images of a file are at most 64 MiB when a page is unpacked.
    memory_bytes: 4 * MEMORY_BYTES,
    read: |folder, bytes, outcome| read_as("data.parquet", folder, bytes, outcome),
};

fn read_as(name: &str, folder: &Path, bytes: &[u8], outcome: &mut Outcome) {
    let path = folder.join(name);
    put(&path, bytes);
    if let Some(dataset) = outcome.of(Dataset::open(&path, None)) {
        look_at(&dataset, outcome);
    }
}

/// Images of a data set that are read.
const IMAGES: usize = 200;

/// Does with a data set what an evaluation does before it decodes.
pub(super) fn look_at(dataset: &Dataset, outcome: &mut Outcome) {
    outcome.say(&dataset.layout().to_string());
    outcome.say(&dataset.label_source().to_string());
    outcome.say(&dataset.label_check().order);
    dataset.warnings().iter().for_each(|warning| outcome.say(warning));
    outcome.say(if dataset.is_complete_ilsvrc2012_val() { "complete" } else { "a part" });
    assert_eq!(dataset.fingerprint().len(), 64);
    let mut order: Vec<usize> = (0..dataset.items().len()).collect();
    order.sort_by_cached_key(|&index| dataset.stored_at(index));
    for index in order.into_iter().take(IMAGES) {
        outcome.of(dataset.read(index));
    }
}

fn parquets() -> io::Result<Vec<Vec<u8>>> {
    let names = [
        "damaged.parquet",
        "paths.parquet",
        "plain.parquet",
        "test.parquet",
        "three.parquet",
        "wnids.parquet",
        "zstd.parquet",
        "hub/data/train-00000-of-00001.parquet",
        "hub/data/validation-00000-of-00002.parquet",
    ];
    fixtures("crates/dataset/tests/fixtures/parquet", &names)
}

/// A member of a tar archive.
enum Member {
    File(&'static str),
    Link(&'static str, &'static str),
    Folder(&'static str),
}

fn tars() -> io::Result<Vec<Vec<u8>>> {
    use Member::{File, Folder, Link};
    let long = "n01440764/a_name_that_is_longer_than_the_hundred_bytes_that_there_are_for_it_in_a_header_of_tar_and_goes_on.JPEG";
    let members: [&[Member]; 6] = [
        &[File("ILSVRC2012_val_00000001.JPEG"), File("ILSVRC2012_val_00000002.JPEG")],
        &[Folder("val/"), File("val/n01440764/a.JPEG"), File("val/n01443537/b.png"), File(long)],
        &[File("./0/a.JPEG"), File("./1/b.JPEG"), File("./999/c.jpg")],
        &[
            File("x/ILSVRC2012_val_00000001.JPEG"),
            Link("x/ILSVRC2012_val_00000002.JPEG", "x/ILSVRC2012_val_00000001.JPEG"),
        ],
        &[File("val.txt"), File("a.JPEG"), File("b.JPEG")],
        &[File("a/one.JPEG"), File("b/two.JPEG"), File("__MACOSX/a/._one.JPEG")],
    ];
    let mut files = members.iter().map(|members| archive(members, false)).collect::<io::Result<Vec<_>>>()?;
    files.push(archive(members[0], true)?);
    files.push(archive(members[1], true)?);
    Ok(files)
}

fn archive(members: &[Member], with_pax: bool) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    for member in members {
        let mut header = if with_pax { Header::new_ustar() } else { Header::new_gnu() };
        header.set_mode(0o644);
        match member {
            Member::File(name) => {
                let content = if name.ends_with(".txt") { "a.JPEG 7\nb.JPEG 8\n" } else { "\u{0}pixels" };
                if with_pax {
                    let size = content.len().to_string();
                    archive.append_pax_extensions([("path", name.as_bytes()), ("size", size.as_bytes())])?;
                }
                header.set_size(content.len() as u64);
                let short = if with_pax { "x.JPEG" } else { name };
                archive.append_data(&mut header, short, content.as_bytes())?;
            }
            Member::Link(name, to) => {
                header.set_entry_type(EntryType::Link);
                header.set_size(0);
                archive.append_link(&mut header, name, to)?;
            }
            Member::Folder(name) => {
                header.set_entry_type(EntryType::Directory);
                header.set_size(0);
                archive.append_data(&mut header, name, io::empty())?;
            }
        }
    }
    archive.into_inner()
}
