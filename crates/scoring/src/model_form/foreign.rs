//! Recipes as timm and Hugging Face write them, accepted as they are.
//!
//! timm: `model.pretrained_cfg`, a `config.json` of its hub (which holds one), or what `resolve_data_config` returns; read as
//! timm's `transforms_imagenet_eval` does. Hugging Face: `preprocessor_config.json`, read as transformers' image processors do.

use serde_json::Value;

use super::fields::{Fields, MAX_SIDE, finite, side, unexpected};
use super::recipe::{Interpolation, Recipe, RecipeError, Resize, Size, interpolation};
use super::torchvision::imagenet;

/// The recipe, if this is one of the two forms.
pub(super) fn recipe(fields: &Fields<'_>) -> Option<Result<Recipe, RecipeError>> {
    if let Some(Value::Object(inner)) = fields.get("pretrained_cfg") {
        return Some(timm(&Fields(inner)));
    }
    let has = |names: &[&str]| names.iter().any(|name| fields.0.contains_key(*name));
    let hugging_face = [
        "do_resize",
        "do_normalize",
        "do_rescale",
        "do_center_crop",
        "image_mean",
        "image_processor_type",
        "feature_extractor_type",
    ];
    if has(&hugging_face) {
        Some(hugging_face_recipe(fields))
    } else if has(&["input_size", "crop_pct", "crop_mode"]) {
        Some(timm(fields))
    } else {
        None
    }
}

/// timm's own defaults: 0.875 of the image in the crop, bicubic, ImageNet's mean and standard deviation.
fn timm(fields: &Fields<'_>) -> Result<Recipe, RecipeError> {
    let [channels, height, width] =
        fields.sides("input_size", "[channels, height, width], as timm writes it")?;
    let kept = match fields.get("crop_pct") {
        None => 0.875,
        Some(value) => finite(value).filter(|kept| *kept > 0.0).ok_or_else(|| {
            unexpected(
                "crop_pct",
                value,
                "the part of the image that is kept, such as 0.875",
            )
        })?,
    };
    let resized = |side: u32| {
        part_of(side, kept).ok_or_else(|| RecipeError::Field {
            field: "crop_pct".to_owned(),
            found: kept.to_string(),
            expected: format!("a part that makes images of at most {MAX_SIDE} pixels"),
        })
    };
    let resize = match fields.text("crop_mode")?.unwrap_or("center") {
        "squash" => Resize::Exact(Size {
            height: resized(height)?,
            width: resized(width)?,
        }),
        "center" if height == width => Resize::ShortSide(resized(height)?),
        "center" => {
            return Err(RecipeError::Conflict(format!(
                "`input_size` is {height}×{width}, which `crop_mode` center does not say how to resize: write resize as [height, width] and crop"
            )));
        }
        other => {
            return Err(unexpected(
                "crop_mode",
                &other.into(),
                "center or squash; or write resize and crop yourself",
            ));
        }
    };
    let (mean, std) = imagenet();
    let (mean, std) = if channels == 3 {
        (Some(mean), Some(std))
    } else {
        (None, None)
    };
    Ok(Recipe {
        resize: Some(resize),
        crop: Some(Size { height, width }),
        interpolation: interpolation(fields)?.or(Some(Interpolation::Bicubic)),
        mean: fields.per_channel("mean", true)?.or(mean),
        std: fields.per_channel("std", false)?.or(std),
        ..Recipe::default()
    })
}

/// ⌊side / part⌋, the image that is cropped to `side`.
fn part_of(cropped: u32, part: f64) -> Option<u32> {
    side(&(f64::from(cropped) / part).floor().into())
}

fn hugging_face_recipe(fields: &Fields<'_>) -> Result<Recipe, RecipeError> {
    let kind = fields
        .text("image_processor_type")?
        .or(fields.text("feature_extractor_type")?)
        .unwrap_or_default();
    let mut recipe = Recipe::default();
    if fields.flag("do_resize", true)? {
        resized(fields, kind, &mut recipe)?;
    }
    if fields.flag("do_center_crop", fields.get("crop_size").is_some())? {
        let expected = "pixels, or {\"height\":…,\"width\":…}";
        recipe.crop = Some(match fields.get("crop_size") {
            None => {
                return Err(RecipeError::Missing {
                    field: "crop_size",
                    expected,
                });
            }
            Some(value) => side(value)
                .map(Size::square)
                .or_else(|| exact(value))
                .ok_or_else(|| unexpected("crop_size", value, expected))?,
        });
    }
    recipe.scale = if fields.flag("do_rescale", true)? {
        fields.number("rescale_factor")?
    } else {
        Some(1.0)
    };
    let (mean, std) = ("image_mean", "image_std");
    (recipe.mean, recipe.std) = if fields.flag("do_normalize", true)? {
        let missing = |field| RecipeError::Missing {
            field,
            expected: "a number for each channel, or \"do_normalize\": false",
        };
        (
            Some(
                fields
                    .per_channel(mean, true)?
                    .ok_or_else(|| missing(mean))?,
            ),
            Some(
                fields
                    .per_channel(std, false)?
                    .ok_or_else(|| missing(std))?,
            ),
        )
    } else {
        (Some(vec![0.0]), Some(vec![1.0]))
    };
    Ok(recipe)
}

/// `size` has been written in many ways: `{"height","width"}`, `{"shortest_edge"}`, or a number that means one or the other. `ConvNeXt`'s
/// processor also crops: below 384 it resizes to ⌊edge / `crop_pct`⌋ first, from 384 on it ignores the proportions.
fn resized(fields: &Fields<'_>, kind: &str, recipe: &mut Recipe) -> Result<(), RecipeError> {
    let expected = "{\"height\":…,\"width\":…} or {\"shortest_edge\":…} in pixels from 1 to 4096";
    let value = fields.get("size").ok_or(RecipeError::Missing {
        field: "size",
        expected,
    })?;
    let edge = value.get("shortest_edge").and_then(side);
    let is_convnext = kind.starts_with("ConvNext") || fields.get("crop_pct").is_some();
    let shortest = || {
        let by_number = kind.starts_with("CLIP") || kind.starts_with("Bit") || is_convnext;
        edge.or_else(|| side(value).filter(|_| by_number))
    };
    let squared = || {
        let by_number = ["ViT", "DeiT", "Beit"]
            .iter()
            .any(|name| kind.starts_with(name));
        exact(value).or_else(|| side(value).filter(|_| by_number).map(Size::square))
    };
    recipe.interpolation = Some(resampling(fields, kind)?);
    if is_convnext && let Some(edge) = shortest() {
        let kept = fields.number("crop_pct")?.unwrap_or(224.0 / 256.0);
        let larger = part_of(edge, kept).ok_or_else(|| {
            unexpected(
                "crop_pct",
                &kept.into(),
                "the part of the image that is kept, such as 0.875",
            )
        })?;
        recipe.crop = Some(Size::square(edge));
        recipe.resize = Some(if edge < 384 {
            Resize::ShortSide(larger)
        } else {
            Resize::Exact(Size::square(edge))
        });
        return Ok(());
    }
    recipe.resize = Some(
        shortest()
            .map(Resize::ShortSide)
            .or_else(|| squared().map(Resize::Exact))
            .ok_or_else(|| unexpected("size", value, expected))?,
    );
    Ok(())
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
