//! That relative links in Markdown lead to a file of the repository, and to a heading in it.

use crate::tidy::Tree;

pub(crate) fn findings(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in tree.with_ending("md") {
        for link in links(&tree.text(file)) {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { Some(file.to_owned()) } else { resolved(file, path) };
            let Some(target) = target.filter(|target| tree.has(target)) else {
                findings.push(format!("{file}: `{link}` leads to no file of the repository; mend the link"));
                continue;
            };
            let headed = || headings(&tree.text(&target)).iter().any(|heading| heading == anchor);
            if !anchor.is_empty() && target.ends_with(".md") && !headed() {
                findings.push(format!("{file}: `{link}` leads to no heading of {target}; mend the link"));
            }
        }
    }
    findings
}

/// Lines that are not in a block of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// Targets of inline links and images, and of reference definitions, that are relative.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in prose(text) {
        // What is in backticks is no link.
        let line: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        links.extend(inline.map(str::to_owned));
        if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            links.extend(target.split_whitespace().next().map(str::to_owned));
        }
    }
    links.retain(|link| !link.contains("://") && !link.starts_with("mailto:"));
    links
}

/// `link` from the file `from` on, as a path from the root; none if it leaves the repository.
fn resolved(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The anchors of a file's headings, as GitHub makes them.
fn headings(text: &str) -> Vec<String> {
    let titles = prose(text).filter(|line| line.starts_with('#'));
    titles
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            title.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::planted;

    fn of(text: &str) -> String {
        let (_folder, tree) = planted(&[
            ("docs/a.md", text),
            ("README.md", "# Top\n\n## What comes out, `in short`\n"),
            ("reports/sample/report.md", ""),
        ]);
        findings(&tree).join("\n")
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let good = "# A b\n[x](../README.md) [y](../reports/sample) [z](https://example.org/no.md)\n\
            [w](#a-b) [v](../README.md#what-comes-out-in-short) `[u](no.md)`\n```sh\n[t](no.md)\n```\n[s]: ../README.md\n";
        assert_eq!(of(good), "");
        assert!(of("see [x](gone.md)").contains("docs/a.md: `gone.md` leads to no file"));
        assert!(of("[x](../../README.md)").contains("leads to no file"));
        assert!(of("[x](../README.md#nothing)").contains("no heading of README.md"));
        assert!(of("[x]: gone.md").contains("gone.md"));
    }
}
