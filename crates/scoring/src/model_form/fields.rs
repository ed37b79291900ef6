//! Reading a JSON object field by field, strictly: what was found and what was expected.

use serde_json::{Map, Value};

use super::recipe::RecipeError;

/// Sides of images, in pixels, that make sense.
pub(super) const MAX_SIDE: u32 = 4096;

const SIDES: &str = "pixels from 1 to 4096";

/// The fields of a recipe as its author wrote them.
pub(super) struct Fields<'v>(pub &'v Map<String, Value>);

impl<'v> Fields<'v> {
    /// The field, unless it is missing or null.
    pub fn get(&self, name: &str) -> Option<&'v Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Refuses the field if it is not one of `known`.
    pub fn only(&self, known: &[&str]) -> Result<(), RecipeError> {
        match self.0.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(RecipeError::Unknown {
                field: key.chars().take(40).collect(),
                known: known.join(", "),
            }),
        }
    }

    pub fn flag(&self, name: &'static str, default: bool) -> Result<bool, RecipeError> {
        match self.get(name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(unexpected(name, other, "true or false")),
        }
    }

    pub fn text(&self, name: &'static str) -> Result<Option<&'v str>, RecipeError> {
        self.get(name)
            .map(|value| {
                value
                    .as_str()
                    .ok_or_else(|| unexpected(name, value, "a name in quotes"))
            })
            .transpose()
    }

    /// A finite number other than 0.
    pub fn number(&self, name: &'static str) -> Result<Option<f64>, RecipeError> {
        self.get(name)
            .map(|value| {
                finite(value)
                    .filter(|number| *number != 0.0)
                    .ok_or_else(|| unexpected(name, value, "a number other than 0"))
            })
            .transpose()
    }

    /// One number for all channels, or one for each of up to four.
    pub fn per_channel(
        &self,
        name: &'static str,
        zero_allowed: bool,
    ) -> Result<Option<Vec<f64>>, RecipeError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let numbers = match value {
            Value::Array(items) if (1..=4).contains(&items.len()) => {
                items.iter().map(finite).collect::<Option<Vec<_>>>()
            }
            Value::Array(_) => None,
            one => finite(one).map(|number| vec![number]),
        };
        let expected = if zero_allowed {
            "a number for each channel, such as [0.485, 0.456, 0.406]"
        } else {
            "a number other than 0 for each channel, such as [0.229, 0.224, 0.225]"
        };
        numbers
            .filter(|numbers| zero_allowed || numbers.iter().all(|number| *number != 0.0))
            .map(Some)
            .ok_or_else(|| unexpected(name, value, expected))
    }

    /// A whole number of pixels.
    pub fn side(&self, name: &'static str) -> Result<Option<u32>, RecipeError> {
        self.get(name)
            .map(|value| side(value).ok_or_else(|| unexpected(name, value, SIDES)))
            .transpose()
    }

    /// `[height, width]`, or another list of sides, `expected` in words.
    pub fn sides<const N: usize>(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<[u32; N], RecipeError> {
        let value = self.get(name).ok_or(RecipeError::Missing {
            field: name,
            expected,
        })?;
        let sides = value
            .as_array()
            .and_then(|items| items.iter().map(side).collect::<Option<Vec<_>>>());
        sides
            .and_then(|sides| sides.try_into().ok())
            .ok_or_else(|| unexpected(name, value, expected))
    }
}

pub(super) fn finite(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.is_finite())
}

pub(super) fn side(value: &Value) -> Option<u32> {
    // 224.0 is how some programs write 224.
    let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
    let sensible = (1.0..=f64::from(MAX_SIDE)).contains(&number);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number within 1 to MAX_SIDE"
    )]
    sensible.then_some(number as u32)
}

/// ⌊side / part⌋, the image that is cropped to `side`.
pub(super) fn part_of(cropped: u32, part: f64) -> Option<u32> {
    side(&(f64::from(cropped) / part).floor().into())
}

pub(super) fn unexpected(
    field: impl Into<String>,
    found: &Value,
    expected: impl Into<String>,
) -> RecipeError {
    RecipeError::Field {
        field: field.into(),
        found: found.to_string().chars().take(60).collect(),
        expected: expected.into(),
    }
}
