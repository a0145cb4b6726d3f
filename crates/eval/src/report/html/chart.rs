//! A scatter plot as inline SVG: accuracy against what it costs, documented and measured.

use std::fmt::Write as _;

use super::super::escaped;

/// A model in a plot.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) name: String,
    /// Its number in the legend, which a narrow screen shows instead of the name.
    pub(super) ordinal: usize,
    pub(super) x: f64,
    pub(super) documented: Option<f64>,
    /// Measured, with its interval.
    pub(super) measured: Option<(f64, [f64; 2])>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 380.0;
// Margins with room for the large letters of a narrow screen.
const LEFT: f64 = 84.0;
const RIGHT: f64 = 28.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 60.0;

/// A range that holds values with a little room, from one tick to another.
struct ChartAxis {
    low: f64,
    high: f64,
    step: f64,
}

impl ChartAxis {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let span = (high - low).max(1e-3);
        // 1, 2 or 5 times a power of ten, for five ticks or so.
        let rough = span / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= rough).unwrap_or(10.0) * power;
        Self {
            low: ((low - 0.05 * span) / step).floor() * step,
            high: ((high + 0.05 * span) / step).ceil() * step,
            step,
        }
    }

    /// Without what lies outside of `low` to `high`, where there can be no value.
    fn within(self, low: f64, high: f64) -> Self {
        Self { low: self.low.max(low), high: self.high.min(high), ..self }
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count).map(|tick| self.low + tick as f64 * self.step)
    }

    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    fn label(&self, value: f64) -> String {
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        format!("{value:.decimals$}")
    }
}

