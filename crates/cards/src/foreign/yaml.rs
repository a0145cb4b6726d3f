//! YAML as a tree whose nodes know their lines, by the events of `saphyr-parser`. Values stay text, so that a figure keeps its
//! digits. Anchors and tags are refused: no metafile needs them, and they can make a large tree of a small file.

use saphyr_parser::{Event, Parser};

/// A node and the line that it begins in, counted from 1.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// How deep lists and maps may lie in each other.
const DEEPEST: usize = 64;

impl Node {
    /// The value of `key`, in a map.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// Keys and values of a map; none of anything else.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Self, &Self)> {
        let entries = match &self.value {
            Value::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|(key, value)| (key, value))
    }

    /// The items of a list; the node itself where it is a map, as some write a list of one.
    pub(super) fn items(&self) -> Vec<&Self> {
        match &self.value {
            Value::List(items) => items.iter().collect(),
            Value::Map(_) => vec![self],
            Value::Text(_) => Vec::new(),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A list or a map that is not closed yet.
struct Open {
    line: usize,
    is_map: bool,
    nodes: Vec<Node>,
}

/// The first document of `text`.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| format!("it is no YAML: {error}"))?;
        let line = span.start.line();
        let node = match event {
            Event::Scalar(_, _, 1.., _)
            | Event::SequenceStart(1.., _)
            | Event::MappingStart(1.., _)
            | Event::Alias(_) => {
                return Err(format!(
                    "line {line}: anchors and aliases (& and *) are not read; write what they stand for"
                ));
            }
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => {
                return Err(format!("line {line}: tags (!) are not read; leave them out"));
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                if open.len() == DEEPEST {
                    return Err(format!(
                        "line {line}: lists and maps lie more than {DEEPEST} deep in each other"
                    ));
                }
                open.push(Open { line, is_map: matches!(event, Event::MappingStart(..)), nodes: Vec::new() });
                continue;
            }
            Event::Scalar(text, ..) => Node { line, value: Value::Text(text.into_owned()) },
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(closed) = open.pop() else { continue };
                closed.node()
            }
            _ => continue,
        };
        match open.last_mut() {
            Some(parent) => parent.nodes.push(node),
            None => return Ok(node),
        }
    }
    Err("it is empty".to_owned())
}

impl Open {
    fn node(self) -> Node {
        let value = match self.is_map {
            false => Value::List(self.nodes),
            true => {
                let mut nodes = self.nodes.into_iter();
                let mut entries = Vec::new();
                while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
                    entries.push((key, value));
                }
                Value::Map(entries)
            }
        };
        Node { line: self.line, value }
    }
}
