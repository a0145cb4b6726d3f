//! Downloads against a server that does what networks do: stalls, truncates, corrupts, refuses, changes
//! its mind. The server is a script of answers, one a request, on this machine.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use eval::weights::{Cache, Check, Downloader, Fingerprint, Transfer};
use models::catalog::PublishedWeights;

/// What the server does with a request.
#[derive(Clone)]
enum Answer {
    /// The file, or the part asked for.
    Right,
    /// The file from its start, whatever was asked for.
    Whole,
    /// The right head, then only so many bytes before the connection ends.
    Truncated(usize),
    /// The same, but the connection stays open and silent.
    Stalls(usize),
    /// Bytes of the right number that are others.
    Corrupt,
    /// A status with further header lines.
    Status(u16, &'static str),
    /// A web page with status 200.
    Page,
    /// Closes without a word.
    Hangs,
    /// The file, but slowly, so that another process has to wait.
    Slow,
    /// Another file under another tag from now on.
    Changed,
}

struct Server {
    base: String,
    /// Head of each request, in order.
    requests: Arc<Mutex<Vec<String>>>,
}

const FILE: &str = "x.pdparams";

/// The published file: longer than any buffer.
fn content(seed: u8) -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed | 0x80).collect()
}

/// Serves `script`, then the right file to whoever still asks.
fn serve(script: &[Answer]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (log, script) = (Arc::clone(&requests), script.to_vec());
    thread::spawn(move || {
        let mut script = script.into_iter();
        let mut changed = false;
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let head = head_of(&stream);
            if head.is_empty() {
                continue;
            }
            log.lock().unwrap().push(head.clone());
            let answer = script.next().unwrap_or(Answer::Right);
            changed |= matches!(answer, Answer::Changed);
            // A client that has gone away is its own affair.
            let _ = reply(stream, &head, &answer, changed);
        }
    });
    Server { base, requests }
}

