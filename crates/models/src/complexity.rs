//! FLOPs and parameters, counted as each source's tool counts them.
//!
//! A figure without its rule says little: "9.198 GFLOPs" for a 299-pixel Xception is twice what
//! `thop` calls MACs, at 224 pixels. So a network is first reduced to its [`Layer`]s by walking it
//! over shapes, and each rule is a sum over them. Every rule is checked to the unit
//! against the tools' own counts in `datasets/reference/complexity.json`.
//!
//! ```
//! use models::complexity::{CountingRule, FlopsRule, ParamsRule};
//! use models::{Catalog, DeviceName};
//!
//! let catalog = Catalog::built_in();
//! let model = catalog.select("timm/xception")?[0];
//! // No weights are needed: layers follow from shapes.
//! let network = model.network().init(&DeviceName::Flex.init()?);
//!
//! // The documented 9.198 and 22.856 are what thop counts, at 224 pixels; 9.198 is twice the 4.599 that it prints.
//! let layers = network.layers(224);
//! assert_eq!(FlopsRule::ThopFlops.count(&layers), 9_198_849_216);
//! assert_eq!(FlopsRule::ThopFlops.figure(9_198_849_216).count, 9_198_000_000);
//! assert_eq!(ParamsRule::Thop.count(&layers), 22_855_952);
//! // What an image of 299 pixels costs.
//! assert_eq!(FlopsRule::Macs.count(&network.layers(299)), 8_357_403_496);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use burn::nn::conv::Conv2d;
use burn::nn::pool::MaxPool2d;
use burn::nn::{BatchNorm, Linear};
use kernels::Window;
use serde::{Deserialize, Serialize};

use crate::interpret::Interpreter;
use crate::network::Architecture;
use crate::window;

/// What a counting rule sees of a layer. Elements and multiply-accumulates are for one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// A convolution.
    Conv {
        /// Multiply-accumulates of the kernels; a bias adds none.
        macs: u64,
        /// Kernel weights and biases.
        parameters: u64,
    },
    /// A batch normalisation.
    BatchNorm {
        /// Elements of the feature map it normalises.
        elements: u64,
        /// Channels: twice as many trainable parameters, and twice as many running statistics.
        channels: u64,
        /// Whether it is a timm `BatchNormAct2d`.
        with_activation: bool,
    },
    /// An adaptive (global) average pool.
    AveragePool {
        /// Elements it reads.
        elements_in: u64,
        /// Elements it writes.
        elements_out: u64,
    },
    /// A fully connected layer.
    Linear {
        /// Multiply-accumulates; the bias adds none.
        macs: u64,
        /// Weights and biases.
        parameters: u64,
    },
}

/// How a source counts the work of one forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlopsRule {
    /// Multiply-accumulates of convolutions and linear layers.
    Macs,
    /// Twice [`FlopsRule::Macs`]: what a person means by FLOPs.
    Flops,
    /// fvcore's `FlopCountAnalysis`: a multiply-accumulate and an element that the pool reads count
    /// one each, a normalised element two.
    Fvcore,
    /// What `thop` calls MACs: a normalised element counts four (two for the statistics, doubled
    /// for the affine part), and each output of the adaptive pool its window's additions and one
    /// division.
    ThopMacs,
    /// Twice [`FlopsRule::ThopMacs`], which timm-derived tables print as FLOPs. They double what `thop` prints, which is
    /// rounded to three decimals in G ([`CountingRule::figure`]).
    ThopFlops,
    /// `paddle.flops`: as `thop`, but a normalised element counts two.
    PaddleFlops,
}

/// A rule by which sources count, and what they make of a count before they print it.
pub trait CountingRule: Copy {
    /// What printed figures are a multiple of.
    const UNIT: u64;

    /// What a source that counts by this rule has for a `count`.
    fn figure(self, count: u64) -> SourceFigure;

    /// What is to be said of how it comes about, if anything is.
    fn made_by(self) -> Option<&'static str>;
}

/// A count as a source has it before it is printed with so many decimals as a table wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceFigure {
    /// The figure, in the base unit.
    pub count: u64,
    /// How many decimals it has in the printed unit, where the source rounded it to so many.
    pub decimals: Option<u32>,
}

/// `thop` prints MACs in G with so many decimals, and tables double what it prints.
const THOP_DECIMALS: u32 = 3;

impl CountingRule for FlopsRule {
    const UNIT: u64 = 1_000_000_000;

