//! A loaded network on its device, ready to classify: by the fused kernels where the device is the CPU
//! and has them, by the network's own Burn modules everywhere else.

use std::sync::Arc;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use dataset::guard::{guarded, guarded_or};
use graph::{Graph, Operation, Part};
use kernels::{Elsewhere, Images, Lowering, Program, Shares, Unsupported};

use crate::compute_error::ComputeError;
use crate::device::DeviceName;
use crate::dtype::Dtype;
use crate::execute::{ByBurn, Executable, Forward};
use crate::fused::Fused;
use crate::network::{Network, ProgramError, program};
use crate::onnx::OnnxNetwork;
use crate::placement::{Placement, PlacementError};
use crate::weights::{Checkpoint, ReadOnce, WeightsError};

/// A network with its weights on a device.
///
/// ```
/// use models::{Catalog, Classifier, DeviceName, Dtype, Images, Placement, reference, weights};
///
/// let placement = Placement::new(DeviceName::Flex, Dtype::F32, 2)?;
/// let catalog = Catalog::built_in();
/// let model = catalog.select("timm/resnet18")?[0];
/// let entry = model.network();
/// let network = entry.build();
/// // Seeded weights; `Checkpoint::open` reads those of a file.
/// let checkpoint = weights::seeded(&network, entry.name)?;
/// let classifier = Classifier::load(&network, &checkpoint, &placement)?;
///
/// let values = reference::probe_input(model.input_size);
/// let images = Images::Planar { values: &values, channels: 3, size: [model.input_size; 2] };
/// let logits = classifier.logits(&images)?;
/// // What timm computes with the same weights for the same input.
/// let frozen = reference::answers(entry.name).expect("resnet18's answers are frozen");
/// assert_eq!(logits[0].len(), frozen.probe.len());
/// assert!(logits[0].iter().zip(&frozen.probe).all(|(here, there)| (here - there).abs() < 1e-2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Classifier {
    device: Device,
    device_name: DeviceName,
    dtype: Dtype,
    engine: Engine,
}

/// What computes.
enum Engine {
    /// The kernels, which hold the weights in a layout of their own, and what of the network Burn's operations compute between them.
    Fused { fused: Fused, shares: Option<Shares> },
    /// Burn's operations, and why the kernels don't, where they might have.
    Burn { network: Box<dyn Forward>, reason: Option<Unsupported> },
}

/// Logits that a device may still be computing.
pub struct Pending {
    images: usize,
    logits: Logits,
}

enum Logits {
    Here(Vec<f32>),
    OnDevice(Box<Tensor<2>>),
}

impl Pending {
    /// The logits of each image, once they are there.
    ///
    /// # Errors
    /// [`ComputeError`] when the device gave up.
    pub fn wait(self) -> Result<Vec<Vec<f32>>, ComputeError> {
        let logits = match self.logits {
            Logits::Here(logits) => logits,
            Logits::OnDevice(logits) => {
                guarded(|| logits.into_data().iter::<f32>().collect()).map_err(ComputeError::of_panic)?
            }
        };
        let classes = logits.len() / self.images.max(1);
        Ok(logits.chunks_exact(classes.max(1)).map(<[f32]>::to_vec).collect())
    }
}

impl Classifier {
    /// Fills `network` from `checkpoint`, where `placement` says, and readies it. Weights go to what computes layer by layer,
    /// normalisations folded on the way, so that they are never in memory twice.
    ///
    /// # Errors
    /// [`ClassifierError`]: the checkpoint is not the network's or cannot be read, or the kernels lack something and
    /// Burn's operations lack the type.
    pub fn load(
        network: &Network,
        checkpoint: &Checkpoint,
        placement: &Placement,
    ) -> Result<Self, ClassifierError> {
        Self::of_graph(network.graph(), None, || network.weights(checkpoint), placement)
    }

    /// [`Classifier::load`] of an ONNX file's network, whose weights are the file's.
    ///
    /// # Errors
    /// As [`Classifier::load`].
    pub fn load_onnx(network: &OnnxNetwork, placement: &Placement) -> Result<Self, ClassifierError> {
        let size = Some(network.size());
        Self::of_graph(network.graph(), size, || Ok(network.weights().clone()), placement)
    }

