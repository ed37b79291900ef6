//! A recipe once the network is known: nothing is left open.

use serde::Serialize;

use super::fields::part_of;
use super::recipe::{Channels, Interpolation, Recipe, RecipeError, Resize, Size};
use super::torchvision::imagenet;

/// What a network says of its image input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageInput {
    /// None where any number will do.
    pub channels: Option<u32>,
    /// None where any size will do.
    pub size: Option<Size>,
    /// The network takes uint8: pixels as they are.
    pub raw: bool,
    /// Of the images to come, where all have the same.
    pub image: Option<Size>,
}

/// How each image becomes a network's input: colour, resize, crop in the centre, then `x = (pixel · scale − mean) / std`.
///
/// This is what is shown on a submission, and as JSON a [`Recipe`] again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preprocessing {
    /// None: images stay as large as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<Resize>,
    /// None: nothing is cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<Size>,
    pub interpolation: Interpolation,
    /// One for each of the network's channels, in their order.
    pub mean: Vec<f64>,
    /// As many as `mean`, none of them 0.
    pub std: Vec<f64>,
    pub scale: f64,
    /// None where the network has neither one nor three channels: images must then have as many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Channels>,
    /// Where nobody said how images are resized: the shorter side of those that the crop does not fit in, whereas images that
    /// have the crop's size already stay as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub small: Option<u32>,
}

impl Preprocessing {
    /// The recipe as a form may say it, in JSON. A network that takes pixels as they are (`raw`) is told nothing of their values.
    pub fn to_say(&self, raw: bool) -> String {
        if !raw {
            return serde_json::to_string(self).unwrap_or_default();
        }
        let mut recipe = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = recipe.as_object_mut() {
            for field in ["mean", "std", "scale"] {
                fields.remove(field);
            }
        }
        recipe.to_string()
    }
}

/// The part of a resized image that the usual crop keeps, as torchvision and timm have it.
const USUAL_CROP: f64 = 0.875;

impl Recipe {
    /// Decides, for a network with this input, what the recipe leaves open.
    ///
    /// Without `resize` and `crop` the crop is the network's input. Where it is square, the shorter side of a larger image is
    /// resized to ⌊crop/0.875⌋ and that of a smaller one to the crop; else both sides to the crop.
    /// Without `mean` and `std` they are ImageNet's for three channels and 0 and 1 for others, and also where `scale` is given.
    ///
    /// # Errors
    /// [`RecipeError::Conflict`], with both numbers, where recipe and network contradict each other.
    pub fn resolve(&self, input: ImageInput) -> Result<Preprocessing, RecipeError> {
        let Geometry {
            resize,
            crop,
            small,
        } = self.geometry(input)?;
        let channels = self.channel_count(input.channels);
        let order = self.order(channels)?;
        let (mean, std, scale) = if input.raw {
            self.raw(channels)?
        } else {
            self.normalisation(channels, order)?
        };
        Ok(Preprocessing {
            resize,
            crop,
            interpolation: self.interpolation.unwrap_or_default(),
            mean,
            std,
            scale,
            channels: order,
            small,
        })
    }

    fn geometry(&self, given: ImageInput) -> Result<Geometry, RecipeError> {
        let said = |crop| Geometry {
            resize: self.resize,
            crop,
            small: self.small,
        };
        let Some(input) = given.size else {
            return Ok(said(self.crop));
        };
        let conflict = |what: String| {
            Err(RecipeError::Conflict(format!(
                "{what}, but the network takes {input} pixels"
            )))
        };
        match (self.resize, self.crop) {
            (_, Some(crop)) if crop != input => conflict(format!("`crop` is {crop}")),
            (Some(Resize::Exact(size)), None) if size != input => {
                conflict(format!("`resize` is {size} and nothing is cropped"))
            }
            (Some(Resize::ShortSide(side)), None) if side < input.height.max(input.width) => {
                conflict(format!("`resize` makes the shorter side {side}"))
            }
            (None, None) => Ok(Geometry::usual(input, given.image)),
            _ => Ok(said(Some(input))),
        }
    }

    /// The network's channels, or as many as the recipe speaks of.
    fn channel_count(&self, input: Option<u32>) -> usize {
        let spoken_of = || match self.channels {
            Some(Channels::Gray) => 1,
            Some(Channels::Rgb | Channels::Bgr) => 3,
            None => self.numbers().map(Vec::len).max().unwrap_or(3),
        };
        input.map_or_else(spoken_of, |channels| channels as usize)
    }

