//! FLOPs and parameters, counted as each source's tool counts them.
//!
//! A figure without its rule says little: "9.198 GFLOPs" for a 299-pixel Xception is twice what
//! `thop` calls MACs, at 224 pixels. So a graph is first reduced to the [`Cost`]s of its operations
//! ([`Graph::costs`](crate::Graph::costs)), and each rule is a sum over them. Every rule is checked to the unit
//! against the tools' own counts in `datasets/reference/complexity.json`.
//!
//! ```
//! use graph::complexity::{CountingRule, FlopsRule, ParamsRule};
//! use graph::{Builder, Parameter, Role, Shape, Window};
//!
//! let (mut on, image) = Builder::new(3);
//! let kernel = Parameter::new("conv.weight", Role::Conv { fan_in: 3 }, [8, 3, 1, 1]);
//! let x = on.convolution(Window::PIXEL, 1, kernel, None, image);
//! let x = on.global_average_pool(x);
//! let costs = on.finish(x).costs(&Shape::map(3, [10, 10]))?;
//!
//! assert_eq!(ParamsRule::Trainable.count(&costs), 24);
//! assert_eq!(FlopsRule::Macs.count(&costs), 2_400);
//! assert_eq!(FlopsRule::Flops.count(&costs), 4_800);
//! // fvcore counts the elements that the pool reads as well.
//! assert_eq!(FlopsRule::Fvcore.count(&costs), 3_200);
//! # Ok::<(), graph::ShapeError>(())
//! ```

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Sides of a square input, in pixels, for which layers are counted: small enough for no overflow and
/// large enough for every network's windows.
pub const INPUT_SIZES: RangeInclusive<usize> = 32..=8192;

/// What a counting rule sees of an operation. Elements and multiply-accumulates are for one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// A convolution.
    Conv {
        /// Multiply-accumulates of the kernels; a bias adds none.
        macs: u64,
        /// Kernel weights and biases.
        parameters: u64,
        /// Whether it is of a class of the source's own.
        is_subclass: bool,
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
    /// An average pool over windows.
    WindowedAverage {
        /// Elements it writes.
        elements_out: u64,
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
    /// The product of two computed matrices, such as attention's.
    MatMul {
        /// Multiply-accumulates.
        macs: u64,
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
    /// one each, a normalised element two. It alone counts the products of two computed matrices.
    Fvcore,
    /// What `thop` calls MACs: a normalised element counts four (two for the statistics, doubled
    /// for the affine part), and each output of the adaptive pool its window's additions and one
    /// division.
    ThopMacs,
    /// Twice [`FlopsRule::ThopMacs`], which timm-derived tables print as FLOPs. They double what `thop` prints, which is
    /// rounded to three decimals in G ([`CountingRule::figure`]).
    ThopFlops,
    /// [`FlopsRule::ThopFlops`] divided by 0.9, not rounded before: VastModelZOO's `export_timm_torchvision_model.py` divides what
    /// `thop` counts by 900,000,000, doubles it and calls that GFLOPs.
    #[serde(rename = "thop-flops-over-0.9")]
    ThopFlopsOver09,
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
    /// use graph::complexity::{CountingRule, FlopsRule};
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
        match self {
            Self::ThopFlops => Some("rounded before doubling"),
            Self::ThopFlopsOver09 => Some("a ninth more than 2 x thop MACs"),
            _ => None,
        }
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
    pub const ALL: [Self; 7] = [
        Self::Macs,
        Self::Flops,
        Self::Fvcore,
        Self::ThopMacs,
        Self::ThopFlops,
        Self::ThopFlopsOver09,
        Self::PaddleFlops,
    ];

    /// Their names, in that order.
    pub const NAMES: [&str; 7] = [
        Self::Macs.name(),
        Self::Flops.name(),
        Self::Fvcore.name(),
        Self::ThopMacs.name(),
        Self::ThopFlops.name(),
        Self::ThopFlopsOver09.name(),
        Self::PaddleFlops.name(),
    ];

    /// The count for one image.
    pub fn count(self, costs: &[Cost]) -> u64 {
        match self {
            Self::Macs => total(costs.iter().map(Cost::macs)),
            Self::Flops => Self::Macs.count(costs).saturating_mul(2),
            Self::Fvcore => {
                let other = costs.iter().map(|cost| match *cost {
                    Cost::BatchNorm { elements, .. } => 2 * elements,
                    Cost::AveragePool { elements_in, .. } => elements_in,
                    Cost::MatMul { macs } => macs,
                    Cost::Conv { .. } | Cost::Linear { .. } | Cost::WindowedAverage { .. } => 0,
                });
                Self::Macs.count(costs).saturating_add(total(other))
            }
            Self::ThopMacs => macs_with_norms_and_pool(costs.iter().filter(known_to_thop), 4),
            Self::ThopFlops => Self::ThopMacs.count(costs).saturating_mul(2),
            // 20 / 9, rounded.
            // In wider numbers: the product may not fit where the quotient does.
            Self::ThopFlopsOver09 => {
                let flops = (u128::from(Self::ThopMacs.count(costs)) * 20 + 4) / 9;
                u64::try_from(flops).unwrap_or(u64::MAX)
            }
            Self::PaddleFlops => macs_with_norms_and_pool(costs.iter(), 2),
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
            Self::ThopFlopsOver09 => "thop-flops-over-0.9",
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
            Self::ThopFlopsOver09 => "2 x thop MACs / 0.9",
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
fn known_to_thop(cost: &&Cost) -> bool {
    !matches!(cost, Cost::BatchNorm { with_activation: true, .. } | Cost::Conv { is_subclass: true, .. })
}

fn macs_with_norms_and_pool<'a>(costs: impl Iterator<Item = &'a Cost>, per_normalised_element: u64) -> u64 {
    total(costs.map(|cost| match *cost {
        Cost::BatchNorm { elements, .. } => per_normalised_element * elements,
        // Of a window that is no adaptive one, the tools count an operation an output, however large it is.
        Cost::WindowedAverage { elements_out } => elements_out,
        // A window of k x k takes k * k additions and one division an output.
        Cost::AveragePool { elements_in, elements_out } => elements_in + elements_out,
        Cost::Conv { macs, .. } | Cost::Linear { macs, .. } => macs,
        // Both tools count modules, and a product of two values is none.
        Cost::MatMul { .. } => 0,
    }))
}

/// A sum that stays the largest number once it is that: a graph may come from anywhere.
fn total(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
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
    pub fn count(self, costs: &[Cost]) -> u64 {
        let per_channel = match self {
            Self::Trainable | Self::Thop => 2,
            Self::WithRunningStatistics => 4,
        };
        let known = costs.iter().filter(|cost| self != Self::Thop || known_to_thop(cost));
        total(known.map(|cost| match *cost {
            Cost::Conv { parameters, .. } | Cost::Linear { parameters, .. } => parameters,
            Cost::BatchNorm { channels, .. } => per_channel * channels,
            Cost::AveragePool { .. } | Cost::WindowedAverage { .. } | Cost::MatMul { .. } => 0,
        }))
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

impl Cost {
    /// Multiply-accumulates of a convolution or linear layer, 0 for others.
    pub fn macs(&self) -> u64 {
        match *self {
            Self::Conv { macs, .. } | Self::Linear { macs, .. } => macs,
            Self::BatchNorm { .. }
            | Self::AveragePool { .. }
            | Self::WindowedAverage { .. }
            | Self::MatMul { .. } => 0,
        }
    }
}
