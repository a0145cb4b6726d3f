//! No code: this crate exists for its dependencies' features. Cargo resolves features for the packages that a command
//! selects, so that `--package xtask`, `cargo bench` and `--workspace` would each build Burn anew where a benchmark's or a
//! test's dependency asks for another feature of something under Burn. What they ask for is asked for here, for all of them
//! (the name is cargo-hakari's). The check `one build` of `cargo xtask validate --only tidy` compares the resolutions.
