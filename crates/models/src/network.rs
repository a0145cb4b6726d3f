//! What every network can do, whatever its family.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use burn_store::ModuleSnapshot as _;
use kernels::{GraphError, Isa, Program};

use crate::complexity::{Layer, Trace};
use crate::dtype::Dtype;
use crate::execute::{Execute, Products, Stage};
use crate::fuse::{FuseError, fuse};
use crate::interpret::Interpreter;
use crate::weights::{Checkpoint, Framework, ModuleTensor, WaitingKernels, WeightsError, slots};

/// What a family's file provides; [`Network`] follows from it.
pub trait Architecture: Module {
    /// The forward pass, from images to logits.
    fn walk<I: Interpreter>(&self, on: &mut I, images: I::Features) -> I::Vector;

    /// Merges every batch normalisation that follows a convolution into it, in place.
    fn fold_norms(&mut self);

    /// The framework whose checkpoints hold the weights.
    fn framework(&self) -> Framework {
        Framework::PyTorch
    }

    /// What the source's checkpoint calls the tensor `leaf` of the layer at `layer`, a path of this
    /// module's fields. Where the fields mirror the checkpoint there is nothing to change.
    fn key(&self, layer: &str, leaf: &str) -> String {
        format!("{layer}.{leaf}")
    }
}

/// A network of any family, built and perhaps loaded.
pub trait Network: Send {
    /// Logits for a batch, by Burn's operations.
    ///
    /// # Shapes
    /// - `images`: `[batch, 3, height, width]`, normalised as the model's recipe says
    /// - output: `[batch, classes]`
    fn forward(&self, images: Tensor<4>, products: Products) -> Tensor<2>;

    /// [`Network::forward`] with the statistics of every stage, to find a first difference.
    fn observe(&self, images: Tensor<4>, products: Products) -> (Tensor<2>, Vec<Stage>);

    /// The layers that counting rules look at, in the order of execution, for a square input of
    /// `input_size` pixels. Call it before [`Network::fold_norms`]: afterwards the normalisations,
    /// which most rules count, are gone.
    ///
    /// # Panics
    /// If the input is smaller than the network's windows; the catalog lets no such size in.
    fn layers(&self, input_size: usize) -> Vec<Layer>;

    /// The framework whose checkpoints hold the weights.
    fn framework(&self) -> Framework;

    /// Every tensor of the network in the source framework's naming, layout and order.
    fn tensors(&self) -> Vec<ModuleTensor>;

    /// Fills every parameter from `checkpoint`, strictly.
    ///
    /// # Errors
    /// [`WeightsError::Mismatch`] when a tensor is missing, left over or of another shape.
    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), WeightsError>;

    /// Merges the normalisations into the convolutions; call it once the weights are loaded.
    fn fold_norms(&mut self);

    /// The network for the fused CPU kernels, its weights packed for `isa`.
    ///
    /// # Errors
    /// [`GraphError`] where the kernels lack something; [`Network::forward`] does not.
    fn fuse(&self, isa: Isa) -> Result<Program, GraphError>;

    /// [`Network::load`] and [`Network::fuse`] in one: weights go from the checkpoint to the kernels layer by layer,
    /// so that they are never in memory twice. The network itself is left without them.
    ///
    /// # Errors
    /// [`WeightsError`] as [`Network::load`]; [`GraphError`], within, as [`Network::fuse`].
    fn load_fused(
        &mut self,
        checkpoint: &Checkpoint,
        isa: Isa,
    ) -> Result<Result<Program, GraphError>, WeightsError>;

    /// Rounds every parameter to `dtype`.
    fn cast(&mut self, dtype: Dtype);
}

impl<A: Architecture + Send> Network for A {
    fn forward(&self, images: Tensor<4>, products: Products) -> Tensor<2> {
        self.walk(&mut Execute::new(products), images)
    }

    fn observe(&self, images: Tensor<4>, products: Products) -> (Tensor<2>, Vec<Stage>) {
        let mut execute = Execute::observing(products);
        let logits = self.walk(&mut execute, images);
        (logits, execute.into_stages())
    }

    fn layers(&self, input_size: usize) -> Vec<Layer> {
        Trace::of(self, input_size)
    }

    fn framework(&self) -> Framework {
        Architecture::framework(self)
    }

    fn tensors(&self) -> Vec<ModuleTensor> {
        slots(self).into_iter().map(|slot| slot.tensor).collect()
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), WeightsError> {
        self.load_from(&mut checkpoint.fit(&slots(self))?).map(|_| ())
    }

    fn fold_norms(&mut self) {
        Architecture::fold_norms(self);
    }

    fn fuse(&self, isa: Isa) -> Result<Program, GraphError> {
        match fuse(self, &mut WaitingKernels::default(), isa) {
            Ok(program) => Ok(program),
            Err(FuseError::Graph(error)) => Err(error),
            Err(FuseError::Weights(error)) => unreachable!("no weight is read from a checkpoint: {error}"),
        }
    }

    fn load_fused(
        &mut self,
        checkpoint: &Checkpoint,
        isa: Isa,
    ) -> Result<Result<Program, GraphError>, WeightsError> {
        let slots = slots(self);
        let mut fitted = checkpoint.fit(&slots)?;
        let mut kernels = fitted.take_kernels(&slots);
        self.load_from(&mut fitted)?;
        match fuse(self, &mut kernels, isa) {
            Ok(program) => kernels.finish().map(|()| Ok(program)),
            Err(FuseError::Graph(error)) => Ok(Err(error)),
            Err(FuseError::Weights(error)) => Err(error),
        }
    }

    fn cast(&mut self, dtype: Dtype) {
        *self = self.clone().map(&mut Cast(dtype));
    }
}

struct Cast(Dtype);

impl ModuleMapper for Cast {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.cast(self.0.burn()))
    }
}
