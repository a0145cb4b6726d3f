//! Shapes of what flows through a graph, and what does not fit.

use std::fmt;

use thiserror::Error;

/// The axes of one image's value; the axis of the batch is left out. `[channels, height, width]` is a feature map, `[n]` a
/// vector.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// A feature map of `channels` and of height and width.
    pub fn map(channels: usize, [height, width]: [usize; 2]) -> Self {
        Self(vec![channels, height, width])
    }

    /// A vector of `len` elements.
    pub fn vector(len: usize) -> Self {
        Self(vec![len])
    }

    /// Any axes.
    pub fn new(axes: impl Into<Vec<usize>>) -> Self {
        Self(axes.into())
    }

    /// Its axes.
    pub fn axes(&self) -> &[usize] {
        &self.0
    }

    /// Channels, height and width.
    ///
    /// # Errors
    /// [`Misfit::Rank`] where it is no feature map.
    pub fn as_map(&self) -> Result<[usize; 3], Misfit> {
        self.0
            .as_slice()
            .try_into()
            .map_err(|_| Misfit::Rank { expected: "a feature map", found: self.clone() })
    }

    /// Number of elements.
    ///
    /// # Errors
    /// [`Misfit::Rank`] where it is no vector.
    pub fn as_vector(&self) -> Result<usize, Misfit> {
        match self.0[..] {
            [len] => Ok(len),
            _ => Err(Misfit::Rank { expected: "a vector", found: self.clone() }),
        }
    }

    /// Size of an axis.
    ///
    /// # Errors
    /// [`Misfit::Axis`] where there is no such axis.
    pub fn axis(&self, axis: usize) -> Result<usize, Misfit> {
        self.0.get(axis).copied().ok_or_else(|| Misfit::Axis { axis, found: self.clone() })
    }

    /// The same with another size of an axis that it has.
    pub(crate) fn with_axis(&self, axis: usize, size: usize) -> Self {
        let mut axes = self.0.clone();
        axes[axis] = size;
        Self(axes)
    }

    /// The shape of both values repeated along each other: axes are compared from the last on, and where one has a single element
    /// or no axis, it is repeated.
    ///
    /// # Errors
    /// [`Misfit::Repeated`] where two axes differ and neither is 1.
    ///
    /// ```
    /// use graph::Shape;
    ///
    /// let repeated = Shape::map(8, [7, 5]).repeated_with(&Shape::map(8, [1, 1]));
    /// assert_eq!(repeated, Ok(Shape::map(8, [7, 5])));
    /// ```
    pub fn repeated_with(&self, other: &Self) -> Result<Self, Misfit> {
        let (longer, shorter) = if self.0.len() >= other.0.len() { (self, other) } else { (other, self) };
        let mut axes = longer.0.clone();
        let behind = longer.0.len() - shorter.0.len();
        for (axis, &size) in axes[behind..].iter_mut().zip(&shorter.0) {
            match (*axis, size) {
                (1, size) => *axis = size,
                (here, size) if size != 1 && size != here => {
                    return Err(Misfit::Repeated { a: self.clone(), b: other.clone() });
                }
                _ => {}
            }
        }
        Ok(Self(axes))
    }

    /// Number of elements.
    ///
    /// # Errors
    /// [`Misfit::TooLarge`] where no memory holds so many.
    pub fn elements(&self) -> Result<u64, Misfit> {
        let product = self.0.iter().try_fold(1_u64, |product, &axis| product.checked_mul(axis as u64));
        product.filter(|&elements| elements <= MOST).ok_or_else(|| Misfit::TooLarge { found: self.clone() })
    }
}

/// Elements that a value has at most: counts of them, times the few that a rule counts an element, fit a `u64`.
const MOST: u64 = 1 << 48;

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, axis) in self.0.iter().enumerate() {
            write!(f, "{}{axis}", if index == 0 { "" } else { "x" })?;
        }
        Ok(())
    }
}

/// Why an operation cannot take what comes in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Misfit {
    /// A vector where a map belongs, or the other way round.
    #[error("{found} comes in where {expected} belongs")]
    Rank {
        /// What belongs there, in words.
        expected: &'static str,
        /// What comes in.
        found: Shape,
    },
    /// Another number of channels.
    #[error("{found} channels come in where {expected} belong")]
    Channels {
        /// What its parameters are made for.
        expected: usize,
        /// What comes in.
        found: usize,
    },
    /// A map that is smaller than the window that slides over it, or a window that slides over no map.
    #[error(
        "a map of {found:?} pixels is smaller than a window of {kernel:?} with a dilation of {dilation:?}"
    )]
    Window {
        /// Height and width of the window.
        kernel: [usize; 2],
        /// Distance of its taps.
        dilation: [usize; 2],
        /// Height and width of the map.
        found: [usize; 2],
    },
    /// Two values that have to be alike and are not.
    #[error("{a} and {b} cannot be added")]
    Unequal {
        /// One.
        a: Shape,
        /// The other.
        b: Shape,
    },
    /// Two values of which neither can be repeated along the other.
    #[error("{a} and {b} do not go together")]
    Repeated {
        /// One.
        a: Shape,
        /// The other.
        b: Shape,
    },
    /// Another number of elements.
    #[error("{from} cannot become {to}")]
    Elements {
        /// What comes in.
        from: Shape,
        /// What is to come out.
        to: Shape,
    },
    /// An order of axes that is none.
    #[error("{axes:?} is no order of the axes of {found}")]
    Order {
        /// What is asked for.
        axes: Vec<usize>,
        /// What comes in.
        found: Shape,
    },
    /// An axis that is not there, or has not the elements that are asked for.
    #[error("axis {axis} of {found} has not what is asked for")]
    Axis {
        /// Which axis.
        axis: usize,
        /// What comes in.
        found: Shape,
    },
    /// Groups that do not divide the channels.
    #[error("{channels} channels cannot be divided into {groups} groups")]
    Groups {
        /// Channels, in or out.
        channels: usize,
        /// Groups.
        groups: usize,
    },
    /// Another number of values.
    #[error("{found} values come in where {expected} belong")]
    Inputs {
        /// What it reads.
        expected: usize,
        /// What comes in.
        found: usize,
    },
    /// More elements than any memory holds.
    #[error("{found} are too many elements")]
    TooLarge {
        /// What would come out.
        found: Shape,
    },
}

/// A graph that cannot take an image of some size: which operation, and why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{at} ({operation}): {misfit}")]
pub struct ShapeError {
    /// The key of the operation's first parameter, or its number in the graph.
    pub at: String,
    /// What it computes.
    pub operation: &'static str,
    /// What does not fit.
    #[source]
    pub misfit: Misfit,
}
