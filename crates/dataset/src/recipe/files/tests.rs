//! Files as people have them, what they become, and what is refused.

use super::*;

fn read(text: &str) -> Result<Recipe, String> {
    Recipe::from_json(text, "file.json").map_err(|error| error.to_string())
}

/// As the zoo has it for its own run of timm's xception41.
const VDSP: &str = r#"{"OpType": "FUSION_OP_RGB_RESIZE_CVTCOLOR_CROP_NORM_TENSOR", "OpConfig": {"IimageFormat": "RGB_PLANAR",
    "IimageWidth": 324, "IimageHeight": 324, "OimageWidth": 299, "OimageHeight": 299, "CropX": 12, "CropY": 12,
    "ResizeWidth": 324, "ResizeHeight": 324, "IimageWidthPitch": 324, "IimageHeightPitch": 324, "Mean": [0.5, 0.5, 0.5],
    "Std": [0.5, 0.5, 0.5], "NormaType": "DIV255_MINUSMEAN_DIVSTD", "ColorCvtCode": "NO_CHANGE", "ResizeType": "BILINEAR_CV"}}"#;

const TIMM: &str = r#"{"architecture": "a", "pretrained_cfg": {"input_size": [3, 224, 224], "crop_pct": 0.95,
    "interpolation": "bicubic", "crop_mode": "center", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}"#;

const HUGGING_FACE: &str = r#"{"image_processor_type": "ViTImageProcessor", "do_resize": true, "do_rescale": true, "resample": 2,
    "rescale_factor": 0.00392156862745098, "size": {"height": 224, "width": 224}, "do_normalize": true,
    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}"#;

#[test]
fn the_zoos_parameters_are_what_its_page_does_not_say() {
    let recipe = read(VDSP).unwrap();
    let keys = "decoder=opencv,resize=exact:324x324,filter=opencv-linear,crop=299,offset=floor,mean=half,std=half,scale=255,\
                channels=rgb";
    assert_eq!(recipe.keys(), keys);
    assert_eq!(recipe.name, keys);
    for (from, to, expected) in [
        ("NO_CHANGE", "RGB2BGR", "channels=bgr"),
        ("NO_CHANGE", "BGR2RGB", "channels=bgr"),
        ("DIV255_MINUSMEAN_DIVSTD", "MINUSMEAN_DIVSTD", "mean=half,std=half,scale=1,"),
        ("DIV255_MINUSMEAN_DIVSTD", "EQUAL", "mean=0/0/0,std=1/1/1,scale=1,"),
        ("DIV255_MINUSMEAN_DIVSTD", "DIV255", "mean=0/0/0,std=1/1/1,scale=255,"),
        ("BILINEAR_CV", "BILINEAR_PILLOW", "decoder=pil,resize=exact:324x324,filter=pil-bilinear,"),
        ("\"ResizeWidth\": 324, \"ResizeHeight\": 324", "\"x\": 1", "CropX"),
        (
            "[0.5, 0.5, 0.5],\n    \"Std\"",
            "[103.9375, 116.75, 123.6875],\n    \"Std\"",
            "mean=103.9375/116.75/123.6875,",
        ),
    ] {
        let changed = VDSP.replace(from, to);
        assert_ne!(changed, VDSP, "{from}");
        let found = read(&changed).map_or_else(|error| error, |recipe| recipe.keys());
        assert!(found.contains(expected), "{to}: {found}");
    }
}

#[test]
fn what_the_keys_cannot_say_is_an_error_and_not_the_nearest() {
    for (file, from, to, expected) in [
        (VDSP, "\"CropX\": 12", "\"CropX\": 13", "a crop at CropX = 13, which is not the middle (12)"),
        (
            VDSP,
            "\"CropY\": 12",
            "\"CropY\": \"12\"",
            "`OpConfig.CropY`: a whole number of pixels is needed, and \"12\"",
        ),
        (
            VDSP,
            "\"OimageWidth\": 299",
            "\"OimageWidth\": 400",
            "`OpConfig.CropX`: a crop of 400 pixels does not fit into 324",
        ),
        (VDSP, "BILINEAR_CV", "BICUBIC", "ResizeType BICUBIC, which is none of the recipes"),
        (VDSP, "RGB_PLANAR", "YUV_NV12", "IimageFormat YUV_NV12"),
        (VDSP, "\"NormaType\"", "\"Norma\"", "`OpConfig.NormaType`: it is missing"),
        (
            VDSP,
            "[0.5, 0.5, 0.5],\n    \"Std\"",
            "[0.5],\n    \"Std\"",
            "`OpConfig.Mean`: a list of three numbers is needed",
        ),
        (VDSP, "\"Std\": [0.5, 0.5, 0.5]", "\"Std\": [0, 0, 0]", "it comes to decoder=opencv,"),
        (TIMM, "center", "border", "crop_mode border, which is none of the recipes"),
        (TIMM, "bicubic", "random", "interpolation random"),
        (TIMM, "bicubic", "area", "`pretrained_cfg.interpolation`: area is none of Pillow's filters"),
        (TIMM, "0.95", "1.5", "`pretrained_cfg.crop_pct`: 1.5 is no share"),
        (TIMM, "[3, 224, 224]", "[1, 28, 28]", "`pretrained_cfg.input_size`: [3, height, width] is needed"),
        (TIMM, "[3, 224, 224]", "[3, 224, 320]", "a crop of 320x224 with crop_mode center"),
        (
            HUGGING_FACE,
            "ViTImage",
            "ViTHybridImage",
            "the image processor ViTHybridImageProcessor, which is none",
        ),
        (HUGGING_FACE, "Processor\"", "ProcessorFast\"", "which resizes tensors and not by Pillow"),
        (HUGGING_FACE, "\"resample\": 2", "\"resample\": 9", "`resample`: 9 is none of Pillow's filters"),
        (HUGGING_FACE, "0.00392156862745098", "0.0039", "`rescale_factor`: 0.0039 is not 1 over"),
        (HUGGING_FACE, "\"height\": 224,", "\"longest_edge\": 1,", "`size`: a number, height and width, or"),
        (HUGGING_FACE, "image_mean", "mean", "`image_mean`: it is missing"),
    ] {
        let changed = file.replace(from, to);
        assert_ne!(changed, file, "{from}");
        let error = read(&changed).unwrap_err();
        assert!(error.contains(expected), "{to}: {error}");
    }
    for (text, expected) in [
        ("{", "it is no JSON: "),
        ("[]", "it is none of the files that state a recipe"),
        ("{\"a\": 1}", "it is none of the files that state a recipe"),
        (
            r#"{"architectures": ["ViTForImageClassification"], "model_type": "vit"}"#,
            "the preprocessor_config.json beside it",
        ),
        (r#"{"pretrained_cfg": 1}"#, "`pretrained_cfg`: an object is needed, and 1 is there"),
        (r#"{"OpConfig": null, "a": 1}"#, "none of the files"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
