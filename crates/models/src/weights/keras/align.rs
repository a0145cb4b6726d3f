//! The layers of a Keras file against those of a network: which is which, and whether it can be.

use std::collections::{HashMap, HashSet};

use burn_store::burn_pack::Tensor as PackTensor;

use super::super::module_tensors::ModuleTensor;
use super::{Layer, Layers};

/// The tensors of `layers` under the names of `network`; the reason in words where that cannot be its file.
pub(super) fn align(layers: &Layers, network: &[&ModuleTensor]) -> Result<Vec<PackTensor>, String> {
    let expected = expected_layers(network);
    match layers {
        Layers::Ordered(layers) => align_by_order(layers, &expected),
        Layers::ByClass(layers) => Ok(align_by_class(layers, &expected)),
    }
}

/// A layer of the network: its name and its tensors' last parts, in order.
struct Expected<'a> {
    name: &'a str,
    tensors: Vec<(&'a str, &'a ModuleTensor)>,
}

impl Expected<'_> {
    /// Whether the name is Keras's own numbering.
    fn is_numbered(&self) -> bool {
        let (class, place) = split_number(self.name);
        place > 0 && matches!(class, "conv2d" | "batch_normalization")
    }

    /// The name of the layer's class in files of Keras 3.
    fn class(&self) -> &'static str {
        match &self.tensors[..] {
            [("depthwise_kernel", _), ..] => "separable_conv2d",
            [("gamma", _), ..] => "batch_normalization",
            [("kernel", tensor), ..] if tensor.shape.len() == 4 => "conv2d",
            _ => "dense",
        }
    }
}

/// `conv2d_3` is the fourth `conv2d`, which is the first.
fn split_number(name: &str) -> (&str, usize) {
    match name.rsplit_once('_').map(|(class, place)| (class, place.parse::<usize>())) {
        Some((class, Ok(place))) => (class, place),
        _ => (name, 0),
    }
}

fn expected_layers<'a>(network: &[&'a ModuleTensor]) -> Vec<Expected<'a>> {
    let mut layers: Vec<Expected<'a>> = Vec::new();
    for tensor in network {
        let (name, leaf) = tensor.name.rsplit_once('/').unwrap_or((&tensor.name, ""));
        match layers.last_mut() {
            Some(layer) if layer.name == name => layer.tensors.push((leaf, tensor)),
            _ => layers.push(Expected { name, tensors: vec![(leaf, tensor)] }),
        }
    }
    layers
}

/// Last parts of names that say what a tensor is. Keras 1 wrote others (`block1_conv1_W`), which go by
/// their place alone.
const LEAVES: [&str; 8] = [
    "kernel",
    "bias",
    "depthwise_kernel",
    "pointwise_kernel",
    "gamma",
    "beta",
    "moving_mean",
    "moving_variance",
];

fn leaf(tensor: &PackTensor) -> &str {
    let name = tensor.name.rsplit('/').next().unwrap_or_default();
    name.split(':').next().unwrap_or_default()
}

fn align_by_order(layers: &[Layer], expected: &[Expected<'_>]) -> Result<Vec<PackTensor>, String> {
    const ADVICE: &str = "use the file of exactly this network";
    let own_names: HashSet<&str> =
        expected.iter().filter(|layer| !layer.is_numbered()).map(|layer| layer.name).collect();
    if layers.len() != expected.len() {
        let in_file: HashSet<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
        let mut reason =
            format!("it has {} layers with weights, the network {}", layers.len(), expected.len());
        if let Some(absent) = expected.iter().find(|it| !it.is_numbered() && !in_file.contains(it.name)) {
            reason += &format!("; {} is not among them", absent.name);
        }
        return Err(format!("{reason}; {ADVICE}"));
    }
    let mut tensors = Vec::new();
    for (layer, expected) in layers.iter().zip(expected) {
        if layer.name != expected.name && own_names.contains(layer.name.as_str()) {
            return Err(format!("{} stands where {} belongs; {ADVICE}", layer.name, expected.name));
        }
        let fits =
            layer.tensors.len() == expected.tensors.len()
                && layer.tensors.iter().zip(&expected.tensors).all(|(tensor, (expected, _))| {
                    leaf(tensor) == *expected || !LEAVES.contains(&leaf(tensor))
                });
        if !fits {
            let list = |leaves: Vec<&str>| leaves.join(", ");
            return Err(format!(
                "{} holds {}, where {} of the network has {}; {ADVICE}",
                layer.name,
                list(layer.tensors.iter().map(leaf).collect()),
                expected.name,
                list(expected.tensors.iter().map(|(leaf, _)| *leaf).collect())
            ));
        }
        tensors.extend(
            layer
                .tensors
                .iter()
                .zip(&expected.tensors)
                .map(|(found, (_, wanted))| renamed(found, &wanted.name)),
        );
    }
    Ok(tensors)
}

fn align_by_class(layers: &[Layer], expected: &[Expected<'_>]) -> Vec<PackTensor> {
    // Numbers may have gaps where layers of the class have no weights; their order counts.
    let mut by_class: HashMap<&str, Vec<(usize, &Layer)>> = HashMap::new();
    for layer in layers {
        let (class, place) = split_number(&layer.name);
        by_class.entry(class).or_default().push((place, layer));
    }
    for places in by_class.values_mut() {
        places.sort_by_key(|(place, _)| *place);
    }
    let mut taken: HashMap<&str, usize> = HashMap::new();
    let mut tensors = Vec::new();
    for expected in expected {
        let place = taken.entry(expected.class()).or_default();
        let found = by_class.get(expected.class()).and_then(|places| places.get(*place));
        *place += 1;
        let Some((_, layer)) = found else { continue };
        for (index, tensor) in layer.tensors.iter().enumerate() {
            let name = expected.tensors.get(index).map_or(&tensor.name, |(_, wanted)| &wanted.name);
            tensors.push(renamed(tensor, name));
        }
    }
    // What no layer of the network has asked for is reported as not of this network.
    for (class, places) in by_class {
        let rest = places.into_iter().skip(taken.get(class).copied().unwrap_or(0));
        tensors.extend(rest.flat_map(|(_, layer)| layer.tensors.iter().cloned()));
    }
    tensors
}

fn renamed(tensor: &PackTensor, name: &str) -> PackTensor {
    let mut tensor = tensor.clone();
    name.clone_into(&mut tensor.name);
    tensor
}
