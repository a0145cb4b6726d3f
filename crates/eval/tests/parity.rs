//! The claim that everything rests on: each network here computes what its own framework computes.
//! Iterates the catalog, so that a new network is tested without a new test.

use std::collections::HashSet;

use eval::parity::{Parity, parity};
use models::{Catalog, DeviceName, Dtype, Placement};

fn on(device: DeviceName) -> Placement {
    Placement::new(device, Dtype::F32, 2).unwrap_or_else(|error| panic!("{error}"))
}

fn check(parity: &Parity) {
    assert_eq!(parity.images, 24, "{parity:?}");
    assert!(parity.holds(), "{parity:#?}");
}

#[test]
fn every_network_has_its_frameworks_logits_on_flex() {
    let catalog = Catalog::built_in();
    let models = catalog.models();
    assert!(!models.is_empty());
    let placement = on(DeviceName::Flex);
    for model in models {
        let found = parity(model, &placement).unwrap();
        // Not Burn's operations, which stand in where the kernels lack something.
        assert!(!found.engine.contains("burn"), "{found:?}");
        check(&found);
    }
}

#[test]
fn an_entry_with_another_recipe_has_the_same_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    let entry = "[[models]]\nid = \"mine/finetuned\"\nnetwork = \"timm-xception\"\nrecipe = \"card-342-bilinear\"\ninput_size = 299\n";
    std::fs::write(&path, entry).unwrap();
    let mut catalog = Catalog::built_in();
    catalog.add_file(&path).unwrap();
    check(&parity(catalog.select("mine/finetuned").unwrap()[0], &on(DeviceName::Flex)).unwrap());
}

#[test]
fn another_implementation_of_every_operation_agrees() {
    // One network a family suffices: its variants are made of the same operations, and this device takes
    // a second an image.
    let catalog = Catalog::built_in();
    let mut families = HashSet::new();
    for model in catalog.models() {
        if families.insert(model.network().family) {
            check(&parity(model, &on(DeviceName::NdArray)).unwrap());
        }
    }
    assert!(families.len() >= 5, "{families:?}");
}
