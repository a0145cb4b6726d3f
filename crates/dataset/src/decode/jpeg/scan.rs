//! The coefficients of one scan, sequential or progressive. Follows `jdhuff.c`, `jdphuff.c`, `consume_data` of `jdcoefct.c`
//! and `per_scan_setup` of `jdinput.c`, libjpeg-turbo 2.1, in what they make of damaged data too.

use super::header::{BLOCK, Component, Frame, Header, Scan, ZIGZAG};
use super::huffman::{Bits, Table, extend};
use super::stream::{Stream, TRUNCATED, corrupt};
use crate::decode::DecodeError;

/// Blocks that an interleaved scan may have in a unit.
const MAX_BLOCKS_IN_UNIT: usize = 10;
/// While more bytes than this are left for each block of a unit, libjpeg takes a path that does not warn of bad codes.
const FAST_BYTES_A_BLOCK: usize = 512;

/// What the blocks of a scan hold.
#[derive(Clone, Copy)]
enum Kind {
    Sequential,
    DcFirst,
    DcRefine,
    AcFirst,
    AcRefine,
}

/// A component of a scan: where its blocks go and what codes them.
struct ScanComponent<'t> {
    component: usize,
    dc: Option<&'t Table>,
    ac: Option<&'t Table>,
    /// Blocks across and down in a unit.
    across: usize,
    down: usize,
    /// The last DC coefficient.
    prediction: i32,
}

/// Reads the scan that `stream` is at into the coefficients of its components.
pub(super) fn read(header: &mut Header, scan: &Scan, stream: &mut Stream) -> Result<(), DecodeError> {
    header.latch(scan)?;
    let Header { frame: Some(frame), dc, ac, restart_interval, scans, .. } = header else { return Ok(()) };
    check_unit(frame, scan)?;
    for &(index, ..) in &scan.components {
        frame.components[index].allocate()?;
    }
    let kind = kind(frame, scan, *scans, stream)?;

    // A scan has at most four tables of each sort; the same one may serve several components.
    let (needs_dc, needs_ac) = match kind {
        Kind::Sequential => (true, true),
        Kind::DcFirst => (true, false),
        Kind::DcRefine => (false, false),
        Kind::AcFirst | Kind::AcRefine => (false, true),
    };
    let mut tables = Vec::with_capacity(scan.components.len());
    for &(_, dc_index, ac_index) in &scan.components {
        let make = |needed: bool, codes: &[Option<_>; 4], index: u8, is_dc| {
            let code = || codes.get(usize::from(index)).and_then(Option::as_ref);
            needed.then(|| Table::new(code(), index, is_dc)).transpose()
        };
        tables.push((make(needs_dc, dc, dc_index, true)?, make(needs_ac, ac, ac_index, false)?));
    }
    let interleaved = scan.components.len() > 1;
    let scanned_components = scan.components.iter().zip(&tables).map(|(&(component, ..), (dc, ac))| {
        let Component { across, down, .. } = frame.components[component];
        let (across, down) = if interleaved { (across, down) } else { (1, 1) };
        ScanComponent { component, dc: dc.as_ref(), ac: ac.as_ref(), across, down, prediction: 0 }
    });
    let mut scanned_components: Vec<ScanComponent> = scanned_components.collect();
    let (units_across, units_down) = match scanned_components[..] {
        [ScanComponent { component, .. }] => {
            let Component { blocks_across, blocks_down, .. } = frame.components[component];
            (blocks_across, blocks_down)
        }
        _ => (frame.width.div_ceil(8 * frame.across), frame.height.div_ceil(8 * frame.down)),
    };
    let blocks_in_unit: usize = scanned_components.iter().map(|scanned| scanned.across * scanned.down).sum();

    let mut decoder = ScanDecoder { bits: Bits::default(), end_of_band_run: 0, scan };
    let (mut to_go, mut restart_number) = (*restart_interval, 0);
    for unit_down in 0..units_down {
        for unit_across in 0..units_across {
            if *restart_interval != 0 {
                if to_go == 0 {
                    stream.discarded += decoder.bits.left as usize / 8;
                    decoder.bits.left = 0;
                    stream.restart(restart_number)?;
                    restart_number = (restart_number + 1) & 7;
                    scanned_components.iter_mut().for_each(|scanned| scanned.prediction = 0);
                    decoder.end_of_band_run = 0;
                    to_go = *restart_interval;
                    // Otherwise the segment is empty, and its blocks stay as they are.
                    if stream.marker == 0 {
                        decoder.bits.insufficient = false;
                    }
                }
                to_go -= 1;
            }
            // A refinement of DC reads zeros then, which change nothing.
            if decoder.bits.insufficient && !matches!(kind, Kind::DcRefine) {
                continue;
            }
            decoder.bits.quiet = matches!(kind, Kind::Sequential)
                && *restart_interval == 0
                && stream.marker == 0
                && stream.bytes.len() - stream.at >= FAST_BYTES_A_BLOCK * blocks_in_unit;
            for scanned in &mut scanned_components {
                let component = &mut frame.components[scanned.component];
                for down in 0..scanned.down {
                    let row = (unit_down * scanned.down + down) * component.stride;
                    for across in 0..scanned.across {
                        let at = row + unit_across * scanned.across + across;
                        let block = component.coefficients[at * BLOCK..].first_chunk_mut();
                        if let Some(block) = block {
                            decoder.block(kind, scanned, block, stream)?;
                        }
                    }
                }
            }
            decoder.report_bad_codes(stream);
            // libjpeg decodes such a unit twice, by two rules, and keeps some of both.
            if decoder.bits.padded && matches!(kind, Kind::Sequential) {
                return Err(corrupt("a byte 0xff of the data is written as more than 0xff 0x00"));
            }
            if stream.ran_out {
                return Err(TRUNCATED);
            }
        }
    }
    stream.ahead = decoder.bits.left as usize / 8;
    Ok(())
}

