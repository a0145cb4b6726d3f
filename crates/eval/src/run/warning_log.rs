//! What the decoder warns of while a run goes on, noted in its record before the predictions that it is about.

use std::time::{Duration, Instant};

use dataset::Warnings;

use crate::EvalError;
use crate::record::RunRecord;
use crate::record::warned::WarnedImage;
use crate::run_dir::RunDir;

/// The first images with warnings are written down at once, before their predictions, so that a kill loses none of them.
const AT_ONCE: usize = 100;

/// After those, the record is written at most this often, and a kill loses what came since.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// Notes warnings in the record of a run that is going on.
pub(crate) struct WarningLog<'a> {
    dir: &'a RunDir,
    record: &'a mut RunRecord,
    is_written: bool,
    written: Instant,
}

impl<'a> WarningLog<'a> {
    pub(crate) fn new(dir: &'a RunDir, record: &'a mut RunRecord) -> Self {
        Self { dir, record, is_written: true, written: Instant::now() }
    }

    /// What the decoder said of `image` just now, which replaces what it said before: a file may have been mended.
    ///
    /// # Errors
    /// [`EvalError::RunFile`].
    pub(crate) fn add(&mut self, image: &str, warnings: &Warnings) -> Result<(), EvalError> {
        let now = WarnedImage::new(image, warnings);
        let known = &mut self.record.decoder_warnings;
        match (known.binary_search_by(|it| it.image.as_str().cmp(image)), now) {
            (Ok(at), Some(now)) if known[at] != now => known[at] = now,
            (Ok(at), None) => drop(known.remove(at)),
            (Err(at), Some(now)) => known.insert(at, now),
            _ => return Ok(()),
        }
        self.is_written = false;
        self.write_now_and_then()
    }

    fn write_now_and_then(&mut self) -> Result<(), EvalError> {
        let is_due =
            self.record.decoder_warnings.len() <= AT_ONCE || self.written.elapsed() >= WRITE_INTERVAL;
        if !self.is_written && is_due {
            self.dir.write_record(self.record)?;
            (self.is_written, self.written) = (true, Instant::now());
        }
        Ok(())
    }
}
