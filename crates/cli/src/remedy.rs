//! What to type for an error to go away. Libraries say what is wrong with what, and as data what a person could give; which option
//! or verb that is, this file alone knows.

use dataset::DatasetError;
use eval::report::shell_command;
use eval::{Argument, EvalError, Remedy};
use models::PlacementError;

use crate::program::{Program, command};

/// The error's words, with the option that it is about before them and what to type behind them.
pub(crate) fn worded(error: &anyhow::Error) -> String {
    let said = error.to_string();
    let mut before = String::new();
    let mut remedy = None;
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<EvalError>() {
            before = error.argument().map_or_else(String::new, |argument| format!("{} ", option(argument)));
            remedy = remedy.or_else(|| error.remedy());
        } else if let Some(error) = cause.downcast_ref::<DatasetError>() {
            remedy = remedy.or_else(|| error.remedy().map(Remedy::Dataset));
        } else if let Some(error) = cause.downcast_ref::<PlacementError>() {
            remedy = remedy.or_else(|| error.remedy().map(Remedy::Placement));
        }
    }
    format!("{before}{}", with(&said, remedy.as_ref()))
}

/// `said`, a sentence or more, with what to type for `remedy` in brackets behind it.
pub(crate) fn with(said: &str, remedy: Option<&Remedy>) -> String {
    let Some(remedy) = remedy else { return said.to_owned() };
    match said.strip_suffix('.') {
        Some(said) => format!("{said} ({}).", typed(remedy)),
        None => format!("{said} ({})", typed(remedy)),
    }
}

/// The option that an error is about.
fn option(argument: Argument) -> &'static str {
    match argument {
        Argument::CardRecipe => "--recipe card:",
        Argument::Recipe => "--recipe",
        Argument::Onnx => "--onnx",
        Argument::Weights => "--weights",
        Argument::RealLabels => "--label-set real:",
    }
}

fn typed(remedy: &Remedy) -> String {
    match remedy {
        Remedy::Dataset(dataset::Remedy::Labels) => "--labels FILE".to_owned(),
        Remedy::Dataset(dataset::Remedy::FewerThreads)
        | Remedy::Placement(models::Remedy::FewerThreads)
        | Remedy::FewerThreads => "--threads N".to_owned(),
        Remedy::Placement(models::Remedy::SinglePrecision) => "--dtype f32".to_owned(),
        Remedy::Placement(models::Remedy::BuildWith(feature)) => match Program::running() {
            Program::Xtask => format!("`cargo xtask ... --device {feature}` builds it by itself"),
            Program::Alone => format!("`cargo install --path crates/cli --features {feature}`"),
        },
        Remedy::ReadCard(path) => {
            let file = shell_command(&[path.display().to_string()]);
            format!("`{}`", command(&format!("card read {file}")))
        }
        Remedy::Definitions => "--catalog FILE".to_owned(),
        Remedy::CardFile => "--card FILE or --catalog FILE".to_owned(),
        Remedy::ReducedPrecision => "--dtype bf16".to_owned(),
        Remedy::Recipe => "--recipe RECIPE".to_owned(),
        Remedy::WeightsFile => "--weights FILE".to_owned(),
        Remedy::NetworkOrWeightsFile => "--weights FILE; without --offline it is downloaded".to_owned(),
        Remedy::ForgetOrWeightsFile(id) => format!(
            "--weights FILE; `{}` makes the cache forget what it has seen",
            command(&format!("weights forget {}", with_catalogs(id)))
        ),
        Remedy::WeightsAgain(id) => {
            let again = with_catalogs(id);
            format!(
                "`{}` gets it again, after `{}` where it was recorded when it was first seen",
                command(&format!("weights fetch {again}")),
                command(&format!("weights forget {again}"))
            )
        }
        Remedy::ModelOrOtherRun => "score --model ID; compare --against RUN".to_owned(),
        Remedy::PredictedModel => "score --model ID".to_owned(),
        Remedy::LabelsOrImages => "--labels FILE; --data PATH".to_owned(),
        Remedy::NoLabelsNorImages => "--labels, --data".to_owned(),
        Remedy::EvaluatedFolder => "eval --out DIR".to_owned(),
        Remedy::OtherFolder => "--out DIR".to_owned(),
        Remedy::OtherFolderOrStartOver => "--out DIR; --fresh".to_owned(),
        Remedy::StartOver => "--fresh".to_owned(),
        Remedy::WaitOrOtherFolder => "eval --wait; --out DIR".to_owned(),
        Remedy::WholeSetOrPart => "--data PATH; --limit N, --shard I/N".to_owned(),
        Remedy::TarDigests => format!("`{}`", command("dataset check TAR --write-digests FILE")),
        Remedy::Shard => "eval --shard I/N".to_owned(),
        Remedy::NoImages => "without --data".to_owned(),
        Remedy::OnlyShared => "--shared".to_owned(),
    }
}

/// The model `id` as arguments for a shell, with the catalogs that this process was given.
fn with_catalogs(id: &str) -> String {
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let mut kept = catalogs(arguments);
    kept.push(id.to_owned());
    shell_command(&kept)
}

/// Those of `arguments` that name catalogs.
fn catalogs(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        if argument.starts_with("--catalog=") {
            kept.push(argument);
        } else if argument == "--catalog" {
            kept.extend(arguments.next().map(|file| format!("--catalog={file}")));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn what_to_type_stands_behind_what_is_said() {
        let error = |error: EvalError| worded(&anyhow::Error::from(error));
        let path = || PathBuf::from("cats");
        let said = error(EvalError::Dataset(DatasetError::ListWithoutNames { path: path() }));
        assert!(said.ends_with("this list as its labels (--labels FILE)"), "{said}");
        let said = worded(&anyhow::Error::from(DatasetError::ListWithoutNames { path: path() }));
        assert!(said.ends_with("this list as its labels (--labels FILE)"), "{said}");
        let said = error(EvalError::OnnxArgument { path: path(), reason: "no such file".to_owned() });
        assert_eq!(said, "--onnx cats: no such file");
        let source = DatasetError::NoMemory { path: path(), cause: dataset::NoMemory { bytes: 1 } };
        let said = error(EvalError::DataLost { source });
        assert!(said.ends_with("goes on from there (--threads N)"), "{said}");
        assert_eq!(with("Do it.", Some(&Remedy::StartOver)), "Do it (--fresh).");
        assert_eq!(with("Do it.", None), "Do it.");
    }

    #[test]
    fn catalogs_are_named_again() {
        let arguments = "eval --catalog a.toml --all --catalog=b.toml --out c".split(' ').map(str::to_owned);
        assert_eq!(catalogs(arguments), ["--catalog=a.toml", "--catalog=b.toml"]);
    }
}
