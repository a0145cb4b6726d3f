//! What of a graph has no kernel, told from its structure before anything is planned.

use graph::{Graph, Operation, Padding, Value, Window};

use super::Unsupported;

/// Channels of every value of the graph, or what of it has no kernel, whatever the size of the image.
pub(super) fn check(graph: &Graph) -> Result<Vec<usize>, Unsupported> {
    let mut widths: Vec<usize> = Vec::with_capacity(graph.nodes().len());
    let mut are_vectors: Vec<bool> = Vec::with_capacity(graph.nodes().len());
    let mut image_is_read = false;
    for (index, node) in graph.nodes().iter().enumerate() {
        let at = || graph.place(index);
        let width = node.inputs.first().map_or(0, |input| widths[input.index()]);
        let fits = |expected: usize| match width {
            // Without weights there is nothing to multiply, nor a size to tell from.
            found if found != expected || found == 0 => {
                Err(Unsupported::Channels { at: at(), expected, found })
            }
            _ => Ok(()),
        };
        let reads_image = node.inputs.contains(&Value::IMAGE);
        let unsupported = || Err(Unsupported::Operation { at: at(), operation: node.operation.name() });
        let mut is_vector = node.inputs.first().is_some_and(|input| are_vectors[input.index()]);
        // Some operations are of maps, and one is of vectors.
        let takes = match node.operation {
            Operation::Convolution(_)
            | Operation::MaxPool(_)
            | Operation::AveragePool(_)
            | Operation::Pad(_)
            | Operation::GlobalAveragePool(_) => Some(false),
            Operation::Linear(_) => Some(true),
            _ => None,
        };
        if takes.is_some_and(|vector| vector != is_vector) {
            return unsupported();
        }
        widths.push(match &node.operation {
            Operation::Image(image) => image.channels,
            Operation::Convolution(convolution) => {
                let [from, to] = convolution.channels();
                let groups = convolution.groups;
                if groups != 1 && (groups != from || from != to) {
                    return Err(Unsupported::Groups { at: at(), groups, channels: from });
                }
                if reads_image && (groups != 1 || image_is_read) {
                    return Err(Unsupported::Image);
                }
                fits(from)?;
                check_window(convolution.window)?;
                match to {
                    0 => return Err(Unsupported::Channels { at: at(), expected: 1, found: 0 }),
                    to => to,
                }
            }
            _ if reads_image => return Err(Unsupported::Image),
            Operation::BatchNorm(norm) => {
                fits(norm.norm.channels())?;
                width
            }
            Operation::Activation(_) | Operation::Scale(_) => width,
            Operation::GlobalAveragePool(_) => {
                is_vector = true;
                width
            }
            Operation::MaxPool(pool) => {
                check_window(pool.window)?;
                if pool.ceil_mode {
                    return Err(Unsupported::CeilMode { at: at() });
                }
                width
            }
            // What has no kernel of it, the planner tells: it depends on what reads it.
            Operation::Pad(_) => width,
            Operation::AveragePool(pool) => {
                check_window(pool.window)?;
                if pool.ceil_mode {
                    return Err(Unsupported::CeilMode { at: at() });
                }
                if pool.count_padding && pool.window.padding != Padding::Explicit([0; 4]) {
                    return unsupported();
                }
                width
            }
            Operation::Add(_) => {
                let other = node.inputs.get(1).map_or(Value::IMAGE.index(), |input| input.index());
                fits(widths[other])?;
                if are_vectors[other] != is_vector {
                    return unsupported();
                }
                width
            }
            Operation::Linear(linear) => {
                let [from, to] = linear.widths();
                fits(from)?;
                match to {
                    0 => return Err(Unsupported::Channels { at: at(), expected: 1, found: 0 }),
                    to => to,
                }
            }
            _ => return unsupported(),
        });
        are_vectors.push(is_vector);
        image_is_read |= reads_image;
    }
    if !are_vectors[graph.output().index()] {
        return Err(Unsupported::NoLogits);
    }
    Ok(widths)
}

fn check_window(window: Window) -> Result<(), Unsupported> {
    let Window { kernel, stride, dilation, .. } = window;
    if window.is_sound() { Ok(()) } else { Err(Unsupported::Window { kernel, stride, dilation }) }
}
