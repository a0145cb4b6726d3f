//! Which instructions the kernels use, chosen once at run time.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

#[cfg(target_arch = "aarch64")]
use crate::simd::Neon;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512, Avx512Bf16};
use crate::simd::{BLOCK, Kernel, Portable, Simd};

/// An instruction set that this CPU has: there is no other way to get one than [`Isa::best`],
/// [`Isa::best_bf16`], [`Isa::available`] and by a name that is among those.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Isa(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

/// What has to be known of an instruction set outside the kernels, where nothing is generic over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    name: &'static str,
    /// Channels that a panel of packed weights holds.
    pub(crate) panel_channels: usize,
    /// Rows of the largest tile of a multiplication.
    pub(crate) tile_rows: usize,
    /// Words of 32 bits that a block of multiplicands takes.
    pub(crate) block_words: usize,
}

impl Facts {
    const fn of<S: Simd>() -> Self {
        Self { name: S::NAME, panel_channels: S::NV * S::LANES, tile_rows: S::MR, block_words: S::WORDS }
    }
}

impl Kind {
    /// Whether the CPU has every feature that the kind's [`Simd::vectorize`] enables.
    fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => Self::Avx512.is_available() && is_x86_feature_detected!("avx512bf16"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && Self::Avx2.is_available()
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true,
            Self::Portable => true,
        }
    }
}

/// From the fastest.
const ALL: &[Kind] = &[
    #[cfg(target_arch = "x86_64")]
    Kind::Avx512Bf16,
    #[cfg(target_arch = "x86_64")]
    Kind::Avx512,
    #[cfg(target_arch = "x86_64")]
    Kind::Avx2,
    #[cfg(target_arch = "aarch64")]
    Kind::Neon,
    Kind::Portable,
];

impl Isa {
    /// The fastest of this CPU that computes in f32.
    pub fn best() -> Self {
        Self::available().into_iter().find(|isa| !isa.rounds_to_bf16()).unwrap_or(Self(Kind::Portable))
    }

    /// The fastest whose multiplications take bf16, summed in f32; `None` where the CPU has none.
    pub fn best_bf16() -> Option<Self> {
        Self::available().into_iter().find(|isa| isa.rounds_to_bf16())
    }

    /// Every one of this CPU, the fastest first.
    pub fn available() -> Vec<Self> {
        ALL.iter().copied().filter(|kind| kind.is_available()).map(Self).collect()
    }

    /// Whether what is multiplied is rounded to bf16 before: then a word holds two multiplicands.
    pub fn rounds_to_bf16(self) -> bool {
        self.facts().block_words < BLOCK
    }

    /// Its name, as reports give it.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// What differs from one instruction set to the next.
    pub(crate) fn facts(self) -> Facts {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Bf16 => Facts::of::<Avx512Bf16>(),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => Facts::of::<Avx512>(),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => Facts::of::<Avx2>(),
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => Facts::of::<Neon>(),
            Kind::Portable => Facts::of::<Portable>(),
        }
    }

    /// Runs `kernel` with these instructions.
    pub(crate) fn run<K: Kernel>(self, kernel: K) {
        // SAFETY: an `Isa` exists only where `Kind::is_available` found every feature that the type's `vectorize` enables.
        unsafe {
            match self.0 {
                #[cfg(target_arch = "x86_64")]
                Kind::Avx512Bf16 => Avx512Bf16::new().vectorize(kernel),
                #[cfg(target_arch = "x86_64")]
                Kind::Avx512 => Avx512::new().vectorize(kernel),
                #[cfg(target_arch = "x86_64")]
                Kind::Avx2 => Avx2::new().vectorize(kernel),
                #[cfg(target_arch = "aarch64")]
                Kind::Neon => Neon::new().vectorize(kernel),
                Kind::Portable => Portable::new().vectorize(kernel),
            }
        }
    }
}

/// A name that no instruction set of this CPU has.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum IsaError {
    /// There are no kernels for it.
    #[error("the kernels have no instruction set called `{name}`; this CPU has {}", here())]
    Unknown {
        /// The name.
        name: String,
    },
    /// There are, and the CPU lacks it.
    #[error("this CPU lacks `{name}`; it has {}", here())]
    Lacking {
        /// The name.
        name: &'static str,
    },
}

/// Those of this CPU, for people.
fn here() -> String {
    let names: Vec<&str> = Isa::available().into_iter().map(Isa::name).collect();
    names.join(", ")
}

/// Those of all processors, whatever this program was built for.
const NAMES: [&str; 5] = ["avx512bf16", "avx512", "avx2", "neon", "portable"];

impl FromStr for Isa {
    type Err = IsaError;

    fn from_str(name: &str) -> Result<Self, IsaError> {
        if let Some(isa) = Self::available().into_iter().find(|isa| isa.name() == name) {
            return Ok(isa);
        }
        Err(match NAMES.into_iter().find(|known| *known == name) {
            Some(name) => IsaError::Lacking { name },
            None => IsaError::Unknown { name: name.to_owned() },
        })
    }
}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_set_of_this_cpu_is_known_by_its_name() {
        for isa in Isa::available() {
            assert_eq!(isa.name().parse(), Ok(isa));
            assert!(NAMES.contains(&isa.name()));
        }
        let of = |name: &str| name.parse::<Isa>().map_err(|error| error.to_string());
        assert!(
            of("sse").is_err_and(
                |error| error.contains("called `sse`; this CPU has") && error.contains("portable")
            )
        );
        let lacking = NAMES.iter().find(|name| Isa::available().iter().all(|isa| isa.name() != **name));
        // No CPU has both AVX2 and NEON.
        let lacking = lacking.expect("no CPU has them all");
        assert!(
            of(lacking).is_err_and(|error| error.contains(&format!("this CPU lacks `{lacking}`; it has")))
        );
    }
}
