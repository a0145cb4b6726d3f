//! Checksums set right in damaged files. A reader refuses a wrong one at once, and what lies behind would never be
//! tried: an attacker computes them too.

/// The CRC-32 of zip and PNG.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let (mut value, mut bit) = (index as u32, 0);
            while bit < 8 {
                value = if value & 1 == 1 { 0xEDB8_8320 ^ (value >> 1) } else { value >> 1 };
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, byte| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

fn u32_le(bytes: &[u8], at: usize) -> Option<usize> {
    let found = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(found.try_into().ok()?) as usize)
}

fn u16_le(bytes: &[u8], at: usize) -> Option<usize> {
    let found = bytes.get(at..at.checked_add(2)?)?;
    Some(usize::from(u16::from_le_bytes(found.try_into().ok()?)))
}

/// The CRC of each chunk of a PNG file.
pub fn png(bytes: &mut [u8]) {
    let mut at = 8;
    while let Some(header) = bytes.get(at..at + 8) {
        let len = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let end = at + 8 + len;
        let Some(content) = bytes.get(at + 4..end) else { return };
        let crc = crc32(content).to_be_bytes();
        let Some(place) = bytes.get_mut(end..end + 4) else { return };
        place.copy_from_slice(&crc);
        at = end + 4;
    }
}

/// The checksum of each header of a tar archive: of each block that has tar's mark.
pub fn tar(bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
    }
}

/// The CRC of each uncompressed member of a zip archive, in its own header and in the central directory.
pub fn zip(bytes: &mut [u8]) {
    let entries = bytes.windows(4).enumerate().filter(|(_, mark)| mark == b"PK\x01\x02");
    for entry in entries.map(|(at, _)| at).collect::<Vec<_>>() {
        let member = || {
            let (method, len) = (u16_le(bytes, entry + 10)?, u32_le(bytes, entry + 20)?);
            let header = u32_le(bytes, entry + 42)?;
            let start = header + 30 + u16_le(bytes, header + 26)? + u16_le(bytes, header + 28)?;
            let content = bytes.get(start..start.checked_add(len)?)?;
            (method == 0 && bytes.get(header..header + 4)? == b"PK\x03\x04").then(|| (header, crc32(content)))
        };
        if let Some((header, crc)) = member() {
            // A member's own header has none where it stands behind the content (bit 3).
            let own = u16_le(bytes, header + 6).filter(|flags| flags & 8 == 0).map(|_| header + 14);
            for at in [Some(entry + 16), own].into_iter().flatten() {
                if let Some(place) = bytes.get_mut(at..at + 4) {
                    place.copy_from_slice(&crc.to_le_bytes());
                }
            }
        }
    }
}

/// The fields of a Protocol Buffers message: number, and the range of the field with its tag. What is no field ends them.
fn fields(bytes: &[u8]) -> Vec<(u64, std::ops::Range<usize>)> {
    let varint = |at: &mut usize| {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *bytes.get(*at)?;
            *at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    };
    let mut at = 0;
    let next = || {
        let start = at;
        let tag = varint(&mut at)?;
        let len = match tag & 7 {
            0 => {
                varint(&mut at)?;
                0
            }
            1 => 8,
            2 => varint(&mut at)?,
            5 => 4,
            _ => return None,
        };
        at = usize::try_from(len)
            .ok()
            .and_then(|len| at.checked_add(len))
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        Some((tag >> 3, start..at))
    };
    std::iter::from_fn(next).collect()
}

/// The tag of a model's graph.
const GRAPH: u8 = 7 << 3 | 2;

/// An ONNX model with its graph as the last field, and its length in as many bytes whatever it is.
pub(crate) fn with_graph_last(model: &[u8]) -> Vec<u8> {
    let (mut others, mut graph) = (Vec::new(), Vec::new());
    for (number, range) in fields(model) {
        if number == u64::from(GRAPH >> 3) {
            let length = model[range.start + 1..].iter().take_while(|&&byte| byte & 0x80 != 0).count() + 1;
            graph = model[range.start + 1 + length..range.end].to_vec();
        } else {
            others.extend_from_slice(&model[range]);
        }
    }
    let mut whole = [&others[..], &[GRAPH, 0x80, 0x80, 0x80, 0x80, 0], &graph].concat();
    onnx(&mut whole);
    whole
}

/// Sets the length of an ONNX model's graph that [`with_graph_last`] made to what is there.
pub(crate) fn onnx(bytes: &mut [u8]) {
    let graph = fields(bytes).into_iter().find(|&(number, _)| number == u64::from(GRAPH >> 3));
    let Some((_, range)) = graph else { return };
    let Some((length, rest)) =
        bytes[range.start..].get_mut(1..).and_then(|rest| rest.split_at_mut_checked(5))
    else {
        return;
    };
    if length[..4].iter().all(|&byte| byte & 0x80 != 0) && length[4] & 0x80 == 0 {
        for (place, byte) in length.iter_mut().enumerate() {
            *byte = (rest.len() >> (7 * place) & 0x7f) as u8 | if place < 4 { 0x80 } else { 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_files_stay_as_they_are_and_damaged_ones_become_consistent() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        for (name, mend) in [
            ("images", png as fn(&mut [u8])),
            ("tar", tar),
            #[cfg(feature = "networks")]
            ("pth-zip", zip),
            #[cfg(feature = "networks")]
            ("keras", zip),
            #[cfg(feature = "networks")]
            ("onnx", onnx),
        ] {
            let seeds = (crate::by_name(name).unwrap().seeds)().unwrap();
            for seed in seeds.iter().filter(|seed| name != "images" || seed.starts_with(b"\x89PNG")) {
                let mut mended = seed.clone();
                mend(&mut mended);
                assert!(mended == *seed, "{name}");
            }
        }
        // Longer, the graph of a model that has it last is still all of the rest.
        let model = with_graph_last(b"\x08\x08\x3a\x02\x0a\x00\x42\x02\x10\x0d");
        assert_eq!(model, b"\x08\x08\x42\x02\x10\x0d\x3a\x82\x80\x80\x80\x00\x0a\x00");
        let mut longer = [&model[..], &[0x0a, 0x00]].concat();
        onnx(&mut longer);
        assert_eq!(longer[7], 0x84);
        let mut png_file = b"\x89PNG\r\n\x1a\n\0\0\0\0IEND\0\0\0\0".to_vec();
        png(&mut png_file);
        assert_eq!(png_file[16..], [0xAE, 0x42, 0x60, 0x82]);
    }
}
