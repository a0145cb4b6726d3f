//! The steps of `validate` as data, cheapest first. `.ci/run` and the workflow run the same, which the check
//! `ci` of [`crate::tidy`] compares.

use clap::ValueEnum;

/// A step's name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// Formatting
    Fmt,
    /// What this repository promises of its own files: code map, fixtures, reports, links, dependencies
    Tidy,
    /// Spelling
    Typos,
    /// Licences, bans and sources of dependencies
    Deny,
    /// Lints
    Clippy,
    /// The documentation builds, and its links lead somewhere
    Doc,
    /// The README's test command
    Test,
}

/// One check of everything.
pub(crate) struct Step {
    pub(crate) name: Name,
    /// A variable that the command needs, and its value.
    pub(crate) variable: Option<(&'static str, &'static str)>,
    /// Program and arguments, separated by spaces; none where `validate` looks itself.
    pub(crate) command: Option<&'static str>,
    /// The program that a fresh machine lacks.
    pub(crate) tool: Option<Tool>,
    /// What to do when the step fails.
    pub(crate) remedy: &'static str,
}

/// A program that is installed apart from the Rust toolchain.
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
    /// What the workflow installs.
    pub(crate) version: &'static str,
}

pub(crate) static STEPS: [Step; 7] = [
    Step {
        name: Name::Fmt,
        variable: None,
        command: Some("cargo fmt --all --check"),
        tool: None,
        remedy: "`cargo fmt --all` formats",
    },
    Step {
        name: Name::Tidy,
        variable: None,
        command: None,
        tool: None,
        remedy: "each finding names a file and what to do",
    },
    Step {
        name: Name::Typos,
        variable: None,
        command: Some("typos"),
        tool: Some(Tool { program: "typos", package: "typos-cli", version: "1.52.0" }),
        remedy: "mend the word, or add it to _typos.toml if it is right here",
    },
    Step {
        name: Name::Deny,
        variable: None,
        // Without `advisories`, which need the network and change without a change here: the workflow checks them.
        command: Some("cargo deny --locked check licenses bans sources"),
        tool: Some(Tool { program: "cargo-deny", package: "cargo-deny", version: "0.20.2" }),
        remedy: "choose another dependency, or allow this one in deny.toml with the reason",
    },
    Step {
        name: Name::Clippy,
        variable: None,
        command: Some("cargo clippy --workspace --all-targets --locked -- -D warnings"),
        tool: None,
        remedy: "follow the lint's advice",
    },
    Step {
        name: Name::Doc,
        variable: Some(("RUSTDOCFLAGS", "-D warnings")),
        command: Some("cargo doc --workspace --no-deps --locked"),
        tool: None,
        remedy: "mend the link or the comment that rustdoc names",
    },
    Step {
        name: Name::Test,
        variable: None,
        command: Some("cargo test --workspace"),
        tool: None,
        remedy: "`cargo test --workspace NAME` runs the failed test alone",
    },
];

impl Step {
    /// The step's name as given on the command line.
    pub(crate) fn label(&self) -> String {
        self.name.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The command as a shell takes it.
    pub(crate) fn shown(&self) -> String {
        let command = self.command.unwrap_or("(in this process)");
        match self.variable {
            Some((name, value)) => format!("{name}=\"{value}\" {command}"),
            None => command.to_owned(),
        }
    }
}

impl Tool {
    /// How to get it, in the version that the workflow has.
    pub(crate) fn install(&self) -> String {
        format!("cargo install --locked {}@{}", self.package, self.version)
    }
}
