//! Damages files: what bit rot, cut transfers, careless tools and attackers do to them.

use crate::Target;
pub use crate::random::Random;

/// What lengths, counts and offsets are set to.
const NUMBERS: [u64; 20] = [
    0,
    1,
    2,
    7,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    1 << 40,
    1 << 62,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

/// What numbers in text are set to.
const TEXTS: [&str; 22] = [
    "0",
    "1",
    "-1",
    "5",
    "999",
    "1000",
    "1001",
    "50000",
    "65536",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "100000000000000",
    "1e400",
    "-0.0",
    "1e-320",
    "NaN",
    "inf",
    "0.30000000000000000000000000000000000000000000000001",
];

/// A damaged file made of one of `files`, with pieces of others. The first `seeds` of them are sound, and every other
/// file is made of one of these: damage upon damage ends at the first check.
pub fn mutate(random: &mut Random, target: &Target, files: &[Vec<u8>], seeds: usize) -> Vec<u8> {
    let choices = if random.below(2) == 0 { &files[..seeds.min(files.len())] } else { files };
    let Some(whole) = small_first(random, choices) else { return Vec::new() };
    let mut bytes = whole.clone();
    let limit = 2 * bytes.len() + 4096;
    // Mostly one damage: several seldom get far.
    let times = [1, 1, 1, 1, 2, 2, 3, 5][random.below(8)];
    for _ in 0..times {
        damage(random, target, files, &mut bytes);
        bytes.truncate(limit);
    }
    if let Some(mend) = target.mend
        && random.below(4) > 0
    {
        mend(&mut bytes);
    }
    bytes
}

/// One of `files`; a large one as often as its size allows, so that all cost the same time.
fn small_first<'a>(random: &mut Random, files: &'a [Vec<u8>]) -> Option<&'a Vec<u8>> {
    let weight = |file: &Vec<u8>| 1 + (1 << 30) / (file.len() + 4096);
    let total = files.iter().map(weight).sum();
    let mut left = random.below(total);
    files.iter().find(|file| {
        let found = left < weight(file);
        left = left.saturating_sub(weight(file));
        found
    })
}

/// A place in a file of `len` bytes; every other one among its first or its last, where structure is.
fn place(random: &mut Random, len: usize) -> usize {
    match random.below(4) {
        0 => random.below(len.min(256)),
        1 => len.saturating_sub(1 + random.below(len.min(2048))),
        _ => random.below(len),
    }
}

/// A piece of `bytes`, of 1 to 2^`bits` bytes.
fn piece(random: &mut Random, bytes: &[u8], bits: usize) -> std::ops::Range<usize> {
    let from = place(random, bytes.len());
    let limit = 1 << random.below(bits + 1);
    let len = 1 + random.below(limit);
    from..(from + len).min(bytes.len())
}

/// Whether most of a file's beginning is text.
fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(256)];
    let plain = start.iter().filter(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()).count();
    plain * 10 > start.len() * 9
}

fn damage(random: &mut Random, target: &Target, files: &[Vec<u8>], bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        bytes.extend_from_slice(small_first(random, files).map_or(&[][..], Vec::as_slice));
        return;
    }
    // Text is seldom read on past a bit that is no text, so it is damaged by lines and numbers rather.
    let kind = if is_text(bytes) && random.below(3) > 0 { 11 + random.below(5) } else { random.below(13) };
    let len = bytes.len();
    match kind {
        0 | 1 => {
            for _ in 0..=random.below(3) {
                let at = place(random, len);
                bytes[at] ^= 1 << random.below(8);
            }
        }
        2 => {
            let at = place(random, len);
            bytes[at] = random.number() as u8;
        }
        3 | 4 => set_number(random, bytes),
        5 => bytes.truncate(place(random, len)),
        6 => drop(bytes.drain(piece(random, bytes, 8))),
        7 => {
            let again = bytes[piece(random, bytes, 8)].repeat(1 + random.below(4));
            let to = place(random, len);
            bytes.splice(to..to, again);
        }
        8 => {
            if let Some(other) = random.pick(files) {
                let other = &other[piece(random, other, 12)];
                let to = place(random, len);
                let over = if random.below(2) == 0 { to } else { (to + other.len()).min(len) };
                bytes.splice(to..over, other.iter().copied());
            }
        }
        9 => {
            // The beginning of this and the end of another.
            if let Some(other) = random.pick(files)
                && !other.is_empty()
            {
                bytes.truncate(place(random, len));
                bytes.extend_from_slice(&other[place(random, other.len())..]);
            }
        }
        10 => {
            let piece = piece(random, bytes, 10);
            let to = random.below(len - piece.len() + 1);
            bytes.copy_within(piece, to);
        }
        11 => {
            if let Some(word) = random.pick(target.words) {
                let to = place(random, len);
                let over = if random.below(2) == 0 { to } else { (to + word.len()).min(len) };
                bytes.splice(to..over, word.iter().copied());
            } else {
                set_number(random, bytes);
            }
        }
        12 => set_text_number(random, bytes),
        _ => move_line(random, bytes),
    }
}

