//! What the worker tells the process that runs a model, and what it hears back before the first image.

use std::path::PathBuf;
use std::time::Duration;

use referee_networks::DeviceChoice;
use referee_scoring::Notice;
use referee_scoring::model_form::{ImageInput, ModelForm, Preprocessing, Recipe, RecipeError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::InferenceConfig;
use super::sandbox::Limits;

/// A model and how to read it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Start {
    pub model: PathBuf,
    /// As it was uploaded: `.onnx` or `.safetensors`.
    pub filename: String,
    /// Side files, by the bare names that the model refers to them by.
    pub data: Vec<(String, PathBuf)>,
    pub form: ModelForm,
    /// Of the challenge, or of the longer list that its own are some of.
    pub classes: usize,
    /// Of the challenge, where the above are of a longer list.
    pub own_classes: Option<usize>,
    /// `[height, width, channels]` of the challenge's images, where they are of one size.
    pub image: Option<[usize; 3]>,
    pub device: String,
    pub limits: Limits,
}

/// A model that has run on a trial batch.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ready {
    /// What the form says, and where it says nothing, the file.
    pub form: ModelForm,
    pub profile: Profile,
    pub notices: Vec<Notice>,
    /// The recipe in use, with nothing left open.
    pub preprocess: Value,
    /// Pixels as they are: the recipe says nothing of their values.
    pub takes_pixels: bool,
    /// How many classes its columns are.
    pub classes: usize,
    pub layers: Vec<Layer>,
    pub filters: Option<Filters>,
    /// Images at a time.
    pub batch: usize,
    /// Measured on the trial batch.
    pub images_per_second: f64,
}

/// A process that is not what it should be may answer at length; this much of it is kept.
const MOST_NOTICES: usize = 50;
const LONGEST_TEXT: usize = 2000;

impl Ready {
    /// The contract's `model` object, as far as it is known before the run.
    pub fn document(&self, config: &InferenceConfig) -> Value {
        let profile = &self.profile;
        json!({
            "architecture": profile.architecture,
            "parameters": profile.parameters,
            "macs": profile.macs,
            "depth": profile.depth,
            "precision": profile.precision,
            "folded": profile.folded,
            "images_per_second": null,
            "device": measured_on(config, self.batch),
        })
    }

    /// `{layers, filters}`
    pub fn drawing(&self) -> Value {
        json!({ "layers": self.layers, "filters": self.filters })
    }

    /// How many images keep a worker busy for `time`: whole batches where it is time for one, at least one image.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rough number between 1 and a million"
    )]
    pub fn images_in(&self, time: Duration) -> usize {
        let images = (self.images_per_second * time.as_secs_f64()).clamp(1.0, 1e6) as usize;
        if images < self.batch {
            return images;
        }
        images / self.batch * self.batch
    }

    /// Bounds what came from a process that runs a stranger's model.
    /// None: no such process answers that.
    pub fn bounded(mut self) -> Option<Self> {
        self.notices.truncate(MOST_NOTICES);
        for notice in &mut self.notices {
            notice.code = bounded(&notice.code);
            notice.detail = bounded(&notice.detail);
        }
        let is_sound = (1..=4096).contains(&self.batch)
            && self.images_per_second.is_finite()
            && self.images_per_second > 0.0;
        is_sound.then_some(self)
    }
}

/// A recipe that leaves nothing open, as the other side sent it: read as a stranger's.
pub fn resolved(recipe: &Recipe) -> Result<Preprocessing, RecipeError> {
    let channels = recipe.mean.as_ref().map(Vec::len);
    recipe.resolve(ImageInput {
        channels: channels.and_then(|channels| u32::try_from(channels).ok()),
        size: None,
        raw: false,
        image: None,
    })
}

/// The first sentences of a text, without control characters.
pub fn bounded(text: &str) -> String {
    let printable = text.chars().filter(|character| !character.is_control());
    printable.take(LONGEST_TEXT).collect()
}

/// The contract's `model` object, without what only the whole run shows.
#[derive(Debug, Serialize, Deserialize)]
pub struct Profile {
    pub architecture: Option<String>,
    pub parameters: u64,
    pub macs: u64,
    pub depth: u32,
    pub precision: String,
    pub folded: bool,
}

/// One operator of the network.
#[derive(Debug, Serialize, Deserialize)]
pub struct Layer {
    pub name: String,
    pub op: String,
    /// Without the batch.
    pub output_shape: Vec<usize>,
    pub parameters: u64,
    pub macs: u64,
}

/// The filters of a first layer that is a convolution, each stretched to 0..255.
#[derive(Debug, Serialize, Deserialize)]
pub struct Filters {
    /// `[n,h,w,c]`
    pub shape: [usize; 4],
    /// uint8, base64.
    pub data: String,
}

/// What a speed was measured on: the processor or GPU, threads and batch.
fn measured_on(config: &InferenceConfig, batch: usize) -> String {
    let hardware = config.device.hardware();
    match (config.device, config.threads) {
        (DeviceChoice::Cuda(_), _) => format!("{hardware}, batch {batch}"),
        (_, 1) => format!("{hardware}, 1 thread, batch {batch}"),
        (_, threads) => format!("{hardware}, {threads} threads, batch {batch}"),
    }
}
