//! That libraries know no command line: their errors carry what to give as data, and the program words it
//! (`crates/cli/src/remedy.rs`). Another program has other options, or none.

use crate::tidy::Tree;

/// The crates that are the program.
const PROGRAMS: [&str; 1] = ["crates/cli/"];

/// Options of other programs, which libraries may name.
const OF_OTHERS: [&str; 3] = ["--dereference", "--hard-dereference", "--sparse"];

/// How the program is called.
const CALLS: [&str; 2] = [concat!("cargo ", "xtask"), concat!("imagenet", "-eval --")];

pub(crate) fn findings(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    let is_of_library = |file: &&str| {
        file.starts_with("crates/")
            && file.contains("/src/")
            && !file.ends_with("/tests.rs")
            && !PROGRAMS.iter().any(|program| file.starts_with(program))
    };
    for file in tree.with_ending("rs").filter(is_of_library) {
        let text = tree.text(file);
        let lines = (1..).zip(text.lines()).take_while(|(_, line)| line.trim() != "#[cfg(test)]");
        for (number, line) in lines.filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let calls = CALLS.into_iter().filter(|call| line.contains(call));
            for word in options(line).filter(|option| !OF_OTHERS.contains(option)).chain(calls) {
                findings.push(format!(
                    "{file}:{number}: `{word}` is typed for the program; say what is wrong, and let `remedy()` tell what to give"
                ));
            }
        }
    }
    findings
}

/// The options in a line: words that begin with two dashes.
fn options(line: &str) -> impl Iterator<Item = &str> {
    let is_of_word = |letter: char| letter.is_ascii_lowercase() || letter == '-';
    line.match_indices("--").filter_map(move |(at, dashes)| {
        let before = line[..at].chars().next_back();
        let rest = &line[at + dashes.len()..];
        let is_begin = before.is_none_or(|letter| letter.is_whitespace() || "\"'(`[".contains(letter));
        let name = rest.len() - rest.trim_start_matches(is_of_word).len();
        (is_begin && rest.starts_with(|letter: char| letter.is_ascii_lowercase()))
            .then(|| &line[at..at + dashes.len() + name])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::planted;

    #[test]
    fn options_in_the_words_of_libraries_are_found() {
        let text = "//! Why, by `--out`.\nconst A: &str = \"choose another --out, or (--fresh)\";\n\
                    const B: &str = \"make it again with tar --dereference\"; // a--b\n\
                    #[cfg(test)]\nconst C: &str = \"--labels FILE\";\n";
        let (_folder, tree) = planted(&[("crates/eval/src/a.rs", text), ("crates/cli/src/a.rs", text)]);
        let found = findings(&tree);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("crates/eval/src/a.rs:2: `--out` is typed"), "{found:?}");
        assert!(found[1].starts_with("crates/eval/src/a.rs:2: `--fresh` is typed"), "{found:?}");
    }
}
