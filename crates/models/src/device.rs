//! Devices by the names that `--device` takes.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A device that can be named. Which of them this build has depends on its Cargo features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceName {
    /// Burn's `flex`: pure Rust on the CPU, the default.
    #[default]
    Flex,
    /// Burn's `ndarray`: slow, kept as the independent cross-check (feature `ndarray`).
    NdArray,
    /// Any GPU by WebGPU (feature `wgpu`).
    Wgpu,
    /// A GPU by Vulkan and SPIR-V (feature `vulkan`).
    Vulkan,
    /// An NVIDIA GPU (feature `cuda`).
    Cuda,
}

/// A device that this build cannot use.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DeviceNameError {
    /// There is no such device.
    #[error("no device is called `{name}`; this build has {}", compiled())]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// The device exists, but this build leaves it out.
    #[error(
        "this build leaves the device `{name}` out; it has {}. A build with the feature `{name}` has it too",
        compiled()
    )]
    NotCompiled {
        /// The name asked for.
        name: &'static str,
    },
}

const ALL: [DeviceName; 5] =
    [DeviceName::Flex, DeviceName::NdArray, DeviceName::Wgpu, DeviceName::Vulkan, DeviceName::Cuda];

fn compiled() -> String {
    let names: Vec<&str> = ALL.into_iter().filter(|name| name.init().is_ok()).map(DeviceName::name).collect();
    names.join(", ")
}

impl DeviceName {
    /// The name, as given on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::NdArray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Cuda => "cuda",
        }
    }

    /// Whether it has memory of its own, to which everything has to travel.
    pub fn is_gpu(self) -> bool {
        matches!(self, Self::Wgpu | Self::Vulkan | Self::Cuda)
    }

    /// Burn's device.
    ///
    /// # Errors
    /// [`DeviceNameError::NotCompiled`] when the build lacks it.
    pub fn init(self) -> Result<Device, DeviceNameError> {
        match self {
            Self::Flex => Ok(Device::flex()),
            // Deprecated by Burn, and wanted here for what it is: another implementation of every
            // operation, against which the default one is checked.
            #[cfg(feature = "ndarray")]
            #[allow(deprecated)]
            Self::NdArray => Ok(Device::ndarray()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Device::wgpu(Default::default())),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Ok(Device::vulkan(Default::default())),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(Device::cuda(0)),
            #[allow(unreachable_patterns)]
            missing => Err(DeviceNameError::NotCompiled { name: missing.name() }),
        }
    }
}

impl FromStr for DeviceName {
    type Err = DeviceNameError;

    fn from_str(name: &str) -> Result<Self, DeviceNameError> {
        ALL.into_iter()
            .find(|device| device.name() == name)
            .ok_or_else(|| DeviceNameError::Unknown { name: name.to_owned() })
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