    /// `graph` with the weights that `weights` gives, twice where the kernels lack so much that they compute nothing. Where images have
    /// one `size`, what they lack is cut out.
    fn of_graph<W: ReadOnce>(
        graph: &Graph,
        size: Option<[usize; 2]>,
        weights: impl Fn() -> Result<W, WeightsError>,
        placement: &Placement,
    ) -> Result<Self, ClassifierError> {
        let Placement { device, dtype, ref threads, burn: ref burn_device, .. } = *placement;
        // Integers are none in a type of 16 bits, which a GPU has.
        let has_integers =
            graph.nodes().iter().any(|node| matches!(node.operation, Operation::IntegerProduct(_)));
        if has_integers
            && dtype != Dtype::F32
            && let Some(source) = Self::kernels_lack(graph)
        {
            return Err(PlacementError::NoKernels { dtype, device, source }.into());
        }
        let Some(isa) = placement.isa() else {
            let network = Box::new(burn(graph, weights()?, placement)?);
            return Ok(Self::by_burn(network, placement));
        };
        // Burn's operations on the CPU have no other type of numbers.
        let lowering = match size.filter(|_| dtype == Dtype::F32) {
            Some(size) => Lowering::in_parts(graph, size),
            None => Lowering::of(graph),
        };
        let elsewhere = |part: &Part, weights: &mut W| {
            let part = ByBurn::load(part, weights, burn_device, dtype.products(device))?;
            Ok(Arc::new(part) as Arc<dyn Elsewhere>)
        };
        let loaded = lowering
            .map_err(ProgramError::Unsupported)
            .and_then(|lowering| Ok((program(&lowering, weights()?, isa, elsewhere)?, lowering.shares())));
        let reason = match loaded {
            Ok((program, shares)) => {
                let fused = Fused { program: Arc::new(program), threads: Arc::clone(threads) };
                return Ok(Self::on(placement, Engine::Fused { fused, shares }));
            }
            Err(ProgramError::Unsupported(reason)) => reason,
            Err(ProgramError::Weights(error)) => return Err(error.into()),
            // Burn's operations need more memory than the kernels do.
            Err(ProgramError::OutOfMemory { bytes }) => return Err(PlacementError::Memory { bytes }.into()),
        };
        if dtype != Dtype::F32 {
            return Err(PlacementError::NoKernels { dtype, device, source: reason }.into());
        }
        let network = Box::new(burn(graph, weights()?, placement)?);
        Ok(Self::on(placement, Engine::Burn { network, reason: Some(reason) }))
    }

    /// What computes `network` on a CPU in f32.
    pub fn computed_by(network: &OnnxNetwork) -> ComputedBy {
        match Lowering::in_parts(network.graph(), network.size()) {
            Ok(lowering) => lowering.shares().map_or(ComputedBy::Kernels, ComputedBy::Both),
            Err(reason) => ComputedBy::Burn(reason),
        }
    }

    /// What of `graph` the kernels lack, if they lack something.
    pub fn kernels_lack(graph: &Graph) -> Option<Unsupported> {
        Lowering::of(graph).err()
    }

    /// As [`Classifier::load`], but Burn's operations compute wherever it is: what the kernels are measured against.
    /// Burn starts threads of its own, so that those of `placement` stay idle.
    ///
    /// # Errors
    /// [`WeightsError`]: the checkpoint is not the network's or cannot be read.
    pub fn load_without_kernels(
        network: &Network,
        checkpoint: &Checkpoint,
        placement: &Placement,
    ) -> Result<Self, WeightsError> {
        let weights = network.weights(checkpoint)?;
        Ok(Self::by_burn(Box::new(burn(network.graph(), weights, placement)?), placement))
    }

    /// What classifies by whatever `network` is, on Burn's tensors.
    pub fn by_burn(network: Box<dyn Forward>, placement: &Placement) -> Self {
        Self::on(placement, Engine::Burn { network, reason: None })
    }

    fn on(placement: &Placement, engine: Engine) -> Self {
        let Placement { device: device_name, dtype, ref burn, .. } = *placement;
        Self { device: burn.clone(), device_name, dtype, engine }
    }

    /// What computes, for the record: `avx512` for those kernels, `burn` for Burn's operations; `avx512, 12 of 90 operations by burn
    /// (softmax)` where both do.
    pub fn engine(&self) -> String {
        match &self.engine {
            Engine::Fused { fused, shares: None } => fused.program.isa().name().to_owned(),
            Engine::Fused { fused, shares: Some(Shares { operations, elsewhere, names }) } => {
                let isa = fused.program.isa().name();
                format!("{isa}, {elsewhere} of {operations} operations by burn ({})", few(names))
            }
            Engine::Burn { reason: None, .. } => "burn".to_owned(),
            Engine::Burn { reason: Some(reason), .. } => format!("burn ({reason})"),
        }
    }

    /// The program of the fused kernels, where they compute.
    pub fn program(&self) -> Option<&Program> {
        match &self.engine {
            Engine::Fused { fused, .. } => Some(&fused.program),
            Engine::Burn { .. } => None,
        }
    }

    /// The logits of each of `images`.
    ///
    /// # Errors
    /// As [`Classifier::start`].
    pub fn logits(&self, images: &Images<'_>) -> Result<Vec<Vec<f32>>, ComputeError> {
        self.start(images)?.wait()
    }

    /// Takes the memory that so many images of this height and width need, where the kernels compute; [`Classifier::start`] does so where it
    /// was not done.
    ///
    /// # Errors
    /// As [`Classifier::start`].
    pub fn reserve(&self, size: [usize; 2], images: usize) -> Result<(), ComputeError> {
        match &self.engine {
            Engine::Fused { fused, .. } => Ok(fused.program.reserve(size, images, &fused.threads)?),
            Engine::Burn { .. } => Ok(()),
        }
    }

