//! Where networks compute: a device that can be opened, a type of numbers that it has, threads.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{Device, Tensor};
use kernels::{Isa, Threads, ThreadsError, Unsupported};

use crate::device::{DeviceName, DeviceNameError};
use crate::dtype::{Dtype, DtypeError};

/// Where networks compute, in which type of numbers, and on the CPU with which threads.
#[derive(Debug, Clone)]
pub struct Placement {
    pub(crate) device: DeviceName,
    pub(crate) burn: Device,
    pub(crate) dtype: Dtype,
    /// The instructions that were asked for; the fastest for `dtype` without it.
    isa: Option<Isa>,
    pub(crate) threads: Arc<Threads>,
}

impl Placement {
    /// Checks that this build has `device`, that it can be opened and that it computes in `dtype`, and starts `threads`
    /// threads.
    ///
    /// # Errors
    /// [`PlacementError`] if not.
    pub fn new(device: DeviceName, dtype: Dtype, threads: usize) -> Result<Self, PlacementError> {
        let burn = device.init()?;
        if device.is_gpu() {
            open(&burn).map_err(|reason| PlacementError::Unavailable { device, reason })?;
        }
        dtype.check(device, &burn)?;
        let started = Threads::new(threads);
        let threads = started.map_err(|source| PlacementError::Threads { count: threads, source })?;
        Ok(Self { device, burn, dtype, isa: None, threads: Arc::new(threads) })
    }

    /// The same, where the kernels compute by the instructions of `isa`.
    ///
    /// # Errors
    /// [`PlacementError::Isa`] where the device has no kernels, or `isa` computes in another type of numbers.
    pub fn with_isa(self, isa: Isa) -> Result<Self, PlacementError> {
        let Self { device, dtype, .. } = self;
        let fits = device == DeviceName::Flex && isa.rounds_to_bf16() == (dtype == Dtype::Bf16);
        if fits {
            Ok(Self { isa: Some(isa), ..self })
        } else {
            Err(PlacementError::Isa { isa: isa.name(), device, dtype })
        }
    }

    /// The same place, for networks that compute in f32.
    #[must_use]
    pub fn in_f32(&self) -> Self {
        let isa = self.isa.filter(|isa| !isa.rounds_to_bf16());
        Self { dtype: Dtype::F32, isa, ..self.clone() }
    }

    /// The instructions by which the kernels compute, where the device has kernels for the type of numbers.
    pub(crate) fn isa(&self) -> Option<Isa> {
        self.isa.or_else(|| self.dtype.isa(self.device))
    }

    /// The device.
    pub fn device(&self) -> DeviceName {
        self.device
    }

    /// Burn's device, which networks are made for.
    pub fn burn_device(&self) -> &Device {
        &self.burn
    }

    /// What it computes in.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The threads that compute, where the device is the CPU.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }
}

/// Opens a device, which Burn does when it is first used. Where there is none it panics, in a thread of its own and then in
/// ours.
fn open(device: &Device) -> Result<(), String> {
    reason_of_panic(|| Tensor::<1>::zeros([1], device).into_data()).map(|_| ())
}

/// What `work` computes, or the first line of the first panic on the way, whichever thread it was in: later ones only say
/// that that thread is gone. None of them is printed.
fn reason_of_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let first = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&first);
    let hook = take_hook();
    set_hook(Box::new(move |panic| {
        let said =
            panic.payload_as_str().and_then(|said| said.lines().next()).unwrap_or("it gives no reason");
        keep.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| said.to_owned());
    }));
    let result = catch_unwind(AssertUnwindSafe(work));
    set_hook(hook);
    let reason = first.lock().unwrap_or_else(PoisonError::into_inner).take();
    result.map_err(|_| reason.unwrap_or_else(|| "it gives no reason".to_owned()))
}

/// A device that networks cannot be placed on.
#[derive(Debug, thiserror::Error)]
pub enum PlacementError {
    /// The build lacks the device.
    #[error(transparent)]
    Device(#[from] DeviceNameError),
    /// The machine lacks the device.
    #[error(
        "the device `{device}` cannot be opened: {reason}. Is there a GPU, and its driver? `flex` computes on the CPU"
    )]
    Unavailable {
        /// The device.
        device: DeviceName,
        /// Burn's reason.
        reason: String,
    },
    /// The device lacks the type.
    #[error(transparent)]
    Dtype(#[from] DtypeError),
    /// The instructions that were asked for compute otherwise.
    #[error("the instructions {isa} are for {}, not for {dtype} on `{device}`", made_for(.isa))]
    Isa {
        /// The instruction set.
        isa: &'static str,
        /// The device.
        device: DeviceName,
        /// The type.
        dtype: Dtype,
    },
    /// The kernels lack something that the network needs, and Burn's operations lack the type.
    #[error("the network has no kernels on `{device}` and so no {dtype} ({source}); compute in f32")]
    NoKernels {
        /// The type.
        dtype: Dtype,
        /// The device.
        device: DeviceName,
        /// What is lacking.
        #[source]
        source: Unsupported,
    },
    /// The weights do not fit into memory.
    #[error(
        "a network's weights do not fit into memory: {bytes} bytes more were asked for. Give the process more, or evaluate fewer models at once"
    )]
    Memory {
        /// What was asked for last.
        bytes: usize,
    },
    /// The system refuses so many threads.
    #[error("cannot start {count} threads: {source}. Ask for fewer")]
    Threads {
        /// How many.
        count: usize,
        /// The system's reason.
        #[source]
        source: ThreadsError,
    },
}

/// What instructions compute in, and where.
fn made_for(isa: &str) -> String {
    let is_bf16 = isa.parse::<Isa>().is_ok_and(Isa::rounds_to_bf16);
    let dtype = if is_bf16 { Dtype::Bf16 } else { Dtype::F32 };
    format!("{dtype} on `{}`", DeviceName::Flex)
}

/// What a person can give for a network to be placed. How that is typed, only the program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The numbers f32.
    SinglePrecision,
    /// Fewer threads.
    FewerThreads,
    /// A build with the feature of this name.
    BuildWith(&'static str),
}

impl PlacementError {
    /// What to give for the error to go away, where there is such a thing.
    #[must_use]
    pub fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Device(DeviceNameError::NotCompiled { name }) => Some(Remedy::BuildWith(name)),
            Self::NoKernels { .. } => Some(Remedy::SinglePrecision),
            Self::Threads { .. } => Some(Remedy::FewerThreads),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_panic_is_the_reason() {
        assert_eq!(reason_of_panic(|| 1), Ok(1));
        let in_two_threads = || {
            let gone = std::thread::spawn(|| panic!("no adapter found\nand more")).join().is_err();
            assert!(!gone, "the device's thread is gone");
        };
        assert_eq!(reason_of_panic(in_two_threads), Err("no adapter found".to_owned()));
    }
}
