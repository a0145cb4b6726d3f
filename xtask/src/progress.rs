//! How a run is watched: a bar in a terminal, plain lines anywhere else.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use eval::Progress;
use eval::weights::Transfer;
use indicatif::{BinaryBytes, FormattedDuration, ProgressBar, ProgressStyle};

use crate::output::note;

/// How often a plain line is written.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// Image errors that are shown as they come; all are in the prediction log.
const ERRORS_SHOWN: usize = 10;

/// Shows images, images/s, the time left and the first model's accuracy so far, on standard error.
pub(crate) struct Watch {
    bar: ProgressBar,
    plain: bool,
    started: Instant,
    last_line: Instant,
    before: u64,
    errors: usize,
}

impl Watch {
    pub(crate) fn new() -> Self {
        let plain = !std::io::stderr().is_terminal();
        let bar = if plain { ProgressBar::hidden() } else { ProgressBar::no_length() };
        // The template is a constant, so an error in it is a programmer's and shows as the default.
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} images  {msg}") {
            bar.set_style(style);
        }
        let now = Instant::now();
        Self { bar, plain, started: now, last_line: now, before: 0, errors: 0 }
    }

    fn say(&self, line: &str) {
        if self.plain { note(line) } else { self.bar.println(line) }
    }

    fn line(&self) -> String {
        format!(
            "{}/{} images  {}",
            self.bar.position(),
            self.bar.length().unwrap_or_default(),
            self.bar.message()
        )
    }
}

impl Progress for Watch {
    fn start(&mut self, done: usize, total: usize) {
        self.started = Instant::now();
        self.last_line = self.started;
        self.before = done as u64;
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
        if done > 0 && done < total {
            self.say(&format!("Going on after {done} of {total} images."));
        }
    }

    fn image(&mut self, top1_pct: f64) {
        self.bar.inc(1);
        let done = self.bar.position() - self.before;
        let seconds = self.started.elapsed().as_secs_f64();
        let per_second = done as f64 / seconds.max(1e-9);
        let left = self.bar.length().unwrap_or_default().saturating_sub(self.bar.position());
        let left = Duration::from_secs_f64(left as f64 / per_second);
        self.bar.set_message(format!(
            "{per_second:.1} images/s  {} left  top-1 so far {top1_pct:.3} %",
            FormattedDuration(left)
        ));
        if self.plain && self.last_line.elapsed() >= PLAIN_INTERVAL {
            self.last_line = Instant::now();
            note(&self.line());
        }
    }

    fn error(&mut self, image: &str, error: &str) {
        self.errors += 1;
        if self.errors <= ERRORS_SHOWN {
            self.say(&format!("warning: {image}: {error}"));
        }
        if self.errors == ERRORS_SHOWN {
            self.say("warning: further images without a prediction are only logged");
        }
    }

    fn smaller_batches(&mut self, id: &str, batch: usize) {
        self.say(&format!(
            "warning: {id}: the batch does not fit into memory; going on with {batch} at once"
        ));
    }

    fn finish(&mut self) {
        let done = self.bar.position() - self.before;
        self.bar.finish_and_clear();
        if done > 0 {
            let took = self.started.elapsed();
            let per_second = done as f64 / took.as_secs_f64().max(1e-9);
            note(&format!("{done} images in {} ({per_second:.1} images/s)", FormattedDuration(took)));
        }
    }
}

/// Shows bytes, speed and the time left of a download, on standard error.
pub(crate) struct Download {
    bar: ProgressBar,
    plain: bool,
    last_line: Instant,
}

impl Download {
    pub(crate) fn new() -> Self {
        Self {
            bar: ProgressBar::hidden(),
            plain: !std::io::stderr().is_terminal(),
            last_line: Instant::now(),
        }
    }
}

impl Transfer for Download {
    fn start(&mut self, file: &str, have: u64, total: Option<u64>) {
        let size = total.map_or_else(|| "unknown size".to_owned(), |total| BinaryBytes(total).to_string());
        let from = if have > 0 { format!(", going on after {}", BinaryBytes(have)) } else { String::new() };
        note(&format!("Fetching {file} ({size}{from})"));
        self.bar = if self.plain { ProgressBar::hidden() } else { ProgressBar::no_length() };
        if let Some(total) = total {
            self.bar.set_length(total);
        }
        if let Ok(style) = ProgressStyle::with_template(
            "{wide_bar} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {eta} left",
        ) {
            self.bar.set_style(style);
        }
        // What is here from before says nothing about the speed.
        self.bar.set_position(have);
        self.bar.reset_eta();
        self.last_line = Instant::now();
    }

    fn received(&mut self, bytes: u64) {
        self.bar.inc(bytes);
        if self.plain && self.last_line.elapsed() >= PLAIN_INTERVAL {
            self.last_line = Instant::now();
            let total =
                self.bar.length().map_or_else(|| "?".to_owned(), |total| BinaryBytes(total).to_string());
            note(&format!("{} of {total}", BinaryBytes(self.bar.position())));
        }
    }

    fn note(&mut self, line: &str) {
        if self.plain || self.bar.is_finished() { note(line) } else { self.bar.suspend(|| note(line)) }
    }

    fn finish(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Counts images that are looked at, on standard error.
pub(crate) struct Count {
    bar: ProgressBar,
    plain: bool,
    last_line: Instant,
}

impl Count {
    pub(crate) fn new(images: usize) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let bar = if plain { ProgressBar::hidden() } else { ProgressBar::no_length() };
        if let Ok(style) =
            ProgressStyle::with_template("{wide_bar} {pos}/{len} images  {per_sec}  {eta} left")
        {
            bar.set_style(style);
        }
        bar.set_length(images as u64);
        Self { bar, plain, last_line: Instant::now() }
    }

    pub(crate) fn image(&mut self) {
        self.bar.inc(1);
        if self.plain && self.last_line.elapsed() >= PLAIN_INTERVAL {
            self.last_line = Instant::now();
            note(&format!("{}/{} images", self.bar.position(), self.bar.length().unwrap_or_default()));
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
