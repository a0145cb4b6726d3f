//! What a file is, by its beginning: a tar archive, a parquet file, something compressed, or perhaps a list.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// As many bytes tell the kind: a tar archive's first header.
const BEGINNING: u64 = 512;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tar,
    Parquet,
    /// By which program: there is no random access to such a file.
    Compressed(&'static str),
    Other,
}

impl Kind {
    /// Looks at the first bytes of the file at `path`.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        const COMPRESSED: [(&[u8], &str); 5] = [
            (b"\x1f\x8b", "gzip"),
            (b"BZh", "bzip2"),
            (b"\xfd7zXZ", "xz"),
            (b"\x28\xb5\x2f\xfd", "zstd"),
            (b"PK\x03\x04", "zip"),
        ];
        let mut start = Vec::new();
        File::open(path)?.take(BEGINNING).read_to_end(&mut start)?;
        if let Some((_, by)) = COMPRESSED.iter().find(|(mark, _)| start.starts_with(mark)) {
            return Ok(Self::Compressed(by));
        }
        if start.starts_with(b"PAR1") {
            return Ok(Self::Parquet);
        }
        // Archives from before 1988 lack the mark; an ending has to do.
        let named = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tar"));
        let is_tar = named || start.get(257..262) == Some(b"ustar");
        Ok(if is_tar { Self::Tar } else { Self::Other })
    }
}
