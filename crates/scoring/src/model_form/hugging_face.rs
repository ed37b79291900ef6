//! Hugging Face's `preprocessor_config.json`, read as transformers' image processors do. A step of theirs that a recipe does not
//! have is refused, not left out.

use serde_json::Value;

use super::fields::{Fields, part_of, side, unexpected};
use super::recipe::{Channels, Interpolation, Recipe, RecipeError, Resize, Size};

/// Steps that are a recipe's, or change no pixel.
const STEPS: [&str; 8] = [
    "do_resize",
    "do_center_crop",
    "do_rescale",
    "do_normalize",
    "do_flip_channel_order",
    "do_convert_rgb",
    "do_reduce_labels",
    "do_convert_annotations",
];

/// Other fields that change pixels, and the value with which they do not.
const OTHER_STEPS: [(&str, i64); 3] = [
    ("keep_aspect_ratio", 0),
    ("ensure_multiple_of", 1),
    ("size_divisor", 1),
];

/// Whether a recipe is one of Hugging Face's.
pub(super) fn is_one(fields: &Fields<'_>) -> bool {
    const THEIRS: [&str; 7] = [
        "do_resize",
        "do_normalize",
        "do_rescale",
        "do_center_crop",
        "image_mean",
        "image_processor_type",
        "feature_extractor_type",
    ];
    THEIRS.iter().any(|name| fields.0.contains_key(*name))
}

pub(super) fn recipe(fields: &Fields<'_>) -> Result<Recipe, RecipeError> {
    let kind = fields
        .text("image_processor_type")?
        .or(fields.text("feature_extractor_type")?)
        .unwrap_or_default();
    refuse_other_steps(fields, kind)?;
    let mut recipe = Recipe::default();
    if fields.flag("do_resize", true)? {
        resized(fields, kind, &mut recipe)?;
    }
    let crops = fields.get("crop_size").is_some() && !kind.starts_with("EfficientNet");
    if fields.flag("do_center_crop", crops)? {
        recipe.crop = Some(crop(fields)?);
    }
    normalised(fields, kind, &mut recipe)?;
    Ok(recipe)
}

fn refuse_other_steps(fields: &Fields<'_>, kind: &str) -> Result<(), RecipeError> {
    let none = "a recipe has no such step, so make it part of the network";
    for (name, value) in fields.0 {
        let does = name.starts_with("do_") && value == &Value::Bool(true);
        if does && !STEPS.contains(&name.as_str()) {
            return Err(unexpected(name, value, format!("false: {none}")));
        }
    }
    for (name, harmless) in OTHER_STEPS {
        let changes = |value: &&Value| match value {
            Value::Bool(flag) => i64::from(*flag) != harmless,
            value => value.as_i64() != Some(harmless),
        };
        if let Some(value) = fields.get(name).filter(changes) {
            return Err(unexpected(name, value, format!("it left out: {none}")));
        }
    }
    if kind.starts_with("Perceiver") {
        return Err(unexpected(
            "image_processor_type",
            &kind.into(),
            "one that crops after it resizes; or write resize and crop yourself",
        ));
    }
    Ok(())
}

fn crop(fields: &Fields<'_>) -> Result<Size, RecipeError> {
    let expected = "pixels, or {\"height\":…,\"width\":…}";
    match fields.get("crop_size") {
        None => Err(RecipeError::Missing {
            field: "crop_size",
            expected,
        }),
        Some(value) => side(value)
            .map(Size::square)
            .or_else(|| exact(value))
            .ok_or_else(|| unexpected("crop_size", value, expected)),
    }
}

/// `(pixel · rescale_factor − mean) / std`. `rescale_offset` takes 1 away before the mean; `EfficientNet`'s `include_top` divides by the
/// standard deviation once more; `MobileViT` flips the colours and normalises nothing.
fn normalised(fields: &Fields<'_>, kind: &str, recipe: &mut Recipe) -> Result<(), RecipeError> {
    let is_mobilevit = kind.starts_with("MobileViT");
    let numbers = |name, zero_allowed| {
        fields
            .per_channel(name, zero_allowed)?
            .ok_or(RecipeError::Missing {
                field: name,
                expected: "a number for each channel, or \"do_normalize\": false",
            })
    };
    let normalises = !is_mobilevit && fields.flag("do_normalize", true)?;
    let (mut mean, mut std) = if normalises {
        (numbers("image_mean", true)?, numbers("image_std", false)?)
    } else {
        (vec![0.0], vec![1.0])
    };
    let rescales = fields.flag("do_rescale", true)?;
    recipe.scale = if rescales {
        fields.number("rescale_factor")?
    } else {
        Some(1.0)
    };
    if fields.flag("rescale_offset", false)? && rescales {
        for mean in &mut mean {
            *mean += 1.0;
        }
    }
    if fields.flag("include_top", kind.starts_with("EfficientNet"))? {
        let again = numbers("image_std", false)?;
        std = if normalises {
            again.iter().map(|std| std * std).collect()
        } else {
            again
        };
    }
    if fields.flag("do_flip_channel_order", is_mobilevit)? {
        if normalises {
            return Err(unexpected(
                "do_flip_channel_order",
                &true.into(),
                "it without do_normalize; or write the recipe yourself: \"channels\":\"bgr\", with mean and std in that order",
            ));
        }
        recipe.channels = Some(Channels::Bgr);
    }
    (recipe.mean, recipe.std) = (Some(mean), Some(std));
    Ok(())
}

