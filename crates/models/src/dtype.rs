//! Types of numbers that networks compute in, by the names that `--dtype` takes.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{DType, Device};
use kernels::Isa;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::device::DeviceName;
use crate::products::Products;

/// What weights and features are rounded to before they are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// Single precision, which the documented figures were measured in.
    #[default]
    F32,
    /// Half precision; GPUs only.
    F16,
    /// Eight bits of precision with the range of f32. On the CPU only what is multiplied is rounded; sums
    /// and features stay in f32.
    Bf16,
}

/// A type that a device does not compute in.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DtypeError {
    /// There is no such type.
    #[error("no type is called `{0}`; there are f32, f16 and bf16")]
    Unknown(String),
    /// The device does not have it.
    #[error("the device `{device}` does not compute in {dtype} here; {}", advice(*.device))]
    Device {
        /// The type.
        dtype: Dtype,
        /// The device.
        device: DeviceName,
    },
}

fn advice(device: DeviceName) -> &'static str {
    match device {
        DeviceName::Flex if Isa::best_bf16().is_some() => "it has f32 and bf16",
        DeviceName::Flex => "it has f32 (bf16 needs a CPU with AVX512-BF16)",
        _ => "f32 always works",
    }
}

impl Dtype {
    /// The name, as given on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    /// Burn's name for it.
    pub(crate) fn burn(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        }
    }

    /// The instructions by which the kernels compute in it, where `device` is the one that has kernels and
    /// the CPU has the instructions.
    pub(crate) fn isa(self, device: DeviceName) -> Option<Isa> {
        match (device, self) {
            (DeviceName::Flex, Self::F32) => Some(Isa::best()),
            (DeviceName::Flex, Self::Bf16) => Isa::best_bf16(),
            _ => None,
        }
    }

    /// By which of Burn's operations matrices are multiplied in it on `device`: the fastest that don't round more than the
    /// type does.
    pub fn products(self, device: DeviceName) -> Products {
        match (device, self) {
            (DeviceName::Flex | DeviceName::NdArray, _) => Products::AsModules,
            (DeviceName::Cuda, Self::F32) => Products::AsConvolutions,
            (DeviceName::Wgpu | DeviceName::Vulkan | DeviceName::Cuda, _) => Products::AsMatrices,
        }
    }

    /// Whether `device`, called `name`, computes in it.
    ///
    /// # Errors
    /// [`DtypeError::Device`] if not.
    pub(crate) fn check(self, name: DeviceName, device: &Device) -> Result<(), DtypeError> {
        let supported = self == Self::F32
            || self.isa(name).is_some()
            || (name.is_gpu() && device.supports_dtype(self.burn()));
        if supported { Ok(()) } else { Err(DtypeError::Device { dtype: self, device: name }) }
    }
}

impl FromStr for Dtype {
    type Err = DtypeError;

    fn from_str(name: &str) -> Result<Self, DtypeError> {
        let all = [Self::F32, Self::F16, Self::Bf16];
        all.into_iter().find(|dtype| dtype.name() == name).ok_or_else(|| DtypeError::Unknown(name.to_owned()))
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
