//! The nodes that an output depends on, each after those that it reads, whatever their order in the file.

use std::collections::HashMap;

use super::error::OnnxError;
use super::file::OnnxFile;

/// Places of nodes in the file, in an order in which they can be computed.
///
/// # Errors
/// [`OnnxError::Damaged`] where two nodes put out one name, or nodes read each other in a circle.
pub(super) fn needed_for<'a>(
    file: &'a OnnxFile,
    outputs: impl Iterator<Item = &'a str>,
) -> Result<Vec<usize>, OnnxError> {
    let nodes = &file.graph().nodes;
    let mut made_by: HashMap<&str, usize> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        for output in node.outputs.iter().filter(|output| !output.is_empty()) {
            if made_by.insert(output, index).is_some() {
                return Err(file.damaged(format!("two nodes put out `{output}`")));
            }
        }
    }
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = vec![State::New; nodes.len()];
    let mut order = Vec::new();
    // A node and how many of its inputs were followed: a stack of its own, because a file may be as deep as it is long.
    let mut stack: Vec<(usize, usize)> = Vec::new();
    for output in outputs {
        stack.extend(made_by.get(output).filter(|&&node| states[node] == State::New).map(|&node| (node, 0)));
        while let Some((node, followed)) = stack.pop() {
            states[node] = State::Open;
            let Some(input) = nodes[node].inputs.get(followed) else {
                states[node] = State::Done;
                order.push(node);
                continue;
            };
            stack.push((node, followed + 1));
            if let Some(&before) = made_by.get(input.as_str()) {
                match states[before] {
                    State::New => stack.push((before, 0)),
                    State::Open => {
                        return Err(file.damaged(format!("`{input}` is computed from itself")));
                    }
                    State::Done => {}
                }
            }
        }
    }
    Ok(order)
}
