//! What is said of operations and inputs that are not read.

use super::file::{NodeProto, OnnxFile};
use super::operations;
use super::trouble::Trouble;

/// What is said of an input that is not known.
pub(super) fn input(file: &OnnxFile, name: &str) -> Trouble {
    let Some(tensor) = file.graph().initializers.iter().find(|tensor| tensor.name == name) else {
        return format!("it reads `{name}`, which nothing puts out that is supported").into();
    };
    let reason = match tensor.element.layout() {
        None => "which is not read here",
        Some(_) => "and has more elements than shapes and places need",
    };
    format!("it reads `{name}`, which is of {}, {reason}", tensor.element).into()
}

/// What is said of an operation that is not there.
pub(super) fn operation(file: &OnnxFile, node: &NodeProto) -> Trouble {
    if ["If", "Loop", "Scan"].contains(&node.op_type.as_str()) && OnnxFile::is_standard(&node.domain) {
        return "it holds graphs of its own, which are computed or not as the image says, and that is not supported; export \
                the network traced, for a size of image, or simplify it with onnxsim"
            .into();
    }
    if file.functions().contains(&(node.domain.clone(), node.op_type.clone())) {
        return "it is a function that the file defines, and those are not read; write it out with onnx.inliner".into();
    }
    if !OnnxFile::is_standard(&node.domain) {
        return format!(
            "it is an operation of `{}`, not of the standard; export the network without it",
            node.domain
        )
        .into();
    }
    format!(
        "this operation is not supported; the nearest are {}",
        operations::nearest(&node.op_type).join(" and ")
    )
    .into()
}