    /// ```
    /// use models::complexity::{CountingRule, FlopsRule};
    ///
    /// // 4.599424608 G of MACs are printed as 4.599, which is doubled.
    /// let figure = FlopsRule::ThopFlops.figure(9_198_849_216);
    /// assert_eq!((figure.count, figure.decimals), (9_198_000_000, Some(3)));
    /// let figure = FlopsRule::Flops.figure(9_198_849_216);
    /// assert_eq!((figure.count, figure.decimals), (9_198_849_216, None));
    /// ```
    fn figure(self, count: u64) -> SourceFigure {
        match self {
            Self::ThopFlops => {
                let step = Self::UNIT / 10_u64.pow(THOP_DECIMALS);
                let macs = count / 2;
                // A count of a damaged record may be any; it must not overflow.
                let rounded = macs / step + u64::from(macs % step >= step / 2);
                let count = rounded.saturating_mul(2 * step);
                SourceFigure { count, decimals: Some(THOP_DECIMALS) }
            }
            _ => SourceFigure { count, decimals: None },
        }
    }

    fn made_by(self) -> Option<&'static str> {
        (self == Self::ThopFlops).then_some("rounded before doubling")
    }
}

impl CountingRule for ParamsRule {
    const UNIT: u64 = 1_000_000;

    fn figure(self, count: u64) -> SourceFigure {
        SourceFigure { count, decimals: None }
    }

    fn made_by(self) -> Option<&'static str> {
        None
    }
}

impl FlopsRule {
    /// All rules, in the order in which they are shown.
    pub const ALL: [Self; 6] =
        [Self::Macs, Self::Flops, Self::Fvcore, Self::ThopMacs, Self::ThopFlops, Self::PaddleFlops];

    /// Their names, in that order.
    pub const NAMES: [&str; 6] = [
        Self::Macs.name(),
        Self::Flops.name(),
        Self::Fvcore.name(),
        Self::ThopMacs.name(),
        Self::ThopFlops.name(),
        Self::PaddleFlops.name(),
    ];

    /// The count for one image.
    pub fn count(self, layers: &[Layer]) -> u64 {
        match self {
            Self::Macs => layers.iter().map(|layer| layer.macs()).sum(),
            Self::Flops => 2 * Self::Macs.count(layers),
            Self::Fvcore => {
                let other = layers.iter().map(|layer| match *layer {
                    Layer::BatchNorm { elements, .. } => 2 * elements,
                    Layer::AveragePool { elements_in, .. } => elements_in,
                    Layer::Conv { .. } | Layer::Linear { .. } => 0,
                });
                Self::Macs.count(layers) + other.sum::<u64>()
            }
            Self::ThopMacs => macs_with_norms_and_pool(layers.iter().filter(known_to_thop), 4),
            Self::ThopFlops => 2 * Self::ThopMacs.count(layers),
            Self::PaddleFlops => macs_with_norms_and_pool(layers.iter(), 2),
        }
    }

    /// The name on the command line and in the catalog.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Macs => "macs",
            Self::Flops => "flops",
            Self::Fvcore => "fvcore",
            Self::ThopMacs => "thop-macs",
            Self::ThopFlops => "thop-flops",
            Self::PaddleFlops => "paddle-flops",
        }
    }

    /// What is counted, for a person.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Macs => "multiply-accumulates of convolutions and linear layers",
            Self::Flops => "2 x MACs",
            Self::Fvcore => "fvcore: MACs + 2 per normalised element + pooling",
            Self::ThopMacs => "thop MACs: MACs + 4 per normalised element + pooling",
            Self::ThopFlops => "2 x thop MACs",
            Self::PaddleFlops => "paddle.flops: MACs + 2 per normalised element + pooling",
        }
    }
}

impl fmt::Display for FlopsRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `thop` counts by the class of a module, and passes over the classes that it does not know.
fn known_to_thop(layer: &&Layer) -> bool {
    !matches!(layer, Layer::BatchNorm { with_activation: true, .. })
}

fn macs_with_norms_and_pool<'a>(layers: impl Iterator<Item = &'a Layer>, per_normalised_element: u64) -> u64 {
    layers
        .map(|layer| match *layer {
            Layer::BatchNorm { elements, .. } => per_normalised_element * elements,
            // A window of k x k takes k * k additions and one division an output.
            Layer::AveragePool { elements_in, elements_out } => elements_in + elements_out,
            Layer::Conv { macs, .. } | Layer::Linear { macs, .. } => macs,
        })
        .sum()
}

/// How a source counts parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParamsRule {
    /// What an optimiser would train.
    Trainable,
    /// Those and the running means and variances: every value of a Keras or Paddle file.
    WithRunningStatistics,
    /// `thop`: trainable parameters of the layers it knows (it leaves timm's `BatchNormAct2d` out).
    Thop,
}

impl ParamsRule {
    /// All rules, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Trainable, Self::WithRunningStatistics, Self::Thop];

    /// Their names, in that order.
    pub const NAMES: [&str; 3] =
        [Self::Trainable.name(), Self::WithRunningStatistics.name(), Self::Thop.name()];

