//! By which of Burn's operations matrices are multiplied.

/// The operations that multiply matrices, of which a network's arithmetic consists almost wholly. Without autotune Burn's
/// convolutions on a GPU are plain loops that sum in the type of their input. Its matrix product is tiled, and sums f16 and
/// bf16 in f32; but CUDA has it round f32 to TF32 (`adjust_dtypes` of cubek-matmul 0.3), which nobody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Products {
    /// What the modules are: convolutions and linear layers.
    #[default]
    AsModules,
    /// Matrix products where that is possible: 1x1 convolutions too.
    AsMatrices,
    /// Convolutions only: linear layers too.
    AsConvolutions,
}
