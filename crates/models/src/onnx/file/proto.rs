//! The messages of `onnx.proto` (<https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>) that a classifier has, with the
//! field numbers given there. Tensors stay in the file: a message knows where their bytes lie.
//!
//! Both encodings of repeated numbers are read, packed and one by one: the standard's file is of proto2, which writes the
//! latter, and some exporters use proto3.

use super::element::ElementType;
use super::value_info::ValueInfoProto;
use super::wire::{Fault, Fields, Held, Source, Span};

/// More nodes than any classifier has: a file that has them is refused before they fill the memory.
pub(crate) const MOST_NODES: usize = 100_000;

#[derive(Debug, Default)]
pub(crate) struct ModelProto {
    pub(crate) producer: String,
    /// Domain and version.
    pub(crate) opsets: Vec<(String, i64)>,
    pub(crate) graph: Option<GraphProto>,
    /// Functions that the file defines, by domain and name.
    pub(crate) functions: Vec<(String, String)>,
}

#[derive(Debug, Default)]
pub(crate) struct GraphProto {
    pub(crate) nodes: Vec<NodeProto>,
    /// Those beyond [`MOST_NODES`] are counted and not kept.
    pub(crate) nodes_in_file: usize,
    pub(crate) initializers: Vec<TensorProto>,
    pub(crate) sparse_initializers: usize,
    pub(crate) inputs: Vec<ValueInfoProto>,
    pub(crate) outputs: Vec<ValueInfoProto>,
}

#[derive(Debug, Default)]
pub(crate) struct NodeProto {
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<String>,
    pub(crate) name: String,
    pub(crate) op_type: String,
    pub(crate) domain: String,
    pub(crate) attributes: Vec<AttributeProto>,
}

impl NodeProto {
    /// What a person finds it by: its name, or that of its first output.
    pub(crate) fn title(&self) -> &str {
        if self.name.is_empty() { self.outputs.first().map_or("", String::as_str) } else { &self.name }
    }
}

#[derive(Debug)]
pub(crate) struct AttributeProto {
    pub(crate) name: String,
    pub(crate) value: AttributeValue,
}

#[derive(Debug)]
pub(crate) enum AttributeValue {
    Float(f32),
    Int(i64),
    Text(String),
    Tensor(Box<TensorProto>),
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    /// A graph, several texts, a type or something newer, which no operation here takes.
    Other,
}

#[derive(Debug, Clone)]
pub(crate) struct TensorProto {
    pub(crate) name: String,
    pub(crate) dims: Vec<i64>,
    pub(crate) element: ElementType,
    pub(crate) data: TensorData,
}

/// Where a tensor's elements are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TensorData {
    /// Nowhere.
    None,
    /// As they lie in memory, little-endian.
    Raw(Span),
    /// One field after the other, in the encoding of the field's type.
    Typed { numbers: Numbers, spans: Vec<Span> },
    /// In another file: its keys and values.
    External(Vec<(String, String)>),
}

/// How numbers of a typed field are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// `float_data`.
    F32,
    /// `double_data`.
    F64,
    /// `int32_data`, `int64_data` and `uint64_data`.
    Varint,
}

impl Held {
    pub(super) fn span(self, at: &Fields<'_>) -> Result<Span, Fault> {
        match self {
            Self::Bytes(span) => Ok(span),
            _ => Err(at.fault("a field is of another kind than the standard says")),
        }
    }

    pub(super) fn int(self, at: &Fields<'_>) -> Result<i64, Fault> {
        match self {
            Self::Varint(value) => Ok(value.cast_signed()),
            _ => Err(at.fault("a field is of another kind than the standard says")),
        }
    }
}

