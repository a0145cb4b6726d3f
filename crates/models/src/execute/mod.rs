//! A graph computed by Burn's tensor operations: what computes on GPUs, and on the CPU where the kernels don't.

mod axes;
mod elementwise;
mod evaluate;
mod flow;
mod integers;
mod operations;
mod part;

use burn::tensor::{Device, Tensor};
use graph::{Graph, Operation, Value, Weights};

use crate::dtype::Dtype;
use crate::products::Products;
pub(crate) use evaluate::evaluate;
use flow::Flow;
use operations::Place;
pub(crate) use part::ByBurn;

/// What computes an operation of its inputs.
type Compute = Box<dyn Fn(Vec<Flow>) -> Flow + Send>;

/// Whatever makes logits of a batch of images by Burn's operations: a network, or in a test what fails in a known way.
pub trait Forward: Send {
    /// The logits of a batch.
    ///
    /// # Shapes
    /// - `images`: `[batch, channels, height, width]`, normalised as the model's recipe says
    /// - output: `[batch, classes]`
    ///
    /// # Panics
    /// Where the device gives up, or the images do not fit the network.
    fn forward(&self, images: Tensor<4>) -> Tensor<2>;
}

/// A graph with its weights on a device.
pub struct Executable {
    graph: Graph,
    computes: Vec<Compute>,
}

impl Executable {
    /// Reads the weights of `graph`, a layer at a time, and rounds them to `dtype`.
    ///
    /// # Errors
    /// Those of `weights`.
    pub fn load<W: Weights>(
        graph: &Graph,
        weights: &mut W,
        device: &Device,
        dtype: Dtype,
        products: Products,
    ) -> Result<Self, W::Error> {
        let on = Place { device, dtype: dtype.burn(), products };
        let computes = graph.nodes().iter().map(|node| operations::load(&node.operation, weights, &on));
        Ok(Self { computes: computes.collect::<Result<_, _>>()?, graph: graph.clone() })
    }

    /// [`Forward::forward`] with the statistics of every stage, to find the first that differs from the source framework's.
    /// Slow: each stage is read back from the device.
    ///
    /// # Panics
    /// As [`Forward::forward`].
    pub fn observe(&self, images: Tensor<4>) -> (Tensor<2>, Vec<StageStatistics>) {
        let mut stages = Vec::new();
        let logits = self.run(images, |value, flow| {
            for stage in self.graph.stages().iter().filter(|stage| stage.value == value) {
                if let Flow::Map(map) = flow {
                    stages.push(StageStatistics::of(&stage.name, map));
                }
            }
        });
        (logits, stages)
    }

    /// The logits of `images`; shows `see` every value.
    fn run(&self, images: Tensor<4>, see: impl FnMut(Value, &Flow)) -> Tensor<2> {
        let mut logits = self.compute(vec![Flow::Map(images)], &[self.graph.output()], see);
        logits.pop().expect("as many come out as were asked for").into_vector()
    }

    /// Computes every operation in turn, and shows `see` each result; `given` are the image, or what a part of a network reads, by place. A
    /// value is let go once nobody reads it any more. What comes out are the values `outputs`.
    fn compute(&self, given: Vec<Flow>, outputs: &[Value], mut see: impl FnMut(Value, &Flow)) -> Vec<Flow> {
        let mut given: Vec<Option<Flow>> = given.into_iter().map(Some).collect();
        let mut unread = self.graph.readers();
        outputs.iter().for_each(|output| unread[output.index()] += 1);
        let mut flows: Vec<Option<Flow>> = vec![None; unread.len()];
        for (value, compute) in self.graph.values().zip(&self.computes) {
            let node = self.graph.node(value);
            let place = match &node.operation {
                Operation::Image(_) => Some(0),
                Operation::Given(given) => Some(given.place),
                _ => None,
            };
            let inputs = match place {
                Some(place) => vec![given[place].take().expect("what is given has a place of its own")],
                None => node
                    .inputs
                    .iter()
                    .map(|input| {
                        unread[input.index()] -= 1;
                        let flow = &mut flows[input.index()];
                        let read = if unread[input.index()] == 0 { flow.take() } else { flow.clone() };
                        read.expect("a graph's values come before those that read them")
                    })
                    .collect(),
            };
            let flow = compute(inputs);
            see(value, &flow);
            flows[value.index()] = Some(flow);
        }
        let output =
            |output: &Value| flows[output.index()].clone().expect("an output is a value of the graph");
        outputs.iter().map(output).collect()
    }
}

impl Forward for Executable {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.run(images, |_, _| {})
    }
}

/// What a stage put out, in the terms of `datasets/reference/stages/*.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct StageStatistics {
    /// The stage's name in the source framework, such as `block3`.
    pub name: String,
    /// `[batch, channels, height, width]`.
    pub shape: [usize; 4],
    /// Mean over all elements, accumulated in f64.
    pub mean: f64,
    /// Population standard deviation over all elements.
    pub std: f64,
    /// Smallest element.
    pub min: f32,
    /// Largest element.
    pub max: f32,
}

impl StageStatistics {
    fn of(name: &str, x: &Tensor<4>) -> Self {
        let shape = x.dims();
        let values: Vec<f32> = x.to_data().iter::<f32>().collect();
        let count = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
        Self {
            name: name.to_owned(),
            shape,
            mean,
            std: variance.sqrt(),
            min: values.iter().copied().fold(f32::INFINITY, f32::min),
            max: values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        }
    }
}
