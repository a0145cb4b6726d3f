//! The kernels as an operation on Burn's tensors, by Burn's backend extension: on `flex` a whole network
//! is one operation. Other devices don't have it; there, a network's own modules compute.

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData};

use crate::image::Images;
use crate::program::Program;
use crate::threads::Threads;

/// A network ready to run: what it computes, and who does.
#[derive(Debug, Clone)]
pub struct Fused {
    /// The network.
    pub program: Arc<Program>,
    /// The threads.
    pub threads: Arc<Threads>,
}

/// Backends that run a fused network.
#[backend_extension(Flex)]
pub trait FusedNetwork: Backend {
    /// Logits, `[batch, classes]`, of `images`, `[batch, channels, height, width]`.
    fn fused_network(images: FloatTensor<Self>, network: Fused) -> FloatTensor<Self>;
}

impl FusedNetwork for Flex {
    fn fused_network(images: FloatTensor<Self>, network: Fused) -> FloatTensor<Self> {
        let images = images.to_contiguous();
        let shape = images.layout().shape().dims::<4>();
        let [batch, channels, height, width] = shape;
        let start = images.layout().start_offset();
        let values = &images.storage::<f32>()[start..start + shape.iter().product::<usize>()];
        let size = [height, width];
        let logits = network.program.run(&Images::Planar { values, channels, size }, &network.threads);
        let logits = logits.unwrap_or_else(|error| panic!("{error}"));
        let classes = network.program.classes();
        FloatTensor::<Self>::from_data(TensorData::new(logits, [batch, classes]))
    }
}

impl Fused {
    /// The network's logits, `[batch, classes]`, of `images`, `[batch, channels, height, width]`.
    ///
    /// # Panics
    /// If the tensor does not lie on the device `flex`, is not of `f32`, or the network cannot take images of the size.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        Tensor::from_dispatch(Dispatch::fused_network(images.into_dispatch(), self.clone()))
    }
}