/// Refuses what `per_scan_setup` refuses.
fn check_unit(frame: &Frame, scan: &Scan) -> Result<(), DecodeError> {
    let blocks =
        |&(index, ..): &(usize, u8, u8)| frame.components[index].across * frame.components[index].down;
    if scan.components.len() > 1 && scan.components.iter().map(blocks).sum::<usize>() > MAX_BLOCKS_IN_UNIT {
        return Err(corrupt("Sampling factors too large for interleaved scan"));
    }
    Ok(())
}

/// What the scan holds, by its parameters: `start_pass_huff_decoder` and `start_pass_phuff_decoder`.
fn kind(frame: &mut Frame, scan: &Scan, scans: usize, stream: &mut Stream) -> Result<Kind, DecodeError> {
    let &Scan { first, last, high, low, .. } = scan;
    if !frame.progressive {
        if (first, last, high, low) != (0, 63, 0, 0) {
            stream.warnings.add(|| "Invalid SOS parameters for sequential JPEG".to_owned());
        }
        for &(index, ..) in &scan.components {
            frame.components[index].missing_bits = [0; BLOCK];
        }
        return Ok(Kind::Sequential);
    }
    let good_band = match first {
        0 => last == 0,
        _ => first <= last && last < 64 && scan.components.len() == 1,
    };
    if !good_band || (high != 0 && low + 1 != high) || low > 13 {
        return Err(corrupt(format!(
            "Invalid progressive parameters Ss={first} Se={last} Ah={high} Al={low}"
        )));
    }
    // Every scan is a pass over the image, however few bytes it has.
    const MOST_SCANS: usize = 1000;
    if scans > MOST_SCANS {
        return Err(corrupt(format!("more than {MOST_SCANS} scans")));
    }
    for &(index, ..) in &scan.components {
        let missing = &mut frame.components[index].missing_bits;
        let mut warn = |coefficient: usize| {
            stream.warnings.add(|| {
                format!("Inconsistent progression sequence for component {index} coefficient {coefficient}")
            });
        };
        if first != 0 && missing[0] < 0 {
            warn(0);
        }
        let band = usize::from(first)..=usize::from(last);
        for (bits, coefficient) in missing[band.clone()].iter_mut().zip(band) {
            if high as i8 != (*bits).max(0) {
                warn(coefficient);
            }
            *bits = low as i8;
        }
    }
    Ok(match (first, high) {
        (0, 0) => Kind::DcFirst,
        (0, _) => Kind::DcRefine,
        (_, 0) => Kind::AcFirst,
        (_, _) => Kind::AcRefine,
    })
}

struct ScanDecoder<'s> {
    bits: Bits,
    /// Blocks still to come in which the band has no new coefficients.
    end_of_band_run: u32,
    scan: &'s Scan,
}

