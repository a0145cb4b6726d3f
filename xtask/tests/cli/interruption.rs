//! A command whose reader goes away, or that is interrupted.

use super::*;

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_goes_away_ends_no_evaluation() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut child = Process::new(env!("CARGO_BIN_EXE_xtask"))
        .args(eval(&out, &["--limit", "2"]))
        .env_remove("IMAGENET_DATA")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Closes both pipes while the program has much to say.
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(out.join("report.md").is_file());
}

#[cfg(unix)]
#[test]
fn an_interrupted_command_goes_on_when_it_is_given_again() {
    const IMAGES: usize = 8;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let arguments = eval(&out, &["--batch", "1", "--limit", "8"]);
    let start = || -> Child {
        Process::new(env!("CARGO_BIN_EXE_xtask"))
            .args(&arguments)
            .env_remove("IMAGENET_DATA")
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let log = out.join("predictions/timm-xception.csv");
    let rows = || fs::read_to_string(&log).map_or(0, |text| text.lines().count().saturating_sub(1));
    let wait_for = |count: usize| {
        let started = Instant::now();
        while rows() < count {
            assert!(started.elapsed() < Duration::from_secs(120), "no rows are being written");
            std::thread::sleep(Duration::from_millis(5));
        }
    };

    // Killed without warning after the first image.
    let mut child = start();
    wait_for(1);
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = rows();
    assert!((1..IMAGES).contains(&kept), "{kept}");

    // Asked to stop: says so by its exit code, and keeps what it has.
    let mut child = start();
    wait_for(kept + 1);
    assert!(Process::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(EXIT_INTERRUPTED));
    assert!((kept + 1..IMAGES).contains(&rows()), "{}", rows());

    xtask(&arguments).assert().success().stderr(contains("Going on after"));
    assert_eq!(rows(), IMAGES);
    let results = fs::read_to_string(out.join("results.csv")).unwrap();
    assert!(results.contains("flex,8,0,"), "{results}");
}
