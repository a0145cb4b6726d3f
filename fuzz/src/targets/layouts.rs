//! Label lists, and folders by the names of what lies in them.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use dataset::{Dataset, KnownLabels, labels};

use super::sets::look_at;
use super::{MEMORY_BYTES, fixtures, put, texts};
use crate::{Outcome, Target};

pub(super) const LISTS: Target = Target {
    name: "lists",
    about: "a label list: alone, as a path, and for folders of images",
    seeds: lists,
    words: &[
        b"ImageId,PredictionString\n",
        b"ILSVRC2012_val_00000001",
        b"n01440764",
        b"n01443537/x.JPEG",
        b"\xef\xbb\xbf",
        b"\r\n",
        b"\t",
        b"\"",
        b"./",
        b"../",
        b"\\",
        b"/dev/zero 7\n",
        b" 999\n",
        b" 1000\n",
        b" -1\n",
        b"\n\n",
        b"\xff\xfe",
        b"\0",
    ],
    mend: None,
    memory_bytes: 2 * MEMORY_BYTES,
    read: read_list,
};

pub(super) const FOLDERS: Target = Target {
    name: "folders",
    about: "a folder of images, lists, archives and parquet files with names out of the file",
    seeds: folders,
    words: &[
        b"val/",
        b"data/",
        b"ILSVRC/Data/CLS-LOC/val/",
        b"n01440764/",
        b"0/",
        b"999/",
        b".JPEG\n",
        b".parquet\t@parquet\n",
        b".tar\t@tar\n",
        b"val.txt\t",
        b"-00000-of-00100000000000000",
        b"-99999999999999999999-of-2",
        b"ILSVRC2012_val_00000001",
        b"__MACOSX/",
        b"._",
        b"\t@loop\n",
        b"\t@dead\n",
        b"\t@device\n",
        b"\xff",
        b"labels.txt\t",
        b"dataset.txt\t",
        b"LOC_val_solution.csv\tImageId,PredictionString|",
    ],
    mend: None,
    memory_bytes: 4 * MEMORY_BYTES,
    read: read_folder,
};

const FLAT: [&str; 4] =
    ["ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000002.JPEG", "a.JPEG", "with space, comma.png"];
const BY_CLASS: [&str; 4] =
    ["n01440764/a.JPEG", "n01440764/b.JPEG", "n01443537/a.JPEG", "n01484850/ILSVRC2012_val_00000003.JPEG"];

fn read_list(folder: &Path, bytes: &[u8], outcome: &mut Outcome) {
    let (flat, by_class, list) = (folder.join("flat"), folder.join("by-class"), folder.join("list.txt"));
    if !by_class.exists() {
        for (root, names) in [(&flat, FLAT), (&by_class, BY_CLASS)] {
            for name in names {
                assert!(plant(&root.join(name), b"pixels").is_ok(), "{name}");
            }
        }
    }
    put(&list, bytes);
    // Beside the list lie the folders, so that its lines can name their images.
    if let Some(known) = outcome.of(KnownLabels::from_list(&list)) {
        let found = FLAT.iter().chain(&BY_CLASS).filter_map(|name| known.get(name)).count();
        outcome.say(["none", "one", "several"][found.min(2)]);
    }
    for (path, labels) in [(&flat, Some(&*list)), (&by_class, Some(&*list)), (&list, None)] {
        if let Some(dataset) = outcome.of(Dataset::open(path, labels)) {
            assert!(dataset.items().iter().all(|item| usize::from(item.label) < labels::CLASSES));
            look_at(&dataset, outcome);
        }
    }
}

fn lists() -> io::Result<Vec<Vec<u8>>> {
    let named = |separator: &str, base: usize| -> String {
        (FLAT.iter().zip(base..)).map(|(name, label)| format!("{name}{separator}{label}\n")).collect()
    };
    let bare: String = labels::ilsvrc2012_val().iter().map(|label| format!("{label}\n")).collect();
    let mut seeds = texts([
        named(" ", 65),
        named(",", 0),
        named("\t", 1),
        "ILSVRC2012_val_00000001.JPEG n01751748\nILSVRC2012_val_00000002.JPEG n09193705\na.JPEG n01440764\nwith space, comma.png n01443537\n".to_owned(),
        "n01440764/a.JPEG 0\nn01440764/b.JPEG 0\nn01443537/a.JPEG 1\nn01484850/ILSVRC2012_val_00000003.JPEG 2\n".to_owned(),
        "flat/ILSVRC2012_val_00000001.JPEG 65\nflat/a.JPEG 7\nby-class/n01440764/a.JPEG 0\n".to_owned(),
        "65\n970\n7\n8\n".to_owned(),
        "\u{feff}ImageId,PredictionString\r\nILSVRC2012_val_00000001,n01751748 111 108 404 426\r\nILSVRC2012_val_00000002,n09193705 1 2 3 4 n09193705 5 6 7 8\r\n".to_owned(),
        bare,
    ]);
    seeds.extend(fixtures("datasets/sample", &["val.txt"])?);
    Ok(seeds)
}

