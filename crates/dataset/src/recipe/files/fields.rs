//! An object of JSON, read key by key, with errors that name the key.

use serde_json::{Map, Value};

use super::RecipeFileError;

type Read<T> = Result<T, RecipeFileError>;

/// The keys of an object.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    /// Where it lies, such as `pretrained_cfg.`.
    within: String,
}

impl<'a> Fields<'a> {
    /// None where `value` is no object.
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        Some(Self { map: value.as_object()?, within: String::new() })
    }

    /// Whether the key is there and has a value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn wrong<T>(&self, key: &str, reason: impl Into<String>) -> Read<T> {
        Err(RecipeFileError::Field { key: format!("{}{key}", self.within), reason: reason.into() })
    }

    fn typed<T>(&self, key: &str, wanted: &str, read: impl Fn(&'a Value) -> Option<T>) -> Read<Option<T>> {
        match self.value(key).map(|value| (read(value), value)) {
            None => Ok(None),
            Some((Some(read), _)) => Ok(Some(read)),
            Some((None, value)) => {
                let found: String = value.to_string().chars().take(60).collect();
                self.wrong(key, format!("{wanted} is needed, and {found} is there"))
            }
        }
    }

    pub(super) fn need<T>(&self, key: &str, found: Option<T>) -> Read<T> {
        found.map_or_else(|| self.wrong(key, "it is missing"), Ok)
    }

    /// The object at a key.
    pub(super) fn object(&self, key: &str) -> Read<Option<Self>> {
        let within = format!("{}{key}.", self.within);
        let map = self.typed(key, "an object", Value::as_object)?;
        Ok(map.map(|map| Self { map, within }))
    }

    pub(super) fn text(&self, key: &str) -> Read<Option<&'a str>> {
        self.typed(key, "text", Value::as_str)
    }

    pub(super) fn flag(&self, key: &str) -> Read<Option<bool>> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub(super) fn number(&self, key: &str) -> Read<Option<f64>> {
        self.typed(key, "a number", Value::as_f64)
    }

    pub(super) fn pixels(&self, key: &str) -> Read<Option<u64>> {
        self.typed(key, "a whole number of pixels", Value::as_u64)
    }

    /// Three numbers, as a recipe has them.
    pub(super) fn three(&self, key: &str) -> Read<Option<String>> {
        self.typed(key, "a list of three numbers", |value| {
            let numbers: Option<Vec<String>> =
                value.as_array()?.iter().map(|it| it.as_f64().map(|it| it.to_string())).collect();
            numbers.filter(|numbers| numbers.len() == 3).map(|numbers| numbers.join("/"))
        })
    }

    /// A list of whole numbers.
    pub(super) fn list(&self, key: &str) -> Read<Option<Vec<u64>>> {
        self.typed(key, "a list of whole numbers", |value| {
            value.as_array()?.iter().map(Value::as_u64).collect()
        })
    }

    /// The key's own value where that is a number and no object.
    pub(super) fn is_number(&self, key: &str) -> bool {
        self.value(key).is_some_and(Value::is_number)
    }
}
