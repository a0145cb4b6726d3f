//! Markers of a JPEG and what they define: the frame, tables, scans. Follows `jdmarker.c`, `jdinput.c` and
//! `default_decompress_parms` of `jdapimin.c`, libjpeg-turbo 2.1, its messages too.

use memory::NoMemory;

use super::huffman::Code;
use super::standard;
use super::stream::{EOI, RST0, SOI, SOS, Stream, corrupt};
use crate::decode::{DecodeError, Format, check_size};

/// Coefficients of a block.
pub(super) const BLOCK: usize = 64;

/// Where the coefficients of a scan belong in a block. The sixteen after the end catch what damaged data send there.
pub(super) const ZIGZAG: [u8; BLOCK + 16] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
];

/// How three or four components make colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transform {
    /// They are what is shown: grey, RGB or CMYK.
    Identity,
    /// YCbCr, or YCCK with a fourth component that is left as it is.
    YCbCr,
}

/// One component of the frame, and its coefficients as far as they have been read.
pub(super) struct Component {
    pub(super) id: u8,
    /// Samples across for each unit of the image, as against the other components.
    pub(super) across: usize,
    /// Samples down, likewise.
    pub(super) down: usize,
    table: u8,
    /// Samples in a row.
    pub(super) width: usize,
    /// Rows of samples.
    pub(super) height: usize,
    /// Blocks in a row that are part of the image.
    pub(super) blocks_across: usize,
    /// Rows of blocks that are part of the image.
    pub(super) blocks_down: usize,
    /// Blocks from one row of blocks to the next: whole units of interleaved scans.
    pub(super) stride: usize,
    /// The quantisation table that held when its first scan began.
    pub(super) quantisation: Option<[u16; BLOCK]>,
    /// For each coefficient in zigzag order, how many low bits are still to come; -1 before its first scan.
    pub(super) missing_bits: [i8; BLOCK],
    pub(super) coefficients: Vec<i16>,
}

impl Component {
    /// Room for its coefficients, all zero. Where they are many, memory is only taken as they are written.
    pub(super) fn allocate(&mut self) -> Result<(), NoMemory> {
        if self.coefficients.is_empty() {
            let rows = self.blocks_down.next_multiple_of(self.down);
            self.coefficients = memory::filled(0, self.stride * rows * BLOCK)?;
        }
        Ok(())
    }
}

/// What a frame header announces.
pub(super) struct Frame {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) progressive: bool,
    pub(super) across: usize,
    pub(super) down: usize,
    pub(super) components: Vec<Component>,
}

/// A scan header.
#[derive(Default)]
pub(super) struct Scan {
    /// Component, table of DC codes, table of AC codes.
    pub(super) components: Vec<(usize, u8, u8)>,
    pub(super) first: u8,
    pub(super) last: u8,
    pub(super) high: u8,
    pub(super) low: u8,
}

/// Everything that the markers so far have defined.
#[derive(Default)]
pub(super) struct Header<'a> {
    pub(super) frame: Option<Frame>,
    quantisation: [Option<[u16; BLOCK]>; 4],
    pub(super) dc: [Option<Code>; 4],
    pub(super) ac: [Option<Code>; 4],
    pub(super) restart_interval: usize,
    /// Scans so far.
    pub(super) scans: usize,
    jfif: bool,
    adobe: Option<u8>,
    saw_start: bool,
    /// The first APP1 segment.
    pub(super) app1: Option<&'a [u8]>,
}

/// What `read_markers` stops at.
pub(super) enum Stop {
    Scan(Scan),
    End,
}

