//! The claim that everything rests on: each network here computes what its own framework computes.
//! Iterates the catalog, so that a new network is tested without a new test as soon as its framework's answers are frozen. Of
//! families of many sizes they are frozen for a few networks, which every family and source has.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use eval::parity::{Parity, parity, parity_of_first};
use models::{Catalog, DeviceName, Dtype, Model, Placement, reference};

fn on(device: DeviceName) -> Placement {
    Placement::new(device, Dtype::F32, 2).unwrap_or_else(|error| panic!("{error}"))
}

fn check(parity: &Parity, images: usize) {
    assert_eq!(parity.images, images, "{parity:?}");
    assert!(parity.holds(), "{parity:#?}");
}

/// A model of each network whose framework's answers are frozen.
fn frozen(catalog: &Catalog) -> Vec<&Model> {
    let mut networks = HashSet::new();
    let models = catalog.models().iter();
    let models = models.filter(|model| reference::answers(&model.network).is_some());
    models.filter(|model| networks.insert(model.network.as_str())).collect()
}

/// Images of the sample where it would take long to compute all of them.
const FEW: usize = 6;

#[test]
fn every_family_of_a_source_has_frozen_answers() {
    let catalog = Catalog::built_in();
    let of = |model: &Model| (model.source().to_owned(), model.network().family);
    let some: HashSet<_> = frozen(&catalog).into_iter().map(of).collect();
    let all: HashSet<_> = catalog.models().iter().map(of).collect();
    assert_eq!(some, all);
}

#[test]
fn every_network_has_its_frameworks_logits_on_flex() {
    let catalog = Catalog::built_in();
    let placement = on(DeviceName::Flex);
    let mut families = HashSet::new();
    for model in frozen(&catalog) {
        // All of the sample for a network a family; its variants are made of the same operations, and tests are slow. `cargo xtask
        // parity` is of all images.
        let images = if families.insert(model.network().family) { 24 } else { FEW };
        let found = parity_of_first(images, model, &placement).unwrap();
        // Not Burn's operations, which stand in where the kernels lack something.
        assert!(!found.engine.contains("burn"), "{found:?}");
        check(&found, images);
    }
}

#[test]
fn an_entry_with_another_recipe_has_the_same_network() {
    let entry = "[[models]]\nid = \"mine/finetuned\"\nnetwork = \"timm-xception\"\nrecipe = \"card-342-bilinear\"\ninput_size = 299\n";
    let mut catalog = Catalog::built_in();
    catalog.add(entry, "own.toml").unwrap();
    check(&parity(catalog.select("mine/finetuned").unwrap()[0], &on(DeviceName::Flex)).unwrap(), 24);
}

#[test]
fn another_implementation_of_every_operation_agrees() {
    // One network a family suffices: its variants are made of the same operations, and this device takes
    // seconds an image. `cargo xtask parity --device ndarray` is of all images.
    const SLOW: usize = 3;
    let catalog = Catalog::built_in();
    let mut families = HashSet::new();
    let models: Vec<&Model> =
        frozen(&catalog).into_iter().filter(|model| families.insert(model.network().family)).collect();
    assert!(models.len() >= 5, "{families:?}");
    // It computes on one thread, so that networks share the processors.
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(model) = models.get(next.fetch_add(1, Ordering::Relaxed)) {
            check(&parity_of_first(SLOW, model, &on(DeviceName::NdArray)).unwrap(), SLOW);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from).min(models.len()) {
            scope.spawn(work);
        }
    });
}
