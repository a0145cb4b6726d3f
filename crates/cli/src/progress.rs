//! How a run is watched: a bar in a terminal, plain lines anywhere else.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use eval::weights::{Evidence, Transfer, WeightsSource};
use eval::{LoadedModel, PlannedModel, Progress};
use indicatif::{BinaryBytes, FormattedDuration, ProgressBar, ProgressStyle};
use models::Placement;

use crate::output::note;

/// How often a plain line is written at first.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// How often one is written of what takes hours: 20 hours would have 7,200 of the lines above.
const LATE_INTERVAL: Duration = Duration::from_secs(60);

/// A line for every so much of the time that has gone by.
const PLAIN_SHARE: u32 = 30;

/// Image errors that are shown as they come; all are in the prediction log.
const ERRORS_SHOWN: usize = 10;

/// A bar, or where nobody looks at a terminal a line now and then.
struct Bar {
    bar: ProgressBar,
    plain: bool,
    started: Instant,
    last_line: Instant,
}

/// How long nothing is written after a plain line, so long after the start.
fn silence(since_start: Duration) -> Duration {
    (since_start / PLAIN_SHARE).clamp(PLAIN_INTERVAL, LATE_INTERVAL)
}

impl Bar {
    /// Drawn by indicatif's `template`. Without a `length` it is not known how far it goes.
    fn new(template: &str, length: Option<u64>) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let bar = if plain { ProgressBar::hidden() } else { ProgressBar::no_length() };
        // The template is a constant, so an error in it is a programmer's and shows as the default.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if let Some(length) = length {
            bar.set_length(length);
        }
        let now = Instant::now();
        Self { bar, plain, started: now, last_line: now }
    }

    /// Goes on by `more`. Where there is no bar, `line` says how far it is, if that was not said lately.
    fn advance(&mut self, more: u64, line: impl FnOnce(&ProgressBar) -> String) {
        self.bar.inc(more);
        if self.plain && self.last_line.elapsed() >= silence(self.started.elapsed()) {
            self.last_line = Instant::now();
            note(&line(&self.bar));
        }
    }

    /// Says something beside the bar.
    fn say(&self, line: &str) {
        if self.plain || self.bar.is_finished() { note(line) } else { self.bar.suspend(|| note(line)) }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// `position/length images`.
fn of_images(bar: &ProgressBar) -> String {
    format!("{}/{} images", bar.position(), bar.length().unwrap_or_default())
}

/// How fast `done` images went by, and when so many more will have.
fn pace(done: u64, took: Duration, more: u64) -> String {
    let per_second = done as f64 / took.as_secs_f64().max(1e-9);
    let left = FormattedDuration(Duration::from_secs_f64(more as f64 / per_second.max(1e-9)));
    format!("{per_second:.1} images/s  {left} left")
}

/// Says by what each model is measured, then shows images, images/s, the time left and the first model's accuracy so far, on
/// standard error.
pub(crate) struct Watch<'a> {
    placement: &'a Placement,
    bar: Bar,
    started: Instant,
    before: u64,
    errors: usize,
    /// The image that the last error was of, and the error.
    last_error: Option<(String, String)>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(placement: &'a Placement) -> Self {
        let bar = Bar::new("{wide_bar} {pos}/{len} images  {msg}", None);
        Self { placement, bar, started: Instant::now(), before: 0, errors: 0, last_error: None }
    }

    /// Images of this session: so many, so many a second.
    fn rate(&self, done: u64) -> f64 {
        done as f64 / self.started.elapsed().as_secs_f64().max(1e-9)
    }
}

