//! A graph cut into parts: what one program lacks is computed by another, and joined. Cut out are whole regions, as large as they can be
//! without reading what is computed of them, so that values cross the border as rarely as can be.

use std::collections::BTreeMap;

use crate::graph::{Graph, Node, Value};
use crate::operations::{Given, Operation};
use crate::shape::Shape;

/// A graph without its parts, and those.
#[derive(Debug, Clone, PartialEq)]
pub struct Cut {
    /// What is left: values of the parts are [`Given`] in it, and read what their part reads.
    pub graph: Graph,
    /// In the order of execution.
    pub parts: Vec<Part>,
    /// Which value of the whole each value of `graph` is.
    pub of: Vec<Value>,
}

/// A region of a graph that is computed elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its operations. What it reads is [`Given`], by places from 0 on. It has no image.
    pub graph: Graph,
    /// The values of `graph` that it puts out, by place.
    pub outputs: Vec<Value>,
    /// Their shapes.
    pub shapes: Vec<Shape>,
}

impl Part {
    /// Names of its operations, without the values that are there already.
    pub fn operations(&self) -> impl Iterator<Item = &'static str> {
        let is_computed =
            |node: &&Node| !matches!(node.operation, Operation::Given(_) | Operation::Constant(_));
        self.graph.nodes().iter().filter(is_computed).map(|node| node.operation.name())
    }
}

impl Graph {
    /// Cuts out the operations of which `elsewhere` says so, by place; `shapes` are those of all values. Constants are in every part that
    /// reads them. The image stays.
    ///
    /// # Panics
    /// Where either list is not of this graph's length (a programmer's mistake).
    #[must_use]
    pub fn cut(&self, shapes: &[Shape], elsewhere: &[bool]) -> Cut {
        assert!([shapes.len(), elsewhere.len()] == [self.nodes.len(); 2], "lists of another graph");
        let is_cut = |value: Value| {
            elsewhere[value.0]
                && !matches!(self.nodes[value.0].operation, Operation::Image(_) | Operation::Constant(_))
        };
        let turns = self.turns(is_cut);
        let mut at_turn = vec![[Vec::new(), Vec::new()]; turns.iter().max().map_or(0, |last| last + 1)];
        self.values().for_each(|value| at_turn[turns[value.0]][usize::from(is_cut(value))].push(value));
        let readers = self.readers_by_value();
        let mut left = Left { nodes: Vec::new(), of: Vec::new(), moved: vec![None; self.nodes.len()] };
        let mut parts = Vec::new();
        for (turn, [stay, members]) in at_turn.into_iter().enumerate() {
            for value in stay {
                left.push(value, self.nodes[value.0].operation.clone(), &self.nodes[value.0].inputs);
            }
            if members.is_empty() {
                continue;
            }
            let is_put_out = |&value: &Value| {
                value == self.output
                    || readers[value.0].iter().any(|&reader| !is_cut(reader) || turns[reader.0] != turn)
            };
            let outputs: Vec<Value> = members.iter().copied().filter(is_put_out).collect();
            let (part, reads) = self.part(shapes, &members, &outputs);
            for (place, &value) in outputs.iter().enumerate() {
                let given = Given { part: parts.len(), place, shape: shapes[value.0].clone() };
                left.push(value, given.into(), &reads);
            }
            parts.push(part);
        }
        let stages = self.stages.iter().filter_map(|stage| {
            Some(crate::graph::Stage { name: stage.name.clone(), value: left.moved[stage.value.0]? })
        });
        let stages = stages.collect();
        let output = left.moved[self.output.0].unwrap_or(Value::IMAGE);
        Cut { graph: Self { nodes: left.nodes, output, stages }, parts, of: left.of }
    }

    /// When each value is computed: what is left and what is cut out take turns, and in a turn what is left comes first. As many values
    /// as can be have the same turn.
    fn turns(&self, is_cut: impl Fn(Value) -> bool) -> Vec<usize> {
        let mut turns: Vec<usize> = Vec::with_capacity(self.nodes.len());
        for value in self.values() {
            let after = |&input: &Value| turns[input.0] + usize::from(is_cut(input) && !is_cut(value));
            turns.push(self.nodes[value.0].inputs.iter().map(after).max().unwrap_or(0));
        }
        turns
    }

    fn readers_by_value(&self) -> Vec<Vec<Value>> {
        let mut readers = vec![Vec::new(); self.nodes.len()];
        for value in self.values() {
            self.nodes[value.0].inputs.iter().for_each(|input| readers[input.0].push(value));
        }
        readers
    }