impl ScanDecoder<'_> {
    #[inline(always)]
    fn block(
        &mut self,
        kind: Kind,
        scanned: &mut ScanComponent,
        block: &mut [i16; BLOCK],
        stream: &mut Stream,
    ) -> Result<(), DecodeError> {
        match (kind, scanned.dc, scanned.ac) {
            (Kind::Sequential, Some(dc), Some(ac)) => {
                self.sequential(&mut scanned.prediction, dc, ac, block, stream);
            }
            (Kind::DcFirst, Some(dc), _) => self.dc_first(&mut scanned.prediction, dc, block, stream)?,
            (Kind::DcRefine, ..) => {
                let bit = self.bits.take(stream, 1);
                block[0] |= (bit << self.scan.low) as i16;
            }
            (Kind::AcFirst, _, Some(ac)) => self.ac_first(ac, block, stream),
            (Kind::AcRefine, _, Some(ac)) => self.ac_refine(ac, block, stream),
            // Tables were made for what the kind needs.
            _ => {}
        }
        Ok(())
    }

    /// A difference of DC coefficients.
    #[inline(always)]
    fn difference(&mut self, table: &Table, stream: &mut Stream) -> i32 {
        match u32::from(self.bits.symbol(stream, table)) {
            0 => 0,
            size => extend(self.bits.take(stream, size), size),
        }
    }

    #[inline(always)]
    fn sequential(
        &mut self,
        prediction: &mut i32,
        dc: &Table,
        ac: &Table,
        block: &mut [i16; BLOCK],
        stream: &mut Stream,
    ) {
        *prediction = prediction.wrapping_add(self.difference(dc, stream));
        block[0] = *prediction as i16;
        let mut k = 1;
        while k < BLOCK {
            let symbol = self.bits.symbol(stream, ac);
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size != 0 {
                k += run;
                let value = extend(self.bits.take(stream, size), size);
                block[usize::from(ZIGZAG[k])] = value as i16;
                k += 1;
            } else if run == 15 {
                k += 16;
            } else {
                break;
            }
        }
    }

    fn dc_first(
        &mut self,
        prediction: &mut i32,
        table: &Table,
        block: &mut [i16; BLOCK],
        stream: &mut Stream,
    ) -> Result<(), DecodeError> {
        let next = prediction.checked_add(self.difference(table, stream));
        *prediction = next.ok_or_else(|| corrupt("DCT coefficient out of range"))?;
        block[0] = (*prediction << self.scan.low) as i16;
        Ok(())
    }

    fn ac_first(&mut self, table: &Table, block: &mut [i16; BLOCK], stream: &mut Stream) {
        if self.end_of_band_run > 0 {
            self.end_of_band_run -= 1;
            return;
        }
        let last = usize::from(self.scan.last);
        let mut k = usize::from(self.scan.first);
        while k <= last {
            let symbol = self.bits.symbol(stream, table);
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size != 0 {
                k += run;
                let value = extend(self.bits.take(stream, size), size);
                block[usize::from(ZIGZAG[k])] = (value << self.scan.low) as i16;
                k += 1;
            } else if run == 15 {
                k += 16;
            } else {
                self.end_of_band_run = self.run_length(run as u32, stream) - 1;
                break;
            }
        }
    }

    /// Blocks in a run, this one included.
    fn run_length(&mut self, size: u32, stream: &mut Stream) -> u32 {
        let low = if size == 0 { 0 } else { self.bits.take(stream, size) };
        (1 << size) + low as u32
    }

    fn ac_refine(&mut self, table: &Table, block: &mut [i16; BLOCK], stream: &mut Stream) {
        let last = usize::from(self.scan.last);
        let mut k = usize::from(self.scan.first);
        let (plus, minus) = (1_i16 << self.scan.low, -1_i16 << self.scan.low);
        if self.end_of_band_run == 0 {
            while k <= last {
                let symbol = self.bits.symbol(stream, table);
                let (mut run, size) = (i32::from(symbol >> 4), symbol & 15);
                let mut new = 0;
                if size != 0 {
                    if size != 1 {
                        self.bits.warn_of_bad_code(stream);
                    }
                    new = if self.bits.take(stream, 1) != 0 { plus } else { minus };
                } else if run != 15 {
                    self.end_of_band_run = self.run_length(run as u32, stream);
                    break;
                }
                // Past coefficients that are there already, each corrected by a bit, and `run` zeros.
                loop {
                    let coefficient = &mut block[usize::from(ZIGZAG[k])];
                    if *coefficient != 0 {
                        if self.bits.take(stream, 1) != 0 {
                            correct(coefficient, plus, minus);
                        }
                    } else {
                        run -= 1;
                        if run < 0 {
                            break;
                        }
                    }
                    k += 1;
                    if k > last {
                        break;
                    }
                }
                if new != 0 {
                    block[usize::from(ZIGZAG[k])] = new;
                }
                k += 1;
            }
        }
        if self.end_of_band_run > 0 {
            for &place in ZIGZAG.get(k..=last).unwrap_or_default() {
                let coefficient = &mut block[usize::from(place)];
                if *coefficient != 0 && self.bits.take(stream, 1) != 0 {
                    correct(coefficient, plus, minus);
                }
            }
            self.end_of_band_run -= 1;
        }
    }

    /// Where a marker was met, libjpeg repeats the unit on the path that warns.
    fn report_bad_codes(&mut self, stream: &mut Stream) {
        let unreported = std::mem::take(&mut self.bits.unreported);
        if stream.marker != 0 {
            (0..unreported).for_each(|_| self.bits.warn_of_bad_code(stream));
        }
    }
}

/// Away from zero by a bit, unless that bit is set.
fn correct(coefficient: &mut i16, plus: i16, minus: i16) {
    if *coefficient & plus == 0 {
        *coefficient = coefficient.wrapping_add(if *coefficient >= 0 { plus } else { minus });
    }
}
