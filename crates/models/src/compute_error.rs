//! Why images have no logits: what a device says of it, in words of its own.

use kernels::SizeError;
use memory::NoMemory;

/// Why images have no logits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComputeError {
    /// There is no memory for so many images; for fewer there may be.
    #[error("{reason}")]
    OutOfMemory {
        /// In the words of who asked for memory.
        reason: String,
    },
    /// Anything else, which fewer images would not mend.
    #[error("{reason}")]
    Failed {
        /// The device's words.
        reason: String,
    },
}

impl From<NoMemory> for ComputeError {
    fn from(error: NoMemory) -> Self {
        Self::OutOfMemory { reason: error.to_string() }
    }
}

impl ComputeError {
    /// Devices panic where they give up; only their words tell why.
    pub fn of_panic(words: String) -> Self {
        let said = words.to_lowercase();
        if NO_MEMORY.iter().any(|phrase| said.contains(phrase)) {
            Self::OutOfMemory { reason: words }
        } else {
            Self::Failed { reason: words }
        }
    }
}

/// What Burn's backends, their drivers and Rust's collections say where memory is lacking, in lower case.
const NO_MEMORY: [&str; 10] = [
    "out of memory",
    "outofmemory",
    "out_of_memory",
    "not enough memory",
    "insufficient memory",
    "buffertoobig",
    "can't allocate buffer",
    "memory allocation",
    "failed to allocate",
    "out of device memory",
];

impl From<SizeError> for ComputeError {
    fn from(error: SizeError) -> Self {
        let reason = error.to_string();
        match error {
            SizeError::OutOfMemory { .. } => Self::OutOfMemory { reason },
            // A device's words, as where it computes all.
            SizeError::Elsewhere { .. } => Self::of_panic(reason),
            _ => Self::Failed { reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_speaks_of_memory_is_for_want_of_it() {
        let is_memory = |words: &str| {
            matches!(ComputeError::of_panic(words.to_owned()), ComputeError::OutOfMemory { .. })
        };
        for words in [
            "out of memory",
            "called `Result::unwrap()` on an `Err` value: OutOfMemory { reason: \"cuMemAlloc\" }",
            "CUDA_ERROR_OUT_OF_MEMORY",
            "wgpu error: Not enough memory left",
            "can't allocate buffer of size: 12",
        ] {
            assert!(is_memory(words), "{words}");
        }
        for words in
            ["index out of bounds: the len is 3", "it gave no reason", "memory order is wrong", "device lost"]
        {
            assert!(!is_memory(words), "{words}");
        }
    }
}
