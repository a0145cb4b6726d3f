//! What stands in a cell: figures with the digits that are printed, in whatever unit.

use graph::complexity::{CountingRule, FlopsRule, ParamsRule};

use crate::figures::{Counted, Figure};

/// What people write where there is no figure.
const NOTHING: [&str; 8] = ["", "-", "--", "\u{2013}", "\u{2014}", "n/a", "null", "none"];

/// Powers of ten by the letter of their unit; a B is a billion.
const UNITS: [(char, u32); 5] = [('k', 3), ('m', 6), ('g', 9), ('b', 9), ('t', 12)];

/// What may stand behind a unit's letter.
const COUNTED_THINGS: [&str; 6] = ["flops", "flop", "macs", "mac", "params", "ops"];

/// An accuracy in per cent; none where the cell has no figure.
pub(super) fn accuracy(cell: &str) -> Result<Option<Figure>, String> {
    let cell = cell.trim();
    if is_nothing(cell) {
        return Ok(None);
    }
    Figure::try_from(cell.strip_suffix('%').unwrap_or(cell).trim_end().to_owned()).map(Some)
}

/// FLOPs in units of 1e9. `unit` is the power of ten that the heading says; a unit in the cell goes over it.
pub(super) fn flops(cell: &str, unit: Option<u32>) -> Result<Option<Counted<FlopsRule>>, String> {
    Ok(count(cell, unit, FlopsRule::UNIT)?.map(unstated))
}

/// Parameters in units of 1e6.
pub(super) fn params(cell: &str, unit: Option<u32>) -> Result<Option<Counted<ParamsRule>>, String> {
    Ok(count(cell, unit, ParamsRule::UNIT)?.map(unstated))
}

fn unstated<R>(figure: Figure) -> Counted<R> {
    Counted { figure, rule: None, input_size: None, decimals: None, source_figure: None }
}

fn count(cell: &str, heading: Option<u32>, printed_in: u64) -> Result<Option<Figure>, String> {
    let cell = cell.trim();
    if is_nothing(cell) {
        return Ok(None);
    }
    let end = cell.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',')).unwrap_or(cell.len());
    let (number, rest) = cell.split_at(end);
    let own = unit(rest).ok_or_else(|| format!("`{cell}` is not a number with a unit such as 4.5G"))?;
    let Some(power) = own.or(heading) else {
        return Err(format!("`{cell}` has no unit, and its heading says none"));
    };
    let number = without_thousands(number).unwrap_or_else(|| number.to_owned());
    // What is no number is said as it stands there.
    Figure::try_from(number.clone())?;
    Figure::try_from(scaled(&number, power as i32 - printed_in.ilog10() as i32)).map(Some)
}

fn is_nothing(cell: &str) -> bool {
    NOTHING.iter().any(|nothing| cell.eq_ignore_ascii_case(nothing))
}

/// The power of ten that a unit such as `G` or `GFLOPs` says; the inner none for no unit, the outer for what is no unit.
fn unit(text: &str) -> Option<Option<u32>> {
    let text = text.trim().to_ascii_lowercase();
    let mut letters = text.chars();
    let Some(letter) = letters.next() else { return Some(None) };
    let power = UNITS.iter().find(|(unit, _)| *unit == letter).map(|(_, power)| *power)?;
    let thing = letters.as_str().trim();
    (thing.is_empty() || COUNTED_THINGS.contains(&thing)).then_some(Some(power))
}

/// The unit in the brackets of a heading: `flops(G)`, `FLOPs @224 (B)`, and what its page says in Chinese.
pub(super) fn unit_of_heading(heading: &str) -> Option<u32> {
    let inner = |open: char, close: char| {
        let (_, rest) = heading.split_once(open)?;
        Some(rest.split_once(close)?.0.trim().to_lowercase())
    };
    let said = inner('(', ')').or_else(|| inner('\u{ff08}', '\u{ff09}'))?;
    match said.as_str() {
        "\u{5341}\u{4ebf}" => Some(9),
        "\u{767e}\u{4e07}" => Some(6),
        said => unit(said).flatten(),
    }
}

