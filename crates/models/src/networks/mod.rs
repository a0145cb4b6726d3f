//! The networks: one family a file, and the list of what can be built.
//!
//! A new variant of a family is data in the family's file and a line in [`NETWORKS`].

mod timm_xception;

use burn::tensor::Device;

use crate::network::Network;
pub use timm_xception::{BlockConfig, XceptionConfig};

/// A network that can be built, by the name that the catalog's `network` key uses.
pub struct NetworkEntry {
    /// `<source>-<architecture>`, such as `timm-xception`.
    pub name: &'static str,
    /// Statistics of its stages for the seeded probe in the source framework, as JSON.
    pub(crate) stages: &'static str,
    init: fn(&Device) -> Box<dyn Network>,
}

impl NetworkEntry {
    /// The network on `device`, its weights not set yet.
    pub fn init(&self, device: &Device) -> Box<dyn Network> {
        (self.init)(device)
    }
}

impl std::fmt::Debug for NetworkEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NetworkEntry").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Every network of this version.
pub static NETWORKS: &[NetworkEntry] = &[NetworkEntry {
    name: "timm-xception",
    stages: include_str!("../../../../datasets/reference/stages/timm-xception.json"),
    init: |device| Box::new(timm_xception::TIMM_XCEPTION.init(device)),
}];

/// The network called `name`, if this version has it.
pub fn by_name(name: &str) -> Option<&'static NetworkEntry> {
    NETWORKS.iter().find(|entry| entry.name == name)
}
