//! One request for a file, or for the rest of it: what the server answered, and whether asking again may help.

use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use dataset::regular;
use models::catalog::PublishedWeights;
use ureq::http::{StatusCode, header};

use super::part::{PartOf, content_range, discard, header_text, length, open_at, resumable, sidecar};

/// How a download is watched.
pub trait Transfer {
    /// `have` bytes of `file` are here from before, of `total` if that is known.
    fn start(&mut self, file: &str, have: u64, total: Option<u64>);
    /// So many more bytes are here.
    fn received(&mut self, bytes: u64);
    /// Something to know: a retry, a wait.
    fn note(&mut self, line: &str);
    /// The transfer has ended, well or not.
    fn finish(&mut self);
}

/// How far an attempt came.
pub(super) enum Attempt {
    /// The whole body is in the part file.
    Whole,
    /// Another attempt may do better, after a wait that the server may have named.
    Again { reason: String, after: Option<Duration> },
}

/// A request for a published file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) url: &'a str,
    /// Where what arrives is kept.
    pub(super) part: &'a Path,
    pub(super) weights: &'a PublishedWeights,
    /// A connection that says nothing for so long is given up.
    pub(super) stall: Duration,
    /// A file whose size the catalog does not know may have so many bytes.
    pub(super) most_bytes: u64,
}

impl Request<'_> {
    /// Sends it. An error is final; what another attempt may mend is [`Attempt::Again`].
    pub(super) fn attempt(&self, transfer: &mut dyn Transfer) -> Result<Attempt, String> {
        let Self { url, part, weights, stall, most_bytes } = *self;
        let disk = |error: io::Error| {
            format!(
                "cannot write {}: {error}; what has arrived is kept, so free space and go on",
                part.display()
            )
        };
        let again = |reason: String| Ok(Attempt::Again { reason, after: None });
        let part_before = resumable(part, url);
        let have = if part_before.is_some() { length(part) } else { 0 };
        let part_before = part_before.filter(|_| have > 0);
        if part_before.as_ref().is_some_and(|it| it.total == Some(have)) {
            // Whole already: the process ended before it could give the file its name.
            return Ok(Attempt::Whole);
        }
        // A proxy from HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is the agent's own default, as is NO_PROXY.
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_connect(Some(stall))
                .timeout_recv_response(Some(stall))
                .timeout_per_read(Some(stall))
                .user_agent(concat!("imagenet-eval/", env!("CARGO_PKG_VERSION")))
                .build(),
        );
        let mut request = agent.get(url).header(header::ACCEPT_ENCODING, "identity");
        if let Some(validator) = part_before.as_ref().and_then(|it| it.validator.as_ref()) {
            request = request.header(header::RANGE, format!("bytes={have}-"));
            request = request.header(header::IF_RANGE, validator);
        }
        let mut response = match request.call() {
            Ok(response) => response,
            Err(ureq::Error::BadUri(reason)) => return Err(format!("{url} is no address: {reason}")),
            // Waiting does not mend a machine without a network, and a person is watching.
            Err(ureq::Error::HostNotFound) => return Err(format!("{url}: no such host, or no network")),
            Err(error) => return again(format!("cannot be reached ({error})")),
        };
        let headers = response.headers();
        let text = |name| header_text(headers, name);
        let length_of_body = text(header::CONTENT_LENGTH).and_then(|value| value.parse::<u64>().ok());
        let (start, end, total) = match response.status() {
            StatusCode::OK => (0, None, length_of_body),
            StatusCode::PARTIAL_CONTENT => {
                let part_of = |total| PartOf::of_answer(url, headers, total);
                match (content_range(text(header::CONTENT_RANGE)), &part_before) {
                    (Some(range), Some(before))
                        if range.start == have && part_of(range.total).is_of_the_version_of(before) =>
                    {
                        (have, Some(range.end), range.total.or(before.total))
                    }
                    _ => {
                        discard(part).map_err(disk)?;
                        return again(
                            "the server sent a part of another version, or another part, than was asked for"
                                .to_owned(),
                        );
                    }
                }
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                discard(part).map_err(disk)?;
                return again("the server has no such part".to_owned());
            }
            status
            @ (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS) => {
                let after = text(header::RETRY_AFTER).and_then(retry_after);
                return Ok(Attempt::Again { reason: format!("the server answered {status}"), after });
            }
            status if status.is_server_error() => {
                let after = text(header::RETRY_AFTER).and_then(retry_after);
                return Ok(Attempt::Again { reason: format!("the server answered {status}"), after });
            }
            status => return Err(format!("{url}: the server answered {status}")),
        };
        if text(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html")) {
            return Err(format!(
                "{url} is a web page, not a file of weights (a login, or a proxy's notice?)"
            ));
        }
        let published = weights.bytes_at_address();
        if let (Some(expected), Some(total)) = (published, total)
            && total != expected
        {
            return Err(format!("{url} has {total} bytes, and the published file has {expected}"));
        }
        let most = published.unwrap_or(most_bytes);
        let too_large = || {
            let remedy = "if that is right, say how many in the catalog (`bytes`), or put the file into the cache yourself";
            format!("{url} gives more than {most} bytes; {remedy}")
        };
        if total.is_some_and(|total| total > most) {
            return Err(too_large());
        }
        let part_of = PartOf::of_answer(url, headers, total);

        let mut file = open_at(part, start).map_err(disk)?;
        if start == 0 {
            let json = serde_json::to_vec(&part_of).map_err(|error| disk(error.into()))?;
            regular::create_anew(&sidecar(part)).and_then(|mut file| file.write_all(&json)).map_err(disk)?;
        }
        transfer.start(&weights.file, start, total.or(published));
        let mut body = response.body_mut().as_reader();
        let (mut position, mut buffer) = (start, vec![0; 1 << 16]);
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => {
                    return again(format!("the transfer broke off after {position} bytes ({error})"));
                }
            };
            if position == 0 && buffer[0] == b'<' {
                return Err(format!(
                    "{url} is a web page, not a file of weights (a login, or a proxy's notice?)"
                ));
            }
            let after = position + read as u64;
            if after > end.or(total).unwrap_or(most) {
                drop(file);
                discard(part).map_err(disk)?;
                return match end.or(total) {
                    Some(expected) => {
                        again(format!("the server sent more than the {expected} bytes that it said"))
                    }
                    None => Err(too_large()),
                };
            }
            file.write_all(&buffer[..read]).map_err(disk)?;
            position = after;
            transfer.received(read as u64);
        }
        // A part may end before the whole does; what is after it is asked for next.
        if let Some(expected) = end.into_iter().chain(total).find(|&expected| expected != position) {
            return again(format!("the transfer ended after {position} of {expected} bytes"));
        }
        file.sync_all().map_err(disk)?;
        Ok(Attempt::Whole)
    }
}

/// Seconds, or a date.
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    Duration::try_from(date.timestamp().duration_since(jiff::Timestamp::now())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_understood() {
        assert_eq!(retry_after("120"), Some(Duration::from_secs(120)));
        assert!(retry_after("Fri, 01 Jan 2100 00:00:00 GMT").unwrap() > Duration::from_secs(1 << 30));
        assert_eq!(retry_after("Fri, 31 Dec 1999 23:59:59 GMT"), None);
        assert_eq!(retry_after("soon"), None);
    }
}
