//! 2-D convolution, grouped and dilated, and with a normalisation after it folded in.

use super::{Definition, Normalisation, Operation, only};
use crate::complexity::Cost;
use crate::parameter::{Parameter, Weights};
use crate::shape::{Misfit, Shape};
use crate::window::Window;

/// A convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolution {
    /// Kernel, stride, dilation and padding.
    pub window: Window,
    /// Groups of channels; as many as channels make it depthwise.
    pub groups: usize,
    /// `[channels out, channels in / groups, kernel height, kernel width]`.
    pub kernel: Parameter,
    /// `[channels out]`.
    pub bias: Option<Parameter>,
    /// Whether it is of a class of the source's own, such as timm's `Conv2dSame`, which tools that count by class do not know.
    pub is_subclass: bool,
    /// A normalisation that came after it and was folded in: it is applied to kernel and bias when they are read.
    pub norm: Option<Box<Normalisation>>,
}

/// A convolution's weights as it computes with them.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvolutionWeights {
    /// In the order of [`Convolution::kernel`].
    pub kernel: Vec<f32>,
    /// A value a channel out.
    pub bias: Option<Vec<f32>>,
}

impl Convolution {
    /// Channels in and out.
    pub fn channels(&self) -> [usize; 2] {
        [self.kernel.shape[1].saturating_mul(self.groups), self.kernel.shape[0]]
    }

    /// Kernel and bias as it computes with them, a folded normalisation included: that scales each output channel's
    /// kernel and gives it a bias.
    ///
    /// # Errors
    /// Those of `weights`.
    pub fn read<W: Weights>(&self, weights: &mut W) -> Result<ConvolutionWeights, W::Error> {
        let mut kernel = weights.read(&self.kernel)?;
        let mut bias = self.bias.as_ref().map(|bias| weights.read(bias)).transpose()?;
        if let Some(norm) = &self.norm {
            bias = Some(norm.affine(weights)?.fold_into(&mut kernel, bias.as_deref()));
        }
        Ok(ConvolutionWeights { kernel, bias })
    }
}

impl Definition for Convolution {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn parameters(&self) -> Vec<&Parameter> {
        let norm = self.norm.iter().flat_map(|norm| norm.parameters());
        [&self.kernel].into_iter().chain(&self.bias).chain(norm).collect()
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let [found, height, width] = only(inputs)?.as_map()?;
        let [expected, channels] = self.channels();
        if found != expected {
            return Err(Misfit::Channels { expected, found });
        }
        if self.groups == 0 || !channels.is_multiple_of(self.groups) {
            return Err(Misfit::Groups { channels, groups: self.groups });
        }
        let size = self.window.output([height, width]);
        Ok(Shape::map(channels, size.ok_or_else(|| self.window.misfit([height, width]))?))
    }

    /// Each element of the output sums over a kernel; a bias adds no multiplication.
    fn cost(&self, _inputs: &[&Shape], output: &Shape) -> Result<Option<Cost>, Misfit> {
        let kernel =
            self.kernel.shape[1..].iter().fold(1_u64, |product, &axis| product.saturating_mul(axis as u64));
        let biases = self.bias.as_ref().map_or(0, |bias| bias.len() as u64);
        Ok(Some(Cost::Conv {
            macs: output.elements()?.saturating_mul(kernel),
            parameters: (self.kernel.len() as u64).saturating_add(biases),
            is_subclass: self.is_subclass,
        }))
    }

    fn fold_norm(&self, norm: &Normalisation) -> Option<Operation> {
        let fits = self.norm.is_none() && norm.channels() == self.kernel.shape[0];
        fits.then(|| Self { norm: Some(Box::new(norm.clone())), ..self.clone() }.into())
    }
}
