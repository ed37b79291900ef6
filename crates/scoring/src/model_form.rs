//! What a competitor says about a model: in the fields of the form, in a safetensors file's metadata, or on the command line.
//!
//! [`ModelForm`] is what is stored with the submission. Each field is a small language of its own: [`Architecture`],
//! [`Recipe`] and [`ClassOrder`]; all are read here, so that intake, the worker and the command line accept and refuse the same.

mod architecture;
mod class_order;
mod fields;
mod foreign;
mod hugging_face;
mod leading_bytes;
mod packaging;
mod preprocessing;
mod recipe;
mod torchvision;

use serde::{Deserialize, Serialize};

use crate::classes::Over;

pub use architecture::{Activation, Architecture, ArchitectureError};
pub use class_order::{ClassOrder, ClassOrderError};
pub use leading_bytes::{refuse_model_by_content, refuse_model_by_leading_bytes};
pub use packaging::{DEEPSPEED, DISTRIBUTED, refuse_packaging};
pub(crate) use preprocessing::usual_resize;
pub use preprocessing::{ImageInput, Preprocessing};
pub use recipe::{Channels, Interpolation, Recipe, RecipeError, Resize, Size};

/// The names of the fields that are in a form and in a file's metadata.
pub const FIELDS: [&str; 5] = [
    "architecture",
    "preprocess",
    "class_order",
    "class_offset",
    "output",
];

/// The most leading columns that may be skipped; TensorFlow's `background` is one.
const MAX_OFFSET: u32 = 100;

/// What is said about a model; all of it may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelForm {
    /// Which network the tensors belong to. ONNX files need none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preprocess: Option<Recipe>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_order: Option<ClassOrder>,
    /// So many of the first columns are no classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_offset: Option<u32>,
    /// The name of the ONNX output that holds the logits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Which of a challenge's two class lists the columns are, where it has two. Said in a form only: elsewhere `classes` is a
    /// common name for something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Over>,
}

/// Why a field is refused: a sentence that begins with the field's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelFormError {
    #[error("`architecture`: {0}")]
    Architecture(#[from] ArchitectureError),
    #[error("`preprocess`: {0}")]
    Preprocess(#[from] RecipeError),
    #[error("`class_order`: {0}")]
    ClassOrder(#[from] ClassOrderError),
    #[error(
        "`class_offset` is `{0}`; expected how many of the first columns are no classes, from 0 to {MAX_OFFSET} (TensorFlow's `background` is 1)"
    )]
    ClassOffset(String),
    #[error("{0}")]
    Classes(String),
    #[error("`output` is {0} characters long; an output's name has at most 1000")]
    Output(usize),
}

impl ModelForm {
    /// Sets the field `name` (one of [`FIELDS`], or `classes`; others are left alone) to what `text` says; an empty text says nothing.
    ///
    /// # Errors
    /// A sentence that names the field, what was found and what was expected.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), ModelFormError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        match name {
            "architecture" => self.architecture = Some(text.parse()?),
            "preprocess" => self.preprocess = Some(text.parse()?),
            "class_order" => self.class_order = Some(text.parse()?),
            "class_offset" => {
                let offset = text.parse().ok().filter(|offset| *offset <= MAX_OFFSET);
                let refused = || ModelFormError::ClassOffset(text.chars().take(40).collect());
                self.class_offset = Some(offset.ok_or_else(refused)?);
            }
            "classes" => {
                self.classes = Some(text.parse().map_err(ModelFormError::Classes)?);
            }
            "output" => {
                if text.len() > 1000 {
                    return Err(ModelFormError::Output(text.len()));
                }
                self.output = Some(text.to_owned());
            }
            _ => {}
        }
        Ok(())
    }

    /// This form, and where it says nothing, what `other` says (a file's metadata, say).
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            architecture: self.architecture.or(other.architecture),
            preprocess: self.preprocess.or(other.preprocess),
            class_order: self.class_order.or(other.class_order),
            class_offset: self.class_offset.or(other.class_offset),
            output: self.output.or(other.output),
            classes: self.classes.or(other.classes),
        }
    }
}