fn head_of(stream: &TcpStream) -> String {
    let mut lines = BufReader::new(stream).lines();
    let mut head = String::new();
    while let Some(Ok(line)) = lines.next() {
        if line.is_empty() {
            break;
        }
        head += &format!("{}\n", line.to_ascii_lowercase());
    }
    head
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn reply(mut out: TcpStream, head: &str, answer: &Answer, changed: bool) -> std::io::Result<()> {
    let (body, tag) = if changed { (content(7), "\"new\"") } else { (content(0), "\"old\"") };
    let asked =
        header(head, "range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let wanted: usize = asked.filter(|_| header(head, "if-range") == Some(tag)).unwrap_or(0);
    let common = format!("etag: {tag}\r\nconnection: close\r\ncontent-type: application/octet-stream\r\n");
    let from = if matches!(answer, Answer::Whole) { 0 } else { wanted };
    let rest = &body[from..];
    let right = if from > 0 {
        let total = body.len();
        format!(
            "HTTP/1.1 206 Partial Content\r\n{common}content-length: {}\r\ncontent-range: bytes {from}-{}/{total}\r\n\r\n",
            rest.len(),
            total - 1
        )
    } else {
        format!("HTTP/1.1 200 OK\r\n{common}content-length: {}\r\n\r\n", rest.len())
    };
    match answer {
        Answer::Right | Answer::Whole | Answer::Changed => {
            out.write_all(right.as_bytes())?;
            out.write_all(rest)
        }
        Answer::Truncated(bytes) => {
            out.write_all(right.as_bytes())?;
            out.write_all(&rest[..*bytes])
        }
        Answer::Stalls(bytes) => {
            out.write_all(right.as_bytes())?;
            out.write_all(&rest[..*bytes])?;
            out.flush()?;
            // The client must give up by itself; the thread's stream lives on meanwhile.
            thread::spawn(move || {
                thread::sleep(Duration::from_secs(30));
                drop(out);
            });
            Ok(())
        }
        Answer::Corrupt => {
            out.write_all(right.as_bytes())?;
            out.write_all(&vec![0x81; rest.len()])
        }
        Answer::Status(status, headers) => out.write_all(
            format!("HTTP/1.1 {status} Reason\r\n{headers}connection: close\r\ncontent-length: 0\r\n\r\n").as_bytes(),
        ),
        Answer::Page => out.write_all(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\r\n<!DOCTYPE html>",
        ),
        Answer::Hangs => Ok(()),
        Answer::Slow => {
            out.write_all(right.as_bytes())?;
            for piece in rest.chunks(rest.len() / 10 + 1) {
                out.write_all(piece)?;
                thread::sleep(Duration::from_millis(50));
            }
            Ok(())
        }
    }
}

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
    let sha256 = Fingerprint::of(&copy).unwrap().sha256;
    PublishedWeights {
        url: format!("{base}/models/{FILE}"),
        file: FILE.to_owned(),
        sha256_prefix: told.then(|| sha256[..9].to_owned()),
        md5: None,
        bytes: None,
    }
}

fn quick() -> Downloader {
    let ms = Duration::from_millis;
    Downloader { mirror: None, attempts: 3, backoff: ms(5), longest_wait: ms(50), stall: ms(300) }
}

struct Fetched {
    result: Result<Check, String>,
    requests: Vec<String>,
    notes: Vec<String>,
    cache: Cache,
    folder: tempfile::TempDir,
}

fn fetch(script: &[Answer], told: bool) -> Fetched {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(script);
    let cache = Cache::new(folder.path().join("cache"));
    let mut notes = Notes::default();
    let result = quick().fetch(&cache, &weights(&server.base, folder.path(), told), &mut notes);
    let requests = server.requests.lock().unwrap().clone();
    Fetched { result, requests, notes: notes.0, cache, folder }
}

fn assert_whole(fetched: &Fetched) {
    assert_eq!(fetched.result, Ok(Check::Published), "{:?}", fetched.notes);
    assert_eq!(fs::read(fetched.cache.path(FILE)).unwrap(), content(0));
    assert!(!fetched.cache.part(FILE).exists());
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
        let reason = fetched.result.unwrap_err();
        assert!(reason.contains(expected) && reason.contains("http://127.0.0.1"), "{reason}");
        assert_eq!(fetched.requests.len(), requests, "{expected}");
        assert!(!fetched.cache.path(FILE).exists(), "{expected}: nothing wrong gets the file's name");
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
    let reason = once.fetch(&cache, &weights, &mut Notes::default()).unwrap_err();
    assert!(reason.contains("what has arrived is kept"), "{reason}");
    assert_eq!(cache.part(FILE).metadata().unwrap().len(), 120_000);
    assert_eq!(once.fetch(&cache, &weights, &mut Notes::default()), Ok(Check::Published));
    assert_eq!(header(&server.requests.lock().unwrap()[1], "range"), Some("bytes=120000-"));
    // It is there now: nobody is asked any more.
    assert_eq!(once.fetch(&cache, &weights, &mut Notes::default()), Ok(Check::Published));
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
                assert_eq!(quick().fetch(&cache, &weights, &mut Notes::default()), Ok(Check::Published));
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
    assert_eq!(downloader.fetch(&cache, &weights, &mut Notes::default()), Ok(Check::Published));
    assert!(server.requests.lock().unwrap()[0].starts_with(&format!("get /a/b/{FILE} ")));
}

#[test]
fn a_file_without_a_hash_is_what_it_was_at_first() {
    let fetched = fetch(&[], false);
    assert_eq!(fetched.result, Ok(Check::Unknown));
    let weights = weights("http://127.0.0.1:1", fetched.folder.path(), false);
    assert_eq!(fetched.cache.check(&weights).unwrap().1, Check::AsFirstSeen);
    // Changed on disk: noticed.
    fs::write(fetched.cache.path(FILE), content(7)).unwrap();
    let Check::Differs(reason) = fetched.cache.check(&weights).unwrap().1 else { panic!("not noticed") };
    assert!(reason.contains("when the file was first seen"), "{reason}");
    // Lost, and another one at the address: refused, however often.
    fs::remove_file(fetched.cache.path(FILE)).unwrap();
    let server = serve(&[Answer::Changed, Answer::Right]);
    let weights = PublishedWeights { url: format!("{}/{FILE}", server.base), ..weights };
    let reason = quick().fetch(&fetched.cache, &weights, &mut Notes::default()).unwrap_err();
    assert!(reason.contains("when the file was first seen"), "{reason}");
    assert!(!fetched.cache.path(FILE).exists());
}

#[test]
fn a_corrupt_cached_file_is_replaced_only_by_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path().join("cache"));
    fs::create_dir(cache.path("")).unwrap();
    fs::write(cache.path(FILE), "half a download").unwrap();
    let server = serve(&[Answer::Status(404, "")]);
    let weights = weights(&server.base, folder.path(), true);
    assert!(quick().fetch(&cache, &weights, &mut Notes::default()).is_err());
    assert_eq!(fs::read(cache.path(FILE)).unwrap(), b"half a download");
    let mut notes = Notes::default();
    assert_eq!(quick().fetch(&cache, &weights, &mut notes), Ok(Check::Published));
    assert!(notes.0[0].contains("is not the published file"), "{:?}", notes.0);
    assert_eq!(fs::read(cache.path(FILE)).unwrap(), content(0));
}

#[test]
fn md5_and_size_are_both_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    fs::write(&path, "abc").unwrap();
    let cache = Cache::new(folder.path().to_owned());
    let keras = |md5: &str, bytes| PublishedWeights {
        url: String::new(),
        file: FILE.to_owned(),
        sha256_prefix: None,
        md5: Some(md5.to_owned()),
        bytes: Some(bytes),
    };
    // The example of RFC 1321.
    let abc = "900150983cd24fb0d6963f7d28e17f72";
    let check = |weights: &PublishedWeights| cache.check(weights).unwrap().1;
    assert_eq!(check(&keras(abc, 3)), Check::Published);
    assert!(
        matches!(check(&keras(abc, 4)), Check::Differs(reason) if reason.contains("3 bytes, which should be 4"))
    );
    assert!(
        matches!(check(&keras(&abc.replace('9', "8"), 3)), Check::Differs(reason) if reason.contains("MD5"))
    );
}