impl Source<'_> {
    fn f32_at(&self, span: Span) -> Result<f32, Fault> {
        let bytes = self.bytes(span)?;
        Ok(bytes.try_into().map_or(0.0, f32::from_le_bytes))
    }

    /// The numbers of a repeated field of integers.
    fn push_ints(&self, held: Held, at: &Fields<'_>, to: &mut Vec<i64>) -> Result<(), Fault> {
        let Held::Bytes(span) = held else {
            to.push(held.int(at)?);
            return Ok(());
        };
        let mut packed = self.message(span);
        while !packed.is_at_end() {
            to.push(packed.varint()?.cast_signed());
        }
        Ok(())
    }

    pub(super) fn model(&self) -> Result<ModelProto, Fault> {
        let mut model = ModelProto::default();
        let mut fields = self.fields();
        while let Some((number, held)) = fields.next()? {
            match number {
                2 => model.producer = self.text(held.span(&fields)?)?,
                7 => model.graph = Some(self.graph(held.span(&fields)?)?),
                8 => {
                    self.count(&fields)?;
                    model.opsets.push(self.opset(held.span(&fields)?)?);
                }
                25 => {
                    self.count(&fields)?;
                    model.functions.push(self.function(held.span(&fields)?)?);
                }
                _ => {}
            }
        }
        Ok(model)
    }

    fn function(&self, span: Span) -> Result<(String, String), Fault> {
        let (mut domain, mut name) = (String::new(), String::new());
        let mut fields = self.message(span);
        while let Some((number, held)) = fields.next()? {
            match number {
                1 => name = self.text(held.span(&fields)?)?,
                10 => domain = self.text(held.span(&fields)?)?,
                _ => {}
            }
        }
        Ok((domain, name))
    }

    fn opset(&self, span: Span) -> Result<(String, i64), Fault> {
        let (mut domain, mut version) = (String::new(), 0);
        let mut fields = self.message(span);
        while let Some((number, held)) = fields.next()? {
            match number {
                1 => domain = self.text(held.span(&fields)?)?,
                2 => version = held.int(&fields)?,
                _ => {}
            }
        }
        Ok((domain, version))
    }

    fn graph(&self, span: Span) -> Result<GraphProto, Fault> {
        let mut graph = GraphProto::default();
        let mut fields = self.message(span);
        while let Some((number, held)) = fields.next()? {
            if number != 1 || graph.nodes.len() < MOST_NODES {
                self.count(&fields)?;
            }
            match number {
                1 => {
                    graph.nodes_in_file += 1;
                    if graph.nodes.len() < MOST_NODES {
                        graph.nodes.push(self.node(held.span(&fields)?)?);
                    }
                }
                5 => graph.initializers.push(self.tensor(held.span(&fields)?)?),
                11 => graph.inputs.push(self.value_info(held.span(&fields)?)?),
                12 => graph.outputs.push(self.value_info(held.span(&fields)?)?),
                15 => graph.sparse_initializers += 1,
                _ => {}
            }
        }
        Ok(graph)
    }

    fn node(&self, span: Span) -> Result<NodeProto, Fault> {
        let mut node = NodeProto::default();
        let mut fields = self.message(span);
        while let Some((number, held)) = fields.next()? {
            self.count(&fields)?;
            match number {
                1 => node.inputs.push(self.text(held.span(&fields)?)?),
                2 => node.outputs.push(self.text(held.span(&fields)?)?),
                3 => node.name = self.text(held.span(&fields)?)?,
                4 => node.op_type = self.text(held.span(&fields)?)?,
                5 => node.attributes.push(self.attribute(held.span(&fields)?)?),
                7 => node.domain = self.text(held.span(&fields)?)?,
                _ => {}
            }
        }
        Ok(node)
    }

    fn attribute(&self, span: Span) -> Result<AttributeProto, Fault> {
        let mut name = String::new();
        let mut kind = 0;
        let (mut float, mut int, mut text, mut tensor) = (0.0, 0, String::new(), None);
        let (mut floats, mut ints) = (Vec::new(), Vec::new());
        // Older files do not say of which kind an attribute is.
        let mut seen = 0;
        let mut fields = self.message(span);
        while let Some((number, held)) = fields.next()? {
            match number {
                1 => name = self.text(held.span(&fields)?)?,
                2 => match held {
                    Held::Fixed32(span) => float = self.f32_at(span)?,
                    _ => return Err(fields.fault("a field is of another kind than the standard says")),
                },
                3 => int = held.int(&fields)?,
                // A text may be any bytes; those of the operations here are words.
                4 => text = String::from_utf8_lossy(&self.bytes(held.span(&fields)?)?).into_owned(),
                5 => tensor = Some(Box::new(self.tensor(held.span(&fields)?)?)),
                7 => match held {
                    Held::Fixed32(span) => floats.push(self.f32_at(span)?),
                    held => {
                        let bytes = self.bytes(held.span(&fields)?)?;
                        let (chunks, _) = bytes.as_chunks::<4>();
                        floats.extend(chunks.iter().map(|&bytes| f32::from_le_bytes(bytes)));
                    }
                },
                8 => self.push_ints(held, &fields, &mut ints)?,
                20 => kind = held.int(&fields)?,
                _ => {}
            }
            if (2..=9).contains(&number) {
                seen = number.cast_signed() - 1;
            }
        }
        let value = match if kind == 0 { seen } else { kind } {
            1 => AttributeValue::Float(float),
            2 => AttributeValue::Int(int),
            3 => AttributeValue::Text(text),
            4 => match tensor {
                Some(tensor) => AttributeValue::Tensor(tensor),
                None => return Err(fields.fault("an attribute has no tensor though it says so")),
            },
            6 => AttributeValue::Floats(floats),
            7 => AttributeValue::Ints(ints),
            _ => AttributeValue::Other,
        };
        Ok(AttributeProto { name, value })
    }

    pub(super) fn tensor(&self, span: Span) -> Result<TensorProto, Fault> {
        let (mut name, mut dims, mut element) = (String::new(), Vec::new(), ElementType(0));
        let (mut raw, mut is_external, mut external) = (None, false, Vec::new());
        let mut typed: Option<(Numbers, Vec<Span>)> = None;
        let mut fields = self.message(span);
        loop {
            let before = fields.at();
            let Some((number, held)) = fields.next()? else { break };
            match number {
                1 => self.push_ints(held, &fields, &mut dims)?,
                2 => element = ElementType(i32::try_from(held.int(&fields)?).unwrap_or(0)),
                4 | 5 | 7 | 10 | 11 => {
                    let numbers = match number {
                        4 => Numbers::F32,
                        10 => Numbers::F64,
                        _ => Numbers::Varint,
                    };
                    let span = match held {
                        Held::Bytes(span) | Held::Fixed32(span) | Held::Fixed64(span) => span,
                        // One number alone, after its tag of one byte.
                        Held::Varint(_) => Span { start: before + 1, len: fields.at() - before - 1 },
                    };
                    let (kept, spans) = typed.get_or_insert_with(|| (numbers, Vec::new()));
                    if *kept != numbers {
                        return Err(fields.fault("a tensor's elements are of two types"));
                    }
                    spans.push(span);
                }
                8 => name = self.text(held.span(&fields)?)?,
                9 => raw = Some(held.span(&fields)?),
                13 => {
                    self.count(&fields)?;
                    external.push(self.entry(held.span(&fields)?)?);
                }
                14 => is_external = held.int(&fields)? == 1,
                _ => {}
            }
        }
        let data = match (is_external, raw, typed) {
            (true, ..) => TensorData::External(external),
            (_, Some(raw), _) => TensorData::Raw(raw),
            (_, _, Some((numbers, spans))) => TensorData::Typed { numbers, spans },
            _ => TensorData::None,
        };
        Ok(TensorProto { name, dims, element, data })
    }

    fn entry(&self, span: Span) -> Result<(String, String), Fault> {
        let (mut key, mut value) = (String::new(), String::new());
        let mut fields = self.message(span);
        while let Some((number, held)) = fields.next()? {
            match number {
                1 => key = self.text(held.span(&fields)?)?,
                2 => value = self.text(held.span(&fields)?)?,
                _ => {}
            }
        }
        Ok((key, value))
    }
}
