//! The sliding windows of Burn's modules as a graph describes them, and back.

use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::nn::pool::MaxPool2d;
use graph::{Padding, Window};

/// The window of a convolution.
pub(crate) fn of_conv(conv: &Conv2d) -> Window {
    Window {
        kernel: conv.kernel_size,
        stride: conv.stride,
        dilation: conv.dilation,
        padding: padding(&conv.padding),
    }
}

/// The window of a pool.
pub(crate) fn of_pool(pool: &MaxPool2d) -> Window {
    Window {
        kernel: pool.kernel_size,
        stride: pool.stride,
        dilation: pool.dilation,
        padding: padding(&pool.padding),
    }
}

/// What Burn calls a window's padding.
pub(crate) fn to_burn(padding: Padding) -> PaddingConfig2d {
    match padding {
        Padding::Same => PaddingConfig2d::Same,
        Padding::Explicit([top, left, bottom, right]) => PaddingConfig2d::Explicit(top, left, bottom, right),
    }
}

fn padding(padding: &PaddingConfig2d) -> Padding {
    match *padding {
        PaddingConfig2d::Same => Padding::Same,
        PaddingConfig2d::Valid => Padding::Explicit([0; 4]),
        PaddingConfig2d::Explicit(top, left, bottom, right) => Padding::Explicit([top, left, bottom, right]),
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::pool::MaxPool2dConfig;

    use super::*;

    fn pool() -> MaxPool2dConfig {
        MaxPool2dConfig::new([3, 2]).with_strides([2, 1])
    }

    #[test]
    fn sizes_follow_the_padding_of_each_side() {
        let of = |padding| of_pool(&pool().with_padding(padding).init()).output([10, 9]);
        assert_eq!(of(PaddingConfig2d::Valid), Some([4, 8]));
        assert_eq!(of(PaddingConfig2d::Same), Some([5, 9]));
        assert_eq!(of(PaddingConfig2d::Explicit(1, 0, 0, 1)), Some([5, 9]));
        assert_eq!(of_pool(&pool().init()).output([2, 9]), None);
    }

    #[test]
    fn a_padding_comes_back_from_burn() {
        for padding in [Padding::Same, Padding::Explicit([0; 4]), Padding::Explicit([1, 2, 3, 4])] {
            assert_eq!(self::padding(&to_burn(padding)), padding);
        }
    }
}
