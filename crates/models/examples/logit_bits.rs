//! Prints a hash of every logit's bits, a line a network and what computes it, so that a change that must move no logit can be
//! compared with what was before it, on the same machine:
//!
//! ```sh
//! cargo run --release -p models --example logit_bits > before.txt     # [GLOB ...]: some models
//! ```
//!
//! Seeded weights; the kernels by every instruction set of this CPU, on one thread and on two, and Burn's operations.

#![allow(clippy::print_stdout, reason = "what it prints is its result")]

use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};

use dataset::{Dataset, Decoded};
use models::{Catalog, Classifier, DeviceName, Dtype, Images, Isa, Placement, Threads};

/// Images by every instruction set; a batch that two threads share, and one that is left over.
const IMAGES: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let mut globs: Vec<String> = std::env::args().skip(1).collect();
    if globs.is_empty() {
        globs.push("*".to_owned());
    }
    let catalog = Catalog::built_in();
    let sample = Dataset::sample();
    let placement = Placement::new(DeviceName::Flex, Dtype::F32, 1)?;
    for glob in &globs {
        for model in catalog.select(glob)? {
            let entry = model.network();
            let recipe = model.recipe().ok_or("the catalog names a recipe")?;
            let mut pixels = Vec::new();
            for index in 0..IMAGES {
                pixels.extend(recipe.input(&Decoded::from_bytes(&sample.read(index)?)?)?.pixels);
            }
            let tables = recipe.normalise.table();
            let images = Images::Bytes { values: &pixels, tables: &tables, size: recipe.crop.axes() };
            let network = entry.build();
            let checkpoint = models::weights::seeded(&network, entry.name)?;
            for isa in Isa::available() {
                let program = network.program(&checkpoint, isa)?;
                for threads in 1..=2 {
                    let logits = program.run(&images, &Threads::new(threads)?)?;
                    println!("{} {} {threads} {:016x}", model.id, isa.name(), hash(&logits));
                }
            }
            let burn = Classifier::load_without_kernels(&network, &checkpoint, &placement)?;
            println!("{} burn {:016x}", model.id, hash(&burn.logits(&images)?.concat()));
        }
    }
    Ok(())
}

fn hash(logits: &[f32]) -> u64 {
    let mut hasher = DefaultHasher::new();
    logits.iter().for_each(|logit| logit.to_bits().hash(&mut hasher));
    hasher.finish()
}
