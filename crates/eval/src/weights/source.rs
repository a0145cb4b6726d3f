//! Where a model's weights came from, as a run records it, and whether they are the published ones: what the record holds
//! of the file is compared with what the catalog says today, in an evaluation as in a run that is read back.

use std::path::PathBuf;

use models::catalog::PublishedWeights;
use serde::{Deserialize, Serialize};

use super::check::begins_with;

/// Where a model's weights come from: part of every result's provenance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum WeightsSource {
    /// Generated from the seed.
    Seeded,
    /// Read from a file.
    File {
        /// The file.
        path: PathBuf,
        /// SHA-256 of its bytes.
        sha256: String,
        /// Whether that is the file that the catalog documents; for readers of the record, since it is
        /// [derived](WeightsSource::is_published).
        published: bool,
        /// What else the file is told by.
        #[serde(flatten)]
        evidence: Evidence,
    },
    /// Not known: the predictions were made elsewhere.
    Elsewhere {
        /// SHA-256 of the predictions.
        sha256: String,
    },
}

/// What a run keeps of a weight file beside its SHA-256. Runs of version 1 kept nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// MD5, where the catalog told the published file by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
    /// The address that the file was the first one seen of, where the catalog had no hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen_of: Option<String>,
    /// What stood before all names of the checkpoint and was taken off, such as `module.`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_prefix: Option<String>,
}

impl WeightsSource {
    /// The `weights` column of `results.csv`: short, and the same wherever the file lies.
    pub fn label(&self) -> String {
        match self {
            Self::Seeded => "seeded".to_owned(),
            Self::File { sha256, .. } => format!("sha256:{}", sha256.get(..16).unwrap_or(sha256)),
            Self::Elsewhere { .. } => "elsewhere".to_owned(),
        }
    }

    /// Whether these are the weights that a catalog documents as `weights`.
    pub fn is_published(&self, weights: Option<&PublishedWeights>) -> bool {
        let (Self::File { sha256, published, evidence, .. }, Some(weights)) = (self, weights) else {
            return false;
        };
        // Version 1 kept its answer and no evidence. Where a SHA-256 is published that is no loss.
        let is_old = evidence.bytes.is_none();
        if weights.bytes.is_some_and(|bytes| evidence.bytes.is_some_and(|found| found != bytes)) {
            return false;
        }
        match (&weights.sha256_prefix, &weights.md5) {
            (Some(prefix), md5) => {
                let other = md5.as_ref().zip(evidence.md5.as_ref());
                begins_with(sha256, prefix)
                    && other.is_none_or(|(md5, found)| md5.eq_ignore_ascii_case(found))
            }
            (None, Some(md5)) => match &evidence.md5 {
                Some(found) => md5.eq_ignore_ascii_case(found),
                None => is_old && *published,
            },
            (None, None) => match &evidence.first_seen_of {
                Some(url) => *url == weights.url,
                None => is_old && *published,
            },
        }
    }

    /// The same with what only loading tells (the names' prefix, that a file was the first one seen), as far as `before`, the
    /// record of a run that loaded this file, has it.
    pub(crate) fn with_what_loading_told(mut self, before: &Self) -> Self {
        if let (
            Self::File { sha256, evidence, .. },
            Self::File { sha256: sha256_before, evidence: known, .. },
        ) = (&mut self, before)
            && sha256 == sha256_before
        {
            let Evidence { first_seen_of, name_prefix, .. } = evidence;
            *first_seen_of = first_seen_of.take().or_else(|| known.first_seen_of.clone());
            *name_prefix = name_prefix.take().or_else(|| known.name_prefix.clone());
        }
        self
    }