/// Files that a folder's description may ask for.
static FILES: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let first =
        |seeds: io::Result<Vec<Vec<u8>>>| seeds.ok().and_then(|it| it.into_iter().next()).unwrap_or_default();
    let parquet = fixtures("crates/dataset/tests/fixtures/parquet", &["paths.parquet"]);
    (first(parquet), first((super::sets::TAR.seeds)()))
});

/// Lines that are files: a path, and after a tab what is in it, lines there being parted by `|`.
fn read_folder(folder: &Path, bytes: &[u8], outcome: &mut Outcome) {
    const LINES: usize = 40;
    let root = folder.join("tree");
    for line in bytes.split(|&byte| byte == b'\n').take(LINES) {
        let tab = line.iter().position(|&byte| byte == b'\t');
        let (name, content) = tab.map_or((line, &b"pixels"[..]), |tab| (&line[..tab], &line[tab + 1..]));
        let Some(path) = below(&root, name) else { continue };
        let planted = match content {
            b"@parquet" => plant(&path, &FILES.0),
            b"@tar" => plant(&path, &FILES.1),
            b"@loop" => link(".", &path),
            b"@dead" => link("nowhere", &path),
            b"@device" => link("/dev/null", &path),
            text => plant(
                &path,
                &text.iter().map(|&byte| if byte == b'|' { b'\n' } else { byte }).collect::<Vec<_>>(),
            ),
        };
        // A name may be too long, or a file where a folder is needed: then it is not there.
        drop(planted);
    }
    if let Some(dataset) = outcome.of(Dataset::open(&root, None)) {
        look_at(&dataset, outcome);
    }
    if root.exists() {
        let removed = fs::remove_dir_all(&root);
        assert!(removed.is_ok(), "{removed:?}");
    }
}

/// `name` below `root`, whatever it says; none where nothing is left of it.
fn below(root: &Path, name: &[u8]) -> Option<PathBuf> {
    let parts = name.split(|&byte| byte == b'/').filter(|part| !matches!(*part, b"" | b"." | b".."));
    let path: PathBuf = parts
        .map(|part| os_string(part.iter().copied().filter(|&byte| byte != 0).take(120).collect()))
        .collect();
    let is_plain = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    (is_plain && path.components().next().is_some()).then(|| root.join(path))
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).replace([':', '\\'], "_").into()
}

fn plant(path: &Path, content: &[u8]) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    // Never through a link: a case before may have left one.
    if path.is_symlink() { Ok(()) } else { fs::write(path, content) }
}

fn link(to: &str, path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    #[cfg(unix)]
    return std::os::unix::fs::symlink(to, path);
    #[cfg(not(unix))]
    return Err(io::Error::other(format!("no links to {to} here")));
}

fn folders() -> io::Result<Vec<Vec<u8>>> {
    Ok(texts([
        "ILSVRC2012_val_00000001.JPEG\nILSVRC2012_val_00000002.JPEG\nnotes.md\n".to_owned(),
        "val/n01440764/a.JPEG\nval/n01443537/b.JPEG\nREADME.md\n".to_owned(),
        "0/a.jpeg\n1/b.jpeg\n10/c.jpeg\n".to_owned(),
        "images/a.JPEG\nimages/b.JPEG\nval.txt\timages/a.JPEG 7|images/b.JPEG 8\n".to_owned(),
        "a.JPEG\nb.JPEG\nval_list.txt\ta.JPEG 7|b.JPEG 8\nlabels.txt\ttench|goldfish\n".to_owned(),
        "ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.JPEG\nLOC_val_solution.csv\tImageId,PredictionString|ILSVRC2012_val_00000001,n01751748 1 2 3 4\n".to_owned(),
        "data/validation-00000-of-00002.parquet\t@parquet\ndata/validation-00001-of-00002.parquet\t@parquet\n".to_owned(),
        "data/x-00000-of-00100.parquet\t@parquet\ndata/train-00000-of-00001.parquet\t@parquet\n".to_owned(),
        "ILSVRC2012_img_val.tar\t@tar\n".to_owned(),
        "val/ILSVRC2012_val_00000001.JPEG\nval/ILSVRC2012_val_00000003.JPEG\t@dead\nval/n01440764\t@loop\nval/x.JPEG\t@device\n".to_owned(),
    ]))
}
