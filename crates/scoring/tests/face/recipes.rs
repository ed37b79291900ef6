//! How images become a network's input: every recipe that is accepted, what it leaves open, and the exact sentence for what is not.

use proptest::prelude::*;
use referee_scoring::model_form::{Channels, ImageInput, Interpolation, Recipe, Resize, Size};
use serde_json::json;

fn recipe(text: &str) -> Recipe {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> String {
    text.parse::<Recipe>().expect_err(text).to_string()
}

fn takes(channels: u32, side: u32) -> ImageInput {
    ImageInput {
        channels: Some(channels),
        size: Some(Size::square(side)),
        raw: false,
        image: None,
    }
}

#[test]
fn the_contracts_recipe() {
    let text = r#"{"resize":256,"crop":224,"interpolation":"bicubic","mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225],"scale":0.00392156862745098,"channels":"bgr"}"#;
    let read = recipe(text);
    assert_eq!(read.resize, Some(Resize::ShortSide(256)));
    assert_eq!(read.crop, Some(Size::square(224)));
    assert_eq!(read.channels, Some(Channels::Bgr));
    assert_eq!(serde_json::to_string(&read).expect("JSON"), text);
    let sides = recipe(r#"{"resize":[200,300],"crop":[100,299]}"#);
    assert_eq!(
        serde_json::to_value(sides).expect("JSON"),
        json!({"resize": [200, 300], "crop": [100, 299]})
    );
}

/// The numbers are those that `timm.data.create_transform(**resolve_data_config(cfg))` prints with timm 1.0.31.
#[test]
fn timms_configurations() {
    let resnet50 = r#"{"architecture":"resnet50","num_classes":1000,"pretrained_cfg":{"tag":"a1_in1k","input_size":[3,224,224],"test_input_size":[3,288,288],"fixed_input_size":false,"interpolation":"bicubic","crop_pct":0.95,"test_crop_pct":1.0,"crop_mode":"center","mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225],"num_classes":1000,"pool_size":[7,7],"first_conv":"conv1","classifier":"fc"}}"#;
    assert_eq!(
        serde_json::to_value(recipe(resnet50)).expect("JSON"),
        json!({"resize": 235, "crop": 224, "interpolation": "bicubic", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]})
    );
    let squashed = recipe(
        r#"{"input_size":[3,384,384],"interpolation":"bicubic","crop_pct":1.0,"crop_mode":"squash","mean":[0.5,0.5,0.5],"std":[0.5,0.5,0.5]}"#,
    );
    assert_eq!(squashed.resize, Some(Resize::Exact(Size::square(384))));
    let defaults = recipe(r#"{"input_size":[3,224,224]}"#);
    assert_eq!(defaults.resize, Some(Resize::ShortSide(256)));
    assert_eq!(defaults.interpolation, Some(Interpolation::Bicubic));
    assert_eq!(defaults.mean.as_deref(), Some(&[0.485, 0.456, 0.406][..]));
}

/// The files are those of the models named, as they stand on the hub.
#[test]
fn hugging_faces_configurations() {
    // google/vit-base-patch16-224
    let vit = recipe(
        r#"{"do_normalize":true,"do_rescale":true,"do_resize":true,"image_mean":[0.5,0.5,0.5],"image_processor_type":"ViTFeatureExtractor","image_std":[0.5,0.5,0.5],"resample":2,"rescale_factor":0.00392156862745098,"size":{"height":224,"width":224}}"#,
    );
    assert_eq!(
        serde_json::to_value(vit).expect("JSON"),
        json!({"resize": [224, 224], "interpolation": "bilinear", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "scale": 1.0 / 255.0})
    );
    // microsoft/resnet-50
    let resnet = recipe(
        r#"{"crop_pct":0.875,"do_normalize":true,"do_resize":true,"feature_extractor_type":"ConvNextFeatureExtractor","image_mean":[0.485,0.456,0.406],"image_std":[0.229,0.224,0.225],"resample":3,"size":224}"#,
    );
    assert_eq!(resnet.resize, Some(Resize::ShortSide(256)));
    assert_eq!(resnet.crop, Some(Size::square(224)));
    assert_eq!(resnet.interpolation, Some(Interpolation::Bicubic));
    // facebook/deit-base-patch16-224
    let deit = recipe(
        r#"{"crop_size":224,"do_center_crop":true,"do_normalize":true,"do_resize":true,"feature_extractor_type":"DeiTFeatureExtractor","image_mean":[0.485,0.456,0.406],"image_std":[0.229,0.224,0.225],"resample":3,"size":256}"#,
    );
    assert_eq!(deit.resize, Some(Resize::Exact(Size::square(256))));
    assert_eq!(deit.crop, Some(Size::square(224)));
    // openai/clip-vit-base-patch32
    let clip = recipe(
        r#"{"crop_size":{"height":224,"width":224},"do_center_crop":true,"do_normalize":true,"do_resize":true,"image_mean":[0.48145466,0.4578275,0.40821073],"image_processor_type":"CLIPImageProcessor","image_std":[0.26862954,0.26130258,0.27577711],"resample":3,"size":{"shortest_edge":224}}"#,
    );
    assert_eq!(clip.resize, Some(Resize::ShortSide(224)));
    assert_eq!(clip.crop, Some(Size::square(224)));
}

/// What transformers 5.24's processors make of one colour, `[10, 100, 200]`: `EfficientNet` normalises twice, an offset moves the pixels,
/// and `MobileViT` flips the colours.
#[test]
fn what_hugging_faces_processors_do_to_pixels() {
    // google/efficientnet-b0
    let efficientnet = |changed: &str| {
        let first = r#""image_processor_type":"EfficientNetImageProcessor","image_mean":[0.485,0.456,0.406],"image_std":[0.47853944,0.4732864,0.47434163],"crop_size":{"height":289,"width":289},"resample":0,"size":{"height":224,"width":224}"#;
        format!("{{{first},{changed}}}")
    };
    let mobilevit = r#"{"crop_size":256,"do_center_crop":true,"do_flip_channel_order":true,"do_resize":true,"feature_extractor_type":"MobileViTFeatureExtractor","resample":2,"size":288}"#;
    for (text, expected) in [
        (
            efficientnet(r#""do_center_crop":false,"include_top":true"#),
            [-1.946_656_6, -0.285_014, 1.681_394_6],
        ),
        (
            efficientnet(r#""rescale_offset":true,"rescale_factor":0.00784313725490196"#),
            [-6.142_221, -2.998_599_3, 0.722_788_93],
        ),
        (
            efficientnet(r#""rescale_offset":true,"include_top":false"#),
            [-3.021_243_8, -2.247_778_9, -1.310_629_7],
        ),
        (
            efficientnet(r#""do_normalize":false"#),
            [0.081_948_705, 0.828_582_6, 1.653_478_6],
        ),
        (
            mobilevit.to_owned(),
            [0.784_313_74, 0.392_156_87, 0.039_215_688],
        ),
    ] {
        let read = recipe(&text);
        let side = read.crop.map_or(224, |crop| crop.height);
        let preparing = read.resolve(takes(3, side)).expect("resolved");
        let pixels = match preparing.channels {
            Some(Channels::Bgr) => [200.0, 100.0, 10.0],
            _ => [10.0, 100.0, 200.0],
        };
        for (channel, pixel) in pixels.into_iter().enumerate() {
            let input =
                (pixel * preparing.scale - preparing.mean[channel]) / preparing.std[channel];
            assert!((input - expected[channel]).abs() < 1e-5, "{text}: {input}");
        }
    }
}

/// The sizes that transformers 5.24's processors resize images to before they crop them.
#[test]
fn hugging_faces_processors_that_resize_further() {
    for (kind, size, expected) in [
        ("LevitFeatureExtractor", "224", 256),
        ("LevitImageProcessor", r#"{"shortest_edge":192}"#, 219),
        ("PoolFormerImageProcessor", r#"{"shortest_edge":224}"#, 248),
        ("MobileViTImageProcessor", r#"{"shortest_edge":288}"#, 288),
    ] {
        let read = recipe(&format!(
            r#"{{"image_processor_type":"{kind}","size":{size},"crop_size":{{"height":192,"width":192}},"resample":3,"image_mean":0.5,"image_std":0.5}}"#
        ));
        assert_eq!(read.resize, Some(Resize::ShortSide(expected)), "{kind}");
        assert_eq!(read.crop, Some(Size::square(192)), "{kind}");
    }
    let large = recipe(
        r#"{"image_processor_type":"PoolFormerImageProcessor","crop_pct":0.95,"size":{"shortest_edge":384},"crop_size":384,"resample":3,"image_mean":0.5,"image_std":0.5}"#,
    );
    assert_eq!(large.resize, Some(Resize::ShortSide(404)));
}

/// The figures are torchvision's own documentation of these weights.
#[test]
fn torchvisions_weights_by_name() {
    for (name, resize, crop, interpolation) in [
        (
            "AlexNet_Weights.IMAGENET1K_V1",
            256,
            224,
            Interpolation::Bilinear,
        ),
        (
            "ResNet50_Weights.IMAGENET1K_V2",
            232,
            224,
            Interpolation::Bilinear,
        ),
        (
            "ResNet50_Weights.DEFAULT",
            232,
            224,
            Interpolation::Bilinear,
        ),
        (
            "Inception_V3_Weights.IMAGENET1K_V1",
            342,
            299,
            Interpolation::Bilinear,
        ),
        (
            "EfficientNet_B0_Weights.IMAGENET1K_V1",
            256,
            224,
            Interpolation::Bicubic,
        ),
        (
            "ViT_B_16_Weights.DEFAULT",
            256,
            224,
            Interpolation::Bilinear,
        ),
    ] {
        let read = recipe(&format!("torchvision:{name}"));
        assert_eq!(read.resize, Some(Resize::ShortSide(resize)), "{name}");
        assert_eq!(read.crop, Some(Size::square(crop)), "{name}");
        assert_eq!(read.interpolation, Some(interpolation), "{name}");
    }
    // The one network of torchvision's that is not normalised with ImageNet's mean.
    let large = recipe("torchvision:EfficientNet_V2_L_Weights.IMAGENET1K_V1");
    assert_eq!(large.mean, Some(vec![0.5; 3]));
}

#[test]
fn recipes_that_are_refused() {
    for (text, sentence) in [
        (
            "imagenet",
            "`imagenet` is neither a JSON object such as {\"resize\":256,\"crop\":224} nor a name such as torchvision:ResNet50_Weights.IMAGENET1K_V2",
        ),
        (
            r#"{"resize":256"#,
            "not JSON: EOF while parsing an object at line 1 column 13",
        ),
        (
            r#"{"resizes":256}"#,
            "there is no field `resizes`; there are resize, crop, interpolation, mean, std, scale, channels, small",
        ),
        (
            r#"{"crop":"224"}"#,
            "`crop` is \"224\"; expected pixels from 1 to 4096",
        ),
        (
            r#"{"crop":0}"#,
            "`crop` is 0; expected pixels from 1 to 4096",
        ),
        (
            r#"{"crop":5000}"#,
            "`crop` is 5000; expected pixels from 1 to 4096",
        ),
        (
            r#"{"resize":[224]}"#,
            "`resize` is [224]; expected [height, width] in pixels from 1 to 4096",
        ),
        (
            r#"{"interpolation":"lanczos"}"#,
            "`interpolation` is \"lanczos\"; expected bilinear, bicubic or nearest",
        ),
        (
            r#"{"std":[0.2,0,0.2]}"#,
            "`std` is [0.2,0,0.2]; expected a number other than 0 for each channel, such as [0.229, 0.224, 0.225]",
        ),
        (
            r#"{"mean":[],"std":1}"#,
            "`mean` is []; expected a number for each channel, such as [0.485, 0.456, 0.406]",
        ),
        (
            r#"{"mean":[0,0,0],"std":[1,1]}"#,
            "`mean` has 3 numbers and `std` has 2; one for each channel, so as many of both",
        ),
        (
            r#"{"scale":0}"#,
            "`scale` is 0; expected a number other than 0",
        ),
        (
            r#"{"channels":"grey"}"#,
            "`channels` is \"grey\"; expected rgb, bgr or gray",
        ),
        (
            "torchvision:ResNet50_Weights.V2",
            "torchvision has no weights `ResNet50_Weights.V2`; there are ResNet50_Weights.IMAGENET1K_V1, ResNet50_Weights.IMAGENET1K_V2",
        ),
        (
            "torchvision:ResNet51_Weights.V2",
            "torchvision has no weights `ResNet51_Weights.V2`; expected a name such as ResNet50_Weights.IMAGENET1K_V2, as `str(weights)` prints it",
        ),
        (
            r#"{"input_size":[3,224,224],"crop_mode":"border"}"#,
            "`crop_mode` is \"border\"; expected center or squash; or write resize and crop yourself",
        ),
        (
            r#"{"do_resize":true,"size":224,"resample":3}"#,
            "`size` is 224; expected {\"height\":…,\"width\":…} or {\"shortest_edge\":…} in pixels from 1 to 4096",
        ),
        (
            r#"{"do_resize":true,"size":{"shortest_edge":224},"resample":1}"#,
            "`resample` is 1; expected 0 (nearest), 2 (bilinear) or 3 (bicubic)",
        ),
        (
            r#"{"do_resize":false,"do_normalize":false,"do_pad":true}"#,
            "`do_pad` is true; expected false: a recipe has no such step, so make it part of the network",
        ),
        (
            r#"{"do_resize":false,"do_normalize":false,"size_divisor":32}"#,
            "`size_divisor` is 32; expected it left out: a recipe has no such step, so make it part of the network",
        ),
        (
            r#"{"do_resize":true,"size":{"shortest_edge":800,"longest_edge":1333},"resample":2}"#,
            "`size` is {\"longest_edge\":1333,\"shortest_edge\":800}; expected no longest_edge: a recipe has no such limit",
        ),
        (
            r#"{"image_processor_type":"PerceiverImageProcessor"}"#,
            "`image_processor_type` is \"PerceiverImageProcessor\"; expected one that crops after it resizes; or write resize and crop yourself",
        ),
        (
            r#"{"do_resize":false,"do_flip_channel_order":true,"image_mean":0.5,"image_std":0.5}"#,
            "`do_flip_channel_order` is true; expected it without do_normalize; or write the recipe yourself: \"channels\":\"bgr\", with mean and std in that order",
        ),
        (
            r#"{"do_resize":false,"do_normalize":true,"image_std":[1]}"#,
            "`image_mean` is missing; expected a number for each channel, or \"do_normalize\": false",
        ),
    ] {
        assert_eq!(refusal(text), sentence, "{text}");
    }
}

#[test]
fn without_a_recipe_the_network_decides() {
    let photograph = Recipe::default().resolve(takes(3, 224)).expect("resolved");
    assert_eq!(
        serde_json::to_value(photograph).expect("JSON"),
        json!({"resize": 256, "crop": 224, "interpolation": "bilinear", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "scale": 1.0 / 255.0, "channels": "rgb", "small": 224})
    );
    let digit = Recipe::default().resolve(takes(1, 28)).expect("resolved");
    assert_eq!((digit.mean, digit.std), (vec![0.0], vec![1.0]));
    assert_eq!(digit.channels, Some(Channels::Gray));
    let caffe = recipe(r#"{"scale":1,"mean":[104,117,123],"std":1,"channels":"bgr"}"#);
    let caffe = caffe.resolve(takes(3, 227)).expect("resolved");
    assert_eq!(
        (caffe.mean, caffe.std),
        (vec![104.0, 117.0, 123.0], vec![1.0; 3])
    );
    let any = ImageInput {
        channels: None,
        size: None,
        raw: false,
        image: None,
    };
    let any = Recipe::default().resolve(any).expect("resolved");
    assert_eq!((any.resize, any.crop), (None, None));
    let raw = ImageInput {
        raw: true,
        ..takes(3, 224)
    };
    let raw = Recipe::default().resolve(raw).expect("resolved");
    assert_eq!(
        (raw.mean, raw.std, raw.scale),
        (vec![0.0; 3], vec![1.0; 3], 1.0)
    );
}

/// As torchvision's and timm's evaluation: 256 for 224 and 341 for 299, but nothing for images that have the size already, and no
/// cutting off from those that have to be enlarged.
#[test]
fn without_a_recipe_larger_images_get_a_margin() {
    let geometry = |side: u32, height: u32, width: u32| {
        let input = ImageInput {
            image: Some(Size { height, width }),
            ..takes(3, side)
        };
        let resolved = Recipe::default().resolve(input).expect("resolved");
        let value = serde_json::to_value(resolved).expect("JSON");
        (value.get("resize").cloned(), value["crop"].clone())
    };
    assert_eq!(geometry(224, 375, 500), (Some(json!(256)), json!(224)));
    assert_eq!(geometry(299, 375, 500), (Some(json!(341)), json!(299)));
    assert_eq!(geometry(224, 225, 224), (Some(json!(256)), json!(224)));
    assert_eq!(geometry(224, 224, 224), (None, json!(224)));
    assert_eq!(geometry(224, 32, 32), (Some(json!(224)), json!(224)));
    assert_eq!(geometry(224, 200, 300), (Some(json!(224)), json!(224)));
    let oblong = ImageInput {
        size: Some(Size {
            height: 128,
            width: 256,
        }),
        ..takes(3, 1)
    };
    let oblong = Recipe::default().resolve(oblong).expect("resolved");
    assert_eq!(
        serde_json::to_value(oblong).expect("JSON")["resize"],
        json!([128, 256])
    );
}

#[test]
fn recipes_that_contradict_the_network() {
    let raw = ImageInput {
        raw: true,
        ..takes(3, 224)
    };
    for (text, input, sentence) in [
        (
            r#"{"resize":256,"crop":224}"#,
            takes(3, 299),
            "`crop` is 224×224, but the network takes 299×299 pixels",
        ),
        (
            r#"{"resize":[256,256]}"#,
            takes(3, 224),
            "`resize` is 256×256 and nothing is cropped, but the network takes 224×224 pixels",
        ),
        (
            r#"{"resize":192}"#,
            takes(3, 224),
            "`resize` makes the shorter side 192, but the network takes 224×224 pixels",
        ),
        (
            r#"{"mean":[0.5,0.5,0.5],"std":[1,1,1]}"#,
            takes(1, 28),
            "`mean` has 3 numbers, but the network takes 1 channel",
        ),
        (
            r#"{"channels":"rgb"}"#,
            takes(1, 28),
            "`channels` names 3 colours, but the network takes 1",
        ),
        (
            r#"{"mean":0.5}"#,
            takes(1, 28),
            "`std` is missing; expected it where mean is given (1 changes nothing)",
        ),
        (
            r#"{"std":[1,1,1],"mean":[0,0,0]}"#,
            raw,
            "`mean` is given, but the network takes uint8, which are pixels as they are: leave mean, std and scale out",
        ),
    ] {
        let error = recipe(text).resolve(input).expect_err(text);
        assert_eq!(error.to_string(), sentence, "{text}");
    }
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let size = || (1..=4096_u32, 1..=4096_u32).prop_map(|(height, width)| Size { height, width });
    let resize = prop_oneof![
        (1..=4096_u32).prop_map(Resize::ShortSide),
        size().prop_map(Resize::Exact)
    ];
    let interpolation = prop_oneof![
        Just(Interpolation::Bilinear),
        Just(Interpolation::Bicubic),
        Just(Interpolation::Nearest)
    ];
    let channels = prop_oneof![
        Just(Channels::Rgb),
        Just(Channels::Bgr),
        Just(Channels::Gray)
    ];
    // Short decimals, as people write: of seventeen digits serde_json may lose the last.
    let number = || (1..300_000_u32).prop_map(|thousandths| f64::from(thousandths) / 1000.0);
    let numbers = proptest::collection::vec(number(), 3);
    (
        proptest::option::of(resize),
        proptest::option::of(size()),
        proptest::option::of(interpolation),
        proptest::option::of((numbers.clone(), numbers)),
        proptest::option::of(number()),
        proptest::option::of(channels),
    )
        .prop_map(
            |(resize, crop, interpolation, normalisation, scale, channels)| {
                let (mean, std) = normalisation.unzip();
                Recipe {
                    resize,
                    crop,
                    interpolation,
                    mean,
                    std,
                    scale,
                    channels,
                    small: None,
                }
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(recipe in recipes()) {
        let text = serde_json::to_string(&recipe).expect("JSON");
        prop_assert_eq!(text.parse::<Recipe>().expect("read back"), recipe);
    }

    #[test]
    fn a_resolved_recipe_resolves_to_itself(recipe in recipes(), channels in 1..=4_u32, side in 1..=600_u32) {
        if let Ok(resolved) = recipe.resolve(takes(channels, side)) {
            prop_assert_eq!(resolved.mean.len(), channels as usize);
            prop_assert_eq!(resolved.std.len(), channels as usize);
            prop_assert_eq!(resolved.crop, Some(Size::square(side)));
            let text = serde_json::to_string(&resolved).expect("JSON");
            let again = text.parse::<Recipe>().expect("a recipe").resolve(takes(channels, side));
            prop_assert_eq!(again.expect("resolved"), resolved);
        }
    }
}
