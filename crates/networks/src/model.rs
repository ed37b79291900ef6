//! A submitted model: a file and what its form says about it, as something that turns batches of images into answers.
//!
//! ```text
//! OnnxFile ─┐
//!           ├─> Opened ── input() ──> recipe resolved ──> prepare(size, …) ──> Model ── run(images) ──> Answers
//! Network ──┘   what the file shows by itself                                   trial run, profile, notices
//! ```
//!
//! What differs between files (layouts, several outputs, ranked classes, a batch size baked in) ends here: a [`Model`]
//! takes `[batch, channels, height, width]` and answers with one row of scores, or of ranked classes, for each image.

mod answers;
mod batching;
mod error;
mod filters;
mod input;
mod output;

use candle_core::{DType, Device, Tensor};
use referee_scoring::Notice;

pub use answers::Answers;
pub use error::ModelError;
pub use input::{ImageShape, Layout, channels_notice};

use crate::{
    Executor, Network, Profile, Weights, fuse,
    onnx::{Declared, Feed, OnnxFile},
};
use answers::Reading;
use batching::Batching;
use error::Result;
use input::Input;

/// What the form and the challenge say about a model's answers.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Of the challenge.
    pub classes: usize,
    /// So many first columns are no classes; `None` where the form does not say.
    pub class_offset: Option<usize>,
    /// The output that holds the logits, by its name in the file.
    pub output: Option<String>,
}

/// A model file that has been looked at, but whose image size may still be open.
#[derive(Debug)]
pub struct Opened {
    kind: Kind,
    expected: Expected,
    input: Input,
    precision: String,
    notices: Vec<Notice>,
}

#[derive(Debug)]
enum Kind {
    Onnx {
        file: Box<OnnxFile>,
        image: Declared,
        output: Declared,
    },
    Network {
        network: Network,
        weights: Weights,
    },
}

/// A model that has run on a trial batch.
#[derive(Debug)]
pub struct Model {
    executor: Executor,
    input: Input,
    /// Height and width of the images that it takes.
    size: [usize; 2],
    channels: usize,
    reading: Reading,
    batching: Batching,
    profile: Profile,
    precision: String,
    notices: Vec<Notice>,
}

impl Opened {
    /// Looks at an ONNX file: which input takes the image, which output answers.
    ///
    /// # Errors
    /// [`ModelError`] where there is not exactly one image input, or no output can be told to be the answer.
    pub fn onnx(file: OnnxFile, expected: Expected) -> Result<Self> {
        let mut notices = Vec::new();
        let image = input::only_image(&file)?;
        let input = Input::of(&image, &mut notices)?;
        let output = output::choose(&file, &image, &input, &expected)?;
        let precision = precision(&file.stored_types());
        Ok(Self {
            kind: Kind::Onnx {
                file: Box::new(file),
                image,
                output,
            },
            expected,
            input,
            precision,
            notices,
        })
    }

    /// A network of the zoo with its weights. `stored_as` is how the file holds them, for example `float16`.
    pub fn network(
        network: Network,
        weights: Weights,
        stored_as: &str,
        notices: Vec<Notice>,
        expected: Expected,
    ) -> Result<Self> {
        let input = Input::of_network(&network)?;
        let precision = precision(&[stored_as.to_owned()]);
        Ok(Self {
            kind: Kind::Network { network, weights },
            expected,
            input,
            precision,
            notices,
        })
    }

    /// What the network takes, as far as it says.
    pub fn input(&self) -> ImageShape {
        self.input.shape
    }

    /// How many values it takes for each image, where it takes them in one row and says so.
    pub(crate) fn flat_length(&self) -> Option<usize> {
        self.input.flat_length()
    }

