//! CMYK to RGB, twice, because PIL and OpenCV differ by up to a level a channel.
//!
//! Both take four-channel JPEGs as Adobe writes them, inverted (255 is no ink).

use memory::NoMemory;

/// Pillow: rawmode `CMYK;I` undoes the inversion, then `cmyk2rgb` of `libImaging/Convert.c`.
pub(super) fn pil_rgb(stored: &[u8]) -> Result<Vec<u8>, NoMemory> {
    convert(stored, |ink, black| {
        let (ink, light) = (255 - ink, black);
        // MULDIV255: a * b / 255, rounded, without a division.
        let product = ink * light + 128;
        light.saturating_sub(((product >> 8) + product) >> 8)
    })
}

/// OpenCV: `icvCvt_CMYK2BGR_8u_C4C3R` of `imgcodecs/src/utils.cpp`, which truncates and divides by 256.
pub(super) fn opencv_rgb(stored: &[u8]) -> Result<Vec<u8>, NoMemory> {
    convert(stored, |ink, black| black - (((255 - ink) * black) >> 8))
}

fn convert(stored: &[u8], channel: impl Fn(u32, u32) -> u32) -> Result<Vec<u8>, NoMemory> {
    let mut rgb = memory::room(stored.len() / 4 * 3)?;
    for cmyk in stored.chunks_exact(4) {
        let black = u32::from(cmyk[3]);
        // Both functions give at most `black`, so nothing is cut off here.
        rgb.extend(cmyk[..3].iter().map(|&ink| channel(u32::from(ink), black) as u8));
    }
    Ok(rgb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_conversions_differ() {
        let stored = [200, 100, 0, 200, 255, 255, 255, 255, 0, 0, 0, 0];
        assert_eq!(pil_rgb(&stored).unwrap(), [157, 78, 0, 255, 255, 255, 0, 0, 0]);
        assert_eq!(opencv_rgb(&stored).unwrap(), [158, 79, 1, 255, 255, 255, 0, 0, 0]);
    }
}
