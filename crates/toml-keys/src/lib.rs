//! TOML that people write, catalogs of models and cards of claims: what kind of value stands under each key. It is looked at
//! before the types are filled, because a person who writes such a file knows keys and figures, not the types of this program.

use dataset::guard::guarded_or;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// What a key takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Text in quotes.
    Text,
    /// A number as printed, in quotes, so that no digit is lost; what is wrong with a text that is none.
    Figure(fn(&str) -> Option<String>),
    /// A number from 0 on without decimals.
    Whole,
    /// The side of an input in pixels, from the first to the second. That it is one of them is looked at later.
    Side(usize, usize),
    /// A number from 0 on without decimals, as large as a file can be.
    Bytes,
    /// A number.
    Number,
    /// True or false.
    YesNo,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Keys with values.
    Table(&'static [Key]),
    /// `[[name]]`, any number of times.
    Tables(&'static [Key]),
}

/// A key of a table. Keys that are not listed are left to the reader of types, which knows them all.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    kind: Kind,
    /// What it looks like when it is right.
    example: &'static str,
    required: bool,
}

impl Key {
    /// A key that may be left out.
    pub const fn may(name: &'static str, kind: Kind, example: &'static str) -> Self {
        Self { name, kind, example, required: false }
    }

    /// A key that has to be there.
    pub const fn must(name: &'static str, kind: Kind, example: &'static str) -> Self {
        Self { name, kind, example, required: true }
    }

    /// What is wrong with `table`'s value of this key, if it has one.
    pub fn fault(&self, table: &Table) -> Option<String> {
        value_fault(self, table.get(self.name)?, "")
    }
}

/// `text` as a value of `T`: its syntax, and the keys that there are.
///
/// # Errors
/// What is wrong and where, in the words of `syntax`; or, where the reader of TOML itself fails, in those of `failed`.
pub fn read<T: DeserializeOwned, E>(
    text: &str,
    syntax: impl FnOnce(Box<toml::de::Error>) -> E,
    failed: impl FnOnce(String) -> E,
) -> Result<T, E> {
    let failed = |panic| failed(format!("the reader of TOML failed ({panic}); write it more plainly"));
    guarded_or(|| toml::from_str(text).map_err(|error| syntax(Box::new(error))), failed)
}

/// The first fault of `table` by `keys`.
pub fn fault(keys: &[Key], table: &Table) -> Option<String> {
    table_fault(keys, table, "")
}

/// The entries under `[[name]]`, in their order; none if there are none. `what` an entry is goes into the message.
///
/// # Errors
/// What is wrong, where it is something else than entries.
pub fn entries<'a>(root: &'a Table, name: &str, what: &str) -> Result<Vec<&'a Table>, String> {
    let wrong = || format!("{what} begins with the line [[{name}]], in two pairs of brackets");
    match root.get(name) {
        None => Ok(Vec::new()),
        Some(Value::Array(entries)) => {
            entries.iter().map(|entry| entry.as_table().ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

/// What the entry `number`, counted from 1, is called: the text under `key`, if it has one.
pub fn entry_name(entry: &Table, key: &str, number: usize) -> String {
    let name = entry.get(key).and_then(Value::as_str).filter(|name| !name.is_empty());
    name.map_or_else(|| format!("entry {number}"), str::to_owned)
}

/// The first fault of `table`, which is called `path` (with a point at its end, unless it is the entry itself).
fn table_fault(keys: &[Key], table: &Table, path: &str) -> Option<String> {
    keys.iter().find_map(|key| match table.get(key.name) {
        Some(value) => value_fault(key, value, path),
        None if key.required => Some(format!("`{path}{}` is missing; write {}", key.name, key.example)),
        None => None,
    })
}

fn value_fault(key: &Key, value: &Value, path: &str) -> Option<String> {
    let name = format!("{path}{}", key.name);
    let wrong =
        |what: &str| Some(format!("`{name}` is {}, and must be {what}: {}", shown(value), key.example));
    match (&key.kind, value) {
        (Kind::Text, Value::String(_))
        | (Kind::Number, Value::Integer(_) | Value::Float(_))
        | (Kind::YesNo, Value::Boolean(_)) => None,
        (Kind::Text, _) => wrong("text in quotes"),
        (Kind::Number, _) => wrong("a number without quotes"),
        (Kind::YesNo, _) => wrong("true or false"),
        (Kind::Whole | Kind::Side(..), Value::Integer(number))
            if (0..=i64::from(u32::MAX)).contains(number) =>
        {
            None
        }
        (Kind::Bytes, Value::Integer(0..)) => None,
        (Kind::Whole | Kind::Bytes, _) => wrong("a whole number from 0 on, without quotes"),
        (Kind::Side(least, most), _) => {
            wrong(&format!("a whole number from {least} to {most}, without quotes"))
        }
        (Kind::Figure(fault_of), Value::String(text)) => {
            let fault = fault_of(text)?;
            Some(format!("`{name}`: {fault}; write it as it is printed: {}", key.example))
        }
        (Kind::Figure(_), _) => wrong("in quotes, with every digit that is printed"),
        (Kind::OneOf(names), Value::String(text)) => {
            let unknown = !names.contains(&text.as_str());
            unknown
                .then(|| format!("`{name}` is `{text}`, which there is not; there are {}", names.join(", ")))
        }
        (Kind::OneOf(names), _) => wrong(&format!("one of {} in quotes", names.join(", "))),
        (Kind::Table(keys), Value::Table(table)) => table_fault(keys, table, &format!("{name}.")),
        (Kind::Table(_), _) => wrong("keys with values"),
        (Kind::Tables(keys), Value::Array(tables)) => tables.iter().find_map(|table| match table {
            Value::Table(table) => table_fault(keys, table, &format!("{name}.")),
            _ => wrong("keys with values"),
        }),
        (Kind::Tables(_), _) => wrong("keys with values, in two pairs of brackets"),
    }
}

/// A value as a person wrote it, or what it is.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{text}\""),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(answer) => answer.to_string(),
        Value::Datetime(date) => date.to_string(),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "keys with values".to_owned(),
    }
}