/// Sets a number of 1 to 8 bytes, in either order, to what makes trouble: a limit, the file's own size, a step away.
fn set_number(random: &mut Random, bytes: &mut [u8]) {
    let width = [1, 2, 4, 4, 8][random.below(5)].min(bytes.len());
    let at = place(random, bytes.len() - width + 1);
    let mut old = [0; 8];
    old[..width].copy_from_slice(&bytes[at..at + width]);
    let is_big = random.below(2) == 0;
    let old = if is_big { u64::from_be_bytes(old) >> (64 - 8 * width) } else { u64::from_le_bytes(old) };
    let new = match random.below(4) {
        0 => old.wrapping_add(1 + random.below(16) as u64),
        1 => old.wrapping_sub(1 + random.below(16) as u64),
        2 => (bytes.len() as u64).wrapping_add(random.below(9) as u64).wrapping_sub(4),
        _ => NUMBERS[random.below(NUMBERS.len())],
    };
    let new = if is_big { (new << (64 - 8 * width)).to_be_bytes() } else { new.to_le_bytes() };
    bytes[at..at + width].copy_from_slice(&new[..width]);
}

/// Replaces a number that is written in digits.
fn set_text_number(random: &mut Random, bytes: &mut Vec<u8>) {
    let from = place(random, bytes.len());
    let Some(start) = bytes[from..].iter().position(u8::is_ascii_digit).map(|start| from + start) else {
        return;
    };
    let end = start + bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.splice(start..end, TEXTS[random.below(TEXTS.len())].bytes());
}

/// Takes a line out, or repeats it elsewhere, or cuts it in two, or joins it with the next.
fn move_line(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = place(random, bytes.len());
    let is_end = |byte: &u8| *byte == b'\n';
    let start = bytes[..at].iter().rposition(is_end).map_or(0, |end| end + 1);
    let end = bytes[at..].iter().position(is_end).map_or(bytes.len(), |end| at + end + 1);
    match random.below(4) {
        0 => drop(bytes.drain(start..end)),
        1 => {
            let line = bytes[start..end].to_vec();
            let to = place(random, bytes.len());
            let to = bytes[..to].iter().rposition(is_end).map_or(0, |end| end + 1);
            bytes.splice(to..to, line);
        }
        2 => bytes.insert(at, b'\n'),
        _ => {
            bytes.remove(end - 1);
        }
    }
}

/// Every mend that there is, for tests.
#[cfg(test)]
pub(crate) const MENDS: [fn(&mut [u8]); 4] =
    [crate::checksums::png, crate::checksums::tar, crate::checksums::zip, crate::checksums::onnx];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;

    fn target(mend: Option<fn(&mut [u8])>) -> Target {
        const WORDS: &[&[u8]] = &[b"IHDR", b"\n"];
        let read = |_: &std::path::Path, _: &[u8], _: &mut Outcome| ();
        let seeds = || Ok(Vec::new());
        Target { name: "", about: "", seeds, words: WORDS, mend, memory_bytes: 0, read }
    }

    #[test]
    fn a_seed_gives_the_same_cases_and_no_two_alike() {
        let files = [b"ILSVRC2012_val_00000001.JPEG 65\nb.JPEG 7\n".to_vec(), (0..=255).collect(), vec![7]];
        let cases = |seed| -> Vec<Vec<u8>> {
            let mut random = Random::new(seed);
            (0..2000).map(|_| mutate(&mut random, &target(None), &files, 3)).collect()
        };
        assert_eq!(cases(1), cases(1));
        assert_ne!(cases(1), cases(2));
        let mut distinct = cases(1);
        distinct.sort();
        distinct.dedup();
        assert!(distinct.len() > 1000, "{}", distinct.len());
    }

    #[test]
    fn whatever_the_files_are_they_can_be_damaged_and_mended() {
        let mut random = Random::new(3);
        let zip = b"PK\x03\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff".to_vec();
        let png = b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffIHDR".to_vec();
        for files in [vec![], vec![vec![]], vec![vec![], vec![1]], vec![zip, png, vec![0; 1024]]] {
            for mend in MENDS {
                for _ in 0..3000 {
                    mutate(&mut random, &target(Some(mend)), &files, 1);
                }
            }
        }
    }
}