    /// Hands `images` to the device. A GPU computes while the caller goes on; on the CPU all is done when this
    /// returns.
    ///
    /// # Errors
    /// [`ComputeError`]: the images are too small for the network, there is no memory for so many, or whatever else keeps the
    /// device from computing; where Burn's operations compute, a panic inside them included.
    pub fn start(&self, images: &Images<'_>) -> Result<Pending, ComputeError> {
        let count = images.count()?;
        let logits = match &self.engine {
            Engine::Fused { fused, .. } => Logits::Here(fused.program.run(images, &fused.threads)?),
            Engine::Burn { network, .. } => {
                let forward = || {
                    let input = self.tensor(images, count)?;
                    let input = if self.dtype == Dtype::F32 { input } else { input.cast(self.dtype.burn()) };
                    Ok(Logits::OnDevice(Box::new(network.forward(input))))
                };
                guarded_or(forward, ComputeError::of_panic)?
            }
        };
        Ok(Pending { images: count, logits })
    }

    /// The images on the device, `[images, channels, height, width]`. Bytes travel as they are, four a word,
    /// and become numbers there.
    fn tensor(&self, images: &Images<'_>, count: usize) -> Result<Tensor<4>, ComputeError> {
        let ([height, width], channels) = (images.size(), images.channels());
        Ok(match *images {
            // A GPU has the bandwidth for four bytes a pixel, the way to it does not.
            Images::Bytes { values, tables, size } if self.device_name.is_gpu() => {
                look_up(values, tables, size, &self.device)
            }
            _ => {
                let data = TensorData::new(images.to_planar()?, [count, channels, height, width]);
                Tensor::from_data(data, &self.device)
            }
        })
    }
}

/// The first of `names`, for a line.
fn few(names: &[&str]) -> String {
    let shown = names.len().min(4);
    let more = if names.len() > shown { " and others" } else { "" };
    names[..shown].join(", ") + more
}

/// What computes a network on a CPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComputedBy {
    /// The kernels.
    Kernels,
    /// The kernels, and what they lack Burn's operations.
    Both(Shares),
    /// Burn's operations, and why.
    Burn(Unsupported),
}

/// `graph` with its weights on the device of `placement`.
fn burn(
    graph: &Graph,
    mut weights: impl ReadOnce,
    placement: &Placement,
) -> Result<Executable, WeightsError> {
    let Placement { device, burn, dtype, .. } = placement;
    let graph = graph.fold_norms();
    let executable = Executable::load(&graph, &mut weights, burn, *dtype, dtype.products(*device))?;
    weights.finish()?;
    Ok(executable)
}

/// Turns bytes, `[images, height, width, channels]`, into the numbers of the channels' tables,
/// `[images, channels, height, width]`, on `device`. Looked up and not computed, so that a device that
/// divides in its own way gets the same bits.
fn look_up(bytes: &[u8], tables: &[[f32; 256]], [height, width]: [usize; 2], device: &Device) -> Tensor<4> {
    let channels = tables.len();
    let count = bytes.len() / (height * width * channels);
    // Four bytes travel as a word: WGSL knows no smaller numbers.
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, &byte| word << 8 | i32::from(byte));
    let words: Vec<i32> = bytes.chunks(4).map(word).collect();
    let whole = TensorData::new(words, [bytes.len().div_ceil(4), 1]);
    let whole = Tensor::<2, Int>::from_data(whole, (device, DType::I32));
    let shifted = [8, 16, 24].map(|bits| whole.clone().bitwise_right_shift_scalar(bits));
    let unpacked = Tensor::cat([vec![whole], shifted.into()].concat(), 1).bitwise_and_scalar(0xff);
    let index: Tensor<1, Int> = unpacked.flatten(0, 1).slice(0..bytes.len());
    let index: Tensor<4, Int> = index.reshape([count, height, width, channels]);
    let pixels = count * height * width;
    let index = index.permute([3, 0, 1, 2]).reshape([channels, pixels]);
    let tables = TensorData::new(tables.as_flattened().to_vec(), [channels, 256]);
    let looked_up = Tensor::<2>::from_data(tables, device).gather(1, index);
    looked_up.reshape([channels, count, height, width]).permute([1, 0, 2, 3])
}

/// Why a network cannot classify.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierError {
    /// Its weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Where it is to compute.
    #[error(transparent)]
    Placement(#[from] PlacementError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_looks_up_the_bits_that_the_host_does() {
        let bytes: Vec<u8> = (0..2 * 5 * 7 * 3).map(|i| (i * 37 % 256) as u8).collect();
        let tables = dataset::Normalisation::IMAGENET.table();
        let images = Images::Bytes { values: &bytes, tables: &tables, size: [5, 7] };
        let expected = images.to_planar().unwrap();
        for name in [DeviceName::Flex, DeviceName::NdArray] {
            let device = name.init().unwrap_or_else(|error| panic!("{error}"));
            let found: Vec<f32> = look_up(&bytes, &tables, [5, 7], &device).into_data().iter().collect();
            assert_eq!(found, expected, "{name}");
        }
    }
}
