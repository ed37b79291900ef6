//! How an image becomes a network's input, as a competitor writes it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::fields::{Fields, unexpected};
use super::{foreign, torchvision};

/// How an image becomes a network's input. What is left out is decided by the network ([`Recipe::resolve`]).
///
/// The order is fixed: colour, resize, crop in the centre, `x = (pixel · scale − mean) / std`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Recipe {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<Resize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpolation: Option<Interpolation>,
    /// One number, or one for each channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std: Option<Vec<f64>>,
    /// 1/255 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Channels>,
    /// As [`Preprocessing::small`](super::Preprocessing::small).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub small: Option<u32>,
}

/// To which size an image is resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resize {
    /// The shorter side to so many pixels; the longer one is in proportion, truncated. Written as a number.
    ShortSide(u32),
    /// Whatever the proportions. Written as `[height, width]`.
    Exact(Size),
}

/// Pixels of an image. Written as a number where it is square.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    pub height: u32,
    pub width: u32,
}

/// The filter that resizes, antialiased as Pillow does it (`nearest` never is).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    #[default]
    Bilinear,
    /// Keys' cubic with a = −0.5.
    Bicubic,
    Nearest,
}

/// The colours of a network's input channels, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    Rgb,
    Bgr,
    Gray,
}

/// Why a recipe is refused; each variant is a sentence with its remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    #[error(
        "`{0}` is neither a JSON object such as {{\"resize\":256,\"crop\":224}} nor a name such as torchvision:ResNet50_Weights.IMAGENET1K_V2"
    )]
    Neither(String),
    #[error("not JSON: {0}")]
    Json(String),
    #[error("there is no field `{field}`; there are {known}")]
    Unknown { field: String, known: String },
    #[error("`{field}` is {found}; expected {expected}")]
    Field {
        field: String,
        found: String,
        expected: String,
    },
    #[error("`{field}` is missing; expected {expected}")]
    Missing {
        field: &'static str,
        expected: &'static str,
    },
    #[error(
        "`mean` has {mean} numbers and `std` has {std}; one for each channel, so as many of both"
    )]
    Lengths { mean: usize, std: usize },
    #[error("torchvision has no weights `{name}`; {hint}")]
    NoSuchWeights { name: String, hint: String },
    /// The recipe and the network contradict each other.
    #[error("{0}")]
    Conflict(String),
}

const FIELDS: [&str; 8] = [
    "resize",
    "crop",
    "interpolation",
    "mean",
    "std",
    "scale",
    "channels",
    "small",
];

impl FromStr for Recipe {
    type Err = RecipeError;

    /// Reads a recipe, timm's or Hugging Face's configuration (all JSON), or a name of torchvision's weights.
    fn from_str(text: &str) -> Result<Self, RecipeError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if let Some(name) = text.strip_prefix("torchvision:") {
            return torchvision::recipe(name.trim());
        }
        if !text.starts_with('{') {
            return Err(RecipeError::Neither(text.chars().take(60).collect()));
        }
        let value: Value =
            serde_json::from_str(text).map_err(|error| RecipeError::Json(error.to_string()))?;
        value.try_into()
    }
}

impl TryFrom<Value> for Recipe {
    type Error = RecipeError;

    fn try_from(value: Value) -> Result<Self, RecipeError> {
        let Value::Object(object) = &value else {
            let found = value.to_string().chars().take(60).collect();
            return Err(RecipeError::Neither(found));
        };
        let fields = Fields(object);
        let recipe = match foreign::recipe(&fields) {
            Some(recipe) => recipe?,
            None => native(&fields)?,
        };
        recipe.agreeing()
    }
}

fn native(fields: &Fields<'_>) -> Result<Recipe, RecipeError> {
    fields.only(&FIELDS)?;
    Ok(Recipe {
        resize: match fields.get("resize") {
            None => None,
            Some(Value::Array(_)) => Some(Resize::Exact(size(fields, "resize")?)),
            Some(_) => fields.side("resize")?.map(Resize::ShortSide),
        },
        crop: match fields.get("crop") {
            None => None,
            Some(Value::Array(_)) => Some(size(fields, "crop")?),
            Some(_) => fields.side("crop")?.map(Size::square),
        },
        interpolation: interpolation(fields)?,
        mean: fields.per_channel("mean", true)?,
        std: fields.per_channel("std", false)?,
        scale: fields.number("scale")?,
        channels: match fields.text("channels")? {
            None => None,
            Some("rgb") => Some(Channels::Rgb),
            Some("bgr") => Some(Channels::Bgr),
            Some("gray") => Some(Channels::Gray),
            Some(other) => {
                return Err(unexpected("channels", &other.into(), "rgb, bgr or gray"));
            }
        },
        small: fields.side("small")?,
    })
}

fn size(fields: &Fields<'_>, name: &'static str) -> Result<Size, RecipeError> {
    let [height, width] = fields.sides(name, "[height, width] in pixels from 1 to 4096")?;
    Ok(Size { height, width })
}

pub(super) fn interpolation(fields: &Fields<'_>) -> Result<Option<Interpolation>, RecipeError> {
    fields
        .text("interpolation")?
        .map(|name| {
            Interpolation::named(name).ok_or_else(|| {
                unexpected(
                    "interpolation",
                    &name.into(),
                    "bilinear, bicubic or nearest",
                )
            })
        })
        .transpose()
}

impl Recipe {
    /// Checks what concerns several fields.
    fn agreeing(self) -> Result<Self, RecipeError> {
        if let (Some(mean), Some(std)) = (&self.mean, &self.std)
            && mean.len() != std.len()
            && mean.len() != 1
            && std.len() != 1
        {
            return Err(RecipeError::Lengths {
                mean: mean.len(),
                std: std.len(),
            });
        }
        if self.small.is_some()
            && !matches!(
                (self.resize, self.crop),
                (Some(Resize::ShortSide(_)), Some(_))
            )
        {
            return Err(RecipeError::Missing {
                field: "crop",
                expected: "a number for `resize` and a crop where `small` says what becomes of images that the crop does not fit in",
            });
        }
        Ok(self)
    }
}

impl Interpolation {
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "bilinear" => Some(Self::Bilinear),
            "bicubic" => Some(Self::Bicubic),
            "nearest" => Some(Self::Nearest),
            _ => None,
        }
    }
}

impl Size {
    pub fn square(side: u32) -> Self {
        Self {
            height: side,
            width: side,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.height, self.width)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.height == self.width {
            self.height.serialize(serializer)
        } else {
            [self.height, self.width].serialize(serializer)
        }
    }
}

impl Serialize for Resize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::ShortSide(side) => side.serialize(serializer),
            Self::Exact(size) => [size.height, size.width].serialize(serializer),
        }
    }
}
