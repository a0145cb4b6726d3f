//! The networks: one family a file, and the list of what can be built.
//!
//! A new variant of a family is data in the family's file and a line in [`NETWORKS`].

mod keras_xception;
mod ppcls_xception;
mod timm_resnet;
mod timm_xception;
mod xception_aligned;

use burn::tensor::Device;

use crate::network::Network;
pub use keras_xception::KerasXceptionConfig;
pub use ppcls_xception::PaddleXceptionConfig;
pub use timm_xception::XceptionConfig;

/// A network that can be built, by the name that the catalog's `network` key uses.
pub struct NetworkEntry {
    /// `<source>-<architecture>`, such as `timm-xception`.
    pub name: &'static str,
    /// Its family: the name of the file that defines it.
    pub family: &'static str,
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

/// An entry by its name and its configuration in the file of its family.
macro_rules! network {
    ($name:literal, $family:ident::$config:ident) => {
        NetworkEntry {
            name: $name,
            family: stringify!($family),
            stages: include_str!(concat!("../../../../datasets/reference/stages/", $name, ".json")),
            init: |device| Box::new($family::$config.init(device)),
        }
    };
}

/// Every network of this version.
pub static NETWORKS: &[NetworkEntry] = &[
    network!("timm-xception", timm_xception::TIMM_XCEPTION),
    network!("timm-xception41", xception_aligned::XCEPTION41),
    network!("timm-xception41p", xception_aligned::XCEPTION41P),
    network!("timm-xception65", xception_aligned::XCEPTION65),
    network!("timm-xception65p", xception_aligned::XCEPTION65P),
    network!("timm-xception71", xception_aligned::XCEPTION71),
    network!("timm-resnet18", timm_resnet::RESNET18),
    network!("keras-xception", keras_xception::KERAS_XCEPTION),
    network!("ppcls-xception41", ppcls_xception::XCEPTION41),
    network!("ppcls-xception41_deeplab", xception_aligned::XCEPTION41_DEEPLAB),
    network!("ppcls-xception65", ppcls_xception::XCEPTION65),
    network!("ppcls-xception65_deeplab", xception_aligned::XCEPTION65_DEEPLAB),
    network!("ppcls-xception71", ppcls_xception::XCEPTION71),
];

/// The network called `name`, if this version has it.
pub fn by_name(name: &str) -> Option<&'static NetworkEntry> {
    NETWORKS.iter().find(|entry| entry.name == name)
}