/// `size` has been written in many ways: `{"height","width"}`, `{"shortest_edge"}`, or a number that means one or the other.
fn resized(fields: &Fields<'_>, kind: &str, recipe: &mut Recipe) -> Result<(), RecipeError> {
    let expected = "{\"height\":…,\"width\":…} or {\"shortest_edge\":…} in pixels from 1 to 4096";
    let value = fields.get("size").ok_or(RecipeError::Missing {
        field: "size",
        expected,
    })?;
    let is_one_of = |kinds: &[&str]| kinds.iter().any(|name| kind.starts_with(name));
    let is_poolformer = is_one_of(&["PoolFormer"]);
    let is_convnext =
        is_one_of(&["ConvNext"]) || fields.get("crop_pct").is_some() && !is_poolformer;
    let by_edge = is_convnext || is_one_of(&["CLIP", "Bit", "Levit", "MobileViT", "PoolFormer"]);
    let by_sides = is_one_of(&["ViT", "DeiT", "Beit"]);
    let edge = value.get("shortest_edge").and_then(side);
    let edge = edge.or_else(|| side(value).filter(|_| by_edge));
    let sides = || exact(value).or_else(|| side(value).filter(|_| by_sides).map(Size::square));
    if value
        .get("longest_edge")
        .is_some_and(|edge| !edge.is_null())
    {
        return Err(unexpected(
            "size",
            value,
            "no longest_edge: a recipe has no such limit",
        ));
    }
    recipe.interpolation = Some(resampling(fields, kind)?);
    recipe.resize = Some(match (edge, sides()) {
        (Some(edge), _) if is_convnext => {
            recipe.crop = Some(Size::square(edge));
            convnext(fields, edge)?
        }
        (Some(edge), _) if is_poolformer => Resize::ShortSide(enlarged(fields, edge, 0.9)?),
        (None, Some(size)) if is_poolformer => {
            let [height, width] = [size.height, size.width].map(|side| enlarged(fields, side, 0.9));
            let (height, width) = (height?, width?);
            if height == width {
                Resize::ShortSide(height)
            } else {
                Resize::Exact(Size { height, width })
            }
        }
        // int(256 / 224 · edge), whatever is cropped.
        (Some(edge), _) if is_one_of(&["Levit"]) => {
            let larger = (256.0 / 224.0 * f64::from(edge)).floor();
            Resize::ShortSide(
                side(&larger.into()).ok_or_else(|| unexpected("size", value, expected))?,
            )
        }
        (Some(edge), _) => Resize::ShortSide(edge),
        (None, Some(size)) => Resize::Exact(size),
        (None, None) => return Err(unexpected("size", value, expected)),
    });
    Ok(())
}

/// `ConvNeXt`'s processor also crops: below 384 it resizes to ⌊edge / `crop_pct`⌋ first, from 384 on it ignores the proportions.
fn convnext(fields: &Fields<'_>, edge: u32) -> Result<Resize, RecipeError> {
    let larger = enlarged(fields, edge, 224.0 / 256.0)?;
    Ok(if edge < 384 {
        Resize::ShortSide(larger)
    } else {
        Resize::Exact(Size::square(edge))
    })
}

/// ⌊edge / `crop_pct`⌋, the image that is cropped to `edge`.
fn enlarged(fields: &Fields<'_>, edge: u32, default: f64) -> Result<u32, RecipeError> {
    let kept = fields.number("crop_pct")?.unwrap_or(default);
    part_of(edge, kept).ok_or_else(|| {
        unexpected(
            "crop_pct",
            &kept.into(),
            "the part of the image that is kept, such as 0.875",
        )
    })
}

fn exact(value: &Value) -> Option<Size> {
    Some(Size {
        height: side(value.get("height")?)?,
        width: side(value.get("width")?)?,
    })
}

/// `resample` is a number of Pillow's. Where old files leave it out it is what their processor takes.
fn resampling(fields: &Fields<'_>, kind: &str) -> Result<Interpolation, RecipeError> {
    let expected = "0 (nearest), 2 (bilinear) or 3 (bicubic)";
    match fields.get("resample") {
        None if kind.starts_with("ViT") => Ok(Interpolation::Bilinear),
        None if kind.starts_with("CLIP") || kind.starts_with("DeiT") || kind.starts_with("Bit") => {
            Ok(Interpolation::Bicubic)
        }
        None => Err(RecipeError::Missing {
            field: "resample",
            expected,
        }),
        Some(value) => match value.as_u64() {
            Some(0) => Ok(Interpolation::Nearest),
            Some(2) => Ok(Interpolation::Bilinear),
            Some(3) => Ok(Interpolation::Bicubic),
            _ => Err(unexpected("resample", value, expected)),
        },
    }
}