impl Progress for Watch<'_> {
    fn model(&mut self, planned: &PlannedModel, loaded: Option<&LoadedModel>) {
        let (id, recipe) = (&planned.model.id, &planned.recipe.name);
        let weights = match loaded {
            Some(loaded) => Some(loaded.weights.clone()),
            None => planned.weights.source(&planned.model),
        };
        let label = weights.as_ref().map(WeightsSource::label).unwrap_or_default();
        let (device, dtype) = (self.placement.device(), self.placement.dtype());
        let engine = loaded.map(|loaded| format!(" ({})", loaded.classifier.engine())).unwrap_or_default();
        let idle = if loaded.is_none() { "; no image is left to do, so it is not loaded" } else { "" };
        let again = match loaded.and_then(|loaded| loaded.exact.as_ref()) {
            Some(exact) => format!(", images near a hit again in f32 ({})", exact.engine()),
            None => String::new(),
        };
        note(&format!(
            "{id}: recipe {recipe}, weights {label}, device {device}{engine}, {dtype}{again}{idle}"
        ));
        let Some(WeightsSource::File { evidence, .. }) = weights else { return };
        if let Evidence { name_prefix: Some(prefix), .. } = evidence {
            note(&format!("{id}: all names in its checkpoint begin with `{prefix}`, which was taken off"));
        }
    }

    fn start(&mut self, done: usize, total: usize) {
        self.started = Instant::now();
        self.before = done as u64;
        self.bar.bar.set_length(total as u64);
        self.bar.bar.set_position(done as u64);
        if done > 0 && done < total {
            self.bar.say(&format!("Going on after {done} of {total} images."));
        }
    }

    fn image(&mut self, top1_pct: f64) {
        let position = self.bar.bar.position() + 1;
        let left = self.bar.bar.length().unwrap_or_default().saturating_sub(position);
        let pace = pace(position - self.before, self.started.elapsed(), left);
        self.bar.bar.set_message(format!("{pace}  top-1 so far {top1_pct:.3} %"));
        self.bar.advance(1, |bar| format!("{}  {}", of_images(bar), bar.message()));
    }

    fn error(&mut self, image: &str, error: &str) {
        // A file that cannot be read fails for every model in turn.
        let this = (image.to_owned(), error.to_owned());
        if self.last_error.as_ref() == Some(&this) {
            return;
        }
        self.last_error = Some(this);
        self.errors += 1;
        if self.errors <= ERRORS_SHOWN {
            self.bar.say(&format!("warning: {image}: {error}"));
        }
        if self.errors == ERRORS_SHOWN {
            self.bar.say("warning: further images without a prediction are only logged");
        }
    }

    fn smaller_batches(&mut self, id: &str, batch: usize) {
        self.bar.say(&format!(
            "warning: {id}: the batch does not fit into memory; going on with {batch} at once"
        ));
    }

    fn fewer_at_once(&mut self, images: usize, threads: usize) {
        let s = if threads == 1 { "" } else { "s" };
        self.bar.say(&format!(
            "warning: no batch has more than {images} images, because no more fit into memory beside what {threads} thread{s} \
             may need; fewer --threads leave room for more"
        ));
    }

    fn verifying(&mut self) {
        note_verifying();
    }

    fn finish(&mut self) {
        let done = self.bar.bar.position() - self.before;
        self.bar.finish();
        if done > 0 {
            let took = FormattedDuration(self.started.elapsed());
            note(&format!("{done} images in {took} ({:.1} images/s)", self.rate(done)));
        }
    }
}

/// Says why nothing is seen for a while once all images of an archive were.
pub(crate) fn note_verifying() {
    note(
        "Reading the archive once more for its MD5, which says whether the pixels are the validation set's.",
    );
}

/// Shows bytes, speed and the time left of a download, on standard error.
#[derive(Default)]
pub(crate) struct Download {
    /// Once it has begun.
    bar: Option<Bar>,
}

impl Transfer for Download {
    fn start(&mut self, file: &str, have: u64, total: Option<u64>) {
        let size = total.map_or_else(|| "unknown size".to_owned(), |total| BinaryBytes(total).to_string());
        let from = if have > 0 { format!(", going on after {}", BinaryBytes(have)) } else { String::new() };
        note(&format!("Fetching {file} ({size}{from})"));
        let template = "{wide_bar} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {eta} left";
        let bar = Bar::new(template, total);
        // What is here from before says nothing about the speed.
        bar.bar.set_position(have);
        bar.bar.reset_eta();
        self.bar = Some(bar);
    }

    fn received(&mut self, bytes: u64) {
        if let Some(bar) = &mut self.bar {
            bar.advance(bytes, |bar| {
                let total =
                    bar.length().map_or_else(|| "?".to_owned(), |total| BinaryBytes(total).to_string());
                format!("{} of {total}", BinaryBytes(bar.position()))
            });
        }
    }

    fn note(&mut self, line: &str) {
        match &self.bar {
            Some(bar) => bar.say(line),
            None => note(line),
        }
    }

    fn finish(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}

/// Counts images that are looked at, on standard error.
pub(crate) struct Count(Bar);

impl Count {
    pub(crate) fn new(images: usize) -> Self {
        let template = "{wide_bar} {pos}/{len} images  {per_sec}  {eta} left";
        Self(Bar::new(template, Some(images as u64)))
    }

    pub(crate) fn image(&mut self) {
        let started = self.0.started;
        self.0.advance(1, |bar| {
            let left = bar.length().unwrap_or_default().saturating_sub(bar.position());
            format!("{}  {}", of_images(bar), pace(bar.position(), started.elapsed(), left))
        });
    }

    pub(crate) fn finish(&self) {
        self.0.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::{DeviceName, Dtype};

    #[test]
    fn lines_become_rarer() {
        let lines = |seconds: u64| {
            let (mut at, mut lines) = (Duration::ZERO, 0);
            while at < Duration::from_secs(seconds) {
                at += silence(at);
                lines += 1;
            }
            lines
        };
        assert_eq!(lines(60), 6);
        assert!((30..=31).contains(&lines(300)), "{}", lines(300));
        assert!(lines(20 * 3600) < 1300, "{}", lines(20 * 3600));
    }

    #[test]
    fn an_error_of_a_file_is_said_once_whatever_the_number_of_models() {
        let placement = Placement::new(DeviceName::Flex, Dtype::F32, 1).unwrap();
        let mut watch = Watch::new(&placement);
        for _ in 0..12 {
            watch.error("a.JPEG", "not an image");
        }
        watch.error("b.JPEG", "not an image");
        assert_eq!(watch.errors, 2);
    }

    #[test]
    fn a_pace_says_how_long_the_rest_takes() {
        assert_eq!(pace(500, Duration::from_secs(5), 1000), "100.0 images/s  00:00:10 left");
        assert!(pace(0, Duration::ZERO, 7).starts_with("0.0 images/s"));
    }
}
