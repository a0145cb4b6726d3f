//! One of several parts of the images, computed by a process of its own: `--shard I/N`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of several parts of the images, which make up all of them: `--shard I/N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Shard {
    index: usize,
    count: usize,
}

/// A shard as `run.json` has it, where it may be anything.
#[derive(Serialize, Deserialize)]
struct Parts {
    index: usize,
    count: usize,
}

impl From<Shard> for Parts {
    fn from(Shard { index, count }: Shard) -> Self {
        Self { index, count }
    }
}

impl TryFrom<Parts> for Shard {
    type Error = String;

    fn try_from(Parts { index, count }: Parts) -> Result<Self, String> {
        Self::new(index, count)
    }
}

impl Shard {
    /// Shard `index` of `count`, counted from 1.
    ///
    /// # Errors
    /// A sentence, unless `index` is 1 to `count`.
    pub fn new(index: usize, count: usize) -> Result<Self, String> {
        if (1..=count).contains(&index) {
            Ok(Self { index, count })
        } else if index == 0 && count > 0 {
            Err(format!(
                "shards are counted from 1: 1/{count} is the first; add 1 to an index that counts from 0"
            ))
        } else {
            Err("I/N is needed, such as 1/4: I from 1 to N".to_owned())
        }
    }

    /// Which it is, from 1 on.
    pub fn index(self) -> usize {
        self.index
    }

    /// How many there are.
    pub fn count(self) -> usize {
        self.count
    }

    /// Whether image `index`, counted from 0 in the order of names, belongs to it. Every `count`-th does,
    /// so that each shard has images of all classes and kinds.
    pub fn contains(self, index: usize) -> bool {
        index % self.count == self.index - 1
    }

    /// How many of `images` images belong to it.
    pub fn size(self, images: usize) -> usize {
        images / self.count + usize::from(self.index <= images % self.count)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('/')
            .and_then(|(index, count)| Some((index.trim().parse().ok()?, count.trim().parse().ok()?)));
        // What is no pair of numbers is refused like a pair that is no shard.
        let (index, count) = parts.unwrap_or((1, 0));
        Self::new(index, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_read_as_it_is_written() {
        assert_eq!("2/3".parse(), Shard::new(2, 3));
        assert_eq!(Shard::new(2, 3).unwrap().to_string(), "2/3");
        for (text, reason) in
            [("0/3", "counted from 1"), ("4/3", "I from 1 to N"), ("3", "I/N"), ("1/0", "I/N")]
        {
            let error = text.parse::<Shard>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        for count in 1..7 {
            let all = (1..=count).map(|index| Shard::new(index, count).unwrap());
            for images in 0..20 {
                let sizes = all.clone().map(|shard| (0..images).filter(|&i| shard.contains(i)).count());
                assert!(sizes.eq(all.clone().map(|shard| shard.size(images))), "{images} in {count}");
                assert!((0..images).all(|i| all.clone().filter(|shard| shard.contains(i)).count() == 1));
            }
        }
        // A record may say anything.
        for (json, is_shard) in [(r#"{"index":3,"count":3}"#, true), (r#"{"index":1,"count":0}"#, false)] {
            assert_eq!(serde_json::from_str::<Shard>(json).is_ok(), is_shard, "{json}");
        }
    }
}
