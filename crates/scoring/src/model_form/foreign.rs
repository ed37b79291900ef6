//! Recipes as timm and Hugging Face write them, accepted as they are.
//!
//! timm: `model.pretrained_cfg`, a `config.json` of its hub (which holds one), or what `resolve_data_config` returns; read as
//! timm's `transforms_imagenet_eval` does. Hugging Face: [`hugging_face`].

use serde_json::Value;

use super::fields::{Fields, MAX_SIDE, finite, part_of, unexpected};
use super::hugging_face;
use super::recipe::{Interpolation, Recipe, RecipeError, Resize, Size, interpolation};
use super::torchvision::imagenet;

/// The recipe, if this is one of the two forms.
pub(super) fn recipe(fields: &Fields<'_>) -> Option<Result<Recipe, RecipeError>> {
    if let Some(Value::Object(inner)) = fields.get("pretrained_cfg") {
        return Some(timm(&Fields(inner)));
    }
    let has = |names: &[&str]| names.iter().any(|name| fields.0.contains_key(*name));
    if hugging_face::is_one(fields) {
        Some(hugging_face::recipe(fields))
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
