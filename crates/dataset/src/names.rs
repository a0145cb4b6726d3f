//! Parts of names: what images are called below their folders, and which files nobody means.

use std::ffi::OsStr;

/// The last part of a name whose folders are separated by `/`.
pub(crate) fn file_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The one form of a name, so that a file that is written several ways (`a`, `./a`, `x/../a`) is one: no `.`, no empty
/// part, no `..` behind a folder. A `/` in front stays. It goes by the name alone, whatever links there are.
pub(crate) fn normal(name: &str) -> String {
    let absolute = name.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match (part, parts.last()) {
            ("" | ".", _) => {}
            ("..", None) if absolute => {}
            ("..", Some(&last)) if last != ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"))
}

/// Whether a name goes into a folder and back out of it.
pub(crate) fn climbs_back(name: &str) -> bool {
    name.split('/').skip_while(|part| matches!(*part, "" | "." | "..")).any(|part| part == "..")
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
        for name in ["a/b", "./a/b", "a//b", "a/./b", "a/c/../b", "x/../a/b", "x/y/../../a/b", "a/b/"] {
            assert_eq!(normal(name), "a/b", "{name}");
            assert_eq!(normal(&format!("/{name}")), "/a/b", "{name}");
        }
        assert_eq!(
            ["../a", "../../x/../a", "..", "/../a", "."].map(normal),
            ["../a", "../../a", "..", "/a", ""]
        );
        assert_eq!(
            ["a", "../a", "./../a", "x/../a", "../x/../a"].map(climbs_back),
            [false, false, false, true, true]
        );
        let hidden = [".", "..", "a", ".a", "._a.JPEG", "__MACOSX"].map(|part| is_hidden(part.as_ref()));
        assert_eq!(hidden, [false, false, false, true, true, true]);
    }
}
