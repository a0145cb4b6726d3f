//! A network of the kernels as one operation of Burn's tensors, by Burn's backend extension: for programs that hold
//! their images as tensors and want logits as tensors. Of Burn's backends `flex` has it; on others, a network's own
//! modules compute.
//!
//! No evaluation of this workspace goes this way: [`crate::Classifier`] keeps a [`Fused`] and calls its program, which takes
//! bytes as decoders give them and needs no tensor. `tests/kernels.rs` holds the operation to the frameworks' logits.

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData};
use kernels::{Images, Program, Threads};

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
pub(crate) trait FusedNetwork: Backend {
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
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    ///
    /// use burn::tensor::{Device, Tensor};
    /// use models::{Catalog, Fused, Isa, Threads, weights};
    ///
    /// let catalog = Catalog::built_in();
    /// let entry = catalog.select("timm/resnet18")?[0].network();
    /// let network = entry.build();
    /// let program = network.program(&weights::seeded(&network, entry.name)?, Isa::best())?;
    ///
    /// let network = Fused { program: Arc::new(program), threads: Arc::new(Threads::new(1)?) };
    /// let images = Tensor::<4>::zeros([2, 3, 64, 48], &Device::flex());
    /// assert_eq!(network.forward(images).dims(), [2, 1000]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        Tensor::from_dispatch(Dispatch::fused_network(images.into_dispatch(), self.clone()))
    }
}