    /// The part of `members`, and what of this graph it reads.
    fn part(&self, shapes: &[Shape], members: &[Value], outputs: &[Value]) -> (Part, Vec<Value>) {
        // Members have their places once all that they read has.
        let mut here: BTreeMap<Value, Value> = members.iter().map(|&member| (member, Value::IMAGE)).collect();
        let mut reads: Vec<Value> = Vec::new();
        let mut nodes: Vec<Node> = Vec::new();
        for &input in members.iter().flat_map(|member| &self.nodes[member.0].inputs) {
            if here.contains_key(&input) {
                continue;
            }
            let node = &self.nodes[input.0];
            let operation = match node.operation {
                Operation::Constant(_) => node.operation.clone(),
                _ => {
                    reads.push(input);
                    Given { part: 0, place: reads.len() - 1, shape: shapes[input.0].clone() }.into()
                }
            };
            nodes.push(Node { operation, inputs: Vec::new() });
            here.insert(input, Value(nodes.len() - 1));
        }
        for &member in members {
            let node = &self.nodes[member.0];
            // What a member reads is there: a value of before the part, or a member before it.
            let inputs = node.inputs.iter().filter_map(|input| here.get(input).copied()).collect();
            nodes.push(Node { operation: node.operation.clone(), inputs });
            here.insert(member, Value(nodes.len() - 1));
        }
        let put_out: Vec<Value> = outputs.iter().filter_map(|output| here.get(output).copied()).collect();
        let output = put_out.last().copied().unwrap_or(Value::IMAGE);
        let graph = Self { nodes, output, stages: Vec::new() };
        let shapes = outputs.iter().map(|output| shapes[output.0].clone()).collect();
        (Part { graph, outputs: put_out, shapes }, reads)
    }
}

/// The graph that is left, in the making.
struct Left {
    nodes: Vec<Node>,
    of: Vec<Value>,
    /// Where each value is in it.
    moved: Vec<Option<Value>>,
}

impl Left {
    fn push(&mut self, value: Value, operation: Operation, inputs: &[Value]) {
        // What is left reads what is left and what parts put out, all of which has an earlier turn or place.
        let inputs = inputs.iter().filter_map(|input| self.moved[input.0]).collect();
        self.nodes.push(Node { operation, inputs });
        self.of.push(value);
        self.moved[value.0] = Some(Value(self.nodes.len() - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::Builder;
    use crate::operations::{Constant, MatMul, Softmax};
    use crate::parameter::{Parameter, Role};

    /// An image, then a chain of what is left (`+`) and of what is cut out (`-`).
    fn cut_of(on: Builder, output: Value, names: &[&str]) -> Cut {
        let graph = on.finish(output);
        let shapes = graph.shapes(&Shape::map(3, [4, 4])).unwrap();
        let elsewhere: Vec<bool> =
            graph.nodes().iter().map(|node| names.contains(&node.operation.name())).collect();
        graph.cut(&shapes, &elsewhere)
    }

    #[test]
    fn operations_between_which_nothing_is_left_are_one_part() {
        let (mut on, x) = Builder::new(3);
        let y = on.relu(x);
        let a = on.push(Softmax { axis: 0, log: false }, &[y]);
        let parameter = Parameter::new("c", Role::Constant, [4, 4]);
        let constant = on.push(Constant { parameter }, &[]);
        let b = on.push(MatMul, &[a, constant]);
        let c = on.push(Softmax { axis: 0, log: true }, &[y]);
        let sum = on.add(b, c);
        let Cut { graph, parts, of } = cut_of(on, sum, &["softmax", "log-softmax", "product of matrices"]);
        assert_eq!(parts.len(), 1, "{parts:#?}");
        assert_eq!(parts[0].operations().count(), 3);
        assert_eq!(parts[0].shapes, vec![Shape::map(3, [4, 4]); 2]);
        let names: Vec<&str> = graph.nodes().iter().map(|node| node.operation.name()).collect();
        let given = "a value from elsewhere";
        // A constant that only a part reads stays, and nobody reads it.
        assert_eq!(names[2..], ["constant", given, given, "sum"], "{graph}");
        assert_eq!(of[3..].iter().map(|value| value.index()).collect::<Vec<_>>(), [4, 5, 6]);
        assert_eq!(graph.shapes(&Shape::map(3, [4, 4])).unwrap()[5], Shape::map(3, [4, 4]));
    }

    #[test]
    fn a_part_reads_nothing_that_is_computed_of_it() {
        let (mut on, x) = Builder::new(3);
        let a = on.push(Softmax { axis: 0, log: false }, &[x]);
        let left = on.relu(a);
        let b = on.push(MatMul, &[a, left]);
        let Cut { graph, parts, .. } = cut_of(on, b, &["softmax", "product of matrices"]);
        assert_eq!(parts.len(), 2, "{parts:#?}");
        let read: Vec<usize> = parts.iter().map(|part| part.graph.nodes().len() - 1).collect();
        assert_eq!(read, [1, 2]);
        let reads = &graph.node(graph.output()).inputs;
        assert_eq!(reads.len(), 2, "{graph}");
    }

    #[test]
    fn what_is_not_cut_stays_as_it_was() {
        let (mut on, x) = Builder::new(3);
        let y = on.relu(x);
        let graph = on.finish(y);
        let shapes = graph.shapes(&Shape::map(3, [4, 4])).unwrap();
        let of = graph.values().collect();
        assert_eq!(graph.cut(&shapes, &[false; 2]), Cut { graph: graph.clone(), parts: Vec::new(), of });
    }
}