    /// The same with the answer of [`WeightsSource::is_published`] by `weights`.
    pub(crate) fn against(&self, weights: Option<&PublishedWeights>) -> Self {
        let mut source = self.clone();
        let answer = self.is_published(weights);
        if let Self::File { published, .. } = &mut source {
            *published = answer;
        }
        source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const MD5: &str = "900150983cd24fb0d6963f7d28e17f72";
    const URL: &str = "https://example.org/x";

    fn weights(sha256_prefix: Option<&str>, md5: Option<&str>, bytes: Option<u64>) -> PublishedWeights {
        let text = |text: Option<&str>| text.map(str::to_owned);
        PublishedWeights {
            url: URL.to_owned(),
            file: "x".to_owned(),
            member: None,
            sha256_prefix: text(sha256_prefix),
            md5: text(md5),
            bytes,
        }
    }

    fn file(published: bool, evidence: Evidence) -> WeightsSource {
        WeightsSource::File { path: "x".into(), sha256: SHA256.to_owned(), published, evidence }
    }

    /// Whatever the record says: the catalog of today decides, in both directions.
    #[test]
    fn what_is_published_follows_from_the_stored_hashes() {
        let other_md5 = MD5.replace('9', "8");
        for stored in [true, false] {
            let hashed = Evidence { bytes: Some(3), md5: Some(MD5.to_owned()), ..Evidence::default() };
            let published = |sha256, md5, bytes| {
                file(stored, hashed.clone()).is_published(Some(&weights(sha256, md5, bytes)))
            };
            assert!(published(Some("ba7816bf"), None, None));
            assert!(published(Some("BA7816BF8"), Some(MD5), Some(3)));
            assert!(published(None, Some(MD5), Some(3)));
            assert!(!published(Some("ba7816b0"), None, None));
            assert!(!published(Some("ba7816bf"), Some(&other_md5), None));
            assert!(!published(None, Some(&other_md5), None));
            assert!(!published(Some("ba7816bf"), None, Some(4)));
            // The catalog has no hash any more, and nobody saw it first.
            assert!(!published(None, None, None));
            assert!(!file(stored, hashed).is_published(None));
            let bare = Evidence { bytes: Some(3), ..Evidence::default() };
            assert!(!file(stored, bare.clone()).is_published(Some(&weights(None, Some(MD5), None))));
            let seen = |url: &str| Evidence { first_seen_of: Some(url.to_owned()), ..bare.clone() };
            assert!(file(stored, seen(URL)).is_published(Some(&weights(None, None, None))));
            assert!(
                !file(stored, seen("https://example.org/y")).is_published(Some(&weights(None, None, None)))
            );
            assert!(!file(stored, seen(URL)).is_published(Some(&weights(Some("ba7816b0"), None, None))));
        }
    }

    #[test]
    fn runs_of_version_1_are_read() {
        let json = |published: bool| {
            format!(r#"{{"kind":"file","path":"/x","sha256":"{SHA256}","published":{published}}}"#)
        };
        for stored in [true, false] {
            let source: WeightsSource = serde_json::from_str(&json(stored)).unwrap();
            assert_eq!(
                source,
                WeightsSource::File {
                    path: "/x".into(),
                    sha256: SHA256.to_owned(),
                    published: stored,
                    evidence: Evidence::default()
                }
            );
            assert_eq!(serde_json::to_string(&source).unwrap(), json(stored));
            // By a SHA-256 the answer is anew, by what version 1 did not keep it is its own.
            assert!(source.is_published(Some(&weights(Some("ba7816bf"), None, None))));
            assert!(!source.is_published(Some(&weights(Some("ba7816b0"), None, None))));
            assert_eq!(source.is_published(Some(&weights(None, Some(MD5), None))), stored);
            assert_eq!(source.is_published(Some(&weights(None, None, None))), stored);
        }
        let source: WeightsSource = serde_json::from_str(r#"{"kind":"seeded"}"#).unwrap();
        assert_eq!(source, WeightsSource::Seeded);
    }

    #[test]
    fn a_hash_that_somebody_cut_short_has_a_label_all_the_same() {
        for (sha256, label) in [(SHA256, "sha256:ba7816bf8f01cfea"), ("abc", "sha256:abc"), ("", "sha256:")] {
            let source = WeightsSource::File {
                path: PathBuf::new(),
                sha256: sha256.to_owned(),
                published: true,
                evidence: Evidence::default(),
            };
            assert_eq!(source.label(), label);
        }
    }
}
