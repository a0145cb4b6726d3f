//! The claim that everything rests on: each network here computes what its own framework computes.
//! Iterates the catalog, so that a new network is tested without a new test.

use eval::parity::{Parity, parity};
use models::{Catalog, DeviceName};

fn check(parity: &Parity) {
    assert_eq!(parity.images, 24, "{parity:?}");
    assert!(parity.holds(), "{parity:#?}");
}

#[test]
fn every_network_has_its_frameworks_logits_on_flex() {
    let catalog = Catalog::built_in();
    let models: Vec<_> = catalog.models().iter().filter(|model| model.network().is_ok()).collect();
    assert!(!models.is_empty());
    for model in models {
        check(&parity(model, DeviceName::Flex).unwrap());
    }
}

#[test]
fn another_implementation_of_every_operation_agrees() {
    let catalog = Catalog::built_in();
    check(&parity(catalog.select("timm/xception").unwrap()[0], DeviceName::NdArray).unwrap());
}