/// The side that a heading says it counted at, as in `FLOPs @224`.
pub(super) fn side_of_heading(heading: &str) -> Option<usize> {
    let (_, rest) = heading.split_once('@')?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The side of a square input: `224`, `224x224`.
pub(super) fn side(cell: &str) -> Result<Option<usize>, String> {
    let cell = cell.trim();
    if is_nothing(cell) {
        return Ok(None);
    }
    let parts: Vec<&str> = cell.split(['x', 'X', '\u{d7}', '*']).map(str::trim).collect();
    let wrong = || format!("`{cell}` is not the side of a square input such as 224 or 224x224");
    match parts[..] {
        [side] => side.parse().map(Some).map_err(|_| wrong()),
        [one, other] if one == other => one.parse().map(Some).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// `1,014.45` as `1014.45`; none where commas stand elsewhere than between thousands.
fn without_thousands(number: &str) -> Option<String> {
    let (whole, decimals) =
        number.split_once('.').map_or((number, None), |(whole, rest)| (whole, Some(rest)));
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let is_grouped = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
    let is_number = is_grouped && whole.contains(',') && decimals.is_none_or(|rest| !rest.contains(','));
    is_number.then(|| number.replace(',', ""))
}

/// The decimal `number` times ten to the power of `places`, to the digit.
///
/// ```
/// use cards::foreign::scaled;
///
/// assert_eq!([scaled("4.12", 9), scaled("327.650", -3)], ["4120000000", "0.327650"]);
/// ```
pub fn scaled(number: &str, places: i32) -> String {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{decimals}");
    let point = whole.len() as i32 + places;
    let padded = match point {
        point if point <= 0 => format!("{}{digits}", "0".repeat((1 - point) as usize)),
        _ => digits,
    };
    let point = point.max(1) as usize;
    let padded = format!("{padded:0<point$}");
    let (whole, decimals) = padded.split_at(point);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if decimals.is_empty() { whole.to_owned() } else { format!("{whole}.{decimals}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_moved_to_the_digit() {
        for (number, places, expected) in [
            ("327.650", -3, "0.327650"),
            ("4120000000", -9, "4.120000000"),
            ("9.198", 0, "9.198"),
            ("4.12", 9, "4120000000"),
            ("0.5", 3, "500"),
            ("12", -3, "0.012"),
            ("0", -3, "0.000"),
            ("11690000", -6, "11.690000"),
        ] {
            assert_eq!(scaled(number, places), expected, "{number} {places}");
        }
    }

    #[test]
    fn a_cell_has_a_figure_or_none_or_a_fault() {
        let printed =
            |cell: &str, unit| flops(cell, unit).map(|it| it.map(|it| it.figure.as_str().to_owned()));
        assert_eq!(printed("4.5G", None).unwrap().as_deref(), Some("4.5"));
        assert_eq!(printed("4.36 GFLOPs", None).unwrap().as_deref(), Some("4.36"));
        assert_eq!(printed("22.600", Some(6)).unwrap().as_deref(), Some("0.022600"));
        assert_eq!(printed("-", None).unwrap(), None);
        assert!(printed("4.5", None).unwrap_err().contains("has no unit"));
        assert!(printed("4.5 apples", Some(9)).unwrap_err().contains("not a number with a unit"));
        let millions =
            |cell: &str| params(cell, Some(6)).map(|it| it.map(|it| it.figure.as_str().to_owned()));
        assert_eq!(millions("1,014.45").unwrap().as_deref(), Some("1014.45"));
        assert!(millions("1,01").unwrap_err().contains("`1,01` is not a decimal number"));
        assert_eq!(accuracy("79.0 %").unwrap().unwrap().as_str(), "79.0");
        assert!(accuracy("8.05.7").unwrap_err().contains("`8.05.7` is not a decimal number"));
        assert_eq!((side("224x224").unwrap(), side("").unwrap()), (Some(224), None));
        assert!(side("224x256").is_err() && side("big").is_err());
        assert_eq!(unit_of_heading("FLOPs @224 (B)"), Some(9));
        assert_eq!(unit_of_heading("\u{53c2}\u{6570} (\u{767e}\u{4e07})"), Some(6));
        assert_eq!(side_of_heading("FLOPs @224 (B)"), Some(224));
    }
}
