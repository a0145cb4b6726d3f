//! A server that does what a script says, an answer a request, and the file that it publishes.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the server does with a request.
#[derive(Clone)]
pub(crate) enum Answer {
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
    /// The part asked for, with `etag`, `content-range` and further bytes of this doing, whatever `If-Range` says.
    Part { tag: &'static str, range: &'static str, seed: u8 },
    /// So many bytes by HTTP/1.0, which neither says how many there are nor that they were all.
    Endless(usize),
    /// An error message with status 200.
    Json,
    /// Other bytes than the file.
    Bytes(Vec<u8>),
}

pub(crate) struct Server {
    pub(crate) base: String,
    /// Head of each request, in order.
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
}

pub(crate) const FILE: &str = "x.pdparams";

/// The published file: longer than any buffer.
pub(crate) fn content(seed: u8) -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed | 0x80).collect()
}

/// Serves `script`, then the right file to whoever still asks.
pub(crate) fn serve(script: &[Answer]) -> Server {
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

pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
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
        Answer::Part { tag, range, seed } => {
            let rest = &content(*seed)[asked.unwrap_or(0)..];
            let len = rest.len();
            out.write_all(
                format!(
                    "HTTP/1.1 206 Partial Content\r\n{tag}connection: close\r\ncontent-length: {len}\r\ncontent-range: {range}\r\n\r\n"
                )
                .as_bytes(),
            )?;
            out.write_all(rest)
        }
        Answer::Endless(bytes) => {
            out.write_all(b"HTTP/1.0 200 OK\r\ncontent-type: application/octet-stream\r\n\r\n")?;
            out.write_all(&body[..*bytes])
        }
        Answer::Json => out.write_all(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 22\r\n\r\n{\"error\": \"forbidden\"}",
        ),
        Answer::Bytes(bytes) => {
            let len = bytes.len();
            out.write_all(format!("HTTP/1.1 200 OK\r\n{common}content-length: {len}\r\n\r\n").as_bytes())?;
            out.write_all(bytes)
        }
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
