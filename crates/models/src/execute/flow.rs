//! What flows from operation to operation.

use burn::tensor::Tensor;

/// Calls a function for as many axes as a value has, and the batch's.
macro_rules! by_rank {
    ($axes:expr, $function:ident($($argument:expr),*)) => {
        match $axes {
            0 | 1 => $function::<2>($($argument),*),
            2 => $function::<3>($($argument),*),
            3 => $function::<4>($($argument),*),
            4 => $function::<5>($($argument),*),
            5 => $function::<6>($($argument),*),
            6 => $function::<7>($($argument),*),
            7 => $function::<8>($($argument),*),
            axes => panic!("values of {axes} axes are not computed"),
        }
    };
}
pub(super) use by_rank;

/// A value of a batch of images. What no image changes is a batch of one, which is repeated where it meets images.
#[derive(Clone)]
pub(super) enum Flow {
    /// `[batch, channels, height, width]`.
    Map(Tensor<4>),
    /// `[batch, elements]`.
    Vector(Tensor<2>),
    /// `[batch, elements]` of a value of these axes, the last fastest.
    Other(Tensor<2>, Vec<usize>),
}

impl Flow {
    /// The only input of an operation that reads one.
    pub(super) fn only(mut inputs: Vec<Self>) -> Self {
        assert_eq!(inputs.len(), 1, "the operation reads one value");
        inputs.remove(0)
    }

    /// The two inputs of an operation that reads two.
    pub(super) fn two(inputs: Vec<Self>) -> [Self; 2] {
        inputs
            .try_into()
            .unwrap_or_else(|inputs: Vec<Self>| panic!("{} values where two belong", inputs.len()))
    }

    /// Elements of each image, `[batch, elements]`, as a value of `axes`.
    pub(super) fn of(flat: Tensor<2>, axes: &[usize]) -> Self {
        let [batch, _] = flat.dims();
        match *axes {
            [_] => Self::Vector(flat),
            [channels, height, width] => Self::Map(flat.reshape([batch, channels, height, width])),
            _ => Self::Other(flat, axes.to_vec()),
        }
    }

    /// Axes of an image's value.
    pub(super) fn axes(&self) -> Vec<usize> {
        match self {
            Self::Map(map) => map.dims()[1..].to_vec(),
            Self::Vector(vector) => vector.dims()[1..].to_vec(),
            Self::Other(_, axes) => axes.clone(),
        }
    }

    /// Images, or 1 of what none changes.
    pub(super) fn batch(&self) -> usize {
        match self {
            Self::Map(map) => map.dims()[0],
            Self::Vector(flat) | Self::Other(flat, _) => flat.dims()[0],
        }
    }

    /// `[batch, elements]`, the last axis fastest.
    pub(super) fn into_flat(self) -> Tensor<2> {
        match self {
            Self::Map(map) => {
                let [batch, channels, height, width] = map.dims();
                map.reshape([batch, channels * height * width])
            }
            Self::Vector(flat) | Self::Other(flat, _) => flat,
        }
    }

    pub(super) fn into_map(self) -> Tensor<4> {
        match self {
            Self::Map(map) => map,
            other => panic!("{:?} where a feature map belongs", other.axes()),
        }
    }

    pub(super) fn into_vector(self) -> Tensor<2> {
        match self {
            Self::Vector(vector) => vector,
            other => panic!("{:?} where a vector belongs", other.axes()),
        }
    }

    /// The same of either.
    pub(super) fn map(
        self,
        of_map: impl FnOnce(Tensor<4>) -> Tensor<4>,
        of_flat: impl FnOnce(Tensor<2>) -> Tensor<2>,
    ) -> Self {
        match self {
            Self::Map(map) => Self::Map(of_map(map)),
            Self::Vector(vector) => Self::Vector(of_flat(vector)),
            Self::Other(flat, axes) => Self::Other(of_flat(flat), axes),
        }
    }

    /// An axis with all before it, the batch's among them, as one and all after it as one.
    pub(super) fn around(self, axis: usize) -> Tensor<3> {
        let axes = self.axes();
        let before = self.batch() * axes[..axis].iter().product::<usize>();
        let after = axes[axis + 1..].iter().product();
        self.into_flat().reshape([before, axes[axis], after])
    }

    /// [`Flow::around`] undone, of a batch and axes whose size along the axis may be another than before.
    pub(super) fn from_around(around: Tensor<3>, batch: usize, axes: &[usize]) -> Self {
        Self::of(around.reshape([batch, axes.iter().product()]), axes)
    }

    /// With axes of 1 before those it has, as many as `D` asks for beside the batch's.
    pub(super) fn at_rank<const D: usize>(self) -> Tensor<D> {
        let axes = self.axes();
        let mut dims = [1; D];
        dims[0] = self.batch();
        dims[D - axes.len()..].copy_from_slice(&axes);
        self.into_flat().reshape(dims)
    }

    /// The value of `axes` that is in `tensor`.
    pub(super) fn from_rank<const D: usize>(tensor: Tensor<D>, axes: &[usize]) -> Self {
        let batch = tensor.dims()[0];
        Self::of(tensor.reshape([batch, axes.iter().product()]), axes)
    }

    /// Repeated to a batch and to `axes`.
    pub(super) fn repeated(self, batch: usize, axes: &[usize]) -> Self {
        if self.batch() == batch && self.axes() == axes {
            return self;
        }
        fn expand<const D: usize>(x: Flow, batch: usize, axes: &[usize]) -> Flow {
            let mut dims = [1; D];
            dims[0] = batch;
            dims[D - axes.len()..].copy_from_slice(axes);
            Flow::from_rank(x.at_rank::<D>().expand(dims), axes)
        }
        by_rank!(axes.len(), expand(self, batch, axes))
    }
}
