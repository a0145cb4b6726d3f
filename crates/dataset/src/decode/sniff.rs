//! Tells what a file is by its first bytes, and what it looks like when it is nothing that is read:
//! "not an image" alone does not help the person whose download saved an error page as a .JPEG.

use super::{DecodeError, Format};

const OTHERS: [(&[u8], &str); 5] = [
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "ZIP"),
    (b"%PDF", "PDF"),
];

pub(super) fn sniff(bytes: &[u8]) -> Result<Format, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    if bytes.starts_with(b"\xff\xd8\xff") {
        return Ok(Format::Jpeg);
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Ok(Format::Png);
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Ok(Format::WebP);
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return Err(DecodeError::OtherFormat { format: "HEIF, AVIF or MP4" });
    }
    if bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*") {
        return Ok(Format::Tiff);
    }
    // A text that happens to begin with "BM" or "GIF8" is more likely a text.
    if !is_text(bytes) {
        if bytes.starts_with(b"BM") {
            return Ok(Format::Bmp);
        }
        if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
            return Ok(Format::Gif);
        }
        if let Some((_, format)) = OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return Err(DecodeError::OtherFormat { format });
        }
    } else if bytes.starts_with(b"%PDF") {
        return Err(DecodeError::OtherFormat { format: "PDF" });
    }
    Err(DecodeError::NotAnImage { begins_with: describe(bytes) })
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().take(32).all(|b| matches!(b, b' '..=b'~' | b'\n' | b'\r' | b'\t'))
}

fn describe(bytes: &[u8]) -> String {
    let head = &bytes[..bytes.len().min(32)];
    if is_text(head) {
        let text = String::from_utf8_lossy(head);
        return format!("text {:?}", text.trim());
    }
    if head.iter().all(|&b| b == 0) {
        return format!("{} zero bytes", head.len());
    }
    let hex: Vec<String> = head.iter().take(8).map(|b| format!("{b:02x}")).collect();
    format!("the bytes {}", hex.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> String {
        sniff(bytes).unwrap_err().to_string()
    }

    #[test]
    fn formats() {
        assert_eq!(sniff(b"\xff\xd8\xff\xe0"), Ok(Format::Jpeg));
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n...."), Ok(Format::Png));
        assert_eq!(sniff(b"RIFF\x10\0\0\0WEBPVP8 "), Ok(Format::WebP));
        assert_eq!(sniff(b"GIF89a\x01\0\x01\0"), Ok(Format::Gif));
        assert_eq!(sniff(b"BM\x46\0\0\0"), Ok(Format::Bmp));
        assert_eq!(sniff(b"II*\0\x08\0\0\0"), Ok(Format::Tiff));
        assert_eq!(sniff(b"MM\0*\0\0\0\x08"), Ok(Format::Tiff));
    }

    #[test]
    fn says_what_the_bytes_look_like() {
        assert_eq!(message(b""), "zero-byte file");
        assert_eq!(message(b"<html><body>404"), "not an image: begins with text \"<html><body>404\"");
        assert_eq!(message(b"BMW is a car"), "not an image: begins with text \"BMW is a car\"");
        assert_eq!(message(b"PK\x03\x04\x14\0"), "a ZIP file; JPEG, PNG, WebP, BMP, GIF and TIFF are read");
        assert_eq!(message(&[0; 100]), "not an image: begins with 32 zero bytes");
        assert_eq!(message(b"\x01\x02\xfe"), "not an image: begins with the bytes 01 02 fe");
        assert_eq!(message(b"\xff"), "not an image: begins with the bytes ff");
    }
}
