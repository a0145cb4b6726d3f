//! The recipes that have a name here, stated as a user would state them.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::Recipe;

/// A recipe that is known by its name. It can be used as the [`Recipe`] that it is.
#[derive(Debug)]
pub struct BuiltIn {
    /// What the catalog, the command line and reports call it.
    pub name: &'static str,
    /// Side of its square crop, in pixels.
    pub size: usize,
    summary: &'static str,
    provenance: &'static str,
    keys: &'static str,
    recipe: OnceLock<Arc<Recipe>>,
}

impl BuiltIn {
    const fn new(
        name: &'static str,
        size: usize,
        keys: &'static str,
        summary: &'static str,
        provenance: &'static str,
    ) -> Self {
        Self { name, size, summary, provenance, keys, recipe: OnceLock::new() }
    }

    /// The recipe.
    ///
    /// # Panics
    /// If its keys are wrong, which a test rules out.
    pub fn recipe(&self) -> &Arc<Recipe> {
        self.recipe.get_or_init(|| {
            let recipe: Recipe = self.keys.parse().expect("a built-in recipe is valid");
            let (summary, provenance) = (self.summary.to_owned(), self.provenance.to_owned());
            Arc::new(Recipe { name: self.name.to_owned(), summary, provenance, ..recipe })
        })
    }
}

impl Deref for BuiltIn {
    type Target = Recipe;

    fn deref(&self) -> &Recipe {
        self.recipe()
    }
}

/// Every recipe that has a name here, in the order in which they are documented.
pub static RECIPES: &[BuiltIn] = &ALL;

static ALL: [BuiltIn; 12] = [
    BuiltIn::new(
        "timm-333-bicubic",
        299,
        "decoder=pil,resize=short:333,filter=pil-bicubic,crop=299,offset=round-half-even,mean=half,std=half",
        "PIL bicubic, short side 333 = floor(299 / 0.8975), centre crop 299",
        "timm's default configuration of xception (crop_pct 0.8975)",
    ),
    BuiltIn::new(
        "timm-331-bicubic",
        299,
        "decoder=pil,resize=short:331,filter=pil-bicubic,crop=299,offset=round-half-even,mean=half,std=half",
        "PIL bicubic, short side 331 = floor(299 / 0.903), centre crop 299",
        "timm's default configuration of xception41 and 71 (crop_pct 0.903)",
    ),
    BuiltIn::new(
        "timm-318-bicubic",
        299,
        "decoder=pil,resize=short:318,filter=pil-bicubic,crop=299,offset=round-half-even,mean=half,std=half",
        "PIL bicubic, short side 318 = floor(299 / 0.94), centre crop 299",
        "timm's default configuration of xception41p, 65 and 65p (crop_pct 0.94)",
    ),
    BuiltIn::new(
        "timm-235-bicubic",
        224,
        "decoder=pil,resize=short:235,filter=pil-bicubic,crop=224,offset=round-half-even,mean=imagenet,std=imagenet",
        "PIL bicubic, short side 235 = floor(224 / 0.95), centre crop 224, ImageNet statistics",
        "timm's default configuration of resnet50, 101 and 152 (crop_pct 0.95)",
    ),
    BuiltIn::new(
        "timm-256-bicubic",
        224,
        "decoder=pil,resize=short:256,filter=pil-bicubic,crop=224,offset=round-half-even,mean=imagenet,std=imagenet",
        "PIL bicubic, short side 256 = floor(224 / 0.875), centre crop 224, ImageNet statistics",
        "timm's default configuration of resnet26 and of gluon_resnet's networks (crop_pct 0.875)",
    ),
    BuiltIn::new(
        "timm-256-bilinear",
        224,
        "decoder=pil,resize=short:256,filter=pil-bilinear,crop=224,offset=round-half-even,mean=imagenet,std=imagenet",
        "PIL bilinear, short side 256 = floor(224 / 0.875), centre crop 224, ImageNet statistics",
        "timm's default configuration of resnet18 and 34 (crop_pct 0.875); torchvision's evaluation (Resize(256), CenterCrop(224))",
    ),
    BuiltIn::new(
        "card-342-bilinear",
        299,
        "decoder=pil,resize=short:342,filter=pil-bilinear,crop=299,offset=round-half-even,mean=half,std=half",
        "PIL bilinear, short side 342, centre crop 299",
        "the model card's own preprocessing",
    ),
    BuiltIn::new(
        "keras-load_img",
        299,
        "decoder=pil,resize=exact:299x299,filter=pil-nearest,crop=299,offset=round-half-even,mean=half,std=half",
        "PIL nearest, straight to 299x299, aspect ratio not kept",
        "what keras load_img(target_size=(299, 299)) does by default; Keras never documented its evaluation",
    ),
    BuiltIn::new(
        "keras-cv2-cubic-341",
        299,
        "decoder=opencv,resize=short:341,filter=opencv-cubic,crop=299,offset=floor,mean=half,std=half",
        "OpenCV bicubic, short side 341 = floor(299 / 0.875), centre crop 299",
        "keras-applications#88 describes cv2 INTER_CUBIC with short side 256 for 224-pixel crops; \
         341 is inferred from that ratio",
    ),
    BuiltIn::new(
        "keras-cv2-cubic-256",
        224,
        "decoder=opencv,resize=short:256,filter=opencv-cubic,crop=224,offset=floor,mean=103.939/116.779/123.68,std=1/1/1,scale=1,\
         channels=bgr",
        "OpenCV bicubic, short side 256, centre crop 224, BGR less ImageNet's mean",
        "keras-applications#88 describes cv2 INTER_CUBIC with short side 256 for 224-pixel crops; the mean is that of \
         keras.applications.resnet.preprocess_input",
    ),
    BuiltIn::new(
        "ppcls-320-bilinear",
        299,
        "decoder=opencv,resize=short-round:320,filter=opencv-linear,crop=299,offset=floor,mean=imagenet,std=imagenet",
        "OpenCV bilinear, short side 320, centre crop 299, ImageNet statistics",
        "PaddleClas' evaluation configuration of the Xception networks",
    ),
    BuiltIn::new(
        "ppcls-256-bilinear",
        224,
        "decoder=opencv,resize=short-round:256,filter=opencv-linear,crop=224,offset=floor,mean=imagenet,std=imagenet",
        "OpenCV bilinear, short side 256, centre crop 224, ImageNet statistics",
        "PaddleClas' evaluation configuration of the ResNet networks",
    ),
];