impl<'a> Header<'a> {
    /// `read_markers`: up to the next scan, or the end of the image.
    pub(super) fn read(&mut self, stream: &mut Stream<'a>) -> Result<Stop, DecodeError> {
        loop {
            if stream.marker == 0 {
                if self.saw_start {
                    stream.next_marker()?;
                } else {
                    let (first, second) = (stream.byte()?, stream.byte()?);
                    if (first, second) != (0xff, SOI) {
                        let what = format!("Not a JPEG file: starts with 0x{first:02x} 0x{second:02x}");
                        return Err(corrupt(what));
                    }
                    stream.marker = SOI;
                }
            }
            match stream.marker {
                SOI if self.saw_start => {
                    return Err(corrupt("Invalid JPEG file structure: two SOI markers"));
                }
                SOI => self.saw_start = true,
                0xc0 | 0xc1 => self.frame(stream, false)?,
                0xc2 => self.frame(stream, true)?,
                0xc4 => self.huffman_tables(stream.segment()?)?,
                0xc9 | 0xca => {
                    let feature = "arithmetic coding".to_owned();
                    return Err(DecodeError::NotRead { format: Format::Jpeg, feature });
                }
                code @ (0xc3 | 0xc5..=0xc8 | 0xcb | 0xcd..=0xcf) => {
                    return Err(corrupt(format!("Unsupported JPEG process: SOF type 0x{code:02x}")));
                }
                SOS => {
                    let scan = self.scan(stream)?;
                    stream.marker = 0;
                    return Ok(Stop::Scan(scan));
                }
                EOI => {
                    stream.marker = 0;
                    return Ok(Stop::End);
                }
                0xdb => self.quantisation_tables(stream.segment()?)?,
                0xdd => match *stream.segment()? {
                    [high, low] => self.restart_interval = usize::from(u16::from_be_bytes([high, low])),
                    _ => return Err(corrupt("Bogus marker length")),
                },
                0xe0 => {
                    let segment = stream.optional_segment()?.unwrap_or_default();
                    if segment.len() >= 14 && segment.starts_with(b"JFIF\0") {
                        self.jfif = true;
                        let (major, minor) = (segment[5], segment[6]);
                        if major != 1 {
                            stream
                                .warnings
                                .add(|| format!("Warning: unknown JFIF revision number {major}.{minor:02}"));
                        }
                    }
                }
                0xe1 if self.app1.is_none() && self.scans == 0 => {
                    self.app1 = stream.optional_segment()?;
                }
                0xee => {
                    let segment = stream.optional_segment()?.unwrap_or_default();
                    if segment.len() >= 12 && segment.starts_with(b"Adobe") {
                        self.adobe = Some(segment[11]);
                    }
                }
                0xcc => conditioning(stream.segment()?)?,
                // Number of lines, applications, comments: not looked at.
                0xdc | 0xe1..=0xef | 0xfe => stream.optional_segment().map(drop)?,
                // Without parameters.
                0x01 | RST0..SOI => {}
                code => return Err(corrupt(format!("Unsupported marker type 0x{code:02x}"))),
            }
            stream.marker = 0;
        }
    }

    /// `get_sof`, and `initial_setup` but for what depends on the first scan.
    fn frame(&mut self, stream: &mut Stream, progressive: bool) -> Result<(), DecodeError> {
        let segment = stream.segment()?;
        if self.frame.is_some() {
            return Err(corrupt("Invalid JPEG file structure: two SOF markers"));
        }
        let [precision, h1, h0, w1, w0, count, rest @ ..] = segment else {
            return Err(corrupt("Bogus marker length"));
        };
        let (height, width) = (u16::from_be_bytes([*h1, *h0]), u16::from_be_bytes([*w1, *w0]));
        let (height, width) = (usize::from(height), usize::from(width));
        if height == 0 || width == 0 || *count == 0 {
            return Err(corrupt("Empty JPEG image (DNL not supported)"));
        }
        if rest.len() != 3 * usize::from(*count) {
            return Err(corrupt("Bogus marker length"));
        }
        if height > 65_500 || width > 65_500 {
            return Err(corrupt("Maximum supported image dimension is 65500 pixels"));
        }
        if *precision != 8 {
            return Err(corrupt(format!("Unsupported JPEG data precision {precision}")));
        }
        check_size(width as u64, height as u64)?;
        if !matches!(count, 1 | 3 | 4) {
            let feature = format!("{count} colour components");
            return Err(DecodeError::Unsupported { format: Format::Jpeg, feature });
        }
        let factors =
            || rest.chunks_exact(3).map(|part| (usize::from(part[1] >> 4), usize::from(part[1] & 15)));
        if factors().any(|(across, down)| !(1..=4).contains(&across) || !(1..=4).contains(&down)) {
            return Err(corrupt("Bogus sampling factors"));
        }
        let across = factors().map(|(across, _)| across).max().unwrap_or(1);
        let down = factors().map(|(_, down)| down).max().unwrap_or(1);
        let components = rest.chunks_exact(3).zip(factors()).map(|(part, (h, v))| Component {
            id: part[0],
            across: h,
            down: v,
            table: part[2],
            width: (width * h).div_ceil(across),
            height: (height * v).div_ceil(down),
            blocks_across: (width * h).div_ceil(across * 8),
            blocks_down: (height * v).div_ceil(down * 8),
            stride: (width * h).div_ceil(across * 8).next_multiple_of(h),
            quantisation: None,
            missing_bits: [-1; BLOCK],
            coefficients: Vec::new(),
        });
        let components = components.collect();
        self.frame = Some(Frame { width, height, progressive, across, down, components });
        Ok(())
    }

    /// `get_sos`, its quirks included: which components may be named depends on those named before.
    fn scan(&mut self, stream: &mut Stream) -> Result<Scan, DecodeError> {
        let Some(frame) = &self.frame else {
            return Err(corrupt("Invalid JPEG file structure: SOS before SOF"));
        };
        let segment = stream.segment()?;
        let [count, rest @ ..] = segment else { return Err(corrupt("Bogus marker length")) };
        let count = usize::from(*count);
        if !(1..=4).contains(&count) || rest.len() != 2 * count + 3 {
            return Err(corrupt("Bogus marker length"));
        }
        let mut components: Vec<(usize, u8, u8)> = Vec::with_capacity(count);
        for part in rest[..2 * count].chunks_exact(2) {
            let found = frame.components.iter().enumerate().position(|(index, component)| {
                // The slot of this index must not be taken yet, whichever component took it.
                component.id == part[0] && index >= components.len()
            });
            match found {
                Some(index) if components.iter().all(|taken| taken.0 != index) => {
                    components.push((index, part[1] >> 4, part[1] & 15));
                }
                _ => return Err(corrupt(format!("Invalid component ID {} in SOS", part[0]))),
            }
        }
        self.scans += 1;
        let [first, last, bits] = [rest[2 * count], rest[2 * count + 1], rest[2 * count + 2]];
        Ok(Scan { components, first, last, high: bits >> 4, low: bits & 15 })
    }

