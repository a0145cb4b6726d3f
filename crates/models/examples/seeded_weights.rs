//! Writes a network's seeded weights as a safetensors file, for trying what takes a weight file where no published one
//! can be had (`tools/slurm.sh`).
//!
//! ```sh
//! cargo run --release -p models --example seeded_weights -- timm/xception timm-xception.safetensors
//! ```

use std::error::Error;

use models::Catalog;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [id, file] = &arguments[..] else { return Err("usage: seeded_weights ID FILE".into()) };
    let catalog = Catalog::built_in();
    for model in catalog.select(id)? {
        let entry = model.network();
        let network = entry.build();
        let mut tensors = Vec::new();
        for tensor in models::weights::seeded(&network, entry.name)?.tensors() {
            tensors.push((tensor.name.clone(), tensor.shape.to_vec(), tensor.to_bytes()?.to_vec()));
        }
        let mut views = Vec::new();
        for (name, shape, bytes) in &tensors {
            views.push((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?));
        }
        std::fs::write(file, safetensors::serialize(views, None)?)?;
    }
    Ok(())
}
