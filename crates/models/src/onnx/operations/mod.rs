//! The operations of the standard, a subject a file. An operation is one function: it reads its node's attributes as its opset
//! says, computes integers at once, and adds to the graph what depends on the image. What it does not ask for is not there, so
//! that an attribute that nobody reads is an error and never passed over.

mod binary;
mod choice;
mod concat;
mod constant;
mod conv;
mod depth_space;
mod expand;
mod gather;
mod integer;
mod logic;
mod matmul;
mod normalise;
mod pad;
mod pool;
mod qlinear;
mod quantise;
mod recognised;
mod reduce;
mod reshape;
mod resize;
mod scatter;
mod slice;
mod softmax;
mod transpose;
mod unary;
mod window;

use super::call::{Call, Outputs};
use super::file::{NodeProto, OnnxFile};

/// What imports a node.
type Importer = fn(&mut Call<'_>) -> Outputs;

/// An operation by its name in the standard.
type Entry = (&'static str, Importer);

const SUBJECTS: [&[Entry]; 23] = [
    binary::OPERATIONS,
    choice::OPERATIONS,
    concat::OPERATIONS,
    constant::OPERATIONS,
    conv::OPERATIONS,
    depth_space::OPERATIONS,
    expand::OPERATIONS,
    gather::OPERATIONS,
    integer::OPERATIONS,
    logic::OPERATIONS,
    matmul::OPERATIONS,
    normalise::OPERATIONS,
    pad::OPERATIONS,
    pool::OPERATIONS,
    qlinear::OPERATIONS,
    quantise::OPERATIONS,
    reduce::OPERATIONS,
    reshape::OPERATIONS,
    resize::OPERATIONS,
    scatter::OPERATIONS,
    slice::OPERATIONS,
    softmax::OPERATIONS,
    transpose::OPERATIONS,
];

/// Every operation that is read.
pub(super) fn all() -> impl Iterator<Item = Entry> {
    SUBJECTS.into_iter().flatten().copied().chain(unary::OPERATIONS.iter().copied())
}

/// Operations that move elements, or choose the largest, of whatever type.
const MOVES: [&str; 22] = [
    "Concat",
    "DepthToSpace",
    "Dropout",
    "Expand",
    "Flatten",
    "Gather",
    "GlobalMaxPool",
    "Identity",
    "MaxPool",
    "Pad",
    "ReduceMax",
    "ReduceMin",
    "Reshape",
    "Shape",
    "Size",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
];

/// How an operation takes quantised integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TakesIntegers {
    /// It computes with them.
    Itself,
    /// It only moves them, and puts out what it takes.
    Moved,
    /// As numbers that are known: places, shapes.
    Known,
}

impl TakesIntegers {
    /// How the operation of that name does.
    pub(super) fn of(name: &str) -> Self {
        let computing = [integer::OPERATIONS, qlinear::OPERATIONS, quantise::OPERATIONS];
        let casts = ["Cast", "CastLike"];
        if computing.iter().copied().flatten().any(|&(known, _)| known == name) || casts.contains(&name) {
            Self::Itself
        } else if MOVES.contains(&name) {
            Self::Moved
        } else {
            Self::Known
        }
    }
}

/// The name of a node's operation, with its domain where that is not the standard's.
pub(super) fn name(node: &NodeProto) -> String {
    if OnnxFile::is_standard(&node.domain) {
        node.op_type.clone()
    } else {
        format!("{}.{}", node.domain, node.op_type)
    }
}

/// What imports the operation of that name.
pub(super) fn by_name(name: &str) -> Option<Importer> {
    all().find(|&(known, _)| known == name).map(|(_, importer)| importer)
}

/// The names that are most like `name`.
pub(super) fn nearest(name: &str) -> Vec<&'static str> {
    let mut names: Vec<&str> = all().map(|(known, _)| known).collect();
    names.sort_by(|a, b| strsim::jaro_winkler(b, name).total_cmp(&strsim::jaro_winkler(a, name)));
    names.truncate(2);
    names
}
