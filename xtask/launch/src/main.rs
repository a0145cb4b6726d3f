//! What the alias `cargo xtask` starts: it builds and runs the program with the Cargo feature of the device that the command
//! names, so that nobody types features. A program of its own without dependencies, because features are chosen before
//! anything is built.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Devices that are Cargo features of the package `xtask`, by the same names.
const FEATURES: [&str; 4] = ["cuda", "ndarray", "vulkan", "wgpu"];

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let feature = feature(&arguments);
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    cargo.args(["run", "--release", "--package", "xtask", "--manifest-path"]).arg(workspace);
    if let Some(feature) = feature {
        cargo.args(["--features", feature]);
    }
    run(cargo.arg("--").args(arguments))
}

/// The feature that `--device NAME` or `--device=NAME` needs; the last one counts, as it does for the program, which also
/// says what is wrong with a name that is none.
fn feature(arguments: &[OsString]) -> Option<&'static str> {
    let until = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let arguments = &arguments[..until];
    let named = arguments.iter().enumerate().rev().find_map(|(at, argument)| {
        if argument == "--device" {
            return Some(arguments.get(at + 1)?.to_str());
        }
        argument.to_str()?.strip_prefix("--device=").map(Some)
    });
    let named = named??;
    FEATURES.into_iter().find(|feature| *feature == named)
}

/// Becomes the command, so that signals and the exit code are the program's own.
#[cfg(unix)]
fn run(command: &mut Command) -> ExitCode {
    use std::os::unix::process::CommandExt;

    failed(&command.exec())
}

#[cfg(not(unix))]
fn run(command: &mut Command) -> ExitCode {
    match command.status() {
        Ok(status) => ExitCode::from(u8::try_from(status.code().unwrap_or(130)).unwrap_or(1)),
        Err(error) => failed(&error),
    }
}

#[allow(clippy::print_stderr, reason = "there is nothing else to say it by")]
fn failed(error: &std::io::Error) -> ExitCode {
    eprintln!("error: cannot start cargo: {error}. Install Rust (https://rustup.rs), or put cargo into PATH");
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &str) -> Option<&'static str> {
        feature(&arguments.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_device_is_a_feature() {
        assert_eq!(of("eval --all --device wgpu --batch 64"), Some("wgpu"));
        assert_eq!(of("parity --device=ndarray"), Some("ndarray"));
        assert_eq!(of("eval --device flex"), None);
        assert_eq!(of("eval --device tpu"), None);
        assert_eq!(of("eval --device wgpu --device flex"), None);
        assert_eq!(of("eval --device"), None);
        assert_eq!(of("score cuda"), None);
        assert_eq!(of("score -- --device cuda"), None);
    }
}
