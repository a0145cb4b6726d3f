//! Messages of `onnx.proto`, written field by field.

/// A message in the making.
#[derive(Debug, Clone, Default)]
pub(super) struct Message {
    bytes: Vec<u8>,
    /// Of a model: its graph, which is written last.
    graph: Option<Box<Message>>,
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

impl Message {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn with_number(mut self, field: u64, value: i64) -> Self {
        self.bytes.extend(varint(field << 3));
        self.bytes.extend(varint(value.cast_unsigned()));
        self
    }

    pub(super) fn with_bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.bytes.extend(varint(field << 3 | 2));
        self.bytes.extend(varint(bytes.len() as u64));
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub(super) fn with_text(self, field: u64, text: &str) -> Self {
        self.with_bytes(field, text.as_bytes())
    }

    pub(super) fn with(self, field: u64, message: &Self) -> Self {
        self.with_bytes(field, &message.bytes())
    }

    /// A model with a field more in its graph.
    pub(super) fn with_graph_field(mut self, field: u64, message: &Self) -> Self {
        let graph = self.graph.take().unwrap_or_default();
        self.graph = Some(Box::new(graph.with(field, message)));
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        match &self.graph {
            None => self.bytes.clone(),
            Some(graph) => Self { bytes: self.bytes.clone(), graph: None }.with(7, graph).bytes,
        }
    }
}

pub(super) fn opset(version: i64) -> Message {
    Message::new().with_text(1, "").with_number(2, version)
}

/// A model of opset 13.
pub(super) fn model(
    nodes: &[Message],
    tensors: &[Message],
    inputs: &[Message],
    outputs: &[Message],
) -> Message {
    let mut graph = Message::new();
    for (field, messages) in [(1, nodes), (5, tensors), (11, inputs), (12, outputs)] {
        for message in messages {
            graph = graph.with(field, message);
        }
    }
    Message { graph: Some(Box::new(graph)), ..Message::new().with_number(1, 8).with(8, &opset(13)) }
}

/// A model of images of 32 x 32 pixels and another opset.
pub(super) fn model_of_opset(opset: &Message, nodes: &[Message], tensors: &[Message]) -> Message {
    let of_13 = model(nodes, tensors, &[value("image", 1, &[1, 3, 32, 32])], &[value("out", 1, &[1, 1000])]);
    Message { graph: of_13.graph, ..Message::new().with_number(1, 8).with(8, opset) }
}

pub(super) fn node(operation: &str, inputs: &[&str], outputs: &[&str]) -> Message {
    let mut node = Message::new();
    for input in inputs {
        node = node.with_text(1, input);
    }
    for output in outputs {
        node = node.with_text(2, output);
    }
    node.with_text(4, operation)
}

pub(super) fn attribute_tensor(name: &str, tensor: &Message) -> Message {
    Message::new().with_text(1, name).with(5, tensor).with_number(20, 4)
}

pub(super) fn attribute_graph(name: &str) -> Message {
    Message::new().with_text(1, name).with(6, &Message::new()).with_number(20, 5)
}

/// A tensor of this type and shape, without its elements.
pub(super) fn tensor(name: &str, element: i64, shape: &[i64]) -> Message {
    let tensor = shape.iter().fold(Message::new(), |tensor, &axis| tensor.with_number(1, axis));
    tensor.with_number(2, element).with_text(8, name)
}

/// An input or output.
pub(super) fn value(name: &str, element: i64, shape: &[i64]) -> Message {
    let shape =
        shape.iter().fold(Message::new(), |shape, &axis| shape.with(1, &Message::new().with_number(1, axis)));
    let tensor = Message::new().with_number(1, element).with(2, &shape);
    Message::new().with_text(1, name).with(2, &Message::new().with(1, &tensor))
}
