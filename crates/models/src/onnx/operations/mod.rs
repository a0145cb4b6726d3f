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
mod logic;
mod matmul;
mod normalise;
mod pad;
mod pool;
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

/// What imports a node.
type Importer = fn(&mut Call<'_>) -> Outputs;

/// An operation by its name in the standard.
type Entry = (&'static str, Importer);

const SUBJECTS: [&[Entry]; 20] = [
    binary::OPERATIONS,
    choice::OPERATIONS,
    concat::OPERATIONS,
    constant::OPERATIONS,
    conv::OPERATIONS,
    depth_space::OPERATIONS,
    expand::OPERATIONS,
    gather::OPERATIONS,
    logic::OPERATIONS,
    matmul::OPERATIONS,
    normalise::OPERATIONS,
    pad::OPERATIONS,
    pool::OPERATIONS,
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
