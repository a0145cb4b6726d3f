//! How wide what is printed may be.

/// Where nobody says how wide a screen is: in a file, a pipe, the log of a job. A row of figures takes a line there, and only
/// long reasons are folded.
const NO_TERMINAL: usize = 150;

/// Columns for standard output: `COLUMNS` where it is set, as for other programs; else the terminal's, if it is one.
pub(super) fn width() -> usize {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.trim().parse().ok());
    chosen(asked, terminal)
}

/// The columns of the terminal that standard output goes to. Asked directly, since some know their width and no height.
#[cfg(unix)]
fn terminal() -> Option<usize> {
    rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col))
}

#[cfg(not(unix))]
fn terminal() -> Option<usize> {
    None
}

/// Tables need some columns; what claims to be narrower is folded by the terminal.
fn chosen(asked: Option<usize>, terminal: impl FnOnce() -> Option<usize>) -> usize {
    let known = |columns: &usize| *columns > 0;
    asked.filter(known).or_else(|| terminal().filter(known)).unwrap_or(NO_TERMINAL).max(20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_asked_for_is_the_first_then_the_terminals() {
        assert_eq!(chosen(Some(60), || Some(80)), 60);
        assert_eq!(chosen(None, || Some(80)), 80);
        // Some terminals say 0 when they do not know.
        assert_eq!(chosen(Some(0), || Some(0)), NO_TERMINAL);
        assert_eq!(chosen(Some(3), || None), 20);
    }
}