    /// The lists that hold a number for each channel.
    fn numbers(&self) -> impl Iterator<Item = &Vec<f64>> {
        let lists = [&self.mean, &self.std].into_iter().flatten();
        lists.filter(|list| list.len() > 1)
    }

    fn order(&self, channels: usize) -> Result<Option<Channels>, RecipeError> {
        match (channels, self.channels) {
            (1, None | Some(Channels::Gray)) => Ok(Some(Channels::Gray)),
            (3, order) => Ok(Some(order.unwrap_or(Channels::Rgb))),
            (_, None) => Ok(None),
            (_, Some(Channels::Gray)) => Err(RecipeError::Conflict(format!(
                "`channels` is gray, which is 1 channel (or 3 equal ones), but the network takes {channels}"
            ))),
            (_, Some(Channels::Rgb | Channels::Bgr)) => Err(RecipeError::Conflict(format!(
                "`channels` names 3 colours, but the network takes {channels}"
            ))),
        }
    }

    fn raw(&self, channels: usize) -> Result<(Vec<f64>, Vec<f64>, f64), RecipeError> {
        let given = [
            ("mean", self.mean.is_some()),
            ("std", self.std.is_some()),
            ("scale", self.scale.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(RecipeError::Conflict(format!(
                "`{name}` is given, but the network takes uint8, which are pixels as they are: leave mean, std and scale out"
            ))),
            None => Ok((vec![0.0; channels], vec![1.0; channels], 1.0)),
        }
    }

    fn normalisation(
        &self,
        channels: usize,
        order: Option<Channels>,
    ) -> Result<(Vec<f64>, Vec<f64>, f64), RecipeError> {
        let scale = self.scale.unwrap_or(1.0 / 255.0);
        match (&self.mean, &self.std) {
            (Some(mean), Some(std)) => Ok((
                broadcast("mean", mean, channels)?,
                broadcast("std", std, channels)?,
                scale,
            )),
            (Some(_), None) => Err(RecipeError::Missing {
                field: "std",
                expected: "it where mean is given (1 changes nothing)",
            }),
            (None, Some(_)) => Err(RecipeError::Missing {
                field: "mean",
                expected: "it where std is given (0 changes nothing)",
            }),
            (None, None) if channels == 3 && self.scale.is_none() => {
                let (mut mean, mut std) = imagenet();
                if order == Some(Channels::Bgr) {
                    mean.reverse();
                    std.reverse();
                }
                Ok((mean, std, scale))
            }
            (None, None) => Ok((vec![0.0; channels], vec![1.0; channels], scale)),
        }
    }
}

/// The part of a recipe that is about sizes.
struct Geometry {
    resize: Option<Resize>,
    crop: Option<Size>,
    small: Option<u32>,
}

impl Geometry {
    /// What becomes of images where nobody says it; of all of them alike where they are of one size.
    fn usual(crop: Size, image: Option<Size>) -> Self {
        let settled = |resize| Self {
            resize,
            crop: Some(crop),
            small: None,
        };
        if image == Some(crop) {
            return settled(None);
        }
        if crop.height != crop.width {
            return settled(Some(Resize::Exact(crop)));
        }
        let side = crop.height;
        let larger = usual_resize(side);
        match image {
            Some(image) if image.holds(crop) => settled(Some(Resize::ShortSide(larger))),
            Some(_) => settled(Some(Resize::ShortSide(side))),
            None => Self {
                small: Some(side),
                ..settled(Some(Resize::ShortSide(larger)))
            },
        }
    }
}

/// The shorter side of images that are cropped to `crop` where nobody says it.
pub(crate) fn usual_resize(crop: u32) -> u32 {
    part_of(crop, USUAL_CROP).unwrap_or(crop)
}

impl Size {
    /// Whether nothing is missing where the other is cut out of it.
    pub fn holds(self, other: Self) -> bool {
        self.height >= other.height && self.width >= other.width
    }
}

fn broadcast(name: &str, numbers: &[f64], channels: usize) -> Result<Vec<f64>, RecipeError> {
    match numbers {
        [one] => Ok(vec![*one; channels]),
        many if many.len() == channels => Ok(many.to_vec()),
        many => Err(RecipeError::Conflict(format!(
            "`{name}` has {} numbers, but the network takes {channels} channel{}",
            many.len(),
            if channels == 1 { "" } else { "s" }
        ))),
    }
}
