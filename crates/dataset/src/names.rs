//! Parts of names: what images are called below their folders, and which files nobody means.

use std::ffi::OsStr;

/// The last part of a name whose folders are separated by `/`.
pub(crate) fn file_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// A file name less its extension.
pub(crate) fn stem(file: &str) -> &str {
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

/// Whether a file or folder of this name (one part of a path) is hidden, or is what macOS adds to archives.
pub(crate) fn is_hidden(part: &OsStr) -> bool {
    let part = part.as_encoded_bytes();
    (part.starts_with(b".") && part != b"." && part != b"..") || part == b"__MACOSX"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_names() {
        assert_eq!((file_name("a/b.c.JPEG"), file_name("b"), file_name("a/")), ("b.c.JPEG", "b", ""));
        assert_eq!((stem("b.c.JPEG"), stem("b")), ("b.c", "b"));
        let hidden = [".", "..", "a", ".a", "._a.JPEG", "__MACOSX"].map(|part| is_hidden(part.as_ref()));
        assert_eq!(hidden, [false, false, false, true, true, true]);
    }
}
