//! What a file takes and puts out, and whether that is an image and the classes of ILSVRC2012.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::emitter::CHANNELS;
use super::error::OnnxError;
use super::file::{Dimension, OnnxFile, ValueInfoProto};
use super::operations;

/// Classes of ILSVRC2012.
pub(super) const CLASSES: usize = 1000;

/// The image that a file takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInput {
    /// What the file calls it.
    pub name: String,
    /// Height and width, where the file says them.
    pub size: [Option<usize>; 2],
    /// Whether the channels are the last axis (NHWC) and not the second (NCHW).
    pub channels_last: bool,
    /// How many images the file is made for, where it says so.
    pub batch: Option<i64>,
}

/// An input or output as the file declares it.
pub(super) struct Declared<'a>(pub(super) &'a ValueInfoProto);

impl fmt::Display for Declared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value) = self;
        write!(f, "`{}`", value.name)?;
        match value.element {
            None => f.write_str(" (no tensor)")?,
            Some(element) => write!(f, " ({element}")?,
        }
        if value.element.is_none() {
            return Ok(());
        }
        if let Some(dims) = &value.dims {
            f.write_str(" [")?;
            for (place, dim) in dims.iter().enumerate() {
                let comma = if place == 0 { "" } else { ", " };
                match dim {
                    Dimension::Known(size) => write!(f, "{comma}{size}")?,
                    Dimension::Free(name) if name.is_empty() => write!(f, "{comma}?")?,
                    Dimension::Free(name) => write!(f, "{comma}{name}")?,
                }
            }
            f.write_str("]")?;
        }
        f.write_str(")")
    }
}

impl OnnxFile {
    /// Its inputs that are no weights: older files list those among them.
    pub(super) fn inputs(&self) -> Vec<&ValueInfoProto> {
        let weights: HashSet<&str> = self.graph().initializers.iter().map(|it| it.name.as_str()).collect();
        self.graph().inputs.iter().filter(|input| !weights.contains(input.name.as_str())).collect()
    }

    /// What it takes, beside its weights, as it declares it.
    pub fn declared_inputs(&self) -> Vec<String> {
        self.inputs().into_iter().map(|input| Declared(input).to_string()).collect()
    }

    /// What it puts out, as it declares it.
    pub fn declared_outputs(&self) -> Vec<String> {
        self.graph().outputs.iter().map(|output| Declared(output).to_string()).collect()
    }

    /// The operations of its nodes and how often each occurs, those that no output depends on too.
    pub fn operations(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        self.graph().nodes.iter().for_each(|node| *counts.entry(node.op_type.as_str()).or_default() += 1);
        counts
    }

    /// Operations that are not read here, each with the first node that is one.
    pub fn unsupported(&self) -> BTreeMap<String, String> {
        let mut unsupported = BTreeMap::new();
        for node in &self.graph().nodes {
            let name = operations::name(node);
            if operations::by_name(&name).is_some() {
                continue;
            }
            unsupported.entry(name).or_insert_with(|| node.title().to_owned());
        }
        unsupported
    }

    pub(super) fn not_a_classifier(&self, reason: impl Into<String>) -> OnnxError {
        OnnxError::NotAClassifier { path: self.path().to_owned(), reason: reason.into() }
    }

    /// The image that it takes.
    ///
    /// # Errors
    /// [`OnnxError::NotAClassifier`] where it takes something else.
    pub fn image(&self) -> Result<ImageInput, OnnxError> {
        let inputs = self.inputs();
        let list = || inputs.iter().map(|&it| Declared(it).to_string()).collect::<Vec<_>>().join(", ");
        let &[input] = &inputs[..] else {
            return Err(self.not_a_classifier(match inputs.len() {
                0 => "it has no input".to_owned(),
                count => format!("it has {count} inputs, {}; a classifier takes one, images", list()),
            }));
        };
        let takes = |what: &str| self.not_a_classifier(format!("it takes {}, {what}", Declared(input)));
        let Some(element) = input.element else { return Err(takes("which is no tensor")) };
        let dims = match &input.dims {
            Some(dims) if dims.len() == 4 => dims.clone(),
            Some(dims) if element.is_float() => {
                return Err(takes(&format!(
                    "of {} axes; images have four, [batch, 3, height, width]",
                    dims.len()
                )));
            }
            Some(_) => return Err(takes("and no images: it looks like a model of text")),
            None => vec![Dimension::Free(String::new()); 4],
        };
        if !element.is_float() {
            return Err(takes(
                "and no floating-point numbers; export the network without the cast from bytes at its start",
            ));
        }
        let is = |axis: usize, size: i64| dims[axis] == Dimension::Known(size);
        let free = |axis: usize| matches!(dims[axis], Dimension::Free(_));
        let channels = CHANNELS as i64;
        let channels_last = match (is(1, channels), is(3, channels)) {
            (true, _) => false,
            (false, true) => true,
            // Nothing is said.
            (false, false) if free(1) => false,
            _ => return Err(takes("whose channels are not the 3 of a colour image")),
        };
        let sides = if channels_last { [1, 2] } else { [2, 3] };
        let size = sides.map(|axis| match dims[axis] {
            Dimension::Known(size) => usize::try_from(size).ok().filter(|&size| size > 0),
            Dimension::Free(_) => None,
        });
        let batch = match dims[0] {
            Dimension::Known(batch) if batch > 0 => Some(batch),
            _ => None,
        };
        Ok(ImageInput { name: input.name.clone(), size, channels_last, batch })
    }
}