    /// Fills in the codes that the standard recommends, which frames of Motion JPEG leave out.
    pub(super) fn use_standard_codes(&mut self) {
        for (index, (dc, ac)) in standard::CODES.iter().enumerate() {
            let code = |(lengths, values): &(&[u8; 16], &[u8])| Code::new(*lengths, values);
            self.dc[index].get_or_insert_with(|| code(dc));
            self.ac[index].get_or_insert_with(|| code(ac));
        }
    }

    fn huffman_tables(&mut self, mut segment: &[u8]) -> Result<(), DecodeError> {
        while segment.len() > 16 {
            let (head, rest) = segment.split_at(17);
            let count: usize = head[1..].iter().map(|&n| usize::from(n)).sum();
            if count > 256 || count > rest.len() {
                return Err(corrupt("Bogus Huffman table definition"));
            }
            let (values, rest) = rest.split_at(count);
            let (tables, index) = match head[0] {
                index if index & 0x10 != 0 => (&mut self.ac, index - 0x10),
                index => (&mut self.dc, index),
            };
            let Some(slot) = tables.get_mut(usize::from(index)) else {
                return Err(corrupt(format!("Bogus DHT index {index}")));
            };
            *slot = Some(Code::new(&head[1..], values));
            segment = rest;
        }
        if segment.is_empty() { Ok(()) } else { Err(corrupt("Bogus marker length")) }
    }

    fn quantisation_tables(&mut self, mut segment: &[u8]) -> Result<(), DecodeError> {
        while let [head, rest @ ..] = segment {
            let index = head & 15;
            let Some(slot) = self.quantisation.get_mut(usize::from(index)) else {
                return Err(corrupt(format!("Bogus DQT index {index}")));
            };
            let wide = head >> 4 != 0;
            let size = if wide { 2 * BLOCK } else { BLOCK };
            let Some((values, rest)) = rest.split_at_checked(size) else {
                return Err(corrupt("Bogus marker length"));
            };
            let mut table = [0; BLOCK];
            for (k, &place) in ZIGZAG[..BLOCK].iter().enumerate() {
                table[usize::from(place)] = match wide {
                    true => u16::from_be_bytes([values[2 * k], values[2 * k + 1]]),
                    false => u16::from(values[k]),
                };
            }
            *slot = Some(table);
            segment = rest;
        }
        Ok(())
    }

    /// `latch_quant_tables`: a component keeps the table that holds when its first scan begins.
    pub(super) fn latch(&mut self, scan: &Scan) -> Result<(), DecodeError> {
        let Some(frame) = &mut self.frame else { return Ok(()) };
        for &(index, ..) in &scan.components {
            let component = &mut frame.components[index];
            if component.quantisation.is_none() {
                let table = self.quantisation.get(usize::from(component.table)).copied().flatten();
                component.quantisation = Some(table.ok_or_else(|| {
                    corrupt(format!("Quantization table 0x{:02x} was not defined", component.table))
                })?);
            }
        }
        Ok(())
    }

    /// `default_decompress_parms`: how the components of the frame make colour.
    pub(super) fn transform(&self, stream: &mut Stream) -> Transform {
        let ids: Vec<u8> = self.frame.iter().flat_map(|frame| &frame.components).map(|c| c.id).collect();
        let by_adobe = |stream: &mut Stream, code, expected| {
            if code != 0 && code != expected {
                stream.warnings.add(|| format!("Unknown Adobe color transform code {code}"));
            }
            if code == 0 { Transform::Identity } else { Transform::YCbCr }
        };
        match (ids.len(), self.adobe) {
            (3, _) if self.jfif => Transform::YCbCr,
            (3, Some(code)) => by_adobe(stream, code, 1),
            (3, None) if ids == *b"RGB" => Transform::Identity,
            (3, None) => Transform::YCbCr,
            (4, Some(code)) => by_adobe(stream, code, 2),
            _ => Transform::Identity,
        }
    }
}

/// `get_dac`: the conditioning of arithmetic coding, which is checked though nothing here needs it.
fn conditioning(segment: &[u8]) -> Result<(), DecodeError> {
    for pair in segment.chunks(2) {
        let &[index, value] = pair else { return Err(corrupt("Bogus marker length")) };
        if index >= 32 {
            return Err(corrupt(format!("Bogus DAC index {index}")));
        }
        if index < 16 && value & 15 > value >> 4 {
            return Err(corrupt(format!("Bogus DAC value 0x{value:x}")));
        }
    }
    Ok(())
}