/// A rectangle in the plot.
#[derive(Debug, Clone, Copy)]
struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Area {
    /// A point's mark.
    fn around(x: f64, y: f64) -> Self {
        Self { left: x - 6.0, right: x + 6.0, top: y - 6.0, bottom: y + 6.0 }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn is_inside(&self) -> bool {
        self.left >= LEFT && self.right <= WIDTH && self.top >= 0.0 && self.bottom <= HEIGHT - BOTTOM
    }
}

/// Letters of a plot: how wide one is on average, and how far lines are apart.
#[derive(Debug, Clone, Copy)]
struct Letters {
    width: f64,
    line: f64,
}

/// Names, of ten pixels.
const NAMES: Letters = Letters { width: 5.7, line: 11.0 };

/// Numbers in the legend, of twenty pixels.
const ORDINALS: Letters = Letters { width: 11.5, line: 20.0 };

/// Where a name goes beside its point, at (x, y), without covering another name or point if that can be: the place
/// of its beginning, and its area.
fn place_name(name: &str, letters: Letters, x: f64, y: f64, taken: &[Area]) -> ((f64, f64), Area) {
    let width = letters.width * name.chars().count() as f64;
    // Half of what stands above the line, so that a name is as high as its point.
    let (line, middle) = (letters.line, 0.36 * letters.line);
    let places = (0..5).flat_map(|step| {
        let step = line * f64::from(step);
        [
            (x + 10.0, y + middle + step),
            (x - 10.0 - width, y + middle + step),
            (x + 10.0, y + middle - step),
            (x - 10.0 - width, y + middle - step),
        ]
    });
    let area = |(left, baseline): (f64, f64)| Area {
        left,
        right: left + width,
        top: baseline - 0.8 * line,
        bottom: baseline + 0.2 * line,
    };
    let free = |place: &(f64, f64)| {
        let area = area(*place);
        area.is_inside() && !taken.iter().any(|other| area.overlaps(other))
    };
    // Where all places are taken it covers something, but is not cut.
    let inside = (x + 10.0).min(WIDTH - width).max(LEFT);
    let place = places.into_iter().find(free).unwrap_or((inside, y + middle));
    (place, area(place))
}

/// A name that has a place in the plot; the point's title has all of it.
fn shortened(name: &str) -> String {
    const LONGEST: usize = 40;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    let start: String = name.chars().take(LONGEST - 1).collect();
    format!("{start}\u{2026}")
}

/// `title` names the plot for those who cannot see it; the table beside it has every number.
pub(super) fn scatter(title: &str, x_label: &str, points: &[Point]) -> String {
    let x_axis = ChartAxis::of(points.iter().map(|point| point.x));
    let y_values = points.iter().flat_map(|point| {
        let measured = point.measured.map(|(value, [low, high])| [value, low, high]);
        point.documented.into_iter().chain(measured.into_iter().flatten())
    });
    let y_axis = ChartAxis::of(y_values).within(0.0, 100.0);
    let x = |value: f64| LEFT + x_axis.share(value) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - y_axis.share(value) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\"><title>{}</title>\n",
        escaped(title),
        escaped(title)
    );
    for tick in y_axis.ticks() {
        let at = y(tick);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0,
            y_axis.label(tick)
        );
    }
    for tick in x_axis.ticks() {
        let at = x(tick);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{}\"/><text class=\"tick\" x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 22.0,
            x_axis.label(tick)
        );
    }
    let _ = writeln!(
        svg,
        "<text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text><text class=\"axis\" x=\"18\" y=\"{}\" text-anchor=\"middle\" transform=\"rotate(-90 18 {})\">top-1, %</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 8.0,
        escaped(x_label),
        (HEIGHT - BOTTOM + TOP) / 2.0,
        (HEIGHT - BOTTOM + TOP) / 2.0
    );
    for point in points {
        let at = x(point.x);
        if let Some((value, [low, high])) = point.measured {
            let _ = writeln!(
                svg,
                "<line class=\"measured\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/><circle class=\"measured\" cx=\"{at:.1}\" cy=\"{:.1}\" r=\"4\"><title>{}: measured {value:.3} %</title></circle>",
                y(low),
                y(high),
                y(value),
                escaped(&point.name)
            );
        }
        if let Some(value) = point.documented {
            let _ = writeln!(
                svg,
                "<circle class=\"documented\" cx=\"{at:.1}\" cy=\"{:.1}\" r=\"6\"><title>{}: documented {value} %</title></circle>",
                y(value),
                escaped(&point.name)
            );
        }
    }
    let marks: Vec<Area> = (points.iter())
        .flat_map(|point| {
            let values = [point.documented, point.measured.map(|(value, _)| value)];
            values.into_iter().flatten().map(|value| Area::around(x(point.x), y(value)))
        })
        .collect();
    for (class, letters) in [("name", NAMES), ("ordinal", ORDINALS)] {
        let mut taken = marks.clone();
        for point in points {
            let Some(value) = point.documented.or(point.measured.map(|(value, _)| value)) else { continue };
            let name = if class == "name" { shortened(&point.name) } else { point.ordinal.to_string() };
            let (at, area) = place_name(&name, letters, x(point.x), y(value), &taken);
            let _ = writeln!(
                svg,
                "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                at.0,
                at.1,
                escaped(&name)
            );
            taken.push(area);
        }
    }
    svg += "</svg>\n";
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_hold_their_values_between_round_ticks() {
        for values in [vec![78.5, 81.1], vec![5.0], vec![], vec![0.0, 0.0], vec![9.198, 19.764]] {
            let axis = ChartAxis::of(values.iter().copied());
            assert!(values.iter().all(|&value| (0.0..=1.0).contains(&axis.share(value))), "{values:?}");
            let ticks = axis.ticks().count();
            assert!((2..=12).contains(&ticks), "{values:?}: {ticks}");
        }
        assert_eq!(ChartAxis::of([78.5, 81.1].into_iter()).label(79.0), "79");
        let axis = ChartAxis::of([10.0, 99.5].into_iter()).within(0.0, 100.0);
        assert!(axis.low >= 0.0 && axis.high <= 100.0);
    }

    #[test]
    fn names_of_close_points_do_not_cover_each_other() {
        let mut taken: Vec<Area> = (0..6).map(|n| Area::around(300.0 + f64::from(n), 150.0)).collect();
        for n in 0..6 {
            let (_, area) = place_name("ppcls/xception65", NAMES, 300.0 + f64::from(n), 150.0, &taken);
            assert!(!taken.iter().any(|other| area.overlaps(other)), "name {n}");
            taken.push(area);
        }
    }
}
