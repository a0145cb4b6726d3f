//! Loading a checkpoint in both ways there are: into a network's own parameters, and layer by layer into the kernels, as an
//! evaluation does. Whatever a file holds, the two have to agree, so that each test of a file is a test of both.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use models::weights::unit;
use models::{Checkpoint, DeviceName, Images, Isa, Network, Threads, WeightsError};

/// Side of the seeded input, in pixels.
const SIZE: usize = 75;

/// The network that `init` makes, filled from the file at `path`.
pub(crate) fn load(
    init: impl Fn() -> Box<dyn Network>,
    path: &Path,
) -> Result<Box<dyn Network>, WeightsError> {
    let checkpoint = Checkpoint::open(path)?;
    let mut network = init();
    let loaded = network.load(&checkpoint);
    match (&loaded, init().load_fused(&checkpoint, Isa::best())) {
        (Ok(()), Ok(program)) => {
            let program = program.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let values = input();
            let images = Images::Planar { values: &values, channels: 3, size: [SIZE; 2] };
            let fused = program.run(&images, &Threads::new(1).unwrap()).unwrap();
            for (fused, own) in fused.iter().zip(logits(network.as_ref())) {
                assert!((fused - own).abs() <= 1e-4, "{}: {fused} is not {own}", path.display());
            }
        }
        (Err(loaded), Err(fused)) => assert_eq!(fused.to_string(), loaded.to_string()),
        (loaded, fused) => panic!("{}: loaded {loaded:?}, for the kernels {fused:?}", path.display()),
    }
    loaded.map(|()| network)
}

/// Logits of the seeded input, by Burn's operations.
pub(crate) fn logits(network: &dyn Network) -> Vec<f32> {
    let images = TensorData::new(input(), [1, 3, SIZE, SIZE]);
    let images = Tensor::from_data(images, &DeviceName::Flex.init().unwrap());
    network.forward(images).into_data().iter::<f32>().collect()
}

fn input() -> Vec<f32> {
    unit("input", 3 * SIZE * SIZE, 0).collect()
}