    /// Puts the network on `device`, tries it, and counts what it costs.
    ///
    /// `size` is the height and width of the images to come, `channels` how many they have: what the network says, or
    /// what the recipe says where the network leaves it open.
    ///
    /// # Errors
    /// [`ModelError`] where the network does not run on such images, or does not answer for the challenge's classes.
    pub fn prepare(self, size: [usize; 2], channels: usize, device: &Device) -> Result<Model> {
        let Self {
            kind,
            expected,
            input,
            precision,
            mut notices,
        } = self;
        let dims = input.dims(size, channels)?;
        let (network, weights, declared) = match kind {
            Kind::Network { network, weights } => {
                if network.input().dims != dims {
                    return Err(ModelError::ImageSize {
                        takes: network.input().dims.clone(),
                        given: dims,
                    });
                }
                (network, weights, None)
            }
            Kind::Onnx {
                file,
                image,
                output,
            } => {
                let feed = Feed::Image {
                    dims,
                    element: image.element,
                    fixed_batch: input.fixed_batch,
                };
                let imported = file.network("model", vec![(image.name, feed)], &output.name)?;
                notices.extend(training_notice(&imported.in_training_mode));
                (imported.network, imported.weights, Some(output))
            }
        };
        let profile = network.profile()?;
        let (network, weights) = fuse(&network, &weights)?;
        let declared_batch = input.fixed_batch;
        let reading = output::reading(
            &network,
            declared.as_ref(),
            &expected,
            declared_batch,
            &mut notices,
        )?;
        let (executor, batching) =
            Batching::settle(&network, &weights, declared_batch, device, &mut notices)?;
        Ok(Model {
            executor,
            input,
            size,
            channels,
            reading,
            batching,
            profile,
            precision,
            notices,
        })
    }
}

impl Model {
    /// Height and width of the images that it takes.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    pub fn channels(&self) -> usize {
        self.channels
    }

    /// How many classes it answers for.
    pub fn classes(&self) -> usize {
        self.reading.classes()
    }

    /// Whether it takes pixels as they are, 0 to 255.
    pub fn takes_pixels(&self) -> bool {
        self.input.shape.raw
    }

    pub fn network(&self) -> &Network {
        self.executor.network()
    }

    /// What it costs, for one image.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The precision that it runs in, and the file's where that differs: `float32 (stored as float16)`.
    pub fn precision(&self) -> &str {
        &self.precision
    }

    /// What was handled that the competitor may want to know.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Answers for a batch of any size.
    ///
    /// `images`: `[batch, channels, height, width]`, `f32`, or `u8` for a model that takes pixels.
    ///
    /// # Errors
    /// [`ModelError::NotFinite`] where a score is no number, [`ModelError::Network`] where the network fails.
    pub fn run(&self, images: &Tensor) -> Result<Answers> {
        let arranged = self.input.arrange(images)?;
        let outputs = self.batching.run(&self.executor, &arranged)?;
        self.reading
            .read(&outputs.to_device(&Device::Cpu)?, images.dim(0)?)
    }

    /// Float32 logits `[batch, columns]`, as the network gives them: before columns are left out.
    pub fn logits(&self, images: &Tensor) -> Result<Tensor> {
        let outputs = self
            .batching
            .run(&self.executor, &self.input.arrange(images)?)?;
        let batch = images.dim(0)?;
        Ok(outputs
            .to_device(&Device::Cpu)?
            .to_dtype(DType::F32)?
            .reshape((batch, ()))?)
    }
}

/// What the run's precision is called, beside the file's own.
fn precision(stored_as: &[String]) -> String {
    match stored_as {
        [] => "float32".into(),
        [only] if only == "float32" => "float32".into(),
        several => format!("float32 (stored as {})", several.join("+")),
    }
}

fn training_notice(nodes: &std::collections::BTreeSet<String>) -> Option<Notice> {
    let first = nodes.first()?;
    Some(Notice {
        code: "training_mode".into(),
        detail: format!(
            "{} of the file's nodes, {first} first, are in training mode; they are run in inference mode. Export after \
             model.eval() to be sure of what is run",
            nodes.len()
        ),
    })
}
