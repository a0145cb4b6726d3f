//! What a misspelt word was probably meant to be.

/// Below this similarity (Jaro-Winkler) a word is no suggestion.
const ALIKE: f64 = 0.7;

/// `there is no KIND `word``, what it resembles, and what there is.
pub(super) fn unknown(kind: &str, word: &str, known: &[&str]) -> String {
    let mut alike: Vec<(f64, &str)> =
        known.iter().map(|name| (strsim::jaro_winkler(word, name), *name)).collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0));
    let meant = match alike.first() {
        Some(&(similarity, name)) if similarity > ALIKE => format!("; did you mean `{name}`"),
        _ => String::new(),
    };
    let ask = if meant.is_empty() { "; " } else { "? " };
    let there = if meant.is_empty() { "there are" } else { "There are" };
    format!("there is no {kind} `{word}`{meant}{ask}{there} {}", known.join(", "))
}