    /// The count.
    pub fn count(self, layers: &[Layer]) -> u64 {
        let per_channel = match self {
            Self::Trainable | Self::Thop => 2,
            Self::WithRunningStatistics => 4,
        };
        layers
            .iter()
            .filter(|layer| self != Self::Thop || known_to_thop(layer))
            .map(|layer| match *layer {
                Layer::Conv { parameters, .. } | Layer::Linear { parameters, .. } => parameters,
                Layer::BatchNorm { channels, .. } => per_channel * channels,
                Layer::AveragePool { .. } => 0,
            })
            .sum()
    }

    /// The name on the command line and in the catalog.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trainable => "trainable",
            Self::WithRunningStatistics => "with-running-statistics",
            Self::Thop => "thop",
        }
    }

    /// What is counted, for a person.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Trainable => "trainable parameters",
            Self::WithRunningStatistics => "parameters and running statistics",
            Self::Thop => "thop: parameters of the layers it knows",
        }
    }
}

impl fmt::Display for ParamsRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Layer {
    /// Multiply-accumulates of a convolution or linear layer, 0 for others.
    pub fn macs(&self) -> u64 {
        match *self {
            Self::Conv { macs, .. } | Self::Linear { macs, .. } => macs,
            Self::BatchNorm { .. } | Self::AveragePool { .. } => 0,
        }
    }
}

/// Walks a network over shapes and notes its layers. No weight is read.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    layers: Vec<Layer>,
}

/// The shape of one image's feature map.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    channels: usize,
    height: usize,
    width: usize,
}

impl Extent {
    fn elements(self) -> u64 {
        (self.channels * self.height * self.width) as u64
    }

    /// The map that `window` makes of it, of so many `channels`.
    fn through(self, window: &Window, channels: usize) -> Self {
        let size = window.output([self.height, self.width]);
        let [height, width] = size.unwrap_or_else(|| {
            panic!(
                "an input of {}x{} pixels is smaller than a window of the network",
                self.height, self.width
            )
        });
        Self { channels, height, width }
    }
}

impl Trace {
    /// The layers of `network` for one square RGB image of `input_size` pixels.
    pub(crate) fn of<A: Architecture>(network: &A, input_size: usize) -> Vec<Layer> {
        let mut trace = Self::default();
        network.walk(&mut trace, Extent { channels: 3, height: input_size, width: input_size });
        trace.layers
    }
}

impl Interpreter for Trace {
    type Features = Extent;
    type Vector = usize;

    fn conv(&mut self, conv: &Conv2d, x: Extent) -> Extent {
        let [out, per_group, kernel_h, kernel_w] = conv.weight.lazy_shape().dims();
        let y = x.through(&window::of_conv(conv), out);
        let kernel = (per_group * kernel_h * kernel_w) as u64;
        let biases = if conv.bias.is_some() { out as u64 } else { 0 };
        self.layers
            .push(Layer::Conv { macs: y.elements() * kernel, parameters: out as u64 * kernel + biases });
        y
    }

    fn batch_norm(&mut self, norm: &BatchNorm, x: Extent) -> Extent {
        let [channels] = norm.gamma.lazy_shape().dims();
        self.layers.push(Layer::BatchNorm {
            elements: x.elements(),
            channels: channels as u64,
            with_activation: false,
        });
        x
    }

    fn norm_act(&mut self, norm: &Option<BatchNorm>, x: Extent) -> Extent {
        let x = self.norm(norm, x);
        if let (Some(_), Some(Layer::BatchNorm { with_activation, .. })) = (norm, self.layers.last_mut()) {
            *with_activation = true;
        }
        x
    }

    fn relu(&mut self, x: Extent) -> Extent {
        x
    }

    fn max_pool(&mut self, pool: &MaxPool2d, x: Extent) -> Extent {
        let window = window::of_pool(pool).expect("no network here has a pool that rounds sizes up");
        x.through(&window, x.channels)
    }

    fn add(&mut self, a: Extent, _b: Extent) -> Extent {
        a
    }

    fn global_average_pool(&mut self, x: Extent) -> usize {
        self.layers.push(Layer::AveragePool { elements_in: x.elements(), elements_out: x.channels as u64 });
        x.channels
    }

    /// No tool counts it.
    fn scale(&mut self, x: usize, _factor: f64) -> usize {
        x
    }

    fn linear(&mut self, linear: &Linear, _x: usize) -> usize {
        let [inputs, outputs] = linear.weight.lazy_shape().dims();
        let biases = if linear.bias.is_some() { outputs } else { 0 };
        self.layers.push(Layer::Linear {
            macs: (inputs * outputs) as u64,
            parameters: (inputs * outputs + biases) as u64,
        });
        outputs
    }
}
